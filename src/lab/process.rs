//! Programs that are measured, or that load those: each starts on CPUs of its own, in a process group of its own, with
//! its output in a file, and is gone when whoever holds it is.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::cpus::Cpus;
use crate::net::os;

/// How long a server may take until it listens: Envoy takes a second or two on a slow machine.
const START: Duration = Duration::from_secs(20);
/// How long a program may take to end of its own accord.
const STOP: Duration = Duration::from_secs(2);
/// How often to look whether what is waited for has come.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How much of its output an error quotes.
const QUOTED_LINES: usize = 3;
/// The exit code of a program that was interrupted, as shells have it.
const EXIT_INTERRUPTED: i32 = 130;

/// The process groups that run now: what an interrupted run has to end.
static GROUPS: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// Its file, or its name on PATH.
    pub program: PathBuf,
    /// What follows on the command line.
    pub arguments: Vec<OsString>,
}

impl Launch {
    /// This program with these arguments.
    pub fn new<A: Into<OsString>>(
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Launch {
        Launch { program: program.into(), arguments: arguments.into_iter().map(A::into).collect() }
    }

    /// The command that starts it, and has the kernel end it should this thread die before it: no destructor runs when a
    /// process is killed. `setpriv` is a part of util-linux; without it, that case is not covered.
    fn command(&self) -> Command {
        let mut command = match find("setpriv") {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "TERM", "--"]).arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        command.args(&self.arguments);
        command
    }
}

/// A program that runs. Dropping it ends it, and all it has started.
pub struct Process {
    child: Child,
    group: Pid,
    log: PathBuf,
}

impl Process {
    /// Starts a program on these CPUs, with its output in `log`. To be called on a thread that lives longer than the
    /// program shall.
    ///
    /// # Errors
    /// The program is not there or cannot be started, or the log cannot be written.
    pub fn start(launch: &Launch, cpus: &Cpus, log: &Path) -> Result<Process, String> {
        let name = launch.program.display();
        let output = File::create(log).map_err(|error| format!("{}: {error}", log.display()))?;
        let errors = output.try_clone().map_err(|error| format!("{}: {error}", log.display()))?;
        let mut command = launch.command();
        command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
        // What is started inherits where its parent may run: so it never runs anywhere else.
        let ours = Cpus::allowed()?;
        cpus.pin()?;
        let child = command.spawn();
        ours.pin()?;
        let child = child.map_err(|error| format!("cannot start {name}: {error}"))?;
        let group = Pid::from_child(&child);
        groups().push(group);
        Ok(Process { child, group, log: log.to_owned() })
    }

    /// The number of its process group, for [`usage`](super::usage).
    pub fn group(&self) -> u32 {
        self.group.as_raw_pid().unsigned_abs()
    }

    /// Stops it where it is, until it is let go on.
    pub fn freeze(&self) {
        // It may have ended.
        let _ = kill_process_group(self.group, Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        let _ = kill_process_group(self.group, Signal::CONT);
    }

    /// Waits until somebody listens at `address`.
    ///
    /// # Errors
    /// The program ended, or nobody listens in time. The message quotes the last lines of its output.
    pub fn wait_for(&mut self, address: SocketAddr) -> Result<(), String> {
        let mut ended = None;
        let listens = until(START, || {
            ended = self.child.try_wait().ok().flatten();
            ended.is_some() || TcpStream::connect_timeout(&address, LOOK_EVERY).is_ok()
        });
        match ended {
            Some(status) => Err(format!("it ended ({status}){}", self.last_words())),
            None if listens => Ok(()),
            None => Err(format!(
                "it does not listen on {address} after {} s{}",
                START.as_secs(),
                self.last_words()
            )),
        }
    }

    /// Waits until it has ended of its own accord, and returns what it has put out.
    ///
    /// # Errors
    /// It takes longer than `patience`, or reports a failure, or its output cannot be read.
    pub fn output(mut self, patience: Duration) -> Result<String, String> {
        let mut ended: Option<ExitStatus> = None;
        until(patience, || {
            ended = self.child.try_wait().ok().flatten();
            ended.is_some()
        });
        match ended {
            Some(status) if status.success() => {
                fs::read_to_string(&self.log).map_err(|error| format!("{}: {error}", self.log.display()))
            }
            Some(status) => Err(format!("it ended ({status}){}", self.last_words())),
            None => Err(format!("it still runs after {} s{}", patience.as_secs(), self.last_words())),
        }
    }

    fn last_words(&self) -> String {
        let output = fs::read(&self.log).unwrap_or_default();
        let output = String::from_utf8_lossy(&output);
        let lines: Vec<&str> = output.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(QUOTED_LINES)..];
        if last.is_empty() { String::new() } else { format!(": {}", last.join(" / ")) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let signalled = kill_process_group(self.group, Signal::TERM);
        // One that is frozen hears of it only then.
        self.thaw();
        let is_gone = |child: &mut Child| {
            // The first process is in the group until it has been waited for.
            let _ = child.try_wait();
            test_kill_process_group(self.group).is_err()
        };
        if signalled.is_ok() && !until(STOP, || is_gone(&mut self.child)) {
            let _ = kill_process_group(self.group, Signal::KILL);
        }
        let _ = self.child.wait();
        groups().retain(|group| *group != self.group);
    }
}

/// From now on SIGINT, SIGTERM and SIGHUP end all programs that run, and then this one, with exit code 130.
///
/// # Errors
/// The kernel's, from starting the thread that waits for signals.
pub fn end_all_on_signal() -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        if signals.forever().next().is_some() {
            // The lock is kept: nothing starts any more.
            let groups = groups();
            for group in groups.iter() {
                let _ = kill_process_group(*group, Signal::KILL);
            }
            std::process::exit(EXIT_INTERRUPTED);
        }
    })?;
    Ok(())
}

/// Where a program is on PATH. Daemons live in `sbin`, which is on root's PATH alone: looked into as well.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/local/sbin".into(), "/usr/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// An address of this host at which nobody listens now.
///
/// # Errors
/// The kernel has none left.
pub fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// Waits until `condition` holds, for `patience` at most, and returns whether it does.
pub fn until(patience: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = os::now() + patience;
    loop {
        if condition() {
            return true;
        }
        if os::now() >= deadline {
            return false;
        }
        std::thread::park_timeout(LOOK_EVERY);
    }
}

fn groups() -> MutexGuard<'static, Vec<Pid>> {
    // A list is as good after a panic as before.
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}
