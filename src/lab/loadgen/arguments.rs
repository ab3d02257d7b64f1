//! The command line: that of wrk2, and some more.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;

use super::Load;
use super::target::Target;

/// Sends requests at a constant rate, and says how long each took from when it was due.
///
/// Options and report are those of wrk2. Latency counts from when a request should have been sent, so a server that stalls
/// for a second is charged for every request of that second; -U prints the other figures beside, from when they were sent.
/// Without -R it is a closed loop at full speed, like wrk.
///
/// Exits with 0 if anything was answered as it should be, 1 if nothing was, 2 if it could not start.
#[derive(Clone, Debug, Parser)]
#[command(name = "loadgen", version)]
pub struct Arguments {
    /// Threads, each with its share of the connections
    #[arg(short = 't', long, value_name = "N", default_value = "2", value_parser = count)]
    threads: u64,
    /// Connections to keep open
    #[arg(short = 'c', long, value_name = "N", default_value = "10", value_parser = count)]
    connections: u64,
    /// For how long: 30s, 500ms, 2m, 1h
    #[arg(short = 'd', long, value_name = "T", default_value = "10s", value_parser = duration)]
    duration: Duration,
    /// Requests a second over all connections, such as 2000 or 20k [default: as fast as they are answered]
    #[arg(short = 'R', long, value_name = "N", value_parser = count)]
    pub(super) rate: Option<u64>,
    /// Print the distribution of latency
    #[arg(short = 'L', long)]
    pub(super) latency: bool,
    /// Print it, and beside it the one that counts from when requests were sent
    #[arg(short = 'U', long = "u_latency")]
    pub(super) uncorrected: bool,
    /// A request without an answer for so long has failed
    #[arg(long, short = 'T', value_name = "T", default_value = "2s", value_parser = duration)]
    timeout: Duration,
    /// A header field for each request, such as "Accept: text/html" (repeatable)
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    headers: Vec<String>,
    /// Addresses to connect from, in turn
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    source: Vec<IpAddr>,
    /// Send messages to an echo backend at HOST:PORT instead, and compare what comes back
    #[arg(long)]
    tcp: bool,
    /// The length of such a message
    #[arg(long, value_name = "N", default_value = "64", value_parser = count)]
    message_bytes: u64,
    /// Raise the rate from -R (or 1000) step by step, -d each, until it breaks; print each step, and the last that held
    #[arg(long, conflicts_with_all = ["latency", "uncorrected", "save"])]
    pub(super) ramp: bool,
    /// Print the outcome as one JSON object instead
    #[arg(long)]
    pub(super) json: bool,
    /// Write the histogram of each second to this file, as HdrHistogram's tools read them
    #[arg(long, value_name = "FILE")]
    pub(super) save: Option<PathBuf>,
    /// http://HOST[:PORT][/PATH], or with --tcp HOST:PORT
    #[arg(value_name = "URL")]
    url: String,
}

impl Arguments {
    /// What they ask for.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn load(&self) -> Result<Load, String> {
        if self.connections < self.threads {
            let (connections, threads) = (self.connections, self.threads);
            return Err(format!(
                "-c {connections}: fewer connections than threads, {threads}: raise it, or lower -t"
            ));
        }
        if self.duration.is_zero() || self.timeout.is_zero() {
            return Err("-d and --timeout: no time at all: write for example 10s".into());
        }
        let target = match self.tcp {
            true if !self.headers.is_empty() => {
                return Err("-H: with --tcp there are no header fields".into());
            }
            true => Target::echo(&self.url, &self.source, self.message_bytes)?,
            false => Target::http(&self.url, &self.source, &self.headers)?,
        };
        Ok(Load {
            target: Arc::new(target),
            threads: self.threads as usize,
            connections: self.connections as usize,
            duration: self.duration,
            rate: self.rate.map(|rate| rate as f64),
            timeout: self.timeout,
        })
    }
}

/// `2000`, `20k`, `1M`: at least 1.
fn count(text: &str) -> Result<u64, String> {
    let (digits, unit) = split(text);
    let unit = match unit {
        "" => 1.0,
        "k" | "K" => 1e3,
        "M" | "m" => 1e6,
        "G" | "g" => 1e9,
        other => return Err(format!("{other} is no unit of numbers: k, M or G")),
    };
    let value = digits.parse::<f64>().map_err(|_| format!("{digits:?} is no number"))? * unit;
    if (1.0..=1e12).contains(&value) { Ok(value as u64) } else { Err("from 1 to 1000G".into()) }
}

/// `30s`, `500ms`, `2m`, `1h`, or a number of seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let (digits, unit) = split(text);
    let unit_s = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        other => return Err(format!("{other} is no unit of time: us, ms, s, m or h")),
    };
    let seconds = digits.parse::<f64>().map_err(|_| format!("{digits:?} is no number"))? * unit_s;
    if seconds > 86_400.0 {
        return Err("at most a day".into());
    }
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn split(text: &str) -> (&str, &str) {
    text.split_at(text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_have_units() {
        assert_eq!([count("2000"), count("20k"), count("1.5M")], [Ok(2000), Ok(20_000), Ok(1_500_000)]);
        assert!(["0", "-1", "k", "5x", "2000G"].iter().all(|text| count(text).is_err()));
        let times =
            ["30s", "500ms", "2m", "0.5", "1h"].map(|text| duration(text).map(|time| time.as_millis()));
        assert_eq!(times, [Ok(30_000), Ok(500), Ok(120_000), Ok(500), Ok(3_600_000)]);
        assert!(["s", "-1s", "3d", "25h", "infs"].iter().all(|text| duration(text).is_err()));
    }
}
