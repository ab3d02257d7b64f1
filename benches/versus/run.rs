//! The order of the samples, and taking them one after the other.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressStyle};

use crate::contestants::Contestant;
use crate::results::{Outcome, Sample};
use crate::rows::{Row, Work};
use crate::sample::Bench;

/// One sample to take.
pub struct Step<'a> {
    row: &'a Row,
    contestant: &'a Contestant,
    round: u32,
}

/// Row by row, each in rounds in which everybody has a turn, so that all see the same weather; who begins changes. A quick
/// run sees all rows with lbproxy, and with everybody else a row of each mode, or the one they are there for.
pub fn plan<'a>(rows: &[&'a Row], contestants: &'a [Contestant], rounds: u32, quick: bool) -> Vec<Step<'a>> {
    let is_first = |row: &Row| matches!(row.work, Work::Load { path: "/", closes: false, .. });
    let mut steps = Vec::new();
    for &row in rows {
        let suited: Vec<&Contestant> =
            contestants.iter().filter(|contestant| contestant.suits(row)).collect();
        for round in 1..=rounds {
            for index in 0..suited.len() {
                let contestant = suited[(index + round as usize - 1) % suited.len()];
                if !quick || contestant.is_lbproxy() || contestant.is_variant() || is_first(row) {
                    steps.push(Step { row, contestant, round });
                }
            }
        }
    }
    steps
}

pub fn samples(bench: &Bench, plan: &[Step]) -> Vec<Sample> {
    let bar = ProgressBar::new(plan.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos} of {len}, {eta} left  {msg:32}") {
        bar.set_style(style);
    }
    let is_watched = stderr().is_terminal();
    let mut samples = Vec::new();
    for Step { row, contestant, round } in plan {
        bar.set_message(format!("{} {}", row.name, contestant.name));
        bar.tick();
        let outcome = match bench.sample(contestant, row) {
            Ok(figures) => Outcome::Measured(figures),
            Err(failure) => Outcome::Failed { failure },
        };
        if !is_watched {
            eprintln!("{} round {round} {}: {}", row.name, contestant.name, brief(&outcome));
        }
        let (row, contestant) = (row.name.to_owned(), contestant.name.clone());
        samples.push(Sample { row, contestant, round: *round, outcome });
        bar.inc(1);
    }
    bar.finish_and_clear();
    samples
}

fn brief(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Failed { failure } => format!("failed: {failure}"),
        Outcome::Measured(figures) => {
            let fault = figures.fault.as_ref().map_or(String::new(), |fault| format!(" (!) {fault}"));
            format!("{:.2}{fault}", figures.figure)
        }
    }
}
