//! What is counted while a run lasts, and the figures that come of it.

use hdrhistogram::Histogram;

use super::found::{Found, Imbalance, Latency, Share};
use super::gauge::Reading;
use super::members::Member;

/// The longest latency told apart from longer ones: thirteen days.
const LATENCY_MAX_NS: u64 = 1 << 50;
/// Significant decimal digits of a latency.
const LATENCY_DIGITS: u8 = 3;
/// Points of a curve of percentiles in each further nine.
const STEPS_PER_NINE: f64 = 16.0;

/// What was counted, with positions for backends.
pub(super) struct Counts {
    latency_ns: Histogram<u64>,
    latency_sum_ns: u128,
    sent: Vec<u64>,
    errors: Vec<u64>,
    refused: u64,
    unserved: u64,
    last_ns: u64,
    in_flight: Reading,
    fullest: Vec<(f64, u32)>,
}

impl Counts {
    pub(super) fn new(backends: usize) -> Counts {
        let histogram = Histogram::new_with_bounds(1, LATENCY_MAX_NS, LATENCY_DIGITS);
        Counts {
            latency_ns: histogram.expect("bounds and digits within what the crate takes"),
            latency_sum_ns: 0,
            sent: vec![0; backends],
            errors: vec![0; backends],
            refused: 0,
            unserved: 0,
            last_ns: 0,
            in_flight: Reading::default(),
            fullest: Vec::new(),
        }
    }

    /// A backend has accepted a request.
    pub(super) fn sent(&mut self, position: usize) {
        self.sent[position] += 1;
    }

    /// One has been answered, so long after the client came.
    pub(super) fn answered(&mut self, latency_ns: u64) {
        self.latency_ns.saturating_record(latency_ns);
        self.latency_sum_ns += u128::from(latency_ns);
    }

    /// A backend has ended one with an error, or went down with it.
    pub(super) fn failed(&mut self, position: usize) {
        self.errors[position] += 1;
    }

    /// A connect was refused; there may be others to try.
    pub(super) fn refused(&mut self) {
        self.refused += 1;
    }

    /// There was nobody left to try.
    pub(super) fn unserved(&mut self) {
        self.unserved += 1;
    }

    /// What the fullest backend has in flight at a moment.
    pub(super) fn sample(&mut self, at_ns: u64, fullest: u32) {
        self.fullest.push((at_ns as f64 / 1e9, fullest));
    }

    /// The last request has come.
    pub(super) fn all_came(&mut self, last_ns: u64, in_flight: Reading) {
        self.last_ns = last_ns;
        self.in_flight = in_flight;
    }

    /// Puts names and words to it.
    pub(super) fn told(&self, policy: &str, members: &[Member], requests: u64) -> Found {
        let backends = self.shares(members);
        Found {
            policy: policy.to_owned(),
            requests,
            answered: self.latency_ns.len(),
            errors: self.errors.iter().sum(),
            unserved: self.unserved,
            refused_connects: self.refused,
            seconds: self.last_ns as f64 / 1e9,
            latency_ms: self.latency(),
            imbalance: self.imbalance(&backends),
            backends,
            moved: None,
            spectrum: self.spectrum(),
            fullest: self.fullest.clone(),
        }
    }

    fn latency(&self) -> Option<Latency> {
        let count = self.latency_ns.len();
        let at = |quantile| self.latency_ns.value_at_quantile(quantile) as f64 / 1e6;
        (count > 0).then(|| Latency {
            mean: self.latency_sum_ns as f64 / count as f64 / 1e6,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: self.latency_ns.max() as f64 / 1e6,
        })
    }

    fn shares(&self, members: &[Member]) -> Vec<Share> {
        let sum = self.sent.iter().sum::<u64>().max(1) as f64;
        let weights: f64 = members.iter().map(|member| f64::from(member.weight)).sum();
        let share = |(member, (&requests, &errors)): (&Member, (&u64, &u64))| Share {
            name: member.name(),
            weight: member.weight,
            requests,
            errors,
            percent: 100.0 * requests as f64 / sum,
            due_percent: 100.0 * f64::from(member.weight) / weights,
        };
        members.iter().zip(self.sent.iter().zip(&self.errors)).map(share).collect()
    }

    fn imbalance(&self, shares: &[Share]) -> Imbalance {
        let of_due = shares.iter().map(|share| share.percent / share.due_percent);
        let max_over_mean = of_due.fold(0.0, f64::max);
        let mean = self.sent.iter().sum::<u64>() as f64 / shares.len() as f64;
        Imbalance {
            requests_max_over_mean: max_over_mean,
            requests_max_minus_mean: (max_over_mean - 1.0) * mean,
            in_flight_mean: self.in_flight.mean,
            in_flight_max_minus_mean: self.in_flight.max_minus_mean,
            in_flight_max_minus_min: self.in_flight.max_minus_min,
            in_flight_end_max_minus_mean: self.in_flight.end_max_minus_mean,
        }
    }

    /// As many steps in each further nine, as far as there are requests to speak of. The least of all would say nothing,
    /// and leave no room on a logarithmic axis.
    fn spectrum(&self) -> Vec<(f64, f64)> {
        let count = self.latency_ns.len() as f64;
        let fractions = (1..).map(|step| 1.0 - 10f64.powf(-f64::from(step) / STEPS_PER_NINE));
        let told = fractions.take_while(|fraction| (1.0 - fraction) * count >= 1.0);
        told.map(|fraction| (fraction, self.latency_ns.value_at_quantile(fraction) as f64 / 1e6)).collect()
    }
}
