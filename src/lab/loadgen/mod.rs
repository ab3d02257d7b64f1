//! `loadgen`: load at a constant rate, and how long each request took from when it was due.
//!
//! ```text
//! arguments ─▶ Load ─▶ threads, each a loop over its lanes ──every second──▶ gather ─▶ live line, log, Outcome
//!                       lane: one connection, one request at a time                        └─▶ text as of wrk2
//!                       schedule: when the next one is due
//! ```
//!
//! Requests are due at fixed times, whether earlier ones have been answered or not (an open loop), and every one of them is
//! accounted for: those that a stalled server kept from being sent on time count from when they should have been (Tene 2013:
//! coordinated omission), and those that were never answered are errors. The uncorrected figures count from when requests
//! were sent.

mod arguments;
mod exchange;
mod found;
mod gather;
mod lane;
mod log;
mod ramp;
mod runner;
mod schedule;
mod target;
mod text;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};

pub use self::arguments::Arguments;
use self::found::Found;
use self::gather::Gather;
use self::log::Log;
use self::runner::Runner;
use self::target::Target;
use super::outcome::Outcome;
use super::start;
use crate::net::os;

/// Between the start of the program and the first request that is due: threads have to start and connections to be made.
const HEAD_START: Duration = Duration::from_millis(20);

/// What is to be done: the arguments, checked.
#[derive(Clone)]
struct Load {
    target: Arc<Target>,
    threads: usize,
    connections: usize,
    duration: Duration,
    /// Requests a second, over all connections; none: the next follows the last answer.
    rate: Option<f64>,
    timeout: Duration,
}

/// What a load found.
struct Done {
    found: Found,
    elapsed: Duration,
    /// Requests that each thread finished in each whole second.
    rates: Vec<u64>,
    per_second: Vec<super::outcome::Second>,
}

/// The program: reads the command line, loads, prints.
pub fn main() -> ExitCode {
    let arguments: Arguments = start::parse();
    os::raise_fd_limit();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => start::refuse(&reason),
    }
}

/// Whether anything was answered.
fn run(arguments: &Arguments) -> Result<bool, String> {
    let load = arguments.load()?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, stop.clone()).map_err(|error| error.to_string())?;
    }
    if arguments.ramp {
        return ramp::climb(arguments, &load, &stop);
    }
    if !arguments.json {
        say(&text::introduction(&load));
    }
    let mut log = arguments.save.as_deref().map(Log::create).transpose()?;
    let done = load.run(&stop, log.as_mut(), !arguments.json)?;
    let outcome = done.outcome(&load);
    if arguments.json {
        say(&(serde_json::to_string(&outcome).map_err(|error| error.to_string())? + "\n"));
    } else {
        say(&text::report(
            &done,
            &outcome,
            arguments.latency || arguments.uncorrected,
            arguments.uncorrected,
        ));
    }
    Ok(outcome.ok > 0)
}

/// Whoever reads it may have gone: `loadgen … | head -1`.
fn say(text: &str) {
    let mut stdout = io::stdout();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

impl Load {
    /// Does it, until it is over or `stop` is set.
    fn run(&self, stop: &Arc<AtomicBool>, log: Option<&mut Log>, live: bool) -> Result<Done, String> {
        let start = os::now() + HEAD_START;
        let (tell, seconds) = mpsc::channel();
        let threads: Vec<_> = (0..self.threads)
            .map(|index| {
                let mut runner = Runner::new(self, index, start, tell.clone(), stop.clone())?;
                let builder = thread::Builder::new().name(format!("loadgen-{index}"));
                builder.spawn(move || runner.run()).map_err(|error| format!("no thread: {error}"))
            })
            .collect::<Result<_, _>>()?;
        drop(tell);
        let mut gather = Gather::new(self.threads, live);
        gather.listen(&seconds, log.map(Log::begin).transpose()?)?;
        let mut found = Found::new()?;
        let mut last: Option<Instant> = None;
        for thread in threads {
            let part = thread.join().map_err(|_| "a thread panicked".to_owned())??;
            found.add(&part.found);
            last = last.max(Some(part.ended));
        }
        let elapsed = last.map_or(self.duration, |last| last.saturating_duration_since(start));
        // A load that was cut short took less; what came in after the end of a whole one belongs to it.
        let elapsed = if stop.load(Relaxed) { elapsed } else { elapsed.max(self.duration) };
        Ok(Done { found, elapsed, rates: gather.rates, per_second: gather.per_second })
    }
}

impl Done {
    fn outcome(&self, load: &Load) -> Outcome {
        self.found.outcome(load, self.elapsed, self.per_second.clone())
    }
}
