//! What a load generator found: the JSON object that `loadgen --json` prints, and several of them as one.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// One run of a load generator.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The URL.
    pub target: String,
    /// `http` or `tcp`.
    pub mode: String,
    /// Requests a second that there should have been; none if as fast as they are answered.
    pub rate: Option<f64>,
    /// Connections at once.
    pub connections: u64,
    /// Threads of the generator.
    pub threads: u64,
    /// For how long.
    pub seconds: f64,
    /// Requests sent, or meant to be, of which it is known what became of them.
    pub requests: u64,
    /// Of them, answered as they should be.
    pub ok: u64,
    /// The others, by reason.
    pub errors: BTreeMap<String, u64>,
    /// Answers by status.
    pub statuses: BTreeMap<String, u64>,
    /// Bytes received.
    pub bytes: u64,
    /// Requests a second that there were.
    pub requests_per_second: f64,
    /// Of requests answered as they should be, from when they were due.
    pub latency_us: Latency,
    /// The same from when they were sent.
    pub uncorrected_us: Latency,
    /// The distribution behind `latency_us`: value, fraction, count up to there; ascending.
    pub spectrum: Vec<(f64, f64, u64)>,
    /// What each second was like.
    #[serde(default)]
    pub per_second: Vec<Second>,
}

/// One second of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Requests of which it became known what became of them.
    pub requests: u64,
    /// Of them, not answered as they should be.
    pub failed: u64,
    /// Latency of the others, from when they were due, in microseconds.
    pub p50_us: f64,
    /// The same.
    pub p99_us: f64,
}

/// Percentiles in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "they say what they are")]
pub struct Latency {
    pub mean: f64,
    pub stdev: f64,
    pub max: f64,
    pub p50: f64,
    pub p75: f64,
    pub p90: f64,
    pub p99: f64,
    pub p99_9: f64,
    pub p99_99: f64,
    pub p99_999: f64,
}

impl Latency {
    /// Those of a histogram of microseconds.
    pub fn of(histogram: &Histogram<u64>) -> Latency {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64;
        Latency {
            mean: histogram.mean(),
            stdev: histogram.stdev(),
            max: histogram.max() as f64,
            p50: at(0.5),
            p75: at(0.75),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            p99_99: at(0.9999),
            p99_999: at(0.99999),
        }
    }
}

impl Outcome {
    /// What clients that ran at once have found together. Percentiles are those of all requests, as exact as the spectra
    /// of the parts (a value counts as the next higher one that its spectrum names).
    pub fn merged(parts: &[Outcome]) -> Outcome {
        let Some(first) = parts.first() else { return Outcome::default() };
        let mut sum = Outcome { spectrum: Vec::new(), per_second: Vec::new(), ..first.clone() };
        for part in &parts[1..] {
            sum.requests += part.requests;
            sum.ok += part.ok;
            sum.bytes += part.bytes;
            sum.connections += part.connections;
            sum.requests_per_second += part.requests_per_second;
            sum.rate = sum.rate.zip(part.rate).map(|(one, other)| one + other);
            add(&mut sum.errors, &part.errors);
            add(&mut sum.statuses, &part.statuses);
        }
        if parts.len() > 1 {
            sum.latency_us = Latency::default();
            sum.uncorrected_us = Latency::default();
        }
        let mut steps: Vec<(f64, u64)> = Vec::new();
        for part in parts {
            let mut before = 0;
            for &(value, _, up_to) in &part.spectrum {
                steps.push((value, up_to.saturating_sub(before)));
                before = up_to;
            }
        }
        steps.sort_by(|one, other| one.0.total_cmp(&other.0));
        let count: u64 = steps.iter().map(|step| step.1).sum();
        let mut up_to = 0;
        for (value, more) in steps {
            up_to += more;
            sum.spectrum.push((value, up_to as f64 / count.max(1) as f64, up_to));
        }
        if parts.len() > 1 {
            sum.latency_us = sum.percentiles(parts);
        }
        sum
    }

    /// The value that this fraction of requests does not exceed.
    pub fn at(&self, fraction: f64) -> f64 {
        let reached = self.spectrum.iter().find(|point| point.1 >= fraction - 1e-12);
        reached.or(self.spectrum.last()).map_or(0.0, |point| point.0)
    }

    fn percentiles(&self, parts: &[Outcome]) -> Latency {
        let ok = self.ok.max(1) as f64;
        Latency {
            mean: parts.iter().map(|part| part.latency_us.mean * part.ok as f64).sum::<f64>() / ok,
            stdev: parts.iter().map(|part| part.latency_us.stdev).fold(0.0, f64::max),
            max: parts.iter().map(|part| part.latency_us.max).fold(0.0, f64::max),
            p50: self.at(0.5),
            p75: self.at(0.75),
            p90: self.at(0.9),
            p99: self.at(0.99),
            p99_9: self.at(0.999),
            p99_99: self.at(0.9999),
            p99_999: self.at(0.99999),
        }
    }
}

fn add(sum: &mut BTreeMap<String, u64>, more: &BTreeMap<String, u64>) {
    more.iter().for_each(|(name, count)| *sum.entry(name.clone()).or_default() += count);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(values: &[(f64, u64)]) -> Outcome {
        let count: u64 = values.iter().map(|value| value.1).sum();
        let mut up_to = 0;
        let spectrum = values.iter().map(|&(value, more)| {
            up_to += more;
            (value, up_to as f64 / count as f64, up_to)
        });
        Outcome { requests: count + 1, ok: count, spectrum: spectrum.collect(), ..Outcome::default() }
    }

    #[test]
    fn percentiles_of_two_clients_are_those_of_all_their_requests() {
        let sum = Outcome::merged(&[part(&[(10.0, 90), (30.0, 10)]), part(&[(20.0, 99), (40.0, 1)])]);
        assert_eq!((sum.requests, sum.ok), (202, 200));
        let latency = &sum.latency_us;
        assert_eq!((latency.p50, latency.p90, latency.p99, latency.p99_9), (20.0, 20.0, 30.0, 40.0));
        assert_eq!(sum.spectrum.last(), Some(&(40.0, 1.0, 200)));
        let empty = Outcome::merged(&[part(&[]), part(&[])]);
        assert_eq!((empty.latency_us.p99, empty.spectrum.len()), (0.0, 0));
        assert_eq!(Outcome::merged(&[]), Outcome::default());
    }
}
