//! A resolver of the test's own: a file of hosts(5) format that the proxy asks first.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::{LBPROXY, Proxy};

pub(crate) struct Hosts {
    folder: TempDir,
}

impl Hosts {
    /// Its lines.
    pub(crate) fn new(text: &str) -> Hosts {
        let hosts = Hosts { folder: tempfile::tempdir().unwrap() };
        hosts.say(text);
        hosts
    }

    /// Other lines, all at once.
    pub(crate) fn say(&self, text: &str) {
        let new = self.folder.path().join("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.path()).unwrap();
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("hosts")
    }

    /// A program that asks it.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(LBPROXY);
        command.env("LBPROXY_HOSTS", self.path());
        command
    }

    /// A proxy that asks it every few milliseconds.
    pub(crate) fn proxy(&self, arguments: &str) -> Proxy {
        let more = "--listen 127.0.0.1:0 --resolve-interval-ms 20";
        Proxy::spawn(self.command().args(more.split_whitespace()).args(arguments.split_whitespace()), 1)
    }
}
