//! How busy the machine is, once a second, in a file of one figure a line: as the class project recorded it.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::lab::usage;
use crate::net::os;

const INTERVAL: Duration = Duration::from_secs(1);

/// A thread that looks.
pub(super) struct Monitor {
    stop: Sender<()>,
    thread: JoinHandle<Vec<f64>>,
}

impl Monitor {
    /// # Errors
    /// The file cannot be made, or there is no thread.
    pub(super) fn start(path: &Path) -> io::Result<Monitor> {
        let mut file = File::create(path)?;
        let cpus = usage::cpus().map_err(io::Error::other)? as f64;
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new().name("monitor".into()).spawn(move || {
            let mut figures = Vec::new();
            let mut before = (os::now(), usage::machine_ns().unwrap_or(0));
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                let after = (os::now(), usage::machine_ns().unwrap_or(0));
                let elapsed_ns = (after.0 - before.0).as_nanos() as f64 * cpus;
                let percent = (100.0 * after.1.saturating_sub(before.1) as f64 / elapsed_ns).min(100.0);
                before = after;
                figures.push(percent);
                // A disk that is full ends the file early, and the report says the same.
                let _ = writeln!(file, "{percent:.1}");
            }
            figures
        })?;
        Ok(Monitor { stop, thread })
    }

    /// Ends it, and returns what it saw.
    pub(super) fn stop(self) -> Vec<f64> {
        let _ = self.stop.send(());
        self.thread.join().unwrap_or_default()
    }
}
