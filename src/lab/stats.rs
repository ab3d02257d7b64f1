//! What a backend tells of itself while it runs: a line of JSON now and then, into a file.
//!
//! ```text
//! {"at_ms":200,"accepted":64,"open":64,"requests":512,"in_flight":3.25,"in_flight_max":9,"errors":0}
//! ```
//!
//! `accepted`, `requests` and `errors` count from the start; `open` is the number of connections at that moment;
//! `in_flight` is the mean over the time since the last line, and `in_flight_max` the most at any moment of it.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// One line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Milliseconds since the backend began to listen.
    pub at_ms: u64,
    /// Connections accepted so far.
    pub accepted: u64,
    /// Connections open now.
    pub open: u64,
    /// Requests that have come in whole so far. For a protocol without requests: connections.
    pub requests: u64,
    /// Requests that have come in and not been answered: the mean since the last line.
    pub in_flight: f64,
    /// The most of them at once since the last line.
    pub in_flight_max: u64,
    /// Requests answered with an error so far, or not answered at all because the client was gone.
    pub errors: u64,
}

/// Requests that are being served: how many, and how many there were on average.
#[derive(Clone, Debug, Default)]
pub struct Gauge {
    now: u64,
    max: u64,
    /// Requests × seconds since the last reading.
    sum_s: f64,
    changed_at: Option<Instant>,
}

impl Gauge {
    /// One more, or one less.
    pub fn change(&mut self, by: i64, at: Instant) {
        self.pass(at);
        self.now = self.now.saturating_add_signed(by);
        self.max = self.max.max(self.now);
    }

    /// Mean and maximum over the time since the last reading, which took so long.
    fn read(&mut self, at: Instant, over: Duration) -> (f64, u64) {
        self.pass(at);
        let mean = std::mem::take(&mut self.sum_s) / over.as_secs_f64().max(f64::EPSILON);
        (mean, std::mem::replace(&mut self.max, self.now))
    }

    fn pass(&mut self, at: Instant) {
        let since = self.changed_at.replace(at).unwrap_or(at);
        self.sum_s += self.now as f64 * at.saturating_duration_since(since).as_secs_f64();
    }
}

/// What a service counts.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Requests that came in.
    pub requests: u64,
    /// Of them, answered with an error or not at all.
    pub errors: u64,
    /// Of them, being served.
    pub in_flight: Gauge,
}

/// The file, and when its next line is due.
pub struct Journal {
    file: File,
    interval: Duration,
    started_at: Instant,
    last_at: Instant,
}

impl Journal {
    /// A journal with a line every `interval`, in a file that is made anew.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(path: &Path, interval: Duration, now: Instant) -> io::Result<Journal> {
        Ok(Journal { file: File::create(path)?, interval, started_at: now, last_at: now })
    }

    /// When the next line is due.
    pub fn due_at(&self) -> Instant {
        self.last_at + self.interval
    }

    /// Writes a line. A file that cannot be written ends up short: the backend goes on.
    pub fn write(&mut self, accepted: u64, open: usize, counts: &mut Counts, now: Instant) {
        let (in_flight, in_flight_max) = counts.in_flight.read(now, now - self.last_at);
        let line = Line {
            at_ms: (now - self.started_at).as_millis() as u64,
            accepted,
            open: open as u64,
            requests: counts.requests,
            in_flight,
            in_flight_max,
            errors: counts.errors,
        };
        self.last_at = now;
        let written = serde_json::to_string(&line).map_err(io::Error::other);
        let written = written.and_then(|text| self.file.write_all(format!("{text}\n").as_bytes()));
        if let Err(error) = written {
            log::warn!("statistics: {error}");
        }
    }
}

/// Reads what a [`Journal`] wrote. A last line that is not whole, since its writer was killed, is left out.
///
/// # Errors
/// The file cannot be read.
pub fn read(path: &Path) -> Result<Vec<Line>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::os;

    #[test]
    fn what_is_in_flight_is_weighed_by_how_long_it_was() {
        let start = os::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut gauge = Gauge::default();
        gauge.change(1, at(0));
        gauge.change(1, at(50));
        gauge.change(-2, at(75));
        let (mean, max) = gauge.read(at(100), Duration::from_millis(100));
        assert!((mean - 1.0).abs() < 1e-9, "{mean}");
        assert_eq!(max, 2);
        assert_eq!(gauge.read(at(200), Duration::from_millis(100)), (0.0, 0));
    }
}
