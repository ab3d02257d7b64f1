//! What was found, as tables.

use super::found::{Found, Latency};
use super::plan::Plan;
use crate::lab::columns::aligned;

/// Backends whose shares are told one by one; more would be no table any more.
pub(super) const BACKENDS_TOLD: usize = 20;

/// A table with what stands above it.
pub(super) struct Table {
    pub(super) title: &'static str,
    /// The first is the head.
    pub(super) rows: Vec<Vec<String>>,
}

/// All tables, for a terminal.
pub(super) fn all(plan: &Plan, found: &[Found]) -> String {
    let mut text = format!("{}\n", plan.words);
    for table in tables(found) {
        text += &format!("\n{}\n{}", table.title, aligned(&table.rows));
    }
    text
}

/// All tables that have something to say.
pub(super) fn tables(found: &[Found]) -> Vec<Table> {
    let few = found.iter().all(|one| one.backends.len() <= BACKENDS_TOLD);
    let moved = found.iter().any(|one| one.moved.is_some());
    let mut tables = vec![latency(found), evenness(found)];
    tables.extend(few.then(|| shares(found)));
    tables.extend(moved.then(|| members(found)));
    tables
}

fn latency(found: &[Found]) -> Table {
    type Figure = (&'static str, fn(&Latency) -> f64);
    let figures: [Figure; 6] = [
        ("mean", |latency| latency.mean),
        ("p50", |latency| latency.p50),
        ("p90", |latency| latency.p90),
        ("p99", |latency| latency.p99),
        ("p99.9", |latency| latency.p99_9),
        ("max", |latency| latency.max),
    ];
    let mut rows = vec![row("policy", figures.iter().map(|(name, _)| (*name).to_owned()))];
    rows[0].extend(["errors (%)".to_owned(), "unserved (%)".to_owned()]);
    for one in found {
        let cell =
            |figure: &Figure| one.latency_ms.map_or("–".into(), |latency| figures_of(figure.1(&latency)));
        let percent = |count: u64| format!("{:.2}", 100.0 * count as f64 / one.requests as f64);
        let mut cells = row(&one.policy, figures.iter().map(cell));
        cells.extend([percent(one.errors), percent(one.unserved)]);
        rows.push(cells);
    }
    Table { title: "Latency, from when a client comes until it is answered (ms)", rows }
}

/// As many decimals as a figure of this size deserves.
fn figures_of(value: f64) -> String {
    let decimals = if value < 10.0 {
        3
    } else if value < 1000.0 {
        1
    } else {
        0
    };
    format!("{value:.decimals$}")
}

fn evenness(found: &[Found]) -> Table {
    let head =
        ["requests: max/mean", "max − mean", "in flight: mean", "max − mean", "max − min", "at the end"];
    let mut rows = vec![row("policy", head.map(String::from))];
    for one in found {
        let of = &one.imbalance;
        let cells = [
            format!("{:.3}", of.requests_max_over_mean),
            format!("{:.1}", of.requests_max_minus_mean),
            format!("{:.2}", of.in_flight_mean),
            format!("{:.2}", of.in_flight_max_minus_mean),
            format!("{:.2}", of.in_flight_max_minus_min),
            format!("{:.1}", of.in_flight_end_max_minus_mean),
        ];
        rows.push(row(&one.policy, cells));
    }
    Table {
        title: "Imbalance: requests for their weight over the whole run; in flight, on average over time, and max − mean at the end",
        rows,
    }
}

fn shares(found: &[Found]) -> Table {
    let policies = found.iter().map(|one| one.policy.clone());
    let mut rows = vec![row("backend", std::iter::once("weight asks".to_owned()).chain(policies))];
    let first = found.first().map(|one| &one.backends[..]).unwrap_or_default();
    for (position, backend) in first.iter().enumerate() {
        let shares = found.iter().map(|one| format!("{:.2}", one.backends[position].percent));
        let due = format!("{:.2}", backend.due_percent);
        rows.push(row(&backend.name, std::iter::once(due).chain(shares)));
    }
    Table { title: "Share of each backend (%)", rows }
}

fn members(found: &[Found]) -> Table {
    let head = ["clients", "had to move", "moved all the same", "in percent"].map(String::from);
    let mut rows = vec![row("policy", head)];
    for one in found {
        let Some(moved) = one.moved else {
            rows.push(row(&one.policy, ["–", "does not go by the client", "–", "–"].map(String::from)));
            continue;
        };
        let percent = 100.0 * moved.needlessly as f64 / moved.keys as f64;
        let counts = [moved.keys, moved.had_to, moved.needlessly].map(|count| count.to_string());
        rows.push(row(&one.policy, counts.into_iter().chain([format!("{percent:.3}")])));
    }
    Table { title: "Clients that move when backends leave or join", rows }
}

fn row(name: &str, cells: impl IntoIterator<Item = String>) -> Vec<String> {
    std::iter::once(name.to_owned()).chain(cells).collect()
}
