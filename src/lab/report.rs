//! What a client found: how much arrived unharmed, how fast, and what went wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};

/// The longest latency told apart from longer ones.
const LATENCY_MAX: Duration = Duration::from_secs(600);
/// Significant decimal digits of a latency.
const LATENCY_DIGITS: u8 = 3;
/// Causes told apart: some come from the network, which may not fill our memory with them.
const CAUSES_MAX: usize = 32;
/// Work shorter than this shows no progress bar.
const PROGRESS_AFTER: Duration = Duration::from_secs(1);
/// Time between two updates of the progress bar.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// The count of all transmissions, right and wrong. What is in neither is missing.
pub struct Tally {
    expected: u64,
    accurate: u64,
    wrong: u64,
    latency_ns: Histogram<u64>,
    faults: BTreeMap<String, u64>,
}

impl Tally {
    /// Nothing counted yet, out of `expected` transmissions.
    ///
    /// # Errors
    /// Memory for the histogram cannot be had.
    pub fn new(expected: u64) -> Result<Self, hdrhistogram::CreationError> {
        let longest_ns = LATENCY_MAX.as_nanos() as u64;
        Ok(Tally {
            expected,
            accurate: 0,
            wrong: 0,
            latency_ns: Histogram::new_with_bounds(1, longest_ns, LATENCY_DIGITS)?,
            faults: BTreeMap::new(),
        })
    }

    /// Counts a transmission that came back whole, byte for byte as it should be or not.
    pub fn count(&mut self, accurate: bool, latency: Duration) {
        *(if accurate { &mut self.accurate } else { &mut self.wrong }) += 1;
        self.latency_ns.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Counts something that went wrong, by its cause.
    pub fn fault(&mut self, cause: &str) {
        let told_apart = self.faults.contains_key(cause) || self.faults.len() < CAUSES_MAX;
        *self.faults.entry(if told_apart { cause } else { "another cause" }.to_owned()).or_default() += 1;
    }

    /// How many transmissions there should be.
    pub fn expected(&self) -> u64 {
        self.expected
    }

    /// How many came back, accurate or wrong.
    pub fn counted(&self) -> u64 {
        self.accurate + self.wrong
    }

    /// Whether all arrived and all were accurate.
    pub fn is_perfect(&self) -> bool {
        self.accurate == self.expected && self.faults.is_empty()
    }

    /// What went wrong, and how often.
    pub fn faults(&self) -> impl Iterator<Item = (&str, u64)> {
        self.faults.iter().map(|(cause, &count)| (cause.as_str(), count))
    }

    /// The report on a run that took so long.
    pub fn report(&self, elapsed: Duration) -> Report<'_> {
        Report { tally: self, elapsed }
    }
}

/// Prints as a few lines, of which `accurate N of M` is the first.
pub struct Report<'a> {
    tally: &'a Tally,
    elapsed: Duration,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tally = self.tally;
        writeln!(f, "accurate {} of {}", tally.accurate, tally.expected)?;
        let missing = tally.expected.saturating_sub(tally.counted());
        if tally.wrong + missing > 0 {
            writeln!(f, "wrong {}, missing {missing}", tally.wrong)?;
        }
        let elapsed_s = self.elapsed.as_secs_f64();
        let rate_per_s = tally.counted() as f64 / elapsed_s.max(f64::EPSILON);
        writeln!(f, "rate {rate_per_s:.0} per s, in {elapsed_s:.3} s")?;
        if tally.latency_ns.is_empty() {
            return Ok(());
        }
        let at_us = |quantile| tally.latency_ns.value_at_quantile(quantile) as f64 / 1000.0;
        let (p50, p90, p99, p999) = (at_us(0.5), at_us(0.9), at_us(0.99), at_us(0.999));
        let max = tally.latency_ns.max() as f64 / 1000.0;
        writeln!(f, "latency_us p50 {p50:.1}, p90 {p90:.1}, p99 {p99:.1}, p99.9 {p999:.1}, max {max:.1}")
    }
}

/// A progress bar, if there is somebody to see it and it is worth their while.
pub(super) struct Progress {
    total: u64,
    bar: Option<ProgressBar>,
    /// `None` if nobody would see it.
    show_at: Option<Instant>,
}

impl Progress {
    pub(super) fn new(total: u64, now: Instant) -> Self {
        let show_at = stderr().is_terminal().then(|| now + PROGRESS_AFTER);
        Progress { total, bar: None, show_at }
    }

    /// Brings it up to date, now and then.
    pub(super) fn show(&mut self, done: u64, now: Instant) {
        if self.show_at.is_some_and(|moment| now >= moment) {
            self.show_at = Some(now + PROGRESS_INTERVAL);
            self.bar.get_or_insert_with(|| new_bar(self.total)).set_position(done);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn new_bar(total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total);
    match ProgressStyle::with_template("{wide_bar} {pos} of {len}, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
