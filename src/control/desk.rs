//! Who answers at the admin endpoint, in a thread of its own, and takes the picture once a second.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::answers::Answers;
use super::reload::Requests;
use crate::admin::{Asked, Told};
use crate::net::os;
use crate::view::Sampler;
use crate::worker::{Control, DeskEnd};

/// From one picture to the next.
const INTERVAL: Duration = Duration::from_secs(1);
/// From one word in the log about what is short to the next.
const QUIET: Duration = Duration::from_secs(10);

/// Starts the thread. `token` is what changes need, if they need one.
///
/// # Errors
/// No thread to be had.
pub(super) fn start(
    control: Control,
    end: DeskEnd,
    token: Option<String>,
    reloads: Option<Requests>,
    fd_limit: u64,
) -> io::Result<()> {
    let sampler = Sampler::new(control.clone(), fd_limit, token.is_some() || !end.listen.is_local());
    let DeskEnd { listen, asked, told } = end;
    let answers = Answers { control: control.clone(), listen, token, reloads };
    let keeper = Keeper { control, sampler, answers, told, said: Vec::new(), said_at: None };
    std::thread::Builder::new().name("admin".into()).spawn(move || keeper.keep(&asked))?;
    Ok(())
}

struct Keeper {
    control: Control,
    sampler: Sampler,
    answers: Answers,
    told: Sender<Told>,
    /// What was short when the log heard of it last.
    said: Vec<String>,
    said_at: Option<Instant>,
}

impl Keeper {
    fn keep(mut self, asked: &Receiver<Asked>) {
        let mut next = os::now() + INTERVAL;
        loop {
            // Before the next answer: who asks without a pause does not stop the clock.
            if os::now() >= next {
                // As long as it takes, it is not done twice to catch up.
                next = os::now() + INTERVAL;
                self.tick();
            }
            match asked.recv_timeout(next.saturating_duration_since(os::now())) {
                Ok(asked) => self.answer(&asked),
                Err(RecvTimeoutError::Timeout) => {}
                // The loop has gone.
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn answer(&mut self, asked: &Asked) {
        let (told, control) = (self.told.clone(), self.control.clone());
        let tell = move |answer| {
            // A loop that is gone takes no more answers.
            let _ = told.send(answer);
            control.wake_desk();
        };
        self.answers.answer(asked, &mut self.sampler, tell);
    }

    fn tick(&mut self) {
        let stats = self.sampler.tick();
        self.say(&stats.saturation);
        if let Ok(json) = serde_json::to_string(&stats) {
            let event: Arc<[u8]> = format!("data: {json}\n\n").into_bytes().into();
            if self.told.send(Told::Event(event)).is_ok() {
                self.control.wake_desk();
            }
        }
    }

    /// Tells the log when something else is short than before, but not at every change.
    fn say(&mut self, short: &[String]) {
        let kind = |line: &String| line.replace(|c: char| c.is_ascii_digit(), "");
        let kinds = |lines: &[String]| lines.iter().map(kind).collect::<Vec<_>>();
        let now = os::now();
        let is_quiet = self.said_at.is_some_and(|at| now < at + QUIET);
        if is_quiet || kinds(short) == kinds(&self.said) {
            return;
        }
        match short {
            [] => log::info!("saturation: nothing is short any more"),
            lines => lines.iter().for_each(|line| log::warn!("saturation: {line}")),
        }
        (self.said, self.said_at) = (short.to_vec(), Some(now));
    }
}
