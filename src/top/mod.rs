//! `lbproxy top`: a proxy at work, in a terminal, as its admin endpoint tells it.

mod draw;

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::ask;
use crate::config::AdminListen;
use crate::net::os;
use crate::view::Stats;

/// What to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where it is.
    pub admin: AdminListen,
    /// From one look to the next.
    pub interval: Duration,
    /// What changes need, if they need it.
    pub token: Option<String>,
}

/// What is on the screen.
#[derive(Default)]
struct Screen {
    /// What was told last.
    stats: Option<Stats>,
    /// Which backend the keys are about, counted over all pools.
    selected: usize,
    /// What went wrong, or what the last key came to.
    message: String,
    /// What is shown is no longer so.
    is_old: bool,
}

/// What a key asks for.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    Nothing,
    Quit,
    /// A change of the selected backend.
    Change(&'static str),
}

/// Shows it, until somebody has seen enough.
///
/// # Errors
/// This is no terminal, or nobody answers: what to do instead.
pub fn run(options: &Options) -> Result<(), String> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err("top needs a terminal: for a program there are /stats and /metrics".to_owned());
    }
    // Before the screen is taken: who has mistyped the address reads it on a line.
    let mut screen = Screen { stats: Some(fetch(options)?), ..Screen::default() };
    let mut terminal = ratatui::try_init().map_err(|error| format!("cannot use the terminal: {error}"))?;
    let outcome = stay(&mut terminal, &mut screen, options);
    ratatui::restore();
    outcome.map_err(|error| format!("the terminal has failed: {error}"))
}

fn stay(terminal: &mut ratatui::DefaultTerminal, screen: &mut Screen, options: &Options) -> io::Result<()> {
    let mut next: Instant = os::now() + options.interval;
    loop {
        terminal.draw(|frame| draw::draw(frame, screen))?;
        if event::poll(next.saturating_duration_since(os::now()))? {
            let Event::Key(key) = event::read()? else { continue };
            match screen.press(key) {
                Wish::Quit => return Ok(()),
                Wish::Nothing => {}
                Wish::Change(what) => {
                    screen.change(what, options);
                    screen.refresh(options);
                }
            }
        } else {
            screen.refresh(options);
            next = os::now() + options.interval;
        }
    }
}

fn fetch(options: &Options) -> Result<Stats, String> {
    let text = ask::get(&options.admin, "/stats")?;
    serde_json::from_str(&text)
        .map_err(|error| format!("{}: this proxy tells of itself otherwise: {error}", options.admin))
}

impl Screen {
    fn refresh(&mut self, options: &Options) {
        match fetch(options) {
            Ok(stats) => {
                if std::mem::take(&mut self.is_old) {
                    self.message.clear();
                }
                self.stats = Some(stats);
                self.selected = self.selected.min(self.backends().count().saturating_sub(1));
            }
            Err(why) => {
                self.is_old = true;
                self.message = why;
            }
        }
    }

    /// All backends, each with its pool's name.
    fn backends(&self) -> impl Iterator<Item = (&str, &str)> {
        let pools = self.stats.iter().flat_map(|stats| &stats.pools);
        pools.flat_map(|pool| pool.backends.iter().map(|backend| (&*pool.name, &*backend.name)))
    }

    fn press(&mut self, key: KeyEvent) -> Wish {
        if key.kind == KeyEventKind::Release {
            return Wish::Nothing;
        }
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Wish::Quit,
            KeyCode::Char('q') | KeyCode::Esc => Wish::Quit,
            KeyCode::Char('d') => Wish::Change("drain"),
            KeyCode::Char('e') => Wish::Change("enable"),
            KeyCode::Up | KeyCode::Char('k') => {
                self.selected = self.selected.saturating_sub(1);
                Wish::Nothing
            }
            KeyCode::Down | KeyCode::Char('j') => {
                self.selected = (self.selected + 1).min(self.backends().count().saturating_sub(1));
                Wish::Nothing
            }
            _ => Wish::Nothing,
        }
    }

    fn change(&mut self, what: &str, options: &Options) {
        let Some((pool, backend)) = self.backends().nth(self.selected) else { return };
        let part = |text| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
        let target = format!("/backends/{}/{what}?pool={}", part(backend), part(pool));
        let done = format!("{what} {backend}: done");
        self.message = match ask::post(&options.admin, &target, options.token.as_deref()) {
            Ok(_) => done,
            Err(why) => why,
        };
    }
}
