//! A process's whole life: arguments, log, workers, signals, exit code.
//!
//! Exit codes: 0 after a clean drain, 1 when connections had to be cut or a worker failed, 2 when it could not start.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::cli::{self, Command, Failure, Run};
use crate::config::Config;
use crate::demo::Demo;
use crate::logging::{self, Flusher};
use crate::net::os;
use crate::worker::{self, Running, Stopper};

/// A signal so soon after the first is the same one again: timeout(1), for one, signals the process and then its group.
const ECHO: Duration = Duration::from_millis(200);

/// Runs the proxy as `args` ask for, the program's own name first, and returns what the process exits with.
pub fn run<I, T>(args: I) -> ExitCode
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let outcome = match cli::parse(args, os::raise_fd_limit()) {
        Ok(Command::Print { text, warnings }) => print(&text, &warnings),
        Ok(Command::Run(run)) => with_log(run, |config, log| serve(config, None, log)),
        Ok(Command::Demo(run)) => with_log(run, demonstrate),
        Err(failure) => Err(failure.to_string()),
    };
    outcome.unwrap_or_else(|message| {
        eprintln!("{message}");
        ExitCode::from(Failure::EXIT_CODE)
    })
}

fn print(text: &str, warnings: &[String]) -> Result<ExitCode, String> {
    warnings.iter().for_each(|warning| eprintln!("lbproxy: warning: {warning}"));
    let mut stdout = io::stdout();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        // `lbproxy --help | head -1` has what it wanted.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("lbproxy: {error}")),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Does `work` with a log, and lets its last lines out.
fn with_log(
    run: Run,
    work: impl FnOnce(Config, &Flusher) -> Result<ExitCode, String>,
) -> Result<ExitCode, String> {
    let log = logging::start(run.log_level).map_err(|error| format!("lbproxy: cannot log: {error}"))?;
    run.warnings.iter().for_each(|warning| log::warn!("{warning}"));
    let outcome = work(run.config, &log);
    log.flush();
    outcome
}

fn demonstrate(mut config: Config, log: &Flusher) -> Result<ExitCode, String> {
    let demo =
        Demo::start().map_err(|error| format!("lbproxy: cannot start the demo's backends: {error}"))?;
    config.pools.iter_mut().for_each(|pool| pool.backends = demo.backends());
    serve(config, Some(demo), log)
}

/// Starts the workers, and stays until they have drained.
fn serve(config: Config, demo: Option<Demo>, log: &Flusher) -> Result<ExitCode, String> {
    // Watched from before the first client can come: a signal that arrives during the start drains, like any other.
    let cannot_watch = |error| format!("lbproxy: cannot watch for signals: {error}");
    let signals = Signals::new([SIGTERM, SIGINT]).map_err(cannot_watch)?;
    let mode = config.frontends.first().map(|frontend| frontend.mode);
    let running = worker::start(config).map_err(|error| format!("lbproxy: {error}"))?;
    drain_on(signals, running.stopper(), log.clone()).map_err(cannot_watch)?;
    for address in &running.addresses {
        log::info!("listening on {address}");
    }
    if let (Some(demo), Some(mode), Some(address)) = (&demo, mode, running.addresses.first()) {
        demo.introduce(*address, mode);
    }
    Ok(wait(running))
}

fn wait(running: Running) -> ExitCode {
    match running.wait() {
        Ok(total) => {
            log::info!("stopped: {} connections served, {} cut short", total.accepted, total.cut);
            ExitCode::from(u8::from(total.cut > 0))
        }
        Err(error) => {
            log::error!("stopped: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What a signal asks for.
#[derive(Debug, PartialEq)]
enum Request {
    Drain,
    EndNow,
    /// What the first one asked for, once more.
    Echo,
}

/// The first signal drains, a second one ends the process at once.
fn request(first: Option<Instant>, now: Instant) -> Request {
    match first {
        None => Request::Drain,
        Some(first) if now - first < ECHO => Request::Echo,
        Some(_) => Request::EndNow,
    }
}

fn drain_on(mut signals: Signals, stopper: Stopper, log: Flusher) -> io::Result<()> {
    let watch = move || {
        let mut first = None;
        for _ in signals.forever() {
            let now = os::now();
            match request(first, now) {
                Request::Echo => {}
                Request::Drain => {
                    log::info!("draining: no new connections, a second signal ends those that are left");
                    stopper.drain();
                    first = Some(now);
                }
                Request::EndNow => {
                    log::warn!("second signal: ending now");
                    log.flush();
                    std::process::exit(1);
                }
            }
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(watch)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_of_the_first_signal_is_not_a_second_one() {
        let first = os::now();
        assert_eq!(request(None, first), Request::Drain);
        assert_eq!(request(Some(first), first + ECHO / 2), Request::Echo);
        assert_eq!(request(Some(first), first + ECHO), Request::EndNow);
    }
}
