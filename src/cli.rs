//! The command line: arguments in, something to do out. Every way to get it wrong ends in one line and exit code 2.

mod flags;
mod http_flags;

use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use clap::FromArgMatches;
use clap::error::ErrorKind;
use log::LevelFilter;

use crate::balance::policy::{self, REGISTRY};
use crate::config::{self, Config, Host, Overrides};
use flags::Flags;

/// Where clients come in when neither flags nor a file say it.
const DEFAULT_PORT: i64 = 8080;

/// What the arguments ask for.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Run the proxy.
    Run(Run),
    /// Run it in front of bundled backends: `config.pools[0].backends` is empty, for the caller to fill in.
    Demo(Run),
    /// `--help`, `--version` or `--check`: print and exit with code 0.
    Print {
        /// For stdout, with its last newline.
        text: String,
        /// For stderr, one line each.
        warnings: Vec<String>,
    },
}

/// A proxy to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Complete and checked.
    pub config: Config,
    /// From `-v` and `-q`; RUST_LOG goes before it.
    pub log_level: LevelFilter,
    /// What the operator should know, one line each.
    pub warnings: Vec<String>,
}

/// Arguments or a configuration that cannot be used. Prints as the one line that belongs on stderr.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// What the process exits with.
    pub const EXIT_CODE: u8 = 2;

    /// Whatever was quoted from the operator (a file name may contain a line break), it stays one line.
    fn new(message: &str) -> Self {
        Self(message.replace(char::is_control, " "))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lbproxy: {}", self.0)
    }
}

impl std::error::Error for Failure {}

/// Parses `args`, the program's own name first, reads the file they name, and resolves all of it.
///
/// `fd_limit` is how many file descriptors this process may have open; the default of `max_connections` follows
/// from it.
///
/// # Errors
/// A [`Failure`] when the proxy cannot run with this; its message names the flag, or the file, line and key.
pub fn parse<I, T>(args: I, fd_limit: u64) -> Result<Command, Failure>
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let policies: Vec<(&'static str, &'static str)> =
        REGISTRY.iter().map(|entry| (entry.name, entry.summary)).collect();
    let matches = flags::command(&policies).try_get_matches_from(args);
    match matches.and_then(|matches| Flags::from_arg_matches(&matches)) {
        Ok(flags) => resolve(&flags, &policies, fd_limit),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            Ok(Command::Print { text: error.render().to_string(), warnings: Vec::new() })
        }
        Err(error) => Err(Failure::new(&one_line(&error))),
    }
}

fn resolve(flags: &Flags, policies: &[(&'static str, &str)], fd_limit: u64) -> Result<Command, Failure> {
    let names: Vec<&'static str> = policies.iter().map(|(name, _)| *name).collect();
    let keyed: Vec<&'static str> = policy::keyed().collect();
    let host = Host { policies: &names, keyed: &keyed, fd_limit, lookup: config::system_lookup };
    let file = flags.config.as_deref();
    let text = file.map(read).transpose()?;
    let mut overrides = flags.overrides();
    if file.is_none() {
        stand_in_for_a_file(flags, &mut overrides)?;
    }
    let resolved = config::load(text.as_deref(), &overrides, &host).map_err(|error| match file {
        Some(file) if error.is_in_file() => Failure::new(&format!("{}: {error}", file.display())),
        _ => Failure::new(&error.to_string()),
    })?;

    let mut run = Run { config: resolved.config, log_level: log_level(flags), warnings: resolved.warnings };
    if flags.check {
        return Ok(Command::Print { text: run.config.to_toml(), warnings: run.warnings });
    }
    if flags.demo {
        run.config.pools.iter_mut().for_each(|pool| pool.backends.clear());
        return Ok(Command::Demo(run));
    }
    Ok(Command::Run(run))
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file)
        .map_err(|error| Failure::new(&format!("cannot read {}: {error}", file.display())))
}

/// What flags alone must say, or get by default.
fn stand_in_for_a_file(flags: &Flags, overrides: &mut Overrides) -> Result<(), Failure> {
    if overrides.port.is_none() && overrides.listen.is_empty() {
        overrides.port = Some(DEFAULT_PORT);
    }
    if flags.demo {
        // Resolved like any other configuration, so it needs a backend; `resolve` takes it out again.
        overrides.backends = vec!["127.0.0.1:1".to_owned()];
    }
    if overrides.backends.is_empty() {
        return Err(Failure::new(
            "no backend to send clients to: try lbproxy --port 8080 --backend 127.0.0.1:9001, or lbproxy --demo",
        ));
    }
    Ok(())
}

fn log_level(flags: &Flags) -> LevelFilter {
    match (flags.quiet, flags.verbose) {
        (true, _) => LevelFilter::Warn,
        (false, 0) => LevelFilter::Info,
        (false, 1) => LevelFilter::Debug,
        (false, _) => LevelFilter::Trace,
    }
}

/// clap's message without its usage block: the first paragraph, and the tip if it knows a similar flag.
fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let mut paragraphs =
        text.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    let first = paragraphs.next().unwrap_or_default();
    let mut line = first.strip_prefix("error: ").unwrap_or(&first).to_owned();
    if let Some(tip) =
        paragraphs.find(|paragraph| paragraph.starts_with("tip:") && paragraph.contains("similar"))
    {
        line = format!("{line}; {}", tip.trim_start_matches("tip: "));
    }
    format!("{line} (try --help)")
}
