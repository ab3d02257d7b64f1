//! Every flag, its help, and the page that `--help` prints. Ranges and defaults are the configuration's business
//! (`config/number.rs`); a test holds the defaults named here to the real ones.

use std::path::PathBuf;

use clap::{ArgAction, Args, CommandFactory, Parser};
use clap_complete::Shell;

use super::http_flags::{HttpFlags, HttpLimitFlags, HttpTimeoutFlags};
use super::looks::LookFlags;
use crate::config::{Overrides, RawLimits, RawTimeouts};

const USAGE: &str = "lbproxy --backend HOST:PORT [--backend HOST:PORT]... [OPTIONS]
       lbproxy --config FILE [OPTIONS]
       lbproxy --demo
       lbproxy top [--admin ADDRESS:PORT|unix:PATH]
       lbproxy explain --client ADDRESS [--admin ADDRESS:PORT|unix:PATH]";

// At most 80 columns: clap wraps longer lines at the terminal's edge, commands included.
const EXAMPLES: &str = "\
Examples:
  See it work, with no server at hand:
    lbproxy --demo

  Two web servers behind port 8080, each in turn:
    lbproxy --port 8080 --backend 10.0.0.1:80 --backend 10.0.0.2:80

  A database: connections go where there are fewest, and db1 can take three
  times as many as db2:
    lbproxy --listen 127.0.0.1:5432 --policy fewest_connections \\
            --backend db1.internal:5432,weight=3 --backend db2.internal:5432

  Clients that must come back to the same server, even if it moves to another
  address:
    lbproxy --port 6379 --policy ip_hashing \\
            --backend 10.0.0.1:6379,name=a --backend 10.0.0.2:6379,name=b

  A web application that keeps sessions in memory: a backend for each request,
  and a cookie that brings each browser back to its own:
    lbproxy --port 8080 --mode http --sticky-cookie backend \\
            --backend 10.0.0.1:80 --backend 10.0.0.2:80

  What would a file do? Print it with every default filled in; then run it on
  two cores:
    lbproxy --config lbproxy.toml --check
    lbproxy --config lbproxy.toml --workers 2

  What is it doing, and who gets which backend? Look inside, with a browser or
  from a terminal:
    lbproxy --demo --mode http --admin 127.0.0.1:9901
    lbproxy top
    lbproxy explain --client 192.0.2.1

  What would change if that one were reloaded (SIGHUP) with another file?
    lbproxy --config new.toml --check --diff lbproxy.toml

Flags are shorthand for a file with one frontend and one pool, and override one
that is given. config.example.toml shows all that a file can say. SIGTERM and
SIGINT drain: no new clients, and those connected may finish. SIGHUP reads the
file again. SIGUSR2 starts the binary anew, which takes over, and drains.";

/// Spreads TCP connections or HTTP requests over backends. Clients connect here; a policy picks a backend for each
/// connection, or with --mode http for each request; and bytes flow both ways until both sides are done.
#[derive(Debug, Parser)]
#[command(name = "lbproxy", version, override_usage = USAGE, after_help = EXAMPLES)]
#[command(disable_help_flag = true, disable_version_flag = true, max_term_width = 110)]
#[command(disable_help_subcommand = true, args_conflicts_with_subcommands = true)]
pub(super) struct Flags {
    #[command(subcommand)]
    pub(super) look: Option<LookFlags>,

    /// Port on all addresses, IPv4 and IPv6; 0 lets the kernel pick [default: 8080, unless --listen or --config
    /// says otherwise]
    #[arg(long, value_name = "N", value_parser = whole_number, help_heading = "Where clients come in")]
    #[arg(allow_negative_numbers = true)]
    port: Option<i64>,

    /// One precise address, such as 127.0.0.1:8080 or [::1]:8080 (repeatable, also beside --port)
    #[arg(long, value_name = "ADDRESS:PORT", help_heading = "Where clients come in")]
    listen: Vec<String>,

    /// A server (repeatable). IPv6 in brackets; a name stands for all its addresses. Its weight is its share relative to
    /// the others' [default: 1], its name what logs, ip_hashing and maglev know it by [default: its address]; beyond
    /// max_connections=N, clients wait; backup=true serves when the others are down
    #[arg(long = "backend", value_name = "HOST:PORT[,weight=N][,name=S]...", help_heading = "Where they go")]
    pub(super) backends: Vec<String>,

    // Its help is written from the registry, in `command`.
    #[arg(long, value_name = "NAME", help_heading = "Where they go")]
    policy: Option<String>,

    /// With ip_hashing or maglev: the most that one backend takes, in percent of its share by weight, 101 to 1000;
    /// clients beyond that go to the next one of their own order [default: no such bound]
    #[arg(long, value_name = "N", value_parser = whole_number, allow_negative_numbers = true)]
    #[arg(help_heading = "Where they go")]
    max_load_percent: Option<i64>,

    /// How backends are checked: tcp (they accept a connection), http (they answer --health-path with 200 to 399) or off.
    /// A file says the rest: how often, and what follows [default: off]
    #[arg(long, value_name = "tcp|http|off", help_heading = "Where they go")]
    health_check: Option<String>,

    /// What is asked for by the HTTP check [default: /]
    #[arg(long, value_name = "PATH", help_heading = "Where they go")]
    health_path: Option<String>,

    /// Two small backends inside this process, and the proxy in front; prints what to try
    #[arg(long, help_heading = "Where they go", conflicts_with_all = ["backends", "config", "check"])]
    pub(super) demo: bool,

    #[command(flatten)]
    timeouts: TimeoutFlags,

    #[command(flatten)]
    limits: LimitFlags,

    #[command(flatten)]
    http: HttpFlags,

    #[command(flatten)]
    http_timeouts: HttpTimeoutFlags,

    #[command(flatten)]
    http_limits: HttpLimitFlags,

    /// Independent event loops, a thread each; more than cores is of no use [default: 1]
    #[arg(long, value_name = "N", value_parser = whole_number, allow_negative_numbers = true)]
    #[arg(help_heading = "Running")]
    workers: Option<i64>,

    /// Where operators look in: a page, metrics and more, such as 127.0.0.1:9901 or unix:/run/lbproxy/admin.sock
    /// [default: nowhere]
    #[arg(long, value_name = "ADDRESS:PORT|unix:PATH", help_heading = "Running")]
    admin: Option<String>,

    /// A file with the token that changes need there; without one they are for this host alone
    #[arg(long, value_name = "FILE", help_heading = "Running")]
    admin_token_file: Option<String>,

    /// Read a TOML file first; flags override it
    #[arg(long, value_name = "FILE", help_heading = "Running")]
    pub(super) config: Option<PathBuf>,

    /// Check everything, print the configuration as it resolves, as TOML, and exit
    #[arg(long, help_heading = "Running")]
    pub(super) check: bool,

    /// With --check: try to connect to every backend, and exit with 1 if one cannot be reached
    #[arg(long, help_heading = "Running", requires = "check")]
    pub(super) connect: bool,

    /// With --check: print instead what a proxy that runs this older file would change on reload
    #[arg(long, value_name = "OLD FILE", help_heading = "Running", requires = "check")]
    #[arg(requires = "config", conflicts_with = "connect")]
    pub(super) diff: Option<PathBuf>,

    /// Print a script that completes these flags, for this shell, and exit
    #[arg(long, value_name = "SHELL", help_heading = "Running")]
    pub(super) completions: Option<Shell>,

    /// Print this page as a manual page (roff), and exit
    #[arg(long, help_heading = "Running")]
    pub(super) man: bool,

    /// Log more (-vv: most). RUST_LOG, when set, decides instead
    #[arg(short, long, action = ArgAction::Count, help_heading = "Running")]
    pub(super) verbose: u8,

    /// Log warnings and errors only, not each connection or request
    #[arg(short, long, conflicts_with = "verbose", help_heading = "Running")]
    pub(super) quiet: bool,

    /// Print this page
    #[arg(short, long, action = ArgAction::Help, help_heading = "Running")]
    help: Option<bool>,

    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::Version, help_heading = "Running")]
    version: Option<bool>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Timeouts, in milliseconds")]
struct TimeoutFlags {
    /// One attempt to connect to one backend [default: 3000]
    #[arg(long, value_name = "MS", value_parser = whole_number, allow_negative_numbers = true)]
    connect_timeout_ms: Option<i64>,

    /// A connection on which no byte moves, either way [default: 600000]
    #[arg(long, value_name = "MS", value_parser = whole_number, allow_negative_numbers = true)]
    idle_timeout_ms: Option<i64>,

    /// The same, once one side has finished sending [default: 60000]
    #[arg(long, value_name = "MS", value_parser = whole_number, allow_negative_numbers = true)]
    half_close_timeout_ms: Option<i64>,

    /// Silence after which a peer is probed; it is dead when twice this has passed without an answer
    /// [default: 60000]
    #[arg(long, value_name = "MS", value_parser = whole_number, allow_negative_numbers = true)]
    keepalive_ms: Option<i64>,

    /// From the stop signal until the connections left are closed [default: 30000]
    #[arg(long, value_name = "MS", value_parser = whole_number, allow_negative_numbers = true)]
    drain_timeout_ms: Option<i64>,

    /// How long a backend is passed over after it failed; doubles each time it fails again [default: 500]
    #[arg(long, value_name = "MS", value_parser = whole_number, allow_negative_numbers = true)]
    backoff_ms: Option<i64>,

    /// Where that doubling stops [default: 30000]
    #[arg(long, value_name = "MS", value_parser = whole_number, allow_negative_numbers = true)]
    backoff_max_ms: Option<i64>,

    /// How often the names of backends are looked up again; 0: at the start only [default: 30000]
    #[arg(long, value_name = "MS", value_parser = whole_number, allow_negative_numbers = true)]
    resolve_interval_ms: Option<i64>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Limits")]
struct LimitFlags {
    /// Connections of one client (an IPv4 address, or 64 bits of an IPv6 address) at once; further ones are refused
    /// [default: no such limit]
    #[arg(long, value_name = "N", value_parser = whole_number, allow_negative_numbers = true)]
    max_connections_per_client: Option<i64>,

    /// Requests of one client a second (connections, in TCP mode); further ones get a 429 (are refused)
    /// [default: no such limit]
    #[arg(long, value_name = "N", value_parser = whole_number, allow_negative_numbers = true)]
    rate_per_client_per_s: Option<i64>,

    /// So many of them at once, after a while of fewer [default: what the rate gives in a second]
    #[arg(long, value_name = "N", value_parser = whole_number, allow_negative_numbers = true)]
    burst_per_client: Option<i64>,

    /// Clients connected at once; further ones wait in the kernel's queue [default: what the file descriptor limit
    /// suffices for]
    #[arg(long, value_name = "N", value_parser = whole_number, allow_negative_numbers = true)]
    max_connections: Option<i64>,

    /// That queue, for each listening socket [default: 1024]
    #[arg(long, value_name = "N", value_parser = whole_number, allow_negative_numbers = true)]
    backlog: Option<i64>,

    /// Backends tried for one client before it is given up [default: 3]
    #[arg(long, value_name = "N", value_parser = whole_number, allow_negative_numbers = true)]
    connect_attempts: Option<i64>,

    /// A relay buffer: one for each direction, held only while it owes bytes [default: 65536]
    #[arg(long, value_name = "BYTES", value_parser = whole_number, allow_negative_numbers = true)]
    buffer_bytes: Option<i64>,

    /// What a connection may move in one direction before others get their turn [default: 262144]
    #[arg(long, value_name = "BYTES", value_parser = whole_number, allow_negative_numbers = true)]
    turn_bytes: Option<i64>,

    /// Kernel pipes, in each worker, through which long transfers pass without being copied; 0: copy them all [default: 16]
    #[arg(long, value_name = "N", value_parser = whole_number, allow_negative_numbers = true)]
    max_pipes: Option<i64>,
}

/// The command with its policies filled in, from (name, summary) pairs of which the first is the default.
pub(super) fn command(policies: &[(&str, &str)]) -> clap::Command {
    let default = policies.first().map_or("none", |(name, _)| name);
    let mut help = format!("How a backend is chosen for each connection or request [default: {default}]");
    for (name, summary) in policies {
        help.push_str(&format!("\n- {name}: {summary}"));
    }
    Flags::command().mut_arg("policy", |arg| arg.help(help))
}

impl Flags {
    /// What these flags change in the configuration.
    pub(super) fn overrides(&self) -> Overrides {
        Overrides {
            port: self.port,
            listen: self.listen.clone(),
            backends: self.backends.clone(),
            policy: self.policy.clone(),
            max_load_percent: self.max_load_percent,
            max_connections_per_client: self.limits.max_connections_per_client,
            rate_per_client_per_s: self.limits.rate_per_client_per_s,
            burst_per_client: self.limits.burst_per_client,
            workers: self.workers,
            admin: self.admin.clone(),
            admin_token_file: self.admin_token_file.clone(),
            health_check: self.health_check.clone(),
            health_path: self.health_path.clone(),
            sticky_cookie: self.http.sticky_cookie.clone(),
            mode: self.http.mode.clone(),
            trusted_proxies: self.http.trusted_proxies.clone(),
            forwarded: self.http.forwarded.clone(),
            access_format: self.http.access_format.clone(),
            timeouts: self.timeouts.to_raw(&self.http_timeouts),
            limits: self.limits.to_raw(&self.http_limits),
        }
    }
}

impl TimeoutFlags {
    fn to_raw(&self, http: &HttpTimeoutFlags) -> RawTimeouts {
        RawTimeouts {
            connect_timeout_ms: self.connect_timeout_ms,
            idle_timeout_ms: self.idle_timeout_ms,
            half_close_timeout_ms: self.half_close_timeout_ms,
            keepalive_ms: self.keepalive_ms,
            drain_timeout_ms: self.drain_timeout_ms,
            backoff_ms: self.backoff_ms,
            backoff_max_ms: self.backoff_max_ms,
            head_timeout_ms: http.head_timeout_ms,
            body_timeout_ms: http.body_timeout_ms,
            response_timeout_ms: http.response_timeout_ms,
            keep_alive_timeout_ms: http.keep_alive_timeout_ms,
            backend_idle_timeout_ms: http.backend_idle_timeout_ms,
            request_timeout_ms: http.request_timeout_ms,
            resolve_interval_ms: self.resolve_interval_ms,
        }
    }
}

impl LimitFlags {
    fn to_raw(&self, http: &HttpLimitFlags) -> RawLimits {
        RawLimits {
            max_connections: self.max_connections,
            backlog: self.backlog,
            connect_attempts: self.connect_attempts,
            buffer_bytes: self.buffer_bytes,
            turn_bytes: self.turn_bytes,
            max_head_bytes: http.max_head_bytes,
            max_target_bytes: http.max_target_bytes,
            max_fields: http.max_fields,
            max_body_bytes: http.max_body_bytes,
            max_pipes: self.max_pipes,
            max_idle: http.max_idle,
            retry_budget_percent: http.retry_budget_percent,
        }
    }
}

/// Any whole number: whether it is in range is for the configuration to say, which knows the range.
pub(super) fn whole_number(text: &str) -> Result<i64, &'static str> {
    text.parse().map_err(|_| "not a whole number")
}
