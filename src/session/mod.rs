//! Sessions: what happens to one client, from accept to close.
//!
//! A session never touches the loop or another session. What it wants done to itself is a return value.

mod connect;
mod duplex;
mod http;
mod reason;
mod tcp;

use std::net::SocketAddr;
use std::time::Instant;

use crate::balance::Backend;
use crate::config::Mode;
use crate::ctx::Ctx;
use crate::net::{Event, Net};
use crate::token::SessionId;

pub use connect::{Connect, Link, Outcome, Seeker};
pub use duplex::{Duplex, Verdict};
pub use http::Http;
pub use reason::{Cause, Ender, Reason};
pub use tcp::Tcp;

/// A session of whatever kind its frontend asks for; boxed, so that neither pays for the size of the other.
pub enum Session<N: Net> {
    /// Bytes: a backend for the connection.
    Tcp(Box<Tcp<N>>),
    /// HTTP: a backend for each request.
    Http(Box<Http<N>>),
}

impl<N: Net> Session<N> {
    /// A session for a client that came in on `frontend`. Nothing happens before its first turn.
    pub fn new(
        id: SessionId,
        socket: N::Socket,
        address: SocketAddr,
        frontend: usize,
        ctx: &mut Ctx<N>,
    ) -> Session<N> {
        // A dual-stack listener shows IPv4 clients as ::ffff:a.b.c.d; logs and policies want what they are.
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        match ctx.config.frontends[frontend].mode {
            Mode::Tcp => Session::Tcp(Box::new(Tcp::new(id, socket, address, frontend, ctx))),
            Mode::Http => Session::Http(Box::new(Http::new(id, socket, address, frontend, ctx))),
        }
    }

    /// Takes in an event of one of its sockets; nothing is done about it before the next turn.
    pub fn note(&mut self, event: &Event) {
        match self {
            Session::Tcp(tcp) => tcp.note(event),
            Session::Http(http) => http.note(event),
        }
    }

    /// Lets a backend know of its connection, if nothing else has: see [`Ctx::ungreeted`].
    pub fn greet(&self) {
        match self {
            Session::Tcp(tcp) => tcp.greet(),
            // It connects when there is something to say.
            Session::Http(_) => {}
        }
    }

    /// When the session wants a turn even if nothing happens.
    pub fn deadline(&self, ctx: &Ctx<N>) -> Option<Instant> {
        match self {
            Session::Tcp(tcp) => tcp.deadline(ctx),
            Session::Http(http) => http.deadline(ctx),
        }
    }

    /// Does what can be done now.
    pub fn turn(&mut self, ctx: &mut Ctx<N>) -> Next {
        match self {
            Session::Tcp(tcp) => tcp.turn(ctx),
            Session::Http(http) => http.turn(ctx),
        }
    }

    /// The frontend it came in on.
    pub fn frontend(&self) -> usize {
        match self {
            Session::Tcp(tcp) => tcp.frontend(),
            Session::Http(http) => http.frontend(),
        }
    }

    /// The pool that serves it.
    pub fn pool(&self, ctx: &Ctx<N>) -> usize {
        match self {
            Session::Tcp(tcp) => tcp.pool(),
            Session::Http(http) => http.pool(ctx),
        }
    }

    /// The backend that serves it now.
    pub fn backend(&self) -> Option<&Backend> {
        match self {
            Session::Tcp(tcp) => tcp.backend(),
            Session::Http(http) => http.backend(),
        }
    }

    /// Takes it away from its backend, which checks have given up.
    pub fn abandon(&mut self, ctx: &mut Ctx<N>) -> Next {
        match self {
            Session::Tcp(tcp) => tcp.abandon(),
            Session::Http(http) => http.abandon(ctx),
        }
    }

    /// The last thing done to a session: gives back what it holds and writes its log line.
    pub fn finish(&mut self, reason: Reason, ctx: &mut Ctx<N>) {
        match self {
            Session::Tcp(tcp) => tcp.finish(reason, ctx),
            Session::Http(http) => http.finish(reason, ctx),
        }
    }
}

/// What a session wants after its turn.
#[derive(Debug)]
pub enum Next {
    /// Nothing until an event or its deadline.
    Wait,
    /// Another turn soon: it stopped early so that others get theirs.
    Again,
    /// To be removed.
    Close(Reason),
}
