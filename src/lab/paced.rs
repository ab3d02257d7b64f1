//! Load at a constant rate, with a thread for each connection: the part of `loadgen`'s contract that [`experiment`]
//! needs, for a few hundred connections.
//!
//! Latency counts from when a request *should* have been sent, so a backend that stalls is charged for everything that
//! had to wait meanwhile (no coordinated omission); `uncorrected_us` counts from when it was.
//!
//! [`experiment`]: super::experiment

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use hdrhistogram::Histogram;

use super::client;
use super::outcome::{Latency, Outcome};
use super::start;
use crate::net::os;

/// What a connection's thread needs; the default of 2 MiB would be reserved hundreds of times.
const STACK_BYTES: usize = 128 * 1024;
/// The longest latency told apart from longer ones.
const LATENCY_MAX_US: u64 = 600_000_000;
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Sends requests at a constant rate, and says how long each took from when it was due.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Arguments {
    /// Threads; taken as a hint
    #[arg(short = 't', default_value_t = 2)]
    threads: u64,
    /// Connections
    #[arg(short = 'c', default_value_t = 100)]
    connections: u32,
    /// For how long, as `30s` or `500ms`
    #[arg(short = 'd', default_value = "10s", value_parser = duration)]
    duration: Duration,
    /// Requests a second, over all connections [default: as fast as they are answered]
    #[arg(short = 'R')]
    rate: Option<f64>,
    /// A request without an answer for so long has failed
    #[arg(long, default_value = "2s", value_parser = duration)]
    timeout: Duration,
    /// Addresses to connect from, in turn
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    source: Vec<IpAddr>,
    /// Print the outcome as JSON, which is the only form there is
    #[arg(long)]
    json: bool,
    /// `http://ADDRESS:PORT/path`
    url: String,
}

/// The program: reads the command line, loads, prints one JSON object.
pub fn main() -> ExitCode {
    let arguments: Arguments = start::parse();
    os::raise_fd_limit();
    let outcome = run(&arguments)
        .and_then(|outcome| serde_json::to_string(&outcome).map_err(|error| error.to_string()));
    match outcome {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(reason) => start::refuse(&reason),
    }
}

/// `30s`, `500ms`, `2m`, or a number of seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit_s = match &text[digits.len()..] {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        unit => return Err(format!("{unit} is no unit of time: ms, s or m")),
    };
    let seconds = digits.parse::<f64>().map_err(|error| format!("{digits}: {error}"))? * unit_s;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn run(arguments: &Arguments) -> Result<Outcome, String> {
    let rest = arguments.url.strip_prefix("http://").ok_or("the URL must begin with http://")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let server: SocketAddr = host.parse().map_err(|error| format!("{host}: {error}"))?;
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let start = os::now() + Duration::from_millis(20);
    let lane = |number: u32| Lane {
        server,
        source: (!arguments.source.is_empty())
            .then(|| arguments.source[number as usize % arguments.source.len()]),
        request: request.clone(),
        period: arguments.rate.map(|rate| Duration::from_secs_f64(f64::from(arguments.connections) / rate)),
        first: start
            + arguments.rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(f64::from(number) / rate)),
        end: start + arguments.duration,
        timeout: arguments.timeout,
    };
    let threads: Vec<_> = (0..arguments.connections)
        .map(|number| {
            let lane = lane(number);
            let builder = thread::Builder::new().stack_size(STACK_BYTES);
            builder.spawn(move || lane.run()).map_err(|error| format!("a thread for a connection: {error}"))
        })
        .collect::<Result<_, _>>()?;
    let mut sum = Found::new()?;
    for thread in threads {
        let found = thread.join().map_err(|_| "a connection's thread panicked")??;
        sum.add(&found)?;
    }
    Ok(sum.outcome(arguments))
}

/// One connection, and its share of the requests.
struct Lane {
    server: SocketAddr,
    source: Option<IpAddr>,
    request: String,
    /// `None`: the next request follows the last answer.
    period: Option<Duration>,
    first: Instant,
    end: Instant,
    timeout: Duration,
}

impl Lane {
    fn run(&self) -> Result<Found, String> {
        let mut found = Found::new()?;
        let mut stream = None;
        let mut due = self.first;
        while due < self.end && os::now() < self.end {
            wait_until(due);
            let sent_at = os::now();
            let answer = self.exchange(&mut stream, &mut found);
            let now = os::now();
            match answer {
                Ok(status) => {
                    *found.statuses.entry(status.to_string()).or_default() += 1;
                    let is_error = !(200..400).contains(&status);
                    found.count(is_error.then_some("status"), now - due, now - sent_at);
                }
                Err(cause) => {
                    stream = None;
                    found.count(Some(cause), now - due, now - sent_at);
                }
            }
            due = self.period.map_or(now, |period| due + period);
        }
        Ok(found)
    }

    /// A request and its answer. The error is one of the causes of the contract.
    fn exchange(&self, kept: &mut Option<TcpStream>, found: &mut Found) -> Result<u16, &'static str> {
        let mut stream = match kept.take() {
            Some(stream) => stream,
            None => self.connect().map_err(|error| cause(&error, "connect"))?,
        };
        stream.write_all(self.request.as_bytes()).map_err(|error| cause(&error, "write"))?;
        let (status, closes, bytes) = answer(&mut stream).map_err(|error| cause(&error, "read"))?;
        found.bytes += bytes as u64;
        *kept = (!closes).then_some(stream);
        Ok(status)
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let socket = client::socket(self.server, self.source)?;
        socket.connect_timeout(&self.server.into(), self.timeout)?;
        socket.set_read_timeout(Some(self.timeout))?;
        socket.set_write_timeout(Some(self.timeout))?;
        Ok(socket.into())
    }
}

/// Not before that moment: a thread may be woken early.
fn wait_until(moment: Instant) {
    loop {
        let left = moment.saturating_duration_since(os::now());
        if left.is_zero() {
            return;
        }
        thread::park_timeout(left);
    }
}

fn cause(error: &io::Error, doing: &'static str) -> &'static str {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "timeout",
        _ => doing,
    }
}

/// Reads one response: its status, whether the connection is over, and its size.
pub(super) fn answer(stream: &mut impl Read) -> io::Result<(u16, bool, usize)> {
    let (head, mut body_bytes) = {
        let (head, body) = read_head(stream)?;
        (head, body.len())
    };
    let invalid = |what: &str| io::Error::new(ErrorKind::InvalidData, what.to_owned());
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.ok_or_else(|| invalid("no status"))?;
    let field = |name: &str| {
        let mut fields = head.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    };
    let owed = field("content-length").and_then(|value| value.parse::<usize>().ok());
    let owed = owed.ok_or_else(|| invalid("no Content-Length"))?;
    let mut piece = [0; 16 * 1024];
    while body_bytes < owed {
        let wanted = piece.len().min(owed - body_bytes);
        match stream.read(&mut piece[..wanted])? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => body_bytes += count,
        }
    }
    let closes = field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    Ok((status, closes, head.len() + body_bytes))
}

/// A head as text, and what came with it.
pub(super) fn read_head(stream: &mut impl Read) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), body));
        }
        if bytes.len() > HEAD_BYTES_MAX {
            return Err(io::Error::new(ErrorKind::InvalidData, "a head without an end"));
        }
        match stream.read(&mut piece)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => bytes.extend_from_slice(&piece[..count]),
        }
    }
}

/// What connections found.
struct Found {
    latency_us: Histogram<u64>,
    uncorrected_us: Histogram<u64>,
    requests: u64,
    errors: BTreeMap<String, u64>,
    statuses: BTreeMap<String, u64>,
    bytes: u64,
}

impl Found {
    fn new() -> Result<Found, String> {
        let histogram =
            || Histogram::new_with_bounds(1, LATENCY_MAX_US, 3).map_err(|error| error.to_string());
        Ok(Found {
            latency_us: histogram()?,
            uncorrected_us: histogram()?,
            requests: 0,
            errors: BTreeMap::new(),
            statuses: BTreeMap::new(),
            bytes: 0,
        })
    }

    /// A request that failed has no latency: it was not answered.
    fn count(&mut self, failed: Option<&str>, latency: Duration, uncorrected: Duration) {
        self.requests += 1;
        match failed {
            Some(cause) => *self.errors.entry(cause.to_owned()).or_default() += 1,
            None => {
                self.latency_us.saturating_record(latency.as_micros() as u64);
                self.uncorrected_us.saturating_record(uncorrected.as_micros() as u64);
            }
        }
    }

    fn add(&mut self, other: &Found) -> Result<(), String> {
        self.latency_us.add(&other.latency_us).map_err(|error| error.to_string())?;
        self.uncorrected_us.add(&other.uncorrected_us).map_err(|error| error.to_string())?;
        self.requests += other.requests;
        self.bytes += other.bytes;
        for (sum, more) in [(&mut self.errors, &other.errors), (&mut self.statuses, &other.statuses)] {
            more.iter().for_each(|(name, count)| *sum.entry(name.clone()).or_default() += count);
        }
        Ok(())
    }

    fn outcome(&self, arguments: &Arguments) -> Outcome {
        let seconds = arguments.duration.as_secs_f64();
        Outcome {
            target: arguments.url.clone(),
            mode: "http".into(),
            rate: arguments.rate,
            connections: arguments.connections.into(),
            threads: arguments.threads,
            seconds,
            requests: self.requests,
            ok: self.requests - self.errors.values().sum::<u64>(),
            errors: self.errors.clone(),
            statuses: self.statuses.clone(),
            bytes: self.bytes,
            requests_per_second: self.requests as f64 / seconds.max(f64::EPSILON),
            latency_us: Latency::of(&self.latency_us),
            uncorrected_us: Latency::of(&self.uncorrected_us),
            spectrum: spectrum(&self.latency_us),
        }
    }
}

/// Value, fraction and count up to there, with as many steps in each further nine.
fn spectrum(histogram: &Histogram<u64>) -> Vec<(f64, f64, u64)> {
    let count = histogram.len();
    let fractions = (0..=80).map(|step| 1.0 - 10f64.powf(-f64::from(step) / 16.0));
    let wanted = fractions.take_while(|fraction| (1.0 - fraction) * count as f64 >= 1.0).chain([1.0]);
    let mut points: Vec<(f64, f64, u64)> = wanted
        .map(|fraction| histogram.value_at_quantile(fraction))
        .map(|value| (value, histogram.count_between(0, value)))
        .map(|(value, up_to)| (value as f64, up_to as f64 / count.max(1) as f64, up_to))
        .collect();
    points.dedup_by_key(|point| point.2);
    points
}
