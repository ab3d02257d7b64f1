//! Load from [wrk](https://github.com/wg/wrk): how to run it, and what its report says.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::cpus::Cpus;
use super::process::{Launch, Process};

/// How much longer than its load wrk may take: it waits for nobody once the time is over.
const GRACE: Duration = Duration::from_secs(10);

/// What to load with: as many requests as it can, one at a time on each connection.
#[derive(Clone, Debug)]
pub struct Load<'a> {
    /// Where to.
    pub server: SocketAddr,
    /// What to ask for.
    pub path: &'a str,
    /// Connections at once.
    pub connections: usize,
    /// Whether each request asks for its connection to be closed, and the next one opens another.
    pub closes: bool,
    /// For how long, in seconds.
    pub secs: u64,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Requests answered.
    pub requests: u64,
    /// Of them, in one second.
    pub requests_per_s: f64,
    /// What half of all requests took at most, in microseconds.
    pub p50_us: f64,
    /// What 99 of 100 requests took at most, in microseconds.
    pub p99_us: f64,
    /// What went wrong, in wrk's words.
    pub fault: Option<String>,
}

/// Loads a server from these CPUs. What wrk prints is left in `log`.
///
/// # Errors
/// wrk is not there or fails, or nothing was answered. A request that went wrong is no error, but a `fault` of the outcome.
pub fn run(load: &Load, cpus: &Cpus, log: &Path) -> Result<Outcome, String> {
    let process = Process::start(&launch(load), cpus, log)?;
    let report =
        process.output(Duration::from_secs(load.secs) + GRACE).map_err(|error| format!("wrk: {error}"))?;
    parse(&report)
}

fn launch(load: &Load) -> Launch {
    let mut arguments = vec![
        "--threads=1".to_owned(),
        format!("--connections={}", load.connections),
        format!("--duration={}s", load.secs),
        "--latency".to_owned(),
    ];
    if load.closes {
        arguments.push("--header=Connection: close".to_owned());
    }
    arguments.push(format!("http://{}{}", load.server, load.path));
    Launch::new("wrk", arguments)
}

/// Reads wrk's report, which must have been made with `--latency`.
///
/// # Errors
/// A figure is missing, or nothing was answered.
pub fn parse(report: &str) -> Result<Outcome, String> {
    let missing = |what: &str| format!("wrk's report says nothing of {what}: {:?}", report.trim());
    let lines = || report.lines().map(str::trim);
    let after = |label: &str| lines().find_map(|line| Some(line.strip_prefix(label)?.trim()));
    let requests = lines()
        .find_map(|line| line.split_once(" requests in ")?.0.parse().ok())
        .ok_or_else(|| missing("requests"))?;
    let faults: Vec<String> = ["Socket errors:", "Non-2xx or 3xx responses:"]
        .iter()
        .filter_map(|&label| {
            Some(format!("{} {}", label.trim_end_matches(':').to_lowercase(), after(label)?))
        })
        .collect();
    let fault = (!faults.is_empty()).then(|| faults.join("; "));
    if requests == 0 {
        return Err(format!("nothing was answered ({})", fault.unwrap_or("no error either".into())));
    }
    Ok(Outcome {
        requests,
        requests_per_s: after("Requests/sec:")
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| missing("requests per second"))?,
        p50_us: after("50%").and_then(duration_us).ok_or_else(|| missing("the median latency"))?,
        p99_us: after("99%").and_then(duration_us).ok_or_else(|| missing("the 99th percentile"))?,
        fault,
    })
}

/// A time as wrk writes it: `812.00us`, `1.40ms`, `2.01s`, `1.05m`, `3.00h`.
fn duration_us(text: &str) -> Option<f64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit_us = match &text[digits.len()..] {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        "m" => 60e6,
        "h" => 3600e6,
        _ => return None,
    };
    digits.parse::<f64>().ok().map(|value| value * unit_us)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "\
Running 4s test @ http://127.0.0.1:8080/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.01ms  201.10us   8.09ms   90.98%
    Req/Sec    64.05k     1.87k   66.59k    82.50%
  Latency Distribution
     50%  812.00us
     75%    1.10ms
     90%    1.20ms
     99%    1.85ms
  254876 requests in 4.00s, 49.59MB read
Requests/sec:  63699.12
Transfer/sec:     12.39MB
";

    #[test]
    fn a_report_is_read() {
        let expected = Outcome {
            requests: 254_876,
            requests_per_s: 63_699.12,
            p50_us: 812.0,
            p99_us: 1850.0,
            fault: None,
        };
        assert_eq!(parse(REPORT), Ok(expected));
    }

    #[test]
    fn what_went_wrong_is_a_fault() {
        let socket = "  Socket errors: connect 0, read 3, write 0, timeout 1\n";
        let status = "  Non-2xx or 3xx responses: 17\n";
        let with =
            |lines: &str| parse(&REPORT.replace("Requests/sec", &format!("{lines}Requests/sec"))).unwrap();
        let socket_fault = "socket errors connect 0, read 3, write 0, timeout 1";
        assert_eq!(with(socket).fault.as_deref(), Some(socket_fault));
        assert_eq!(with(status).fault.as_deref(), Some("non-2xx or 3xx responses 17"));
        let both = with(&[socket, status].concat());
        assert_eq!(both.fault, Some(format!("{socket_fault}; non-2xx or 3xx responses 17")));
        assert_eq!(both.requests, 254_876);
    }

    #[test]
    fn nothing_answered_is_no_outcome() {
        let nothing = REPORT.replace("254876 requests", "0 requests");
        assert_eq!(parse(&nothing), Err("nothing was answered (no error either)".into()));
        let refused = nothing.replace("Requests/sec", "  Socket errors: connect 64, read 0\nRequests/sec");
        assert_eq!(parse(&refused), Err("nothing was answered (socket errors connect 64, read 0)".into()));
    }

    #[test]
    fn a_figure_that_is_missing_is_named() {
        for (line, what) in [
            ("254876 requests in", "requests"),
            ("50%", "the median latency"),
            ("99%", "the 99th percentile"),
            ("Requests/sec:", "requests per second"),
        ] {
            let error = parse(&REPORT.replace(line, "...")).unwrap_err();
            assert!(error.starts_with(&format!("wrk's report says nothing of {what}: ")), "{error}");
        }
        assert!(parse("unable to connect to 127.0.0.1:1 Connection refused").is_err());
    }

    #[test]
    fn every_unit_is_known() {
        let found = ["7.00us", "1.50ms", "2.00s", "1.00m", "1.00h"].map(duration_us);
        assert_eq!(found, [Some(7.0), Some(1500.0), Some(2e6), Some(60e6), Some(3600e6)]);
        assert_eq!(["", "5", "ms", "1.0.0s", "1 s", "5days"].map(duration_us), [None; 6]);
    }

    #[test]
    fn a_connection_for_each_request_is_asked_for() {
        let server = "127.0.0.1:80".parse().unwrap();
        let load = Load { server, path: "/16k", connections: 8, closes: true, secs: 3 };
        let line = launch(&load).arguments.join(" ".as_ref()).into_string().unwrap();
        let expected = "--threads=1 --connections=8 --duration=3s --latency --header=Connection: close";
        assert_eq!(line, format!("{expected} http://127.0.0.1:80/16k"));
        assert!(
            !launch(&Load { closes: false, ..load })
                .arguments
                .iter()
                .any(|argument| { argument.to_string_lossy().contains("close") })
        );
    }
}
