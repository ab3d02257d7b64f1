//! What `lbproxy top` draws.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Cell, Paragraph, Row, Sparkline, Table, Wrap};

use super::Screen;
use crate::view::Stats;
use crate::view::stats::{Backend, Pool};

const KEYS: &str = "up/down: select   d: drain   e: enable   q: quit";
/// Of the table of backends, each with its width: as many as there is room for, from the left.
const BACKEND_COLUMNS: [(&str, u16); 10] = [
    ("", 1),
    ("backend", 16),
    ("state", 11),
    ("weight", 6),
    ("share/due", 11),
    ("in flight", 9),
    ("per s", 8),
    ("errors/s", 8),
    ("p50", 8),
    ("p99", 8),
];
const FRONTEND_COLUMNS: [(&str, u16); 8] = [
    ("frontend", 12),
    ("open", 7),
    ("conn/s", 8),
    ("resp/s", 8),
    ("queue", 12),
    ("mode", 5),
    ("pool", 12),
    ("listens on", 22),
];
/// Rows of lines that say what is short, at the most.
const SHORT_MOST: usize = 3;

pub(super) fn draw(frame: &mut Frame<'_>, screen: &Screen) {
    let Some(stats) = &screen.stats else { return };
    let short = stats.saturation.len().clamp(1, SHORT_MOST) as u16;
    let [head, words, frontends, pools, reason, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(short),
        Constraint::Length(stats.frontends.len() as u16 + 2),
        Constraint::Min(3),
        Constraint::Length(3),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    draw_head(frame, head, screen, stats);
    draw_words(frame, words, stats);
    draw_frontends(frame, frontends, stats);
    draw_pools(frame, pools, screen, stats);
    draw_reason(frame, reason, screen, stats);
    let foot_text = if screen.message.is_empty() { KEYS } else { &screen.message };
    let style = if screen.is_old { Style::new().fg(Color::Red) } else { quiet() };
    frame.render_widget(Line::styled(foot_text, style), foot);
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, screen: &Screen, stats: &Stats) {
    let sessions: usize = stats.workers.iter().map(|worker| worker.sessions).sum();
    let busy = stats.workers.iter().map(|worker| worker.busy).fold(0.0, f64::max);
    let lag = stats.workers.iter().filter_map(|worker| worker.lag_p99_ms).reduce(f64::max);
    let old = if screen.is_old { " · OLD" } else { "" };
    let text = format!(
        "lbproxy {} · {}{old} · up {} · {sessions} clients · {} accepted · {} requests · busy {:.0} % · turn p99 {}",
        stats.version,
        stats.state,
        since(stats.uptime_s),
        stats.totals.accepted,
        stats.totals.requests,
        busy * 100.0,
        ms(lag),
    );
    frame.render_widget(Line::styled(text, bold()), area);
}

fn draw_words(frame: &mut Frame<'_>, area: Rect, stats: &Stats) {
    let lines: Vec<Line<'_>> = if stats.saturation.is_empty() {
        vec![Line::styled(format!("nothing is short: {}", stats.headroom), quiet())]
    } else {
        let red = Style::new().fg(Color::Red);
        stats.saturation.iter().take(SHORT_MOST).map(|line| Line::styled(&**line, red)).collect()
    };
    frame.render_widget(Paragraph::new(lines), area);
}

fn draw_frontends(frame: &mut Frame<'_>, area: Rect, stats: &Stats) {
    let shown = fitting(&FRONTEND_COLUMNS, area.width);
    let rows = stats.frontends.iter().map(|one| {
        let cells = [
            one.name.clone(),
            one.open.to_string(),
            number(one.connections_per_s),
            number(one.responses_per_s),
            format!("{} of {}", one.queue, one.queue_most),
            one.mode.clone(),
            one.pool.clone(),
            one.listen.join(" "),
        ];
        Row::new(cells.into_iter().take(shown.len()))
    });
    let widths = shown.iter().map(|(_, width)| Constraint::Length(*width));
    let head = Row::new(shown.iter().map(|(name, _)| *name)).style(quiet());
    frame.render_widget(Table::new(rows, widths).header(head), area);
}

/// A pool below the other, as far as there is room, from that of the selected backend on.
fn draw_pools(frame: &mut Frame<'_>, area: Rect, screen: &Screen, stats: &Stats) {
    let mut top = area.y;
    let mut first = 0;
    let selected_pool = stats.pools.iter().position(|pool| {
        let is_here = screen.selected < first + pool.backends.len();
        if !is_here {
            first += pool.backends.len();
        }
        is_here
    });
    let fits = |from: usize| -> bool {
        let rows = stats.pools[from..].iter().map(|pool| pool.backends.len() + 2);
        rows.sum::<usize>() <= usize::from(area.height)
    };
    let from = if fits(0) { 0 } else { selected_pool.unwrap_or(0) };
    let mut number = stats.pools[..from].iter().map(|pool| pool.backends.len()).sum::<usize>();
    for pool in &stats.pools[from..] {
        let room = area.bottom().saturating_sub(top);
        if room < 2 {
            return;
        }
        let here = Rect { y: top, height: room.min(pool.backends.len() as u16 + 2), ..area };
        draw_pool(frame, here, pool, screen.selected.checked_sub(number));
        number += pool.backends.len();
        top += here.height;
    }
}

fn draw_pool(frame: &mut Frame<'_>, area: Rect, pool: &Pool, selected: Option<usize>) {
    let [title, table] = Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(area);
    let waiting = if pool.waiting > 0 { format!(" · {} wait", pool.waiting) } else { String::new() };
    frame
        .render_widget(Line::styled(format!("pool {} · {}{waiting}", pool.name, pool.policy), bold()), title);
    let shown = fitting(&BACKEND_COLUMNS, table.width);
    // Those above the selected one give way if there is no room for all.
    let room = usize::from(table.height.saturating_sub(1));
    let skip = selected.map_or(0, |selected| (selected + 1).saturating_sub(room));
    let backends = pool.backends.iter().enumerate().skip(skip);
    let rows = backends.clone().map(|(n, backend)| row(backend, selected == Some(n), shown.len()));
    let widths = shown.iter().map(|(_, width)| Constraint::Length(*width));
    let head = Row::new(shown.iter().map(|(name, _)| *name)).style(quiet());
    frame.render_widget(Table::new(rows, widths).header(head), table);
    // The rest of each line is what it was given in the last minute.
    let left = shown.iter().map(|(_, width)| width + 1).sum::<u16>();
    if shown.len() < BACKEND_COLUMNS.len() || table.width <= left {
        return;
    }
    let rest = Rect { x: table.x + left, width: table.width - left, height: 1, ..table };
    frame.render_widget(Line::styled("last minute", quiet()), rest);
    for (row, (_, backend)) in (1..table.height).zip(backends) {
        let from = backend.history.len().saturating_sub(usize::from(rest.width));
        let values: Vec<u64> =
            backend.history[from..].iter().map(|second| second.per_s.round() as u64).collect();
        frame.render_widget(Sparkline::default().data(&values), Rect { y: rest.y + row, ..rest });
    }
}

/// As many of the columns as the screen has room for, the first ones first.
fn fitting(columns: &'static [(&'static str, u16)], width: u16) -> &'static [(&'static str, u16)] {
    let mut used = 0;
    let fits = |(_, column): &&(&str, u16)| {
        used += column + 1;
        used <= width + 1
    };
    &columns[..columns.iter().take_while(fits).count().max(1)]
}

fn row(backend: &Backend, is_selected: bool, columns: usize) -> Row<'_> {
    let colour = match &*backend.state {
        "up" => Color::Green,
        "down" | "passed over" => Color::Red,
        _ => Color::Yellow,
    };
    let in_flight = match backend.max_connections {
        Some(most) => format!("{}/{most}", backend.in_flight),
        None => backend.in_flight.to_string(),
    };
    let share = backend.share.map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", share * 100.0));
    let cells = [
        Cell::new(if is_selected { ">" } else { "" }),
        Cell::new(&*backend.name),
        Cell::new(&*backend.state).style(Style::new().fg(colour)),
        Cell::new(backend.weight.to_string()),
        Cell::new(format!("{share}/{:.0} %", backend.fair_share * 100.0)),
        Cell::new(in_flight),
        Cell::new(number(backend.per_s)),
        Cell::new(number(backend.errors_per_s)),
        Cell::new(ms(backend.p50_ms)),
        Cell::new(ms(backend.p99_ms)),
    ];
    let style = if is_selected { bold() } else { Style::new() };
    Row::new(cells.into_iter().take(columns)).style(style)
}

/// What became of the selected backend last.
fn draw_reason(frame: &mut Frame<'_>, area: Rect, screen: &Screen, stats: &Stats) {
    let Some(backend) = stats.pools.iter().flat_map(|pool| &pool.backends).nth(screen.selected) else {
        return;
    };
    let mut lines = vec![format!("{} at {}: {}", backend.name, backend.address, why(backend))];
    lines.extend(backend.changes.iter().rev().take(2).map(|change| {
        let ago = stats.at_unix_ms.saturating_sub(change.at_unix_ms) / 1000;
        format!("  {} ago {}: {}", since(ago), change.what, change.why)
    }));
    frame.render_widget(Paragraph::new(lines.join("\n")).wrap(Wrap { trim: false }), area);
}

fn why(backend: &Backend) -> String {
    match &backend.why {
        Some(why) => format!("{}, {why}", backend.state),
        None => backend.state.clone(),
    }
}

fn since(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

fn number(value: f64) -> String {
    if value >= 100.0 || value == value.trunc() { format!("{value:.0}") } else { format!("{value:.1}") }
}

fn ms(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value < 10.0 => format!("{value:.2} ms"),
        Some(value) => format!("{value:.0} ms"),
    }
}

fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

fn quiet() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::view::stats::{Change, Frontend, Second};

    fn screen(pools: usize, selected: usize) -> Screen {
        let backend = |pool: usize, n: usize| Backend {
            name: format!("p{pool}b{n}"),
            address: "10.0.0.1:80".into(),
            state: if n == 1 { "down" } else { "up" }.into(),
            why: (n == 1).then(|| "connect: refused".to_owned()),
            weight: 1,
            share: Some(0.25),
            fair_share: 0.5,
            per_s: 12.5,
            changes: vec![Change { at_unix_ms: 60_000, what: "down".into(), why: "connect: refused".into() }],
            history: vec![Second { per_s: 5.0, ..Second::default() }; 60],
            ..Backend::default()
        };
        let pool = |pool| Pool {
            name: format!("p{pool}"),
            policy: "random".into(),
            backends: (0..3).map(|n| backend(pool, n)).collect(),
            ..Pool::default()
        };
        let stats = Stats {
            at_unix_ms: 90_000,
            headroom: "all is well".into(),
            frontends: vec![Frontend { name: "web".into(), ..Frontend::default() }],
            pools: (0..pools).map(pool).collect(),
            ..Stats::default()
        };
        Screen { stats: Some(stats), selected, ..Screen::default() }
    }

    fn drawn(screen: &Screen, (width, height): (u16, u16)) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, screen)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn it_shows_backends_with_state_share_and_the_last_reason() {
        let text = drawn(&screen(1, 1), (120, 24));
        for part in ["nothing is short: all is well", "pool p0 · random", "25 %/50 %", "12.5", "> p0b1"] {
            assert!(text.contains(part), "no {part:?} in\n{text}");
        }
        assert!(text.contains("p0b1 at 10.0.0.1:80: down, connect: refused"), "{text}");
        assert!(text.contains("30 s ago down: connect: refused") && text.contains(KEYS), "{text}");
        assert!(text.contains('█'), "the last minute is drawn:\n{text}");
    }

    #[test]
    fn the_selected_backend_is_always_shown() {
        for size in [(120, 24), (80, 24), (40, 14), (200, 60), (20, 10)] {
            for selected in 0..12 {
                let text = drawn(&screen(4, selected), size);
                let name = format!("p{}b{} at", selected / 3, selected % 3);
                assert!(text.contains(&name[..8.min(name.len())]), "{size:?} {selected}\n{text}");
                if size.1 >= 14 {
                    assert!(
                        text.contains(&format!("> p{}b{}", selected / 3, selected % 3)),
                        "{size:?}\n{text}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_old_says_so() {
        let old = Screen { is_old: true, message: "nobody answers".into(), ..screen(1, 0) };
        let text = drawn(&old, (120, 24));
        assert!(text.contains("OLD") && text.contains("nobody answers"), "{text}");
    }
}
