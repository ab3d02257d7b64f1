//! What every program of the lab does before its loop: arguments, limits, the first line of output, exit codes.
//!
//! Exit codes: 0 all is well, 1 something was transmitted wrong or not at all, 2 the program could not start. In the
//! last case there is one line on the standard error stream that says why.

use std::io::Write;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::error::ErrorKind;
use clap::{Args, Parser};

use super::client::{self, Conversation, Plan};
use super::report::Tally;
use super::server::{Server, Service};
use super::stats::Journal;
use crate::net::os;

/// The most connections a client may be asked to hold at once.
const CONNECTIONS_MAX: u64 = 1_000_000;
/// The most transmissions a client may be asked for on each connection.
const COUNT_MAX: u64 = 1_000_000_000_000;
/// The longest wait a client may be asked for.
const TIMEOUT_MS_MAX: u64 = 24 * 60 * 60 * 1000;

const EXIT_INACCURATE: u8 = 1;
const EXIT_START: u8 = 2;

/// Arguments that all backends share.
#[derive(Args, Clone, Debug)]
pub struct BackendArguments {
    /// Port to listen on; 0 lets the kernel pick one
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    pub address: IpAddr,
    /// What this backend calls itself, in its messages and where its protocol has room for it [default: ADDRESS:PORT]
    #[arg(long)]
    pub name: Option<String>,
    /// Tell of connections, requests in flight and errors in this file, as lines of JSON [default: do not]
    #[arg(long, value_name = "FILE")]
    pub stats: Option<PathBuf>,
    /// Time between two such lines
    #[arg(long, value_name = "MS", default_value_t = 100, value_parser = RangedU64ValueParser::<u64>::new().range(1..=TIMEOUT_MS_MAX))]
    pub stats_interval_ms: u64,
}

/// Arguments that all clients share.
#[derive(Args, Clone, Debug)]
pub struct ClientArguments {
    /// Where to connect
    #[arg(long, value_name = "HOST:PORT")]
    pub connect: String,
    /// Transmissions on each connection
    #[arg(long, default_value_t = 1000, value_parser = RangedU64ValueParser::<u64>::new().range(1..=COUNT_MAX))]
    pub count: u64,
    /// Connections open at once; each stays open until the last one is done
    #[arg(long, default_value_t = 1, value_parser = RangedU64ValueParser::<u64>::new().range(1..=CONNECTIONS_MAX))]
    pub connections: u64,
    /// Address to connect from; several, repeated or separated by commas, are used in turn
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub source: Vec<IpAddr>,
    /// A connection that makes no progress for so long has failed
    #[arg(long, default_value_t = 10_000, value_parser = RangedU64ValueParser::<u64>::new().range(1..=TIMEOUT_MS_MAX))]
    pub timeout_ms: u64,
}

impl ClientArguments {
    /// Transmissions on all connections together.
    pub fn expected(&self) -> u64 {
        self.count * self.connections
    }

    fn plan(&self) -> Result<Plan, String> {
        let fits =
            |address: &SocketAddr| self.source.iter().all(|source| source.is_ipv4() == address.is_ipv4());
        let resolved =
            self.connect.to_socket_addrs().map_err(|error| format!("{}: {error}", self.connect))?;
        let mut candidates: Vec<SocketAddr> = resolved.filter(fits).collect();
        // `localhost` is often both, and the backends listen on 127.0.0.1 unless told otherwise.
        candidates.sort_by_key(SocketAddr::is_ipv6);
        let server = *candidates
            .first()
            .ok_or_else(|| format!("{}: no address of the source's family", self.connect))?;
        Ok(Plan {
            server,
            sources: self.source.clone(),
            connections: usize::try_from(self.connections).unwrap_or(usize::MAX),
            timeout: Duration::from_millis(self.timeout_ms),
        })
    }
}

/// Parses the command line. On `--help` and `--version`, and with one line on what is wrong, it does not return.
pub fn parse<A: Parser>() -> A {
    A::try_parse().unwrap_or_else(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => error.exit(),
        _ => {
            eprintln!("{}", one_line(&error.to_string()));
            std::process::exit(EXIT_START.into());
        }
    })
}

/// What clap says over several lines, without the usage at the end.
fn one_line(message: &str) -> String {
    let until_usage =
        message.lines().take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    until_usage.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

/// Reports why a program cannot start, and returns the exit code that says so.
pub fn refuse(reason: &str) -> ExitCode {
    eprintln!("error: {reason}");
    ExitCode::from(EXIT_START)
}

/// A backend's whole life: binds, builds the service for the name the backend goes by, prints
/// `listening on ADDRESS:PORT`, and serves until the process is ended.
pub fn serve<S: Service>(
    arguments: &BackendArguments,
    service: impl FnOnce(String) -> Result<S, String>,
) -> ExitCode {
    prepare();
    let wanted = SocketAddr::new(arguments.address, arguments.port);
    let server = match Server::bind(wanted) {
        Ok(server) => server,
        Err(error) => return refuse(&format!("cannot listen on {wanted}: {error}")),
    };
    let server = match journal(arguments) {
        Ok(Some(journal)) => server.with_journal(journal),
        Ok(None) => server,
        Err(reason) => return refuse(&reason),
    };
    let name = arguments.name.clone().unwrap_or_else(|| server.address().to_string());
    let service = match service(name.clone()) {
        Ok(service) => service,
        Err(reason) => return refuse(&reason),
    };
    // Whoever started it may not want to know.
    let mut stdout = std::io::stdout();
    let _ = writeln!(stdout, "listening on {}", server.address()).and_then(|()| stdout.flush());
    match server.run(service) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {name}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn journal(arguments: &BackendArguments) -> Result<Option<Journal>, String> {
    let Some(path) = &arguments.stats else { return Ok(None) };
    let interval = Duration::from_millis(arguments.stats_interval_ms);
    let journal = Journal::create(path, interval, os::now());
    journal.map(Some).map_err(|error| format!("--stats {}: {error}", path.display()))
}

/// A client's whole life: holds the conversations, reports, and exits with 0 if every transmission was accurate.
pub fn converse<C: Conversation>(
    arguments: &ClientArguments,
    conversations: impl Iterator<Item = C>,
) -> ExitCode {
    prepare();
    let plan = match arguments.plan() {
        Ok(plan) => plan,
        Err(reason) => return refuse(&reason),
    };
    let mut tally = match Tally::new(arguments.expected()) {
        Ok(tally) => tally,
        Err(error) => return refuse(&error.to_string()),
    };
    let started = os::now();
    let result = client::run(&plan, conversations, &mut tally);
    let elapsed = os::now() - started;
    let mut stdout = std::io::stdout();
    let _ = write!(stdout, "{}", tally.report(elapsed)).and_then(|()| stdout.flush());
    for (cause, count) in tally.faults() {
        eprintln!("{count} × {cause}");
    }
    if let Err(error) = &result {
        eprintln!("error: {error}");
    }
    if result.is_ok() && tally.is_perfect() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_INACCURATE) }
}

/// Logs as `RUST_LOG` says, and allows as many open files as the system lets this process have.
fn prepare() {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).init();
    os::raise_fd_limit();
}
