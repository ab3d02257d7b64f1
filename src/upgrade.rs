//! Another process of the same program, perhaps of a newer version, takes over: it gets the listening sockets themselves,
//! so no connection is refused, and none that waits in their queues is lost.
//!
//! ```text
//! old: start new ──▶ wait for "ready" on a pipe ──▶ drain gently ──▶ end
//! new:      └─▶ inherited sockets ─▶ workers ─▶ "ready" ─▶ serve
//! ```
//!
//! If the new one ends, or is not ready in time, the old one goes on as if nothing had been asked.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::mpsc;
use std::time::Duration;

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::net::inherited::{DESK, READY, READY_WORD, SOCKETS};
use crate::worker::Lent;

/// How long a new process may take until it serves: names have to be looked up, at worst.
const PATIENCE: Duration = Duration::from_secs(60);

/// How this process was started, and how another one is to be.
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Program {
    /// This one. To be asked at the start: the file may be replaced later, and the new one is at the same place.
    ///
    /// # Errors
    /// The system does not say where it is.
    pub fn this() -> io::Result<Program> {
        Ok(Program { path: std::env::current_exe()?, arguments: std::env::args_os().skip(1).collect() })
    }

    /// Starts another process with these sockets, and waits until it serves. Returns its id.
    ///
    /// # Errors
    /// Why it does not, as one line. It is gone then.
    pub fn take_over(&self, sockets: Lent) -> Result<u32, String> {
        let path = self.path.display();
        let (pipe, mut child) =
            self.start(sockets).map_err(|error| format!("cannot start {path}: {error}"))?;
        let (sender, receiver) = mpsc::channel();
        let wait = move || {
            let mut word = Vec::new();
            // Its end, if nothing else, ends this.
            let heard = File::from(pipe).read_to_end(&mut word);
            let _ = sender.send(heard.is_ok() && word == READY_WORD);
        };
        let waiting = std::thread::Builder::new().name("upgrade-ready".into()).spawn(wait);
        let ready = waiting.is_ok().then(|| receiver.recv_timeout(PATIENCE));
        match ready {
            Some(Ok(true)) => Ok(child.id()),
            Some(Ok(false)) => Err(format!("the new process ({path}) has {}", end_of(&mut child))),
            _ => {
                let _ = child.kill();
                let end = end_of(&mut child);
                Err(format!(
                    "the new process ({path}) was not ready after {} s, and has {end}",
                    PATIENCE.as_secs()
                ))
            }
        }
    }

    fn start(&self, sockets: Lent) -> io::Result<(OwnedFd, Child)> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        let Lent { listeners, desk } = sockets;
        for inherited in listeners.iter().chain(&desk).chain([&writer]) {
            fcntl_setfd(inherited, FdFlags::empty())?;
        }
        let numbers: Vec<String> = listeners.iter().map(|socket| socket.as_raw_fd().to_string()).collect();
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .env(SOCKETS, numbers.join(","))
            .env(READY, writer.as_raw_fd().to_string());
        match &desk {
            Some(desk) => command.env(DESK, desk.as_raw_fd().to_string()),
            None => command.env_remove(DESK),
        };
        // Those were for this process.
        for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID"] {
            command.env_remove(name);
        }
        Ok((reader, command.spawn()?))
    }
}

/// How a process ended, as a part of a sentence.
fn end_of(child: &mut Child) -> String {
    match child.wait() {
        Ok(status) => format!("ended: {status} (what it said is above)"),
        Err(error) => format!("ended, nobody knows how: {error}"),
    }
}
