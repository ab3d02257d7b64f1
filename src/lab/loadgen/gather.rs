//! What the threads tell of each second, put together: for the live line, the log and the outcome.

use std::io::{IsTerminal, stderr};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};

use super::log::Writer;
use crate::lab::outcome::Second;

/// What one thread saw in one second.
pub(super) struct Report {
    /// The second, from 0.
    pub(super) index: u32,
    pub(super) latency_us: Histogram<u64>,
    requests: u64,
    failed: u64,
    /// It lasted that long, unlike what follows the end of a run.
    pub(super) whole: bool,
}

impl Report {
    pub(super) fn new(index: u32, empty: Histogram<u64>) -> Report {
        Report { index, latency_us: empty, requests: 0, failed: 0, whole: false }
    }

    /// Counts a request: how long it took, or that it failed.
    pub(super) fn count(&mut self, latency: Option<Duration>) {
        self.requests += 1;
        match latency {
            Some(latency) => self.latency_us.saturating_record(latency.as_micros() as u64),
            None => self.failed += 1,
        }
    }
}

/// All threads' seconds.
pub(super) struct Gather {
    threads: usize,
    bar: Option<ProgressBar>,
    /// Seconds of which not every thread has told: the first has this index.
    open: Vec<(Report, usize)>,
    closed: u32,
    pub(super) per_second: Vec<Second>,
    /// Requests of each thread in each whole second.
    pub(super) rates: Vec<u64>,
}

impl Gather {
    pub(super) fn new(threads: usize, live: bool) -> Gather {
        let bar = (live && stderr().is_terminal()).then(ProgressBar::new_spinner);
        if let (Some(bar), Ok(style)) = (&bar, ProgressStyle::with_template("{elapsed:>4}  {msg}")) {
            bar.set_style(style);
        }
        Gather { threads, bar, open: Vec::new(), closed: 0, per_second: Vec::new(), rates: Vec::new() }
    }

    /// Takes in everything until all threads have ended.
    pub(super) fn listen(
        &mut self,
        reports: &Receiver<Report>,
        mut log: Option<Writer<'_>>,
    ) -> Result<(), String> {
        for report in reports {
            if report.whole {
                self.rates.push(report.requests);
            }
            self.take(report);
            while self.open.first().is_some_and(|(_, told)| *told == self.threads) {
                self.close(&mut log)?;
            }
        }
        while !self.open.is_empty() {
            self.close(&mut log)?;
        }
        // The last one is what was left when a second had just begun.
        if self.per_second.last().is_some_and(|second| second.requests == 0) {
            self.per_second.pop();
        }
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        Ok(())
    }

    fn take(&mut self, report: Report) {
        let at = report.index.saturating_sub(self.closed) as usize;
        while self.open.len() <= at {
            let index = self.closed + self.open.len() as u32;
            self.open.push((Report::new(index, Histogram::new_from(&report.latency_us)), 0));
        }
        let (sum, told) = &mut self.open[at];
        *told += 1;
        sum.requests += report.requests;
        sum.failed += report.failed;
        // Of the same bounds, so nothing can be out of them.
        let _ = sum.latency_us.add(&report.latency_us);
    }

    fn close(&mut self, log: &mut Option<Writer<'_>>) -> Result<(), String> {
        let (report, _) = self.open.remove(0);
        self.closed += 1;
        let at = |quantile| report.latency_us.value_at_quantile(quantile) as f64;
        let second =
            Second { requests: report.requests, failed: report.failed, p50_us: at(0.5), p99_us: at(0.99) };
        if let Some(bar) = &self.bar {
            let Second { requests, failed, p99_us, .. } = second;
            let failures = if failed > 0 { format!(", {failed} failed") } else { String::new() };
            bar.set_message(format!("{requests} requests/s, p99 {:.2} ms{failures}", p99_us / 1000.0));
            bar.tick();
        }
        if let Some(log) = log {
            log.add(Duration::from_secs(report.index.into()), &report.latency_us)?;
        }
        self.per_second.push(second);
        Ok(())
    }
}
