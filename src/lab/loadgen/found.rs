//! What became of requests.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::Load;
use super::target::Speech;
use crate::lab::outcome::{Latency, Outcome, Second};

/// The longest latency told apart from longer ones: a day, as in wrk2.
const LATENCY_MAX_US: u64 = 24 * 60 * 60 * 1_000_000;
/// Significant decimal digits of a latency.
const LATENCY_DIGITS: u8 = 3;
/// Statuses have three digits.
const STATUSES: usize = 600;

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Failure {
    /// No connection.
    Connect,
    /// It broke, or ended, or what came was no answer.
    Read,
    /// It broke while the request was sent.
    Write,
    /// No answer in time.
    Timeout,
    /// An answer, with a status of 400 or more.
    Status,
    /// An echo that is none.
    Mismatch,
}

impl Failure {
    pub(super) const ALL: [Failure; 6] = [
        Failure::Connect,
        Failure::Read,
        Failure::Write,
        Failure::Timeout,
        Failure::Status,
        Failure::Mismatch,
    ];

    fn name(self) -> &'static str {
        match self {
            Failure::Connect => "connect",
            Failure::Read => "read",
            Failure::Write => "write",
            Failure::Timeout => "timeout",
            Failure::Status => "status",
            Failure::Mismatch => "mismatch",
        }
    }
}

/// A histogram of microseconds.
pub(super) fn histogram() -> Result<Histogram<u64>, String> {
    Histogram::new_with_bounds(1, LATENCY_MAX_US, LATENCY_DIGITS).map_err(|error| error.to_string())
}

/// What connections found.
pub(super) struct Found {
    pub(super) latency_us: Histogram<u64>,
    pub(super) uncorrected_us: Histogram<u64>,
    pub(super) requests: u64,
    pub(super) bytes: u64,
    failures: [u64; Failure::ALL.len()],
    statuses: Vec<u64>,
}

impl Found {
    pub(super) fn new() -> Result<Found, String> {
        Ok(Found {
            latency_us: histogram()?,
            uncorrected_us: histogram()?,
            requests: 0,
            bytes: 0,
            failures: [0; Failure::ALL.len()],
            statuses: vec![0; STATUSES],
        })
    }

    /// Counts an answer with this status, if it has one.
    pub(super) fn answered(&mut self, status: Option<u16>, latency: Duration, uncorrected: Duration) {
        if let Some(count) = status.and_then(|status| self.statuses.get_mut(usize::from(status))) {
            *count += 1;
        }
        if status.is_some_and(|status| status >= 400) {
            return self.failed(Failure::Status);
        }
        self.requests += 1;
        self.latency_us.saturating_record(latency.as_micros() as u64);
        self.uncorrected_us.saturating_record(uncorrected.as_micros() as u64);
    }

    /// Counts a request that was not answered as it should be. It has no latency.
    pub(super) fn failed(&mut self, failure: Failure) {
        self.requests += 1;
        self.failures[failure as usize] += 1;
    }

    pub(super) fn count(&self, failure: Failure) -> u64 {
        self.failures[failure as usize]
    }

    pub(super) fn add(&mut self, other: &Found) {
        // Of the same bounds, so nothing can be out of them.
        let _ = self.latency_us.add(&other.latency_us);
        let _ = self.uncorrected_us.add(&other.uncorrected_us);
        self.requests += other.requests;
        self.bytes += other.bytes;
        self.failures.iter_mut().zip(other.failures).for_each(|(ours, theirs)| *ours += theirs);
        self.statuses.iter_mut().zip(&other.statuses).for_each(|(ours, theirs)| *ours += theirs);
    }

    pub(super) fn outcome(&self, load: &Load, elapsed: Duration, per_second: Vec<Second>) -> Outcome {
        let failures = Failure::ALL.map(|failure| (failure.name().to_owned(), self.count(failure)));
        let statuses = self.statuses.iter().enumerate().filter(|(_, count)| **count > 0);
        let seconds = elapsed.as_secs_f64();
        Outcome {
            target: load.target.name.clone(),
            mode: if matches!(load.target.speech, Speech::Http(_)) { "http" } else { "tcp" }.into(),
            rate: load.rate,
            connections: load.connections as u64,
            threads: load.threads as u64,
            seconds,
            requests: self.requests,
            ok: self.requests - self.failures.iter().sum::<u64>(),
            errors: BTreeMap::from(failures),
            statuses: statuses.map(|(status, count)| (status.to_string(), *count)).collect(),
            bytes: self.bytes,
            requests_per_second: self.requests as f64 / seconds.max(f64::EPSILON),
            latency_us: Latency::of(&self.latency_us),
            uncorrected_us: Latency::of(&self.uncorrected_us),
            spectrum: spectrum(&self.latency_us),
            per_second,
        }
    }
}

/// Value, fraction and count up to there, with as many steps in each further nine.
fn spectrum(histogram: &Histogram<u64>) -> Vec<(f64, f64, u64)> {
    let count = histogram.len();
    if count == 0 {
        return Vec::new();
    }
    let fractions = (0..=80).map(|step| 1.0 - 10f64.powf(-f64::from(step) / 16.0));
    let wanted = fractions.take_while(|fraction| (1.0 - fraction) * count as f64 >= 1.0).chain([1.0]);
    let mut points: Vec<(f64, f64, u64)> = wanted
        .map(|fraction| histogram.value_at_quantile(fraction))
        .map(|value| (value, histogram.count_between(0, value)))
        .map(|(value, up_to)| (value as f64, up_to as f64 / count as f64, up_to))
        .collect();
    points.dedup_by_key(|point| point.2);
    points
}
