//! `--ramp`: the rate is raised until it breaks, to find the knee.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use serde::Serialize;

use super::{Arguments, Load, say};
use crate::lab::outcome::Outcome;

/// Where it begins if nobody says.
const FIRST_RATE: f64 = 1000.0;
/// From one step to the next.
const STEP: f64 = 1.25;
/// A step has broken if less than this was answered of what was due, ...
const ANSWERED_MIN: f64 = 0.97;
/// ... or one request in a hundred took so many times as long as at the start, and longer than this.
const SLOWER: f64 = 20.0;
const SLOW_US: f64 = 20_000.0;

/// What `--json` prints.
#[derive(Serialize)]
struct Climb {
    steps: Vec<Outcome>,
    /// The last rate that held.
    knee: Option<f64>,
}

/// Climbs, and returns whether any step held.
pub(super) fn climb(arguments: &Arguments, load: &Load, stop: &Arc<AtomicBool>) -> Result<bool, String> {
    let mut rate = arguments.rate.map_or(FIRST_RATE, |rate| rate as f64);
    let mut climb = Climb { steps: Vec::new(), knee: None };
    if !arguments.json {
        say("      rate   answered/s      p50      p99    p99.9   failed\n");
    }
    while !stop.load(Relaxed) {
        let step = Load { rate: Some(rate), ..load.clone() };
        let outcome = step.run(stop, None, !arguments.json)?.outcome(&step);
        if stop.load(Relaxed) {
            break;
        }
        let why = broken(&outcome, climb.steps.first());
        if !arguments.json {
            say(&line(&outcome, why.as_deref()));
        }
        climb.steps.push(outcome);
        if why.is_some() {
            break;
        }
        climb.knee = Some(rate);
        rate = (rate * STEP).round();
    }
    if arguments.json {
        say(&(serde_json::to_string(&climb).map_err(|error| error.to_string())? + "\n"));
    } else {
        say(&match climb.knee {
            Some(rate) => format!("knee: {rate:.0} requests/s\n"),
            None => "knee: none, the first step broke already; start lower (-R)\n".to_owned(),
        });
    }
    Ok(climb.knee.is_some())
}

/// Why a step does not count as held.
fn broken(outcome: &Outcome, first: Option<&Outcome>) -> Option<String> {
    let due = outcome.rate.unwrap_or(0.0);
    let answered = outcome.ok as f64 / outcome.seconds.max(f64::EPSILON);
    if answered < ANSWERED_MIN * due {
        return Some(format!("{:.1} % answered", 100.0 * answered / due));
    }
    let (p99, usual) = (outcome.latency_us.p99, first.map_or(f64::INFINITY, |first| first.latency_us.p99));
    (p99 > SLOW_US && p99 > SLOWER * usual).then(|| format!("p99 {:.0} times that of the start", p99 / usual))
}

fn line(outcome: &Outcome, why: Option<&str>) -> String {
    let ms = |us: f64| format!("{:.2}", us / 1000.0);
    let latency = &outcome.latency_us;
    let answered = outcome.ok as f64 / outcome.seconds.max(f64::EPSILON);
    format!(
        "{:>10.0} {answered:>12.0} {:>8} {:>8} {:>8} {:>8}  {}\n",
        outcome.rate.unwrap_or(0.0),
        ms(latency.p50),
        ms(latency.p99),
        ms(latency.p99_9),
        outcome.requests - outcome.ok,
        why.map_or("held".to_owned(), |why| format!("broken: {why}")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::outcome::Latency;

    #[test]
    fn a_step_breaks_when_answers_stay_out_or_become_slow() {
        let step = |ok, p99| Outcome {
            rate: Some(1000.0),
            seconds: 1.0,
            requests: 1000,
            ok,
            latency_us: Latency { p99, ..Latency::default() },
            ..Outcome::default()
        };
        let first = step(1000, 500.0);
        assert_eq!(broken(&first, None), None);
        assert_eq!(broken(&step(990, 19_000.0), Some(&first)), None);
        assert!(broken(&step(960, 500.0), Some(&first)).is_some());
        assert!(broken(&step(1000, 25_000.0), Some(&first)).is_some());
        assert_eq!(broken(&step(1000, 25_000.0), Some(&step(1000, 20_000.0))), None);
    }
}
