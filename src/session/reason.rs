//! Why a session ended: who, and what for. Printed by the access log, counted by metrics.

use std::fmt;
use std::io;

use crate::token::Side;

/// Who ended a session, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Who ended it.
    pub ender: Ender,
    /// Why.
    pub cause: Cause,
}

/// Who ended a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ender {
    /// The peer that finished first, or broke.
    Peer(Side),
    /// The proxy itself.
    Proxy,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Both sides finished, and both know it of each other.
    Finished,
    /// A peer reset its connection, or it broke in another way; the kind says which.
    Broken(io::ErrorKind),
    /// No backend could be had: every attempt failed, or none was available.
    NoBackend,
    /// Every backend had as many connections as it may, and too many clients waited already.
    QueueFull,
    /// The same, and none had room within `queue_timeout_ms`.
    QueueTimeout,
    /// Checks have given its backend up, and the pool says `on_down = "close"`.
    BackendDown,
    /// The client has as many connections as it may, or comes more often than it may.
    ClientLimit,
    /// The host has no descriptors, watches or memory left for a connection to a backend.
    Exhausted(io::ErrorKind),
    /// Nothing moved for `idle_timeout_ms`.
    Idle,
    /// One side had finished, and nothing moved for `half_close_timeout_ms`.
    HalfClosedIdle,
    /// `drain_timeout_ms` was over, or the operator insisted.
    Drained,
    /// What a peer said is not HTTP as it must be; the word says what is wrong with it.
    Refused(&'static str),
    /// The backend closed before its answer was complete.
    Incomplete,
    /// A request head did not come within `head_timeout_ms`.
    HeadTimeout,
    /// A body did not move for `body_timeout_ms`.
    BodyTimeout,
    /// The backend did not answer within `response_timeout_ms`.
    ResponseTimeout,
    /// The exchange took longer than `request_timeout_ms`.
    RequestTimeout,
}

impl Reason {
    /// The proxy ended it.
    pub fn proxy(cause: Cause) -> Reason {
        Reason { ender: Ender::Proxy, cause }
    }

    /// A peer ended it.
    pub fn peer(side: Side, cause: Cause) -> Reason {
        Reason { ender: Ender::Peer(side), cause }
    }

    /// A peer's connection broke.
    pub fn broken(side: Side, error: &io::Error) -> Reason {
        Reason::peer(side, Cause::Broken(error.kind()))
    }
}

impl fmt::Display for Ender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Ender {
    /// As the log, and metrics, call it.
    pub fn word(&self) -> &'static str {
        match self {
            Ender::Peer(Side::Client) => "client",
            Ender::Peer(Side::Backend) => "backend",
            Ender::Proxy => "proxy",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Cause {
    /// As the log, and metrics, call it.
    pub fn word(&self) -> &'static str {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, TimedOut};
        match self {
            Cause::Finished => "finished",
            Cause::Broken(ConnectionReset | ConnectionAborted | BrokenPipe | NotConnected) => "reset",
            Cause::Broken(TimedOut) => "unresponsive",
            Cause::Broken(_) => "broken",
            Cause::NoBackend => "no_backend",
            Cause::ClientLimit => "client_limit",
            Cause::QueueFull => "queue_full",
            Cause::QueueTimeout => "queue_timeout",
            Cause::BackendDown => "backend_down",
            Cause::Exhausted(_) => "out_of_sockets",
            Cause::Idle => "idle_timeout",
            Cause::HalfClosedIdle => "half_close_timeout",
            Cause::Drained => "drain_timeout",
            Cause::Refused(why) => why,
            Cause::Incomplete => "incomplete",
            Cause::HeadTimeout => "head_timeout",
            Cause::BodyTimeout => "body_timeout",
            Cause::ResponseTimeout => "response_timeout",
            Cause::RequestTimeout => "request_timeout",
        }
    }
}
