//! Load from [wrk2](https://github.com/giltene/wrk2): how to run it, and what its report says.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::outcome::{Latency, Outcome};
use super::process::{self, Launch};

/// Its program; what it is built as is called `wrk`, like the one that it comes from.
const PROGRAM: &str = "wrk2";
/// How to get it.
pub const HINT: &str = "git clone https://github.com/giltene/wrk2 && make -C wrk2 && sudo install wrk2/wrk \
                        /usr/local/bin/wrk2 (needs gcc, make, libssl-dev and zlib1g-dev)";
/// It measures nothing in its first ten seconds, in which it finds out how often to look.
pub const SECONDS_MIN: f64 = 11.0;

/// What to load with.
#[derive(Clone, Debug)]
pub struct Load {
    /// Where to.
    pub server: SocketAddr,
    /// Connections at once, no fewer than threads.
    pub connections: u32,
    /// Threads of it.
    pub threads: u32,
    /// Requests a second.
    pub rate_per_s: u32,
    /// For how long, in seconds.
    pub seconds: f64,
    /// A request without an answer for so long has failed, as in `1s`.
    pub timeout: &'static str,
}

/// Where it is, if it is on PATH.
pub fn find() -> Option<PathBuf> {
    process::find(PROGRAM)
}

/// The command.
pub fn launch(load: &Load) -> Launch {
    let words = [
        format!("-t{}", load.threads),
        format!("-c{}", load.connections),
        format!("-d{}s", load.seconds.ceil()),
        format!("-R{}", load.rate_per_s),
        "-L".to_owned(),
        "--timeout".to_owned(),
        load.timeout.to_owned(),
        format!("http://{}/", load.server),
    ];
    Launch::new(PROGRAM, words)
}

/// Reads its report, which must have been made with `-L`. Requests are all that it made; the distribution is, as it
/// measures it, that of those after its first ten seconds.
///
/// # Errors
/// A figure is missing.
pub fn parse(report: &str, load: &Load) -> Result<Outcome, String> {
    let missing = |what: &str| format!("wrk2's report says nothing of {what}: {:?}", report.trim());
    let lines = || report.lines().map(str::trim);
    let after = |label: &str| lines().find_map(|line| Some(line.strip_prefix(label)?.trim()));
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let completed: u64 = lines()
        .find_map(|line| line.split_once(" requests in ")?.0.parse().ok())
        .ok_or_else(|| missing("requests"))?;
    let refused: u64 = match after("Non-2xx or 3xx responses:") {
        Some(count) => count.parse().map_err(|_| missing("responses"))?,
        None => 0,
    };
    // `connect 0, read 3, write 0, timeout 1`
    let socket = after("Socket errors:").unwrap_or_default();
    let socket = socket.split(", ").filter_map(|part| {
        let (reason, count) = part.split_once(' ')?;
        Some((reason.to_owned(), count.parse::<u64>().ok()?))
    });
    let all = socket.chain([("status".to_owned(), refused)]);
    let mut outcome = Outcome {
        target: format!("http://{}/", load.server),
        mode: "http".into(),
        rate: Some(f64::from(load.rate_per_s)),
        connections: u64::from(load.connections),
        threads: u64::from(load.threads),
        seconds: load.seconds,
        ok: completed.saturating_sub(refused),
        errors: all.filter(|(_, count)| *count > 0).collect(),
        requests_per_second: after("Requests/sec:").and_then(number).ok_or_else(|| missing("its rate"))?,
        spectrum: lines().filter_map(point).collect(),
        ..Outcome::default()
    };
    outcome.requests = outcome.ok + outcome.errors.values().sum::<u64>();
    if outcome.spectrum.is_empty() {
        return Err(missing("the distribution of latency"));
    }
    // `#[Mean    =        0.928, StdDeviation   =        0.619]`, in milliseconds.
    let figure = |name: &str| {
        let parts = lines().filter(|line| line.starts_with("#[")).flat_map(|line| line[2..].split(','));
        let mut pairs = parts.filter_map(|part| part.trim_end_matches(']').split_once('='));
        pairs.find(|pair| pair.0.trim() == name).and_then(|pair| number(pair.1)).map(|ms| ms * 1000.0)
    };
    outcome.latency_us = Latency {
        mean: figure("Mean").ok_or_else(|| missing("the mean"))?,
        stdev: figure("StdDeviation").ok_or_else(|| missing("the deviation"))?,
        max: figure("Max").ok_or_else(|| missing("the maximum"))?,
        p50: outcome.at(0.5),
        p75: outcome.at(0.75),
        p90: outcome.at(0.9),
        p99: outcome.at(0.99),
        p99_9: outcome.at(0.999),
        p99_99: outcome.at(0.9999),
        p99_999: outcome.at(0.99999),
    };
    Ok(outcome)
}

/// A line of the detailed spectrum: value in milliseconds, percentile, count, and a fourth that follows from the second.
fn point(line: &str) -> Option<(f64, f64, u64)> {
    let mut words = line.split_whitespace();
    let mut next = || words.next();
    let (value_ms, fraction, count) = (next()?, next()?, next()?);
    (next().is_some() && next().is_none()).then_some(())?;
    Some((value_ms.parse::<f64>().ok()? * 1000.0, fraction.parse().ok()?, count.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it printed it (with fewer lines in the middle of the spectrum), one of two backends answering 503.
    const REPORT: &str = "\
Running 11s test @ http://127.0.0.1:8080/
  2 threads and 20 connections
  Thread calibration: mean lat.: 0.963ms, rate sampling interval: 10ms
  Thread calibration: mean lat.: 0.937ms, rate sampling interval: 10ms
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     0.93ms  619.00us   5.14ms   84.08%
    Req/Sec   264.95     90.24   555.00     81.18%
  Latency Distribution (HdrHistogram - Recorded Latency)
 50.000%    0.89ms
 75.000%    1.16ms
 90.000%    1.44ms
 99.000%    3.92ms
 99.900%    5.15ms
 99.990%    5.15ms
 99.999%    5.15ms
100.000%    5.15ms

  Detailed Percentile spectrum:
       Value   Percentile   TotalCount 1/(1-Percentile)

       0.088     0.000000            1         1.00
       0.888     0.500000          236         2.00
       1.167     0.750000          354         4.00
       1.441     0.900000          424        10.00
       3.919     0.989062          466        91.43
       3.935     0.990625          467       106.67
       5.147     0.998047          471       512.00
       5.147     1.000000          471          inf
#[Mean    =        0.928, StdDeviation   =        0.619]
#[Max     =        5.144, Total count    =          471]
#[Buckets =           27, SubBuckets     =         2048]
----------------------------------------------------------
  5498 requests in 11.00s, 808.06KB read
  Non-2xx or 3xx responses: 2749
Requests/sec:    499.62
Transfer/sec:     73.43KB
";

    fn load() -> Load {
        let server = "127.0.0.1:8080".parse().unwrap();
        Load { server, connections: 20, threads: 2, rate_per_s: 500, seconds: 11.0, timeout: "1s" }
    }

    #[test]
    fn a_report_is_read() {
        let outcome = parse(REPORT, &load()).unwrap();
        assert_eq!((outcome.requests, outcome.ok, outcome.errors["status"]), (5498, 2749, 2749));
        assert_eq!(outcome.errors.len(), 1);
        assert_eq!(outcome.requests_per_second, 499.62);
        let latency = &outcome.latency_us;
        let figures = [latency.p50, latency.p75, latency.p90, latency.p99, latency.p99_9, latency.max];
        assert_eq!(figures.map(f64::round), [888.0, 1167.0, 1441.0, 3935.0, 5147.0, 5144.0]);
        assert_eq!((latency.mean.round(), latency.stdev.round()), (928.0, 619.0));
        assert_eq!(outcome.spectrum.last(), Some(&(5147.0, 1.0, 471)));
        assert_eq!(outcome.spectrum.len(), 8);
    }

    #[test]
    fn what_went_wrong_is_counted_by_reason() {
        let line = "  Socket errors: connect 0, read 3, write 0, timeout 1\n";
        let outcome = parse(&REPORT.replace("  Non-2xx", &format!("{line}  Non-2xx")), &load()).unwrap();
        let errors: Vec<(&str, u64)> =
            outcome.errors.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
        assert_eq!(errors, [("read", 3), ("status", 2749), ("timeout", 1)]);
        assert_eq!(outcome.requests, 2749 + 2749 + 4);
    }

    #[test]
    fn a_figure_that_is_missing_is_named() {
        for (line, what) in [
            ("5498 requests in", "requests"),
            ("Requests/sec:", "its rate"),
            ("#[Mean ", "the mean"),
            ("#[Max ", "the maximum"),
        ] {
            let error = parse(&REPORT.replace(line, "..."), &load()).unwrap_err();
            assert!(error.starts_with(&format!("wrk2's report says nothing of {what}: ")), "{error}");
        }
        let without = REPORT.lines().filter(|line| point(line).is_none()).collect::<Vec<_>>().join("\n");
        assert!(parse(&without, &load()).unwrap_err().contains("the distribution of latency"));
    }

    #[test]
    fn it_is_asked_for_whole_seconds() {
        let line = launch(&Load { seconds: 11.5, ..load() });
        let words: Vec<String> = line.arguments.iter().map(|word| word.to_string_lossy().into()).collect();
        assert_eq!(words.join(" "), "-t2 -c20 -d12s -R500 -L --timeout 1s http://127.0.0.1:8080/");
    }
}
