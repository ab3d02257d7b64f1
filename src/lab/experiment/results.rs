//! What was found. Its JSON form is what `results.json` holds.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::lab::outcome::Outcome;

/// A whole run.
#[derive(Debug, Default, Serialize)]
pub(super) struct Results {
    pub(super) machine: Machine,
    pub(super) settings: Settings,
    pub(super) tests: Vec<Title>,
    /// Labels of proxies and policies, in the order of their columns.
    pub(super) contestants: Vec<String>,
    /// Who could not take part, and how to get them.
    pub(super) missing: Vec<String>,
    pub(super) checks: Vec<Check>,
    pub(super) samples: Vec<Sample>,
    /// How busy the machine was, once a second.
    pub(super) cpu_percent: Vec<f64>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Machine {
    pub(super) host: String,
    pub(super) date: String,
    pub(super) kernel: String,
    pub(super) cpu: String,
    pub(super) cpus: usize,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Settings {
    pub(super) full: bool,
    pub(super) rounds: u32,
    /// Of one trial under load.
    pub(super) seconds: f64,
    /// The arguments of this run.
    pub(super) command: String,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Title {
    pub(super) name: String,
    pub(super) what: String,
    pub(super) note: String,
    pub(super) classic: bool,
    /// TCP mode.
    pub(super) stateful: bool,
    /// When, as a fraction of the time, and what.
    pub(super) events: Vec<(f64, String)>,
}

/// Something that must be so.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Check {
    pub(super) test: String,
    pub(super) who: String,
    pub(super) what: String,
    pub(super) holds: bool,
    /// What was found.
    pub(super) found: String,
}

/// One test, done once.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Sample {
    pub(super) test: String,
    /// The contestant's label.
    pub(super) who: String,
    pub(super) proxy: String,
    pub(super) policy: String,
    /// What made the load: `loadgen`, or `wrk2`.
    pub(super) generator: String,
    pub(super) round: u32,
    pub(super) seconds: f64,
    /// Why there is nothing to see.
    pub(super) failure: Option<String>,
    /// What load generators found, together.
    pub(super) load: Option<Outcome>,
    pub(super) transmissions: Option<Transmissions>,
    pub(super) members: Option<Members>,
    pub(super) backends: Vec<Seen>,
    /// CPU time of the proxy and of all backends, in milliseconds.
    pub(super) proxy_cpu_ms: f64,
    pub(super) backends_cpu_ms: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Transmissions {
    pub(super) accurate: u64,
    pub(super) expected: u64,
    pub(super) rate_per_s: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
}

/// Clients whose backend was taken away, and clients that moved all the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Members {
    pub(super) clients: u64,
    /// Those whose backend is gone.
    pub(super) orphans: u64,
    pub(super) moved_without_need: u64,
    pub(super) unserved: u64,
}

/// What a backend told of itself.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Seen {
    pub(super) name: String,
    pub(super) what: String,
    pub(super) weight: u32,
    /// Requests, or connections where there are no requests.
    pub(super) requests: u64,
    pub(super) errors: u64,
    /// Seconds since the load began, and requests in flight, on average since the last.
    pub(super) in_flight: Vec<(f64, f64)>,
}

impl Sample {
    /// Everything that was asked for: requests, messages or files.
    pub(super) fn done(&self) -> u64 {
        let load = self.load.as_ref().map(|load| load.requests);
        load.or(self.transmissions.as_ref().map(|count| count.expected)).unwrap_or(0)
    }

    /// CPU time of the proxy for each.
    pub(super) fn cpu_us_per_request(&self) -> f64 {
        self.proxy_cpu_ms * 1000.0 / self.done().max(1) as f64
    }

    /// Each backend's share, in percent, and the one that its weight asks for.
    pub(super) fn shares(&self) -> Vec<(f64, f64)> {
        let sum: u64 = self.backends.iter().map(|seen| seen.requests).sum();
        let weights: u32 = self.backends.iter().map(|seen| seen.weight).sum();
        let share = |seen: &Seen| {
            let due = 100.0 * f64::from(seen.weight) / f64::from(weights.max(1));
            (100.0 * seen.requests as f64 / sum.max(1) as f64, due)
        };
        self.backends.iter().map(share).collect()
    }

    /// Errors by reason, of clients.
    pub(super) fn errors(&self) -> BTreeMap<String, u64> {
        let errors = self.load.iter().flat_map(|load| &load.errors);
        let mut errors: BTreeMap<String, u64> =
            errors.filter(|(_, count)| **count > 0).map(|(name, count)| (name.clone(), *count)).collect();
        if let Some(load) = &self.load
            && errors.remove("status").is_some()
        {
            let wrong = load.statuses.iter().filter(|(status, _)| !status.starts_with(['2', '3']));
            errors.extend(wrong.map(|(status, count)| (format!("status {status}"), *count)));
        }
        errors
    }
}

impl Results {
    /// The samples of a test and a contestant, one for each round.
    pub(super) fn of<'a>(&'a self, test: &'a str, who: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.samples
            .iter()
            .filter(move |sample| sample.test == test && sample.who == who && sample.failure.is_none())
    }

    /// The round whose p99 is the median, to be drawn.
    pub(super) fn typical<'a>(&'a self, test: &'a str, who: &'a str) -> Option<&'a Sample> {
        let mut samples: Vec<&Sample> = self.of(test, who).collect();
        let key = |sample: &Sample| sample.load.as_ref().map_or(0.0, |load| load.latency_us.p99);
        samples.sort_by(|one, other| key(one).total_cmp(&key(other)));
        samples.get(samples.len().saturating_sub(1) / 2).copied()
    }

    pub(super) fn spread(
        &self,
        test: &str,
        who: &str,
        figure: impl Fn(&Sample) -> Option<f64>,
    ) -> Option<Spread> {
        Spread::of(self.of(test, who).filter_map(figure).collect())
    }
}

/// A figure over all rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Spread {
    pub(super) fn of(mut values: Vec<f64>) -> Option<Spread> {
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median =
            if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 };
        Some(Spread { median, min, max })
    }
}
