//! The command line: arguments in, something to do out. Every way to get it wrong ends in one line and exit code 2.

mod flags;
mod http_flags;
mod looks;

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use clap::FromArgMatches;
use clap::error::ErrorKind;
use log::LevelFilter;

use crate::balance::policy::{self, REGISTRY};
use crate::config::{self, Config, Host, Missing, Names, Overrides, diff};
use flags::Flags;

pub use self::looks::Look;

/// Where clients come in when neither flags nor a file say it.
const DEFAULT_PORT: i64 = 8080;

/// What the arguments ask for.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Run the proxy.
    Run(Run),
    /// Run it in front of bundled backends: `config.pools[0].backends` is empty, for the caller to fill in.
    Demo(Run),
    /// `--check --connect`: print the configuration, and which backends can be reached.
    Reach(Run),
    /// `top` or `explain`: ask a proxy that runs.
    Look(Look),
    /// `--help`, `--version`, `--check` and the like: print and exit with code 0.
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
    /// What it was made of.
    pub source: Source,
}

/// What a configuration was made of: enough to make it again.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    args: Vec<OsString>,
    /// What the file said.
    text: Option<String>,
    /// What its names stand for, and those in the arguments.
    names: Names,
    resolve_interval: Option<Duration>,
}

impl Source {
    /// Reads the file again, and resolves what it says now, with the flags on top.
    ///
    /// # Errors
    /// There is no file, or what it says is wrong.
    pub fn read_again(&self, fd_limit: u64) -> Result<Run, Failure> {
        if self.text.is_none() {
            return Err(Failure::new("there is no file to read again: it was started with flags alone"));
        }
        expect_run(parse(&self.args, fd_limit)?)
    }

    /// The same, with what its names stand for now. Names that cannot be found stand for what they stood for.
    pub fn look_up_again(&self) -> (Source, Vec<Missing>) {
        let (names, missing) = self.names.look_up_again(&config::system_lookup);
        (Source { names, ..self.clone() }, missing)
    }

    /// What it makes as it is, whatever the file may say by now.
    ///
    /// # Errors
    /// Its names stand for something that cannot be.
    pub fn resolve(&self, fd_limit: u64) -> Result<Run, Failure> {
        let known = Known { text: self.text.clone(), names: self.names.clone() };
        expect_run(parse_with(&self.args, Some(known), fd_limit)?)
    }

    /// How often that is to be done; `None`: there are no names, or never.
    pub fn resolve_interval(&self) -> Option<Duration> {
        self.resolve_interval
    }
}

/// What need not be found out.
struct Known {
    text: Option<String>,
    names: Names,
}

fn expect_run(command: Command) -> Result<Run, Failure> {
    match command {
        Command::Run(run) => Ok(run),
        Command::Demo(_) | Command::Reach(_) | Command::Look(_) | Command::Print { .. } => {
            Err(Failure::new("these arguments run no proxy"))
        }
    }
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
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    parse_with(&args, None, fd_limit)
}

/// The same, where the text of the file is known already, and what its names stand for.
fn parse_with(args: &[OsString], known: Option<Known>, fd_limit: u64) -> Result<Command, Failure> {
    let policies: Vec<(&'static str, &'static str)> =
        REGISTRY.iter().map(|entry| (entry.name, entry.summary)).collect();
    let mut command = flags::command(&policies);
    let matches = command.try_get_matches_from_mut(args);
    match matches.and_then(|matches| Flags::from_arg_matches(&matches)) {
        Ok(Flags { completions: Some(shell), .. }) => Ok(print(completions(shell, command))),
        Ok(Flags { man: true, .. }) => manual(command).map(print),
        Ok(Flags { look: Some(look), .. }) => look.resolve().map(Command::Look),
        Ok(flags) => resolve(&flags, args, known, &policies, fd_limit),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            Ok(Command::Print { text: error.render().to_string(), warnings: Vec::new() })
        }
        Err(error) => Err(Failure::new(&one_line(&error))),
    }
}

fn print(text: String) -> Command {
    Command::Print { text, warnings: Vec::new() }
}

/// A script that completes the flags.
fn completions(shell: clap_complete::Shell, mut command: clap::Command) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "lbproxy", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The manual page: that of the proxy, and a section for each of its commands.
fn manual(command: clap::Command) -> Result<String, Failure> {
    let render = |command: &clap::Command| {
        let mut page = Vec::new();
        let rendered = clap_mangen::Man::new(command.clone()).render(&mut page);
        rendered.map_err(|error| Failure::new(&format!("cannot write the manual page: {error}")))?;
        Ok::<_, Failure>(String::from_utf8_lossy(&page).into_owned())
    };
    let mut page = render(&command)?;
    for look in command.get_subcommands() {
        let (name, part) = (look.get_name().to_uppercase(), render(look)?);
        // It begins with what makes a page of its own.
        let part = part.split_once(".SH SYNOPSIS").map_or(&*part, |(_, part)| part);
        page.push_str(&format!(".SH LBPROXY {name}\n.SS SYNOPSIS{}", part.replace(".SH ", ".SS ")));
    }
    Ok(page)
}

fn resolve(
    flags: &Flags,
    args: &[OsString],
    known: Option<Known>,
    policies: &[(&'static str, &str)],
    fd_limit: u64,
) -> Result<Command, Failure> {
    let known_policies: Vec<&'static str> = policies.iter().map(|(name, _)| *name).collect();
    let keyed: Vec<&'static str> = policy::keyed().collect();
    let file = flags.config.as_deref();
    let mut overrides = flags.overrides();
    if file.is_none() {
        stand_in_for_a_file(flags, &mut overrides)?;
    }
    let Known { text, names } = match known {
        Some(known) => known,
        None => look_around(file, &overrides)?,
    };
    let lookup =
        |host: &str, port| names.addresses(host, port).unwrap_or_else(|| config::system_lookup(host, port));
    let (somaxconn, lookup) = (somaxconn(), &lookup);
    let host = Host { policies: &known_policies, keyed: &keyed, fd_limit, somaxconn, lookup };
    let resolved = config::load(text.as_deref(), &overrides, &host).map_err(|error| match file {
        Some(file) if error.is_in_file() => Failure::new(&format!("{}: {error}", file.display())),
        _ => Failure::new(&error.to_string()),
    })?;

    let interval = resolved.config.timeouts.resolve_interval;
    let resolve_interval = interval.filter(|_| !names.is_empty());
    let source = Source { args: args.to_vec(), text, names, resolve_interval };
    let (config, warnings) = (resolved.config, resolved.warnings);
    let mut run = Run { config, log_level: log_level(flags), warnings, source };
    if let Some(old) = &flags.diff {
        let mut args = vec![OsString::from("lbproxy"), "--config".into(), old.into()];
        args.push("--quiet".into());
        let old = expect_run(parse(&args, fd_limit)?)?;
        let lines = changes(&old.config, run.config)?;
        return Ok(Command::Print { text: lines, warnings: run.warnings });
    }
    if flags.connect {
        return Ok(Command::Reach(run));
    }
    if flags.check {
        return Ok(Command::Print { text: run.config.to_toml(), warnings: run.warnings });
    }
    if flags.demo {
        run.config.pools.iter_mut().for_each(|pool| pool.backends.clear());
        return Ok(Command::Demo(run));
    }
    Ok(Command::Run(run))
}

/// What a proxy that runs the old configuration would make of the new one: a line each, or that there is nothing to do.
fn changes(old: &Config, new: Config) -> Result<String, Failure> {
    let (new, left) = old.keep_what_cannot_change(new).map_err(|why| Failure::new(&why))?;
    let mut lines = diff::lines(old, &new);
    lines.extend(left.iter().map(|line| format!("{line} (left as it is: this takes a restart)")));
    if lines.is_empty() {
        lines.push("nothing changes".to_owned());
    }
    Ok(lines.into_iter().map(|line| line + "\n").collect())
}

/// Reads the file, and looks up the names in it and in the flags.
fn look_around(file: Option<&Path>, overrides: &Overrides) -> Result<Known, Failure> {
    let text = file.map(read).transpose()?;
    let names = Names::look_up(text.as_deref(), overrides, &config::system_lookup);
    Ok(Known { text, names })
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

/// What the kernel lets a listening socket queue at the most; any number, where it does not say.
fn somaxconn() -> u32 {
    let text = std::fs::read_to_string("/proc/sys/net/core/somaxconn").ok();
    text.and_then(|text| text.trim().parse().ok()).unwrap_or(u32::MAX)
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
