//! Configuration: a TOML file and command-line flags go in, a typed [`Config`] with nothing optional comes out.
//!
//! ```text
//! file ── document ──▶ raw ◀── overrides ── flags
//!                       │
//!                    resolve ──▶ Config + warnings, or one error that names its line or its flag
//! ```
//!
//! `raw` is what TOML can say (all optional, unknown keys refused), `resolved` is what the proxy uses. Nothing here
//! asks the system for anything: descriptor limit, policies and resolver are handed in as [`Host`].

mod address;
mod admin;
mod cidr;
pub mod diff;
mod document;
mod error;
mod frontends;
mod health;
mod key_path;
mod name;
mod names;
mod number;
mod overrides;
mod own;
mod pools;
mod raw;
mod render;
mod resolve;
mod resolved;
mod routes;
mod sticky;
mod suggest;
mod word;

pub use address::{Lookup, system_lookup};
pub use admin::{Admin, AdminListen, token_in};
pub use cidr::Cidr;
pub use error::ConfigError;
pub use names::{Missing, Names};
pub use number::WEIGHT_MOST;
pub use overrides::Overrides;
pub use raw::{RawLimits, RawTimeouts};
pub use resolved::{
    AccessFormat, Backend, Check, ClientLimits, Config, ForwardedStyle, Frontend, Health, HttpCheck, Limits,
    Listen, Log, Mode, OnAllDown, OnDown, Pool, Sticky, Timeouts,
};

pub use routes::{HostRule, Route};

use document::Document;
use error::{Place, Problem};
use raw::Raw;

/// What a configuration is resolved against.
#[derive(Clone, Copy)]
pub struct Host<'a> {
    /// The names that `policy` may have; the first is the default.
    pub policies: &'a [&'static str],
    /// Those of them where the client decides, and `max_load_percent` may bound what comes of it.
    pub keyed: &'a [&'static str],
    /// File descriptors that this process may have open (RLIMIT_NOFILE); `u64::MAX` for no limit.
    pub fd_limit: u64,
    /// Connections that the kernel queues for a listening socket at the most (net.core.somaxconn).
    pub somaxconn: u32,
    /// Turns host names of backends into addresses.
    pub lookup: Lookup<'a>,
}

/// A configuration to run with, and what its operator should know about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// Complete and checked.
    pub config: Config,
    /// One line each; none of them keeps the proxy from running.
    pub warnings: Vec<String>,
}

/// Resolves the text of a file, if there is one, with `overrides` on top.
///
/// # Errors
/// The first thing that is wrong, as one line.
pub fn load(file: Option<&str>, overrides: &Overrides, host: &Host) -> Result<Resolved, ConfigError> {
    let (document, mut raw) = match file {
        Some(text) => Document::parse(text).map(|(document, raw)| (Some(document), raw))?,
        None => (None, Raw::default()),
    };
    let flags = overrides.apply(&mut raw)?;
    let locate = |problem: Problem| {
        let line = document.as_ref().and_then(|document| document.line_of(&problem.path));
        let in_flag = flags.place_of(&problem.path);
        let place = in_flag.unwrap_or(Place::File { line, path: problem.path });
        ConfigError::new(place, problem.what)
    };
    let (config, warnings) = resolve::resolve(&raw, host).map_err(locate)?;
    let warnings = warnings.into_iter().map(|problem| locate(problem).to_string()).collect();
    Ok(Resolved { config, warnings })
}
