//! The program `cpu_usage`: from its arguments to its last line.

use std::io::{self, Write};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::arguments::Arguments;
use super::files::Files;
use super::record::record;
use super::sampler::{Sampler, Target};
use crate::net::os;

/// Samples until the time is up or somebody ends it.
///
/// # Errors
/// A process that is not there, a file that cannot be written, or a duration that is too short for a sample.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    let interval = Duration::from_millis(arguments.interval_ms);
    let duration = arguments.duration.map(Duration::from_secs_f64);
    if duration.is_some_and(|duration| duration < interval) {
        return Err(format!(
            "--duration {}: it is shorter than --interval-ms {}, so there would be no sample",
            arguments.duration.unwrap_or_default(),
            arguments.interval_ms
        ));
    }
    let targets = targets(arguments);
    // Before anything is written: who asks for what is not there has nothing replaced.
    let sampler = Sampler::new(&targets, os::now())?;
    let mut files = Files::create(&arguments.dir, &targets)?;
    let stopped = signals().map_err(|error| format!("cannot handle signals: {error}"))?;
    let [text, table] = files.paths().map(|path| path.display().to_string());
    say(&format!("sampling every {} ms into {text:?} and {table:?}", arguments.interval_ms));
    let until = duration.map(|duration| os::now() + duration);
    let mut figures = Vec::new();
    record(sampler, &mut files, interval, until, &stopped, &mut figures)?;
    let mean = figures.iter().sum::<f64>() / figures.len().max(1) as f64;
    say(&format!("{} samples, the machine was busy for {mean:.1} % on average", figures.len()));
    Ok(())
}

/// Each once.
fn targets(arguments: &Arguments) -> Vec<Target> {
    let pids = arguments.pid.iter().map(|&pid| Target::Pid(pid));
    let names = arguments.name.iter().map(|name| Target::Name(name.clone()));
    let mut targets: Vec<Target> = Vec::new();
    for target in pids.chain(names) {
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    targets
}

/// Something comes through when the program shall end.
fn signals() -> io::Result<Receiver<()>> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let (sender, receiver) = mpsc::channel();
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for _ in signals.forever() {
            // Nobody listens once it has ended.
            let _ = sender.send(());
        }
    })?;
    Ok(receiver)
}

fn say(line: &str) {
    // Whoever started it may not want to know.
    let mut stdout = io::stdout();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}
