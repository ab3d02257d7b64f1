//! The rows: what every proxy is given to do.

use lbproxy::config::Mode;
use lbproxy::lab::origin::{LARGE_PATH, MEDIUM_PATH};

use crate::results::Unit;

/// One kind of work.
pub struct Row {
    pub name: &'static str,
    pub what: &'static str,
    pub mode: Mode,
    pub work: Work,
}

/// What clients do.
#[derive(Clone, Copy)]
pub enum Work {
    /// Requests, as many as can be, one at a time on each connection.
    Load { path: &'static str, connections: usize, closes: bool },
    /// Small requests at a constant rate, in a second over all connections.
    Rate { per_s: u32, connections: usize },
    /// Nothing, once each has asked for something.
    Idle,
    /// Small requests on a few connections, with many open that do nothing.
    Open,
}

/// Connections of the rows with small requests.
pub const ACTIVE: usize = 64;

const SMALL: Work = Work::Load { path: "/", connections: ACTIVE, closes: false };
const CHURN: Work = Work::Load { path: "/", connections: ACTIVE, closes: true };
const MEDIUM: Work = Work::Load { path: MEDIUM_PATH, connections: ACTIVE, closes: false };
const RATE: Work = Work::Rate { per_s: 20_000, connections: ACTIVE };
const LARGE: Work = Work::Load { path: LARGE_PATH, connections: 8, closes: false };

pub const ROWS: &[Row] = &[
    row("tcp-small", "TCP: small requests on 64 connections", Mode::Tcp, SMALL),
    row("tcp-churn", "TCP: a connection per request, 64 at a time", Mode::Tcp, CHURN),
    row("tcp-bulk", "TCP: responses of 1 MiB on 8 connections", Mode::Tcp, LARGE),
    row("tcp-idle", "TCP: memory of an idle connection, among 4,000", Mode::Tcp, Work::Idle),
    row("tcp-open", "TCP: as tcp-small, with 9,000 idle connections besides", Mode::Tcp, Work::Open),
    row("tcp-rate", "TCP: latency at 20,000 requests a second", Mode::Tcp, RATE),
    row("http-small", "HTTP: small requests on 64 connections", Mode::Http, SMALL),
    row("http-churn", "HTTP: a client's connection per request, 64 at a time", Mode::Http, CHURN),
    row("http-16k", "HTTP: responses of 16 KiB on 64 connections", Mode::Http, MEDIUM),
    row("http-bulk", "HTTP: responses of 1 MiB on 8 connections", Mode::Http, LARGE),
    row("http-idle", "HTTP: memory of an idle connection, among 4,000", Mode::Http, Work::Idle),
    row("http-open", "HTTP: as http-small, with 9,000 idle connections besides", Mode::Http, Work::Open),
    row("http-rate", "HTTP: latency at 20,000 requests a second", Mode::Http, RATE),
];

const fn row(name: &'static str, what: &'static str, mode: Mode, work: Work) -> Row {
    Row { name, what, mode, work }
}

impl Row {
    /// Whether it moves large amounts at a time, so that splicing may pay.
    pub fn is_bulk(&self) -> bool {
        matches!(self.work, Work::Load { path: LARGE_PATH, .. })
    }

    /// Whether a relay that knows nothing of HTTP does the same work: where connections stay, on both sides.
    pub fn suits_a_relay(&self) -> bool {
        self.mode == Mode::Tcp || matches!(self.work, Work::Load { closes: false, .. } | Work::Rate { .. })
    }

    pub fn unit(&self) -> Unit {
        match self.work {
            Work::Idle => Unit::BytesPerConnection,
            Work::Rate { .. } => Unit::MicrosAtP99,
            Work::Load { .. } | Work::Open => Unit::MicrosPerRequest,
        }
    }
}
