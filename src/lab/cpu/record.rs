//! Looking every so often, until told to stop.

use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::files::Files;
use super::sampler::Sampler;
use crate::net::os;

/// Takes a sample every `interval` and writes it, until something comes through `stopped`, its other end is dropped, or
/// `until` has come. What the machine was busy with goes to `figures`, in percent.
///
/// # Errors
/// A file cannot be written, or /proc is gone. What was written before remains.
pub fn record(
    mut sampler: Sampler,
    files: &mut Files,
    interval: Duration,
    until: Option<Instant>,
    stopped: &Receiver<()>,
    figures: &mut Vec<f64>,
) -> Result<(), String> {
    let mut due = os::now() + interval;
    loop {
        let is_last = until.is_some_and(|until| due > until);
        let next = if is_last { until.unwrap_or(due) } else { due };
        let wait = next.saturating_duration_since(os::now());
        if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) || is_last {
            return Ok(());
        }
        let now = os::now();
        let sample = sampler.sample(now)?;
        files.add(os::unix_time(), &sample)?;
        figures.push(sample.machine.percent());
        // From when it was due, so that lateness does not add up; but nothing is made up for.
        due = (due + interval).max(now);
    }
}

/// A thread that records the machine.
pub struct Watch {
    stop: Sender<()>,
    thread: JoinHandle<Vec<f64>>,
}

impl Watch {
    /// Records into a directory from now on.
    ///
    /// # Errors
    /// The files cannot be made, or there is no thread.
    pub fn start(directory: &Path, interval: Duration) -> Result<Watch, String> {
        let mut files = Files::create(directory, &[])?;
        let sampler = Sampler::new(&[], os::now())?;
        let (stop, stopped) = mpsc::channel();
        let watching = move || {
            let mut figures = Vec::new();
            // A disk that is full ends the files early, and the figures with them.
            if let Err(error) = record(sampler, &mut files, interval, None, &stopped, &mut figures) {
                log::warn!("CPU usage: {error}");
            }
            figures
        };
        let thread = std::thread::Builder::new().name("cpu".into()).spawn(watching);
        thread.map(|thread| Watch { stop, thread }).map_err(|error| format!("no thread: {error}"))
    }

    /// Ends it, and returns how busy the machine was at each look, in percent.
    pub fn stop(self) -> Vec<f64> {
        // It may have ended.
        let _ = self.stop.send(());
        self.thread.join().unwrap_or_default()
    }
}
