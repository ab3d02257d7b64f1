//! The report in the words of wrk2, which scripts parse.

use std::fmt::Write;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::found::Failure;
use super::{Done, Load};
use crate::lab::outcome::Outcome;

/// Steps of the spectrum for each halving of what is left (as in wrk2).
const TICKS: u32 = 5;
const QUANTILES: [f64; 8] = [50.0, 75.0, 90.0, 99.0, 99.9, 99.99, 99.999, 100.0];

/// What stands before a load.
pub(super) fn introduction(load: &Load) -> String {
    let time = scaled(load.duration.as_secs_f64() * 1e6, TIME_UNITS, 0);
    let Load { threads, connections, .. } = load;
    let name = &load.target.name;
    format!("Running {time} test @ {name}\n  {threads} threads and {connections} connections\n")
}

/// What stands after it.
pub(super) fn report(done: &Done, outcome: &Outcome, latency: bool, uncorrected: bool) -> String {
    let found = &done.found;
    let mut text = format!("  Thread Stats{:>6}{:>11}{:>8}{:>12}\n", "Avg", "Stdev", "Max", "+/- Stdev");
    let of = &found.latency_us;
    let (mean, stdev) = (of.mean(), of.stdev());
    let within = of.count_between((mean - stdev).max(0.0) as u64, (mean + stdev) as u64);
    let share = 100.0 * within as f64 / of.len().max(1) as f64;
    stats(&mut text, "Latency", TIME_UNITS, [mean, stdev, of.max() as f64], share);
    let rates: Vec<f64> = done.rates.iter().map(|rate| *rate as f64).filter(|rate| *rate > 0.0).collect();
    let (mean, stdev, share) = spread(&rates);
    stats(
        &mut text,
        "Req/Sec",
        METRIC_UNITS,
        [mean, stdev, rates.iter().copied().fold(0.0, f64::max)],
        share,
    );
    if latency {
        distribution(&mut text, of, "Recorded Latency");
    }
    if uncorrected {
        text.push('\n');
        let what = "Uncorrected Latency (measured without taking delayed starts into account)";
        distribution(&mut text, &found.uncorrected_us, what);
    }
    totals(&mut text, done, outcome);
    text
}

fn totals(text: &mut String, done: &Done, outcome: &Outcome) {
    let found = &done.found;
    let time = scaled(micros(done.elapsed), TIME_UNITS, 2);
    let read = scaled(found.bytes as f64, BINARY_UNITS, 2);
    // Writing to a String does not fail, here and below.
    let _ = writeln!(text, "  {} requests in {time}, {read}B read", found.requests);
    let [connect, read, write, timeout, status, mismatch] = Failure::ALL.map(|failure| found.count(failure));
    if connect + read + write + timeout > 0 {
        let _ = writeln!(
            text,
            "  Socket errors: connect {connect}, read {read}, write {write}, timeout {timeout}"
        );
    }
    if status > 0 {
        let _ = writeln!(text, "  Non-2xx or 3xx responses: {status}");
    }
    if mismatch > 0 {
        let _ = writeln!(text, "  Echoes that differ: {mismatch}");
    }
    let _ = writeln!(text, "Requests/sec: {:>9.2}", outcome.requests_per_second);
    let rate = scaled(found.bytes as f64 / outcome.seconds.max(f64::EPSILON), BINARY_UNITS, 2);
    let _ = writeln!(text, "Transfer/sec: {rate:>10}B");
}

fn stats(text: &mut String, name: &str, units: Units, [mean, stdev, max]: [f64; 3], share: f64) {
    let [mean, stdev, max] =
        [(mean, 8), (stdev, 10), (max, 9)].map(|(value, width)| padded(value, units, width));
    let _ = writeln!(text, "    {name:<10}{mean}{stdev}{max}{share:>8.2}%");
}

/// Mean, standard deviation, and the percentage of values that is no further than that from the mean.
fn spread(values: &[f64]) -> (f64, f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let stdev = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
    let within = values.iter().filter(|value| (**value - mean).abs() <= stdev).count() as f64;
    // An empty sum is -0.
    (mean + 0.0, stdev + 0.0, 100.0 * within / count)
}

/// Quantiles, and the whole spectrum as HdrHistogram prints it, in milliseconds.
fn distribution(text: &mut String, of: &Histogram<u64>, what: &str) {
    let _ = writeln!(text, "  Latency Distribution (HdrHistogram - {what})");
    for percent in QUANTILES {
        let value = of.value_at_quantile(percent / 100.0) as f64;
        let _ = writeln!(text, "{percent:>7.3}%{}", padded(value, TIME_UNITS, 10));
    }
    let _ = writeln!(text, "\n  Detailed Percentile spectrum:");
    let (value, total, inverse) = ("Value", "TotalCount", "1/(1-Percentile)");
    let _ = writeln!(text, "{value:>12} {:>12} {total:>12} {inverse}\n", "Percentile");
    for step in of.iter_quantiles(TICKS) {
        let (value, quantile) = (step.value_iterated_to() as f64 / 1000.0, step.quantile_iterated_to());
        let count = of.count_between(0, step.value_iterated_to());
        let _ = write!(text, "{value:>12.3} {quantile:>12.6} {count:>12}");
        let _ = match quantile < 1.0 {
            true => writeln!(text, " {:>12.2}", 1.0 / (1.0 - quantile)),
            false => writeln!(text, " {:>12}", "inf"),
        };
    }
    let (mean, stdev, max) = (of.mean() / 1000.0, of.stdev() / 1000.0, of.max() as f64 / 1000.0);
    let _ = writeln!(text, "#[Mean    = {mean:>12.3}, StdDeviation   = {stdev:>12.3}]");
    let _ = writeln!(text, "#[Max     = {max:>12.3}, Total count    = {:>12}]", of.len());
    let _ = writeln!(text, "#[Buckets = {:>12}, SubBuckets     = {:>12}]", of.buckets(), SUB_BUCKETS);
    let _ = writeln!(text, "{}", "-".repeat(58));
}

/// Those of a histogram with three significant digits.
const SUB_BUCKETS: u32 = 2048;

/// The unit's name, and how many of it make the next one.
type Units = &'static [(&'static str, f64)];

const TIME_UNITS: Units = &[("us", 1000.0), ("ms", 1000.0), ("s", 60.0), ("m", 60.0), ("h", f64::INFINITY)];
const METRIC_UNITS: Units = &[("", 1000.0), ("k", 1000.0), ("M", 1000.0), ("G", f64::INFINITY)];
const BINARY_UNITS: Units =
    &[("", 1024.0), ("K", 1024.0), ("M", 1024.0), ("G", 1024.0), ("T", f64::INFINITY)];

fn scaled(mut value: f64, units: Units, digits: usize) -> String {
    let mut name = "";
    for (unit, next) in units {
        name = unit;
        // What would be printed as a whole of the next unit is one. (wrk says 60 s and not 1 m, below 90 of them.)
        if value.abs() < if *next == 60.0 { 90.0 } else { *next * 0.85 } {
            break;
        }
        value /= next;
    }
    format!("{value:.digits$}{name}")
}

/// Right-aligned as if every unit had two letters.
fn padded(value: f64, units: Units, width: usize) -> String {
    let text = scaled(value, units, 2);
    let letters = text.chars().rev().take_while(char::is_ascii_alphabetic).count();
    let pad = 2_usize.saturating_sub(letters);
    format!("{text:>width$}{}", " ".repeat(pad), width = width - pad)
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_scaled_and_aligned_as_wrk_does() {
        assert_eq!(scaled(6_670.0, TIME_UNITS, 2), "6.67ms");
        assert_eq!(scaled(30e6, TIME_UNITS, 0), "30s");
        assert_eq!(scaled(692_387.0, BINARY_UNITS, 2), "676.16K");
        assert_eq!(padded(1050.0, METRIC_UNITS, 8), "  1.05k ");
        assert_eq!(padded(6_460.0, TIME_UNITS, 8), "  6.46ms");
        assert_eq!(padded(250.0, METRIC_UNITS, 8), "250.00  ");
    }
}
