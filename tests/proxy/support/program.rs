//! A program that runs: killed when the test is over, its output collected line by line meanwhile.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use lbproxy::net::os::now;
use rustix::process::{Pid, Signal, kill_process};

use super::{DEADLINE, wait_for};

/// A process that does not outlive the test.
pub(crate) struct Program {
    child: Child,
    pub(crate) stdout: Arc<Lines>,
    pub(crate) stderr: Arc<Lines>,
}

/// How a program ended, and what it had to say.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> Program {
        let command = command.env_remove("RUST_LOG").env_remove("RUST_LOG_STYLE").stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = Lines::collect(child.stdout.take().unwrap());
        let stderr = Lines::collect(child.stderr.take().unwrap());
        Program { child, stdout, stderr }
    }

    /// One of the bundled backends, and where it listens.
    pub(crate) fn backend(program: &str, arguments: &str) -> (Program, std::net::SocketAddr) {
        let backend = Program::start(Command::new(program).args(arguments.split_whitespace()));
        let address =
            backend.stdout.wait_for("listening on", |line| line.strip_prefix("listening on ")?.parse().ok());
        (backend, address)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it ends by itself.
    pub(crate) fn ended(&mut self) -> Ended {
        let code = self.exit_code();
        let (stdout, stderr) = (self.stdout.all(), self.stderr.all());
        Ended { code, stdout, stderr }
    }

    /// The same, though others that it has started may go on, and write where it did.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        let status: ExitStatus = wait_for("the program's end", || self.child.try_wait().unwrap());
        status.code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let said = self.stderr.so_far();
            println!(
                "process {} said last:\n{}",
                self.pid(),
                said[said.len().saturating_sub(30)..].join("\n")
            );
        }
    }
}

/// Runs a program to its end, arguments in one string.
pub(crate) fn run(program: &str, arguments: &str) -> Ended {
    finish(Command::new(program).args(arguments.split_whitespace()))
}

/// Runs a command to its end.
pub(crate) fn finish(command: &mut Command) -> Ended {
    Program::start(command).ended()
}

/// The lines of a stream so far, and a bell for the next one.
#[derive(Default)]
pub(crate) struct Lines {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    complete: bool,
}

impl Lines {
    fn collect(stream: impl Read + Send + 'static) -> Arc<Lines> {
        let lines = Arc::new(Lines::default());
        let collector = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                collector.state.lock().unwrap().lines.push(line);
                collector.changed.notify_all();
            }
            collector.state.lock().unwrap().complete = true;
            collector.changed.notify_all();
        });
        lines
    }

    pub(crate) fn so_far(&self) -> Vec<String> {
        self.state.lock().unwrap().lines.clone()
    }

    /// All lines, once the stream has ended.
    fn all(&self) -> Vec<String> {
        self.wait("the end of the output", DEADLINE, |state| state.complete.then(|| state.lines.clone()))
            .unwrap()
    }

    /// What `parse` makes of the first line that it can make something of.
    pub(crate) fn wait_for<T>(&self, what: &str, mut parse: impl FnMut(&str) -> Option<T>) -> T {
        self.wait_for_many(what, 1, &mut parse).pop().unwrap()
    }

    /// What `parse` makes of the first `count` lines that it can make something of.
    pub(crate) fn wait_for_many<T>(
        &self,
        what: &str,
        count: usize,
        parse: impl FnMut(&str) -> Option<T>,
    ) -> Vec<T> {
        let mut parse = parse;
        let (mut seen, mut found) = (0, Vec::new());
        let complete = self.wait(what, DEADLINE, |state| {
            found.extend(state.lines[seen..].iter().filter_map(|line| parse(line)));
            seen = state.lines.len();
            (found.len() >= count || state.complete).then_some(())
        });
        found.truncate(count);
        let lines = self.so_far().join("\n");
        assert!(complete.is_some() && found.len() == count, "waited in vain for {what}:\n{lines}");
        found
    }

    /// Waits for a line with this text in it.
    pub(crate) fn wait_for_text(&self, text: &str) {
        self.wait_for(text, |line| line.contains(text).then_some(()));
    }

    /// Lets this time pass, or less if a line with this text comes: true if none did.
    pub(crate) fn stays_without(&self, text: &str, time: Duration) -> bool {
        let absent = |state: &State| state.lines.iter().any(|line| line.contains(text)).then_some(());
        self.wait(text, time, absent).is_none()
    }

    fn wait<T>(&self, what: &str, time: Duration, mut look: impl FnMut(&State) -> Option<T>) -> Option<T> {
        let deadline = now() + time;
        let mut state = self.state.lock().unwrap();
        loop {
            if let Some(found) = look(&state) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(now());
            if left.is_zero() {
                return None;
            }
            state = self.changed.wait_timeout(state, left).expect(what).0;
        }
    }
}
