//! One sample: a contestant starts, does a row's work once, and is stopped.

use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lbproxy::lab::cpus::Placement;
use lbproxy::lab::crowd::Crowd;
use lbproxy::lab::origin::{self, Origin};
use lbproxy::lab::outcome::Outcome;
use lbproxy::lab::peers::Duty;
use lbproxy::lab::process::{self, Launch, Process};
use lbproxy::lab::usage;
use lbproxy::lab::wrk::{self, Load};
use lbproxy::net::os;

use crate::contestants::Contestant;
use crate::results::Figures;
use crate::rows::{ACTIVE, Row, Work};

/// The load at a constant rate that was built with this benchmark.
const LOADGEN: &str = env!("CARGO_BIN_EXE_loadgen");
/// How much longer than its load it may take.
const GRACE: Duration = Duration::from_secs(10);
/// How long to wait until memory has settled.
const SETTLE: Duration = Duration::from_secs(1);

/// What all samples share.
pub struct Bench {
    pub placement: Placement,
    pub workers: usize,
    pub sizes: Sizes,
    origins: Vec<Origin>,
    directory: PathBuf,
}

/// How much to do.
#[derive(Clone, Copy)]
pub struct Sizes {
    /// How long to load, in seconds.
    pub secs: u64,
    /// How long before that, in the same way but unmeasured; 0 for not at all.
    pub warm_up_secs: u64,
    /// Connections whose memory is measured.
    pub idle: usize,
    /// Connections that are open besides the active ones.
    pub open: usize,
}

impl Bench {
    /// Starts the backends. `directory` is for what programs read and write; it must be absolute.
    ///
    /// # Errors
    /// They do not start, or the directory cannot be written.
    pub fn start(
        placement: Placement,
        workers: usize,
        sizes: Sizes,
        directory: &Path,
    ) -> Result<Bench, String> {
        let start = |number: u32| Origin::start(&placement.load, &directory.join(format!("backend{number}")));
        let origins = (1..=2).map(start).collect::<Result<_, _>>()?;
        Ok(Bench { placement, workers, sizes, origins, directory: directory.to_owned() })
    }

    /// Has a contestant do a row's work.
    ///
    /// # Errors
    /// It does not start, or does not do it. What it does badly is a fault of the figures.
    pub fn sample(&self, contestant: &Contestant, row: &Row) -> Result<Figures, String> {
        let listen = process::free_address().map_err(|error| format!("no port to listen on: {error}"))?;
        let duty = Duty {
            mode: row.mode,
            listen,
            backends: self.origins.iter().map(|origin| origin.address).collect(),
            weights: Vec::new(),
            policy: "round_robin".into(),
            workers: self.workers,
            directory: empty_directory(&self.directory.join(&contestant.name))?,
        };
        let log = duty.directory.join("log");
        let mut process = Process::start(&contestant.launch(&duty)?, &self.placement.proxy, &log)?;
        process.wait_for(listen)?;
        let trial =
            Trial { bench: self, listen, group: process.group(), load_log: self.directory.join("load") };
        if self.sizes.warm_up_secs > 0 {
            let load = Load {
                server: listen,
                path: "/",
                connections: ACTIVE,
                closes: false,
                secs: self.sizes.warm_up_secs,
            };
            wrk::run(&load, &self.placement.load, &trial.load_log)?;
        }
        let watcher = contestant.watch(&duty)?;
        let mut figures = match row.work {
            Work::Load { path, connections, closes } => trial.load(path, connections, closes),
            Work::Rate { per_s, connections } => trial.rate(per_s, connections),
            Work::Idle => trial.idle(),
            Work::Open => trial.open(),
        }?;
        figures.fault = figures.fault.or_else(|| watcher.and_then(|watcher| watcher.fault()));
        Ok(figures)
    }
}

fn empty_directory(path: &Path) -> Result<PathBuf, String> {
    let cannot = |error| format!("{}: {error}", path.display());
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(cannot(error)),
        _ => fs::create_dir_all(path).map_err(cannot)?,
    }
    Ok(path.to_owned())
}

/// A contestant that runs, and listens.
struct Trial<'a> {
    bench: &'a Bench,
    listen: SocketAddr,
    group: u32,
    load_log: PathBuf,
}

/// What has been consumed until some moment.
struct Reading {
    at: Instant,
    proxy_ns: u64,
    machine_ns: u64,
}

impl Trial<'_> {
    fn load(&self, path: &str, connections: usize, closes: bool) -> Result<Figures, String> {
        let load = Load { server: self.listen, path, connections, closes, secs: self.bench.sizes.secs };
        let before = self.read()?;
        let outcome = wrk::run(&load, &self.bench.placement.load, &self.load_log)?;
        let after = self.read()?;
        let proxy_ns = after.proxy_ns.saturating_sub(before.proxy_ns) as f64;
        let machine_ns = after.machine_ns.saturating_sub(before.machine_ns) as f64;
        let elapsed_ns = (after.at - before.at).as_nanos() as f64 * self.bench.workers as f64;
        let requests = outcome.requests as f64;
        Ok(Figures {
            figure: proxy_ns / 1000.0 / requests,
            alone: None,
            requests_per_s: Some(outcome.requests_per_s),
            p50_us: Some(outcome.p50_us),
            p99_us: Some(outcome.p99_us),
            p999_us: None,
            machine_us: Some(machine_ns / 1000.0 / requests),
            busy: Some(proxy_ns / elapsed_ns),
            fault: outcome.fault,
        })
    }

    /// Requests that are due whatever becomes of the others, and how long each took from when it was.
    fn rate(&self, per_s: u32, connections: usize) -> Result<Figures, String> {
        let secs = self.bench.sizes.secs;
        let words = [
            "--json".to_owned(),
            "-t1".to_owned(),
            format!("-c{connections}"),
            format!("-d{secs}s"),
            format!("-R{per_s}"),
            format!("http://{}/", self.listen),
        ];
        let before = self.read()?;
        let load = Process::start(&Launch::new(LOADGEN, words), &self.bench.placement.load, &self.load_log)?;
        let text = load.output(Duration::from_secs(secs) + GRACE)?;
        let after = self.read()?;
        let outcome: Outcome =
            serde_json::from_str(text.trim()).map_err(|error| format!("loadgen: {error}: {text}"))?;
        let proxy_ns = after.proxy_ns.saturating_sub(before.proxy_ns) as f64;
        let elapsed_ns = (after.at - before.at).as_nanos() as f64 * self.bench.workers as f64;
        let failed = outcome.requests - outcome.ok;
        Ok(Figures {
            figure: outcome.latency_us.p99,
            requests_per_s: Some(outcome.requests_per_second),
            p50_us: Some(outcome.latency_us.p50),
            p99_us: Some(outcome.latency_us.p99),
            p999_us: Some(outcome.latency_us.p99_9),
            busy: Some(proxy_ns / elapsed_ns),
            fault: (failed > 0).then(|| format!("{failed} of {} requests failed", outcome.requests)),
            ..Figures::default()
        })
    }

    fn read(&self) -> Result<Reading, String> {
        Ok(Reading { at: os::now(), proxy_ns: usage::cpu_ns(self.group)?, machine_ns: usage::machine_ns()? })
    }

    /// All ask at the same time: what a burst of them leaves behind is a part of what idle connections take.
    fn idle(&self) -> Result<Figures, String> {
        let count = self.bench.sizes.idle;
        let before_bytes = usage::pss_bytes(self.group)?;
        let crowd = Crowd::gather(self.listen, count, count, origin::SMALL)?;
        process::until(SETTLE, || false);
        let after_bytes = usage::pss_bytes(self.group)?;
        Ok(Figures {
            figure: (after_bytes as f64 - before_bytes as f64) / count as f64,
            fault: lost(&crowd, count),
            ..Figures::default()
        })
    }

    /// The same load twice: without a crowd, and with one.
    fn open(&self) -> Result<Figures, String> {
        let small = || self.load("/", ACTIVE, false);
        let alone = small()?;
        let count = self.bench.sizes.open;
        let crowd = Crowd::gather(self.listen, count, ACTIVE, origin::SMALL)?;
        process::until(SETTLE, || false);
        let among = small()?;
        let faults = [alone.fault, among.fault.clone(), lost(&crowd, count)];
        let faults: Vec<String> = faults.into_iter().flatten().collect();
        let fault = (!faults.is_empty()).then(|| faults.join("; "));
        Ok(Figures { alone: Some(alone.figure), fault, ..among })
    }
}

fn lost(crowd: &Crowd, count: usize) -> Option<String> {
    let lost = crowd.lost();
    (lost > 0).then(|| format!("{lost} of {count} idle connections were closed"))
}
