//! A process's whole life: arguments, log, workers, signals, exit code.
//!
//! Exit codes: 0 after a clean drain, 1 when connections had to be cut or a worker failed (or, with `--check --connect`, when
//! a backend cannot be reached), 2 when it could not start.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::ask;
use crate::cli::{self, Command, Failure, Look, Run, Source};
use crate::config::{AdminListen, Config, token_in};
use crate::control::{self, Signals};
use crate::demo::Demo;
use crate::logging::{self, Flusher};
use crate::net::{inherited, os};
use crate::notify;
use crate::reach::{self, Reach};
use crate::top;
use crate::view::explained::Explained;
use crate::worker::{self, Running};

/// Runs the proxy as `args` ask for, the program's own name first, and returns what the process exits with.
pub fn run<I, T>(args: I) -> ExitCode
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let outcome = match cli::parse(args, os::raise_fd_limit()) {
        Ok(Command::Print { text, warnings }) => print(&text, &warnings),
        Ok(Command::Look(look)) => show(look),
        Ok(Command::Reach(run)) => reach_all(&run),
        Ok(Command::Run(run)) => with_log(run, |run, log| serve(run.config, Some(run.source), None, log)),
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

/// Shows a proxy that runs, or a part of it.
fn show(look: Look) -> Result<ExitCode, String> {
    let failed = |why| format!("lbproxy: {why}");
    match look {
        Look::Top { admin, interval, token } => {
            top::run(&top::Options { admin, interval, token }).map_err(failed)?;
            Ok(ExitCode::SUCCESS)
        }
        Look::Explain { admin, client, frontend, host, path, json } => {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("client", &client.to_string());
            let more = [("frontend", frontend), ("host", host), ("path", path)];
            more.iter().for_each(|(key, value)| {
                query.extend_pairs(value.iter().map(|value| (key, value)));
            });
            let text = ask::get(&admin, &format!("/explain?{}", query.finish())).map_err(failed)?;
            if json {
                return print(&text, &[]);
            }
            let explained: Explained = serde_json::from_str(&text)
                .map_err(|error| failed(format!("{admin}: this proxy explains itself otherwise: {error}")))?;
            print(&explained.to_string(), &[])
        }
    }
}

/// Prints the configuration, and below it, as comments, which backends can be reached.
fn reach_all(run: &Run) -> Result<ExitCode, String> {
    let reached = reach::try_all(&run.config);
    let lines: String = reached.iter().map(|one| format!("# {one}\n")).collect();
    let printed = print(&format!("{}\n{lines}", run.config.to_toml()), &run.warnings)?;
    Ok(if reached.iter().all(Reach::is_reached) { printed } else { ExitCode::FAILURE })
}

/// Does `work` with a log, and lets its last lines out.
fn with_log(
    run: Run,
    work: impl FnOnce(Run, &Flusher) -> Result<ExitCode, String>,
) -> Result<ExitCode, String> {
    let log = logging::start(run.log_level).map_err(|error| format!("lbproxy: cannot log: {error}"))?;
    run.warnings.iter().for_each(|warning| log::warn!("{warning}"));
    let outcome = work(run, &log);
    log.flush();
    outcome
}

fn demonstrate(run: Run, log: &Flusher) -> Result<ExitCode, String> {
    let demo =
        Demo::start().map_err(|error| format!("lbproxy: cannot start the demo's backends: {error}"))?;
    let mut config = run.config;
    demo.configure(&mut config);
    // There is nothing to read again.
    serve(config, None, Some(demo), log)
}

/// Starts the workers, and stays until they have drained. `source` is what a reload reads again.
fn serve(
    config: Config,
    source: Option<Source>,
    demo: Option<Demo>,
    log: &Flusher,
) -> Result<ExitCode, String> {
    // Watched from before the first client can come: a signal that arrives during the start is heeded, like any other.
    let cannot_watch = |error| format!("lbproxy: cannot watch for signals: {error}");
    let signals = Signals::watch().map_err(cannot_watch)?;
    let mode = config.frontends.first().map(|frontend| frontend.mode);
    let token = read_token(&config)?;
    let mut running = worker::start(config).map_err(|error| format!("lbproxy: {error}"))?;
    let desk = running.desk.take().inspect(|desk| {
        let scheme = if let AdminListen::Tcp(_) = desk.listen { "http://" } else { "" };
        log::info!("admin endpoint on {scheme}{}", desk.listen);
    });
    let admin = desk.as_ref().map(|desk| desk.listen.clone());
    let desk = desk.map(|desk| (desk, token));
    control::start(signals, running.control(), desk, source, log.clone()).map_err(cannot_watch)?;
    for address in &running.addresses {
        log::info!("listening on {address}");
    }
    // The process whose place this one takes may go, and whoever started this one may go on.
    if let Err(error) = inherited::report_ready() {
        log::warn!("cannot tell the process before this one that it may go: {error}");
    }
    notify::ready("serving");
    if let (Some(demo), Some(mode), Some(address)) = (&demo, mode, running.addresses.first()) {
        demo.introduce(*address, mode, admin.as_ref());
    }
    Ok(wait(running))
}

/// The first line of the file that has the token.
fn read_token(config: &Config) -> Result<Option<String>, String> {
    let Some(file) = config.admin.as_ref().and_then(|admin| admin.token_file.as_ref()) else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("lbproxy: admin.token_file: cannot read {}: {error}", file.display()))?;
    match token_in(&text) {
        Some(token) => Ok(Some(token.to_owned())),
        None => Err(format!(
            "lbproxy: admin.token_file: the first line of {} is empty: write a token there",
            file.display()
        )),
    }
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
