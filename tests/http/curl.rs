//! curl, and what it has to say.

use std::process::Command;

use crate::support::{Ended, Proxy, finish};

/// What curl printed, and what it wrote where.
pub(crate) struct Curl {
    command: Command,
}

impl Curl {
    /// Silent but for errors; a hang is an error.
    pub(crate) fn new() -> Curl {
        let mut command = Command::new("curl");
        command.args(["-sS", "--max-time", "50", "--noproxy", "*"]);
        Curl { command }
    }

    pub(crate) fn arguments(mut self, arguments: &str) -> Curl {
        self.command.args(arguments.split_whitespace());
        self
    }

    /// One argument, spaces and all.
    pub(crate) fn argument(mut self, argument: impl AsRef<std::ffi::OsStr>) -> Curl {
        self.command.arg(argument);
        self
    }

    pub(crate) fn url(self, proxy: &Proxy, target: &str) -> Curl {
        let url = format!("http://{}{target}", proxy.address());
        self.argument(url)
    }

    /// Runs it to its end, whatever that is.
    pub(crate) fn ended(mut self) -> Ended {
        finish(&mut self.command)
    }

    /// Runs it to a good end, and returns what it printed.
    pub(crate) fn run(self) -> Vec<String> {
        let ended = self.ended();
        assert_eq!((ended.code, ended.stderr.join("\n")), (Some(0), String::new()), "{ended:?}");
        ended.stdout
    }
}
