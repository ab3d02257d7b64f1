//! Proxies side by side: how each is set up for one and the same duty.
//!
//! A file here per proxy. Each is told to do what lbproxy does and nothing more (round robin over the backends, no log,
//! long timeouts, HTTP/1.1 connections to backends kept), and otherwise left as it comes.

mod envoy;
mod haproxy;
mod nginx;
mod ours;
mod pingora;
mod policies;
mod sozu;
mod traefik;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub use ours::launch as launch_lbproxy;
pub use policies::equivalent;

use super::process::{self, Launch};
use crate::config::Mode;

/// Every proxy there is to compare with.
pub const PEERS: &[Peer] =
    &[haproxy::PEER, haproxy::SPLICING, nginx::PEER, envoy::PEER, sozu::PEER, pingora::PEER, traefik::PEER];

/// What a proxy has to do.
#[derive(Clone, Debug)]
pub struct Duty {
    /// Bytes, or HTTP/1.1 with connections to the backends kept for reuse.
    pub mode: Mode,
    /// Where its clients connect.
    pub listen: SocketAddr,
    /// Where they are to end up, each in turn.
    pub backends: Vec<SocketAddr>,
    /// Their weights; empty if they are alike. Understood by lbproxy, HAProxy and nginx.
    pub weights: Vec<u32>,
    /// How to choose among them, by lbproxy's name for it. Understood by the same.
    pub policy: String,
    /// Threads or processes to do it with, 1 or more.
    pub workers: usize,
    /// A directory of its own, for its configuration and whatever else it writes; an absolute path.
    pub directory: PathBuf,
}

impl Duty {
    /// Writes a file of its directory, and returns its path.
    fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.directory.join(name);
        fs::write(&path, text)?;
        Ok(path)
    }

    /// The weight of a backend, by its number.
    fn weight(&self, number: usize) -> u32 {
        self.weights.get(number).copied().unwrap_or(1)
    }

    /// What `line` makes of each backend and its number, from 0 on, one after the other.
    fn for_each_backend(&self, line: impl Fn(usize, &SocketAddr) -> String) -> String {
        self.backends.iter().enumerate().map(|(number, backend)| line(number, backend)).collect()
    }
}

/// A proxy that is not ours.
pub struct Peer {
    /// What it is called in tables and on the command line.
    pub name: &'static str,
    /// Its program.
    pub program: &'static str,
    /// How to get it.
    pub hint: &'static str,
    /// Whether it is there for large transfers only: a variant of one that has other rows to itself.
    pub bulk_only: bool,
    modes: &'static [Mode],
    version: &'static [&'static str],
    configure: fn(&Path, &Duty) -> io::Result<Launch>,
}

impl Peer {
    /// Its program, if it is on PATH.
    pub fn find(&self) -> Option<PathBuf> {
        process::find(self.program)
    }

    /// Whether it can do that at all.
    pub fn serves(&self, mode: Mode) -> bool {
        self.modes.contains(&mode)
    }

    /// Writes its configuration, and returns the command that starts it, in the foreground.
    ///
    /// # Errors
    /// The configuration cannot be written.
    pub fn launch(&self, program: &Path, duty: &Duty) -> Result<Launch, String> {
        (self.configure)(program, duty).map_err(|error| {
            format!("configuration of {} in {}: {error}", self.name, duty.directory.display())
        })
    }

    /// What it says its version is.
    pub fn version(&self, program: &Path) -> String {
        version_of(program, self.version)
    }
}

/// The version number that a program prints when it is asked with these arguments; `?` if it does not say.
pub fn version_of(program: &Path, arguments: &[&str]) -> String {
    let asked = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let said = asked.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    version_in(&String::from_utf8_lossy(&said)).unwrap_or_else(|| "?".into())
}

/// The first thing in a text that looks like `1.2` or `v1.2.3-4`.
fn version_in(text: &str) -> Option<String> {
    let words = text.split(|c: char| c.is_whitespace() || c == '/');
    let numbers = words.map(|word| word.trim_start_matches('v'));
    numbers
        .filter(|word| word.contains('.'))
        .find(|word| word.split('.').take(2).all(|part| part.starts_with(|c: char| c.is_ascii_digit())))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_print() {
        for (text, version) in [
            ("HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/", "2.6.12-1+deb12u4"),
            ("nginx version: nginx/1.22.1", "1.22.1"),
            ("\nenvoy  version: 9e5580933739775e8bce696a57a2e1bc99368f23/1.40.0/Clean/RELEASE", "1.40.0"),
            ("sozu 2.3.3 ()\n+jemallocator", "2.3.3"),
            ("Version:      3.1.0\nCodename:     x", "3.1.0"),
            ("wrk debian/4.1.0-3+b2 [epoll] Copyright (C) 2012", "4.1.0-3+b2"),
            ("tool v0.5.0", "0.5.0"),
        ] {
            assert_eq!(version_in(text).as_deref(), Some(version), "{text}");
        }
        assert_eq!(version_in("see https://a.example. Bye."), None);
    }
}
