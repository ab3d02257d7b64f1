//! The clients of a trial: how each is started, and what its report says.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::against::Generator;
use super::commands::{Commands, argument};
use super::company::Ground;
use super::results::Transmissions;
use super::tests::{Addresses, Work};
use crate::lab::outcome::Outcome;
use crate::lab::process::{Launch, Process};
use crate::lab::wrk2;

/// The file that is fetched.
pub(super) const FILE_NAME: &str = "picture.bin";
/// A request without an answer for so long has failed.
const TIMEOUT: &str = "1s";
/// Addresses of clients that are many.
const ADDRESSES: u32 = 40;
/// How much longer than its load a client may take.
const GRACE: Duration = Duration::from_secs(20);

/// A client that runs.
pub(super) struct Client {
    process: Process,
    log: PathBuf,
    /// What it was told, if it is wrk2.
    wrk2: Option<wrk2::Load>,
}

/// Starts all clients of a test at once.
pub(super) fn start(
    work: Work,
    generator: Generator,
    server: SocketAddr,
    seconds: f64,
    ground: &Ground,
    commands: &mut Commands,
) -> Result<Vec<Client>, String> {
    let mut wrk2 = None;
    let launches: Vec<Launch> = match work {
        Work::Load { clients, connections, rate_per_s, .. } if generator == Generator::Wrk2 => {
            let load = wrk2::Load { server, connections, threads: 2, rate_per_s, seconds, timeout: TIMEOUT };
            let launch = wrk2::launch(&load);
            wrk2 = Some(load);
            (0..clients).map(|_| launch.clone()).collect()
        }
        Work::Load { clients, connections, rate_per_s, addresses } => (0..clients)
            .map(|number| {
                let source = match addresses {
                    Addresses::One => format!("127.0.0.{}", number + 2),
                    Addresses::Many => many(),
                };
                let words = [
                    "-t2".to_owned(),
                    format!("-c{connections}"),
                    format!("-d{}ms", (seconds * 1000.0).round()),
                    format!("-R{rate_per_s}"),
                    "--source".into(),
                    source,
                    "--timeout".into(),
                    TIMEOUT.into(),
                    "--json".into(),
                    format!("http://{server}/"),
                ];
                Launch::new(ground.programs.join("loadgen"), words)
            })
            .collect(),
        Work::Messages { count, connections } => {
            let words = ["--connect".to_owned(), server.to_string(), "--count".into(), count.to_string()];
            let words = words.into_iter().chain(["--connections".to_owned(), connections.to_string()]);
            let words = words.chain(["--source".to_owned(), many()]);
            vec![Launch::new(ground.programs.join("echo_client"), words)]
        }
        Work::Files { count, reconnect } => {
            let words = ["--connect".to_owned(), server.to_string(), "--count".into(), count.to_string()];
            let words = words.into_iter().chain(["--file".into(), argument(&ground.shared.join(FILE_NAME))]);
            let words = words.chain(reconnect.then(|| "--reconnect".to_owned()));
            vec![Launch::new(
                ground.programs.join("file_client"),
                words.chain(["--source".to_owned(), many()]),
            )]
        }
        Work::Members { .. } => Vec::new(),
    };
    let count = launches.len();
    let begin = |(number, launch): (usize, Launch)| {
        commands.add(&launch, number + 1 < count);
        let log = ground.folder.join(format!("client-{}.log", number + 1));
        let process = Process::start(&launch, &ground.placement.load, &log)?;
        Ok(Client { process, log, wrk2: wrk2.clone() })
    };
    launches.into_iter().enumerate().map(begin).collect()
}

fn many() -> String {
    (1..=ADDRESSES).map(|number| format!("127.0.1.{number}")).collect::<Vec<_>>().join(",")
}

impl Client {
    /// Waits for the end of a load generator.
    pub(super) fn outcome(self, seconds: f64) -> Result<Outcome, String> {
        let text = self.process.output(Duration::from_secs_f64(seconds) + GRACE);
        let name = if self.wrk2.is_some() { "wrk2" } else { "loadgen" };
        let text = text.map_err(|error| format!("{name}: {error}"))?;
        if let Some(load) = &self.wrk2 {
            return wrk2::parse(&text, load);
        }
        let line = text.lines().find(|line| line.starts_with('{'));
        let line = line.ok_or_else(|| format!("loadgen printed no outcome: {:?}", text.trim()))?;
        serde_json::from_str(line).map_err(|error| format!("loadgen's outcome: {error}"))
    }

    /// Waits for the end of a client that counts. One that counted something wrong has a count all the same.
    pub(super) fn transmissions(self) -> Result<Transmissions, String> {
        let ended = self.process.output(GRACE);
        let said = read(&self.log)?;
        parse(&said).ok_or_else(|| match ended {
            Err(error) => format!("client: {error}"),
            Ok(_) => format!("client: no count in {:?}", said.trim()),
        })
    }
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// What `echo_client` and `file_client` print.
fn parse(report: &str) -> Option<Transmissions> {
    let line = |start: &str| report.lines().find_map(|line| line.strip_prefix(start));
    let (accurate, expected) = line("accurate ")?.split_once(" of ")?;
    let latency = line("latency_us ").unwrap_or_default();
    let percentile = |name: &str| {
        let found = latency.split(", ").find_map(|part| part.strip_prefix(name)?.trim().parse().ok());
        found.unwrap_or(0.0)
    };
    let rate = line("rate ").and_then(|rest| rest.split(' ').next()?.parse().ok());
    Some(Transmissions {
        accurate: accurate.parse().ok()?,
        expected: expected.trim().parse().ok()?,
        rate_per_s: rate.unwrap_or(0.0),
        p50_us: percentile("p50 "),
        p99_us: percentile("p99 "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_of_a_client_is_read() {
        let report = "accurate 999 of 1000\nwrong 1, missing 0\nrate 5000 per s, in 0.200 s\n\
                      latency_us p50 180.5, p90 200.0, p99 310.0, p99.9 400.0, max 500.0\n1 × reset\n";
        let expected =
            Transmissions { accurate: 999, expected: 1000, rate_per_s: 5000.0, p50_us: 180.5, p99_us: 310.0 };
        assert_eq!(parse(report), Some(expected));
        assert_eq!(parse("error: nobody there\n"), None);
    }
}
