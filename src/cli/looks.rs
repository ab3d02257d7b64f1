//! `lbproxy top` and `lbproxy explain`: looks at a proxy that runs, through its admin endpoint.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{Failure, read};
use crate::config::{AdminListen, token_in};

/// Where a proxy is asked if nothing else is said.
const DEFAULT_ADMIN: &str = "127.0.0.1:9901";

/// A look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// A screen that is drawn again and again.
    Top {
        /// Where the proxy is asked.
        admin: AdminListen,
        /// From one time to the next.
        interval: Duration,
        /// What changes need, if they need it.
        token: Option<String>,
    },
    /// Which backend a client would get.
    Explain {
        /// Where the proxy is asked.
        admin: AdminListen,
        /// The client.
        client: IpAddr,
        /// Where it comes in; `None`: on the first frontend.
        frontend: Option<String>,
        /// Whom its request is for.
        host: Option<String>,
        /// What it asks for.
        path: Option<String>,
        /// As the endpoint tells it, for programs.
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum LookFlags {
    /// Show a proxy that runs (one with --admin) in this terminal: backends, rates, latency, what is short; drain and
    /// enable backends by key
    Top(TopFlags),
    /// Say which backend a client would get now from a proxy that runs (one with --admin), and why not the others
    Explain(ExplainFlags),
}

#[derive(Args, Debug)]
pub(super) struct TopFlags {
    /// Where its admin endpoint is, ADDRESS:PORT or unix:PATH
    #[arg(long, value_name = "ADDRESS:PORT|unix:PATH", default_value = DEFAULT_ADMIN, value_parser = AdminListen::parse)]
    admin: AdminListen,

    /// From one look to the next, 100 to 60000
    #[arg(long, value_name = "MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(100..=60_000))]
    interval_ms: u64,

    /// A file with the token that changes need there, if they need one
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct ExplainFlags {
    /// The client's address
    #[arg(long, value_name = "ADDRESS")]
    client: IpAddr,

    /// Where it comes in [default: the first frontend]
    #[arg(long, value_name = "NAME")]
    frontend: Option<String>,

    /// In HTTP mode: whom its request is for, which decides on the route
    #[arg(long, value_name = "NAME")]
    host: Option<String>,

    /// In HTTP mode: what it asks for, likewise [default: /]
    #[arg(long, value_name = "PATH")]
    path: Option<String>,

    /// Print it as JSON
    #[arg(long)]
    json: bool,

    /// Where the admin endpoint is, ADDRESS:PORT or unix:PATH
    #[arg(long, value_name = "ADDRESS:PORT|unix:PATH", default_value = DEFAULT_ADMIN, value_parser = AdminListen::parse)]
    admin: AdminListen,
}

impl LookFlags {
    pub(super) fn resolve(self) -> Result<Look, Failure> {
        Ok(match self {
            LookFlags::Top(TopFlags { admin, interval_ms, token_file }) => {
                let token = token_file.map(|file| read(&file)).transpose()?;
                let token = token.as_deref().and_then(token_in).map(str::to_owned);
                Look::Top { admin, interval: Duration::from_millis(interval_ms), token }
            }
            LookFlags::Explain(ExplainFlags { client, frontend, host, path, json, admin }) => {
                Look::Explain { admin, client, frontend, host, path, json }
            }
        })
    }
}
