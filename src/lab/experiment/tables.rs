//! The figures of a report, as rows of cells.

use std::fmt::Write;

use super::results::{Results, Sample, Spread, Title};
use crate::lab::columns::aligned;

/// A table: its head, and its rows.
pub(super) struct Table {
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

/// A column: its head, its figure, and decimals.
type Column = (&'static str, Box<dyn Fn(&Sample) -> Option<f64>>, usize);

/// The figures of one test, a row for each contestant. A column in which nobody has anything is left out.
pub(super) fn of(results: &Results, title: &Title) -> Table {
    let columns: Vec<Column> = vec![
        ("p50 (ms)", Box::new(|sample| Some(sample.load.as_ref()?.latency_us.p50 / 1000.0)), 2),
        ("p99 (ms)", Box::new(|sample| Some(sample.load.as_ref()?.latency_us.p99 / 1000.0)), 2),
        ("p99.9 (ms)", Box::new(|sample| Some(sample.load.as_ref()?.latency_us.p99_9 / 1000.0)), 2),
        ("requests/s", Box::new(|sample| Some(sample.load.as_ref()?.requests_per_second)), 0),
        ("failed (%)", Box::new(failed_percent), 2),
        ("accurate", Box::new(|sample| Some(sample.transmissions.as_ref()?.accurate as f64)), 0),
        ("of", Box::new(|sample| Some(sample.transmissions.as_ref()?.expected as f64)), 0),
        ("per s", Box::new(|sample| Some(sample.transmissions.as_ref()?.rate_per_s)), 0),
        ("p50 (µs)", Box::new(|sample| Some(sample.transmissions.as_ref()?.p50_us)), 0),
        ("p99 (µs)", Box::new(|sample| Some(sample.transmissions.as_ref()?.p99_us)), 0),
        ("had to move (%)", Box::new(|sample| percent_of(sample, |members| members.orphans)), 1),
        (
            "moved all the same (%)",
            Box::new(|sample| percent_of(sample, |members| members.moved_without_need)),
            1,
        ),
        (
            "CPU of proxy (µs/request)",
            Box::new(|sample| (sample.done() > 0).then(|| sample.cpu_us_per_request())),
            1,
        ),
        ("CPU of backends (ms)", Box::new(|sample| (sample.done() > 0).then_some(sample.backends_cpu_ms)), 0),
    ];
    let spreads = |figure: &dyn Fn(&Sample) -> Option<f64>| -> Vec<Option<Spread>> {
        results.contestants.iter().map(|who| results.spread(&title.name, who, figure)).collect()
    };
    let mut table = Table {
        head: vec!["policy".into()],
        rows: results.contestants.iter().map(|who| vec![who.clone()]).collect(),
    };
    for (name, figure, decimals) in &columns {
        let spreads = spreads(figure);
        if spreads.iter().any(Option::is_some) {
            table.head.push((*name).into());
            for (row, spread) in table.rows.iter_mut().zip(spreads) {
                row.push(spread.map_or("–".into(), |spread| cell(spread, *decimals)));
            }
        }
    }
    table
}

fn failed_percent(sample: &Sample) -> Option<f64> {
    let load = sample.load.as_ref()?;
    Some(100.0 * load.errors.values().sum::<u64>() as f64 / load.requests.max(1) as f64)
}

fn percent_of(sample: &Sample, count: impl Fn(&super::results::Members) -> u64) -> Option<f64> {
    let members = sample.members.as_ref()?;
    Some(100.0 * count(members) as f64 / members.clients.max(1) as f64)
}

/// The median, and the range if there is one.
fn cell(spread: Spread, decimals: usize) -> String {
    let [median, min, max] =
        [spread.median, spread.min, spread.max].map(|value| format!("{value:.decimals$}"));
    if min == max { median } else { format!("{median} ({min}–{max})") }
}

/// Errors by reason, for each contestant that saw any, over all rounds.
pub(super) fn errors(results: &Results, title: &Title) -> Table {
    let mut rows = Vec::new();
    for who in &results.contestants {
        let mut sum = std::collections::BTreeMap::<String, u64>::new();
        let errors = results.of(&title.name, who).flat_map(Sample::errors);
        errors.for_each(|(reason, count)| *sum.entry(reason).or_default() += count);
        rows.extend(sum.into_iter().map(|(reason, count)| vec![who.clone(), reason, count.to_string()]));
    }
    Table { head: ["policy", "reason", "requests, over all rounds"].map(Into::into).into(), rows }
}

/// What the terminal is told.
pub(super) fn summary(results: &Results) -> String {
    let mut text = String::new();
    for title in &results.tests {
        let _ = writeln!(text, "\n{}: {}", title.name, title.what);
        let table = of(results, title);
        let rows: Vec<Vec<String>> = std::iter::once(table.head).chain(table.rows).collect();
        text += &aligned(&rows);
    }
    let broken: Vec<_> = results.checks.iter().filter(|check| !check.holds).collect();
    let _ =
        writeln!(text, "\n{} of {} checks hold.", results.checks.len() - broken.len(), results.checks.len());
    for check in broken {
        let _ = writeln!(text, "  NOT: {} ({}, {}): {}", check.what, check.test, check.who, check.found);
    }
    for missing in &results.missing {
        let _ = writeln!(text, "{missing}");
    }
    text
}
