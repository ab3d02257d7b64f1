//! A process's whole life: arguments, log, workers, signals, exit code.
//!
//! Exit codes: 0 after a clean drain, 1 when connections had to be cut or a worker failed, 2 when it could not start.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use log::LevelFilter;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::cli::{self, Command, Failure};
use crate::config::Config;
use crate::demo::Demo;
use crate::net::os;
use crate::worker::{self, Running, Stopper};

/// Runs the proxy as `args` ask for, the program's own name first, and returns what the process exits with.
pub fn run<I, T>(args: I) -> ExitCode
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let outcome = match cli::parse(args, os::raise_fd_limit()) {
        Ok(Command::Print { text, warnings }) => print(&text, &warnings),
        Ok(Command::Run(run)) => {
            start_logging(run.log_level, &run.warnings);
            serve(run.config, None)
        }
        Ok(Command::Demo(run)) => {
            start_logging(run.log_level, &run.warnings);
            demonstrate(run.config)
        }
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

fn start_logging(level: LevelFilter, warnings: &[String]) {
    env_logger::Builder::new().filter_level(level).parse_default_env().init();
    warnings.iter().for_each(|warning| log::warn!("{warning}"));
}

fn demonstrate(mut config: Config) -> Result<ExitCode, String> {
    let demo =
        Demo::start().map_err(|error| format!("lbproxy: cannot start the demo's backends: {error}"))?;
    config.pools.iter_mut().for_each(|pool| pool.backends = demo.backends());
    serve(config, Some(demo))
}

/// Starts the workers, and stays until they have drained.
fn serve(config: Config, demo: Option<Demo>) -> Result<ExitCode, String> {
    let running = worker::start(config).map_err(|error| format!("lbproxy: {error}"))?;
    // Before anybody hears that it listens: whoever does may stop it at once.
    stop_on_signals(running.stopper())
        .map_err(|error| format!("lbproxy: cannot watch for signals: {error}"))?;
    for address in &running.addresses {
        log::info!("listening on {address}");
    }
    if let (Some(demo), Some(address)) = (&demo, running.addresses.first()) {
        demo.introduce(*address);
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

/// The first SIGTERM or SIGINT drains, the second one ends the process at once.
fn stop_on_signals(stopper: Stopper) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let watch = move || {
        for (count, _) in signals.forever().enumerate() {
            if count > 0 {
                log::warn!("second signal: ending now");
                std::process::exit(1);
            }
            log::info!("draining: no new connections, a second signal ends those that are left");
            stopper.drain();
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(watch)?;
    Ok(())
}
