//! A TCP session: find a backend, then relay until both directions are over.

use std::net::SocketAddr;
use std::time::Instant;

use super::connect::{Connect, Outcome, Seeker};
use super::duplex::{Duplex, Verdict};
use super::{Cause, Next, Reason};
use crate::access::Millis;
use crate::balance::{Backend, Sample, Tried};
use crate::ctx::Ctx;
use crate::net::{Event, Net, Socket};
use crate::relay::Conn;
use crate::token::{SessionId, Side, Token};

/// Target of the log line that each connection leaves behind.
const ACCESS_LOG: &str = "lbproxy::access";

/// One client, its backend, and the bytes between them.
pub struct Tcp<N: Net> {
    seeker: Seeker,
    client_address: SocketAddr,
    opened: Instant,
    client: Conn<N::Socket>,
    tried: Tried,
    /// It is the backend's turn to speak.
    asked: bool,
    phase: Phase<N::Socket>,
}

enum Phase<S> {
    /// A backend is sought; the client's bytes wait in the kernel.
    Connecting(Connect<S>),
    /// Bytes flow.
    Relaying(Duplex<S>),
}

impl<N: Net> Tcp<N> {
    /// A session for a client that came in on `frontend`. Its first turn starts the search for a backend.
    pub fn new(
        id: SessionId,
        socket: N::Socket,
        address: SocketAddr,
        frontend: usize,
        ctx: &Ctx<N>,
    ) -> Tcp<N> {
        let pool = ctx.config.frontends[frontend].pool;
        Tcp {
            seeker: Seeker {
                id,
                frontend: frontend as u32,
                pool,
                client: address.ip(),
                preferred: None,
                reuse: false,
                budgeted: false,
            },
            client_address: address,
            opened: ctx.now,
            client: Conn::new(socket),
            tried: Tried::default(),
            // Some speak first.
            asked: true,
            phase: Phase::Connecting(Connect::default()),
        }
    }

    /// Takes in an event; nothing is done about it before the next turn.
    pub fn note(&mut self, event: &Event) {
        match (event.token, &mut self.phase) {
            (Token::Backend(link), Phase::Connecting(connect)) => connect.note(event, link),
            (Token::Backend(link), Phase::Relaying(duplex)) => duplex.note(event, link),
            _ => self.client.note(event),
        }
    }

    /// Lets the backend know of the connection, if the client has not done so: see [`Ctx::ungreeted`].
    pub fn greet(&self) {
        if let Phase::Relaying(duplex) = &self.phase {
            duplex.greet();
        }
    }

    /// When the session wants a turn even if nothing happens.
    pub fn deadline(&self, ctx: &Ctx<N>) -> Option<Instant> {
        match &self.phase {
            Phase::Connecting(connect) => connect.deadline(),
            Phase::Relaying(duplex) => Some(duplex.deadline(ctx.config.timeouts_of(self.frontend()))),
        }
    }

    /// Does what can be done now.
    pub fn turn(&mut self, ctx: &mut Ctx<N>) -> Next {
        loop {
            match &mut self.phase {
                Phase::Connecting(connect) => {
                    if let Some(reason) = client_broke(&self.client) {
                        return Next::Close(reason);
                    }
                    match connect.turn(self.seeker, &mut self.tried, ctx) {
                        Outcome::Waiting => return Next::Wait,
                        Outcome::Failed(cause) => {
                            // Nothing was said to this client, and a plain close would look like a complete answer
                            // of no bytes: it gets what a server that is not there would have sent.
                            self.client.reset_on_close();
                            return Next::Close(Reason::proxy(cause));
                        }
                        Outcome::Connected(link) => self.phase = Phase::Relaying(Duplex::new(link, ctx.now)),
                    }
                }
                Phase::Relaying(duplex) => {
                    let (before, last_activity) = (duplex.moved_bytes(), duplex.last_activity());
                    let verdict = duplex.turn(&mut self.client, self.seeker.frontend as usize, ctx);
                    let after = duplex.moved_bytes();
                    duplex.backend().stats().count_bytes(after.0 - before.0, after.1 - before.1);
                    if after.1 > before.1 && std::mem::replace(&mut self.asked, false) {
                        let pool = &mut ctx.pools[self.seeker.pool];
                        pool.observe(duplex.backend(), Sample::Answer, last_activity, ctx.now);
                    }
                    // Where a client has yet to read an answer, how long the next one takes is up to the client.
                    if after.0 > before.0 && duplex.owes_client_nothing() {
                        self.asked = true;
                    }
                    match verdict {
                        Verdict::Wait => return Next::Wait,
                        Verdict::Again => return Next::Again,
                        Verdict::Close(reason) => return Next::Close(reason),
                        Verdict::Stillborn => {
                            duplex.release(ctx);
                            self.phase = Phase::Connecting(Connect::default());
                        }
                    }
                }
            }
        }
    }

    /// The frontend it came in on.
    pub fn frontend(&self) -> usize {
        self.seeker.frontend as usize
    }

    /// The pool that serves it.
    pub fn pool(&self) -> usize {
        self.seeker.pool
    }

    /// The backend that serves it now.
    pub fn backend(&self) -> Option<&Backend> {
        match &self.phase {
            Phase::Connecting(_) => None,
            Phase::Relaying(duplex) => Some(duplex.backend()),
        }
    }

    /// Checks have given the backend up, and nobody is to wait for it.
    pub fn abandon(&mut self) -> Next {
        // A broken stream must not look like a complete one.
        self.client.reset_on_close();
        Next::Close(Reason::proxy(Cause::BackendDown))
    }

    /// The last thing done to a session: gives back what it holds and writes its log line.
    pub fn finish(&mut self, reason: Reason, ctx: &mut Ctx<N>) {
        if matches!(reason.cause, Cause::NoBackend | Cause::QueueFull | Cause::QueueTimeout) {
            ctx.metrics.unserved += 1;
        }
        match &mut self.phase {
            Phase::Connecting(connect) => connect.release(ctx),
            Phase::Relaying(duplex) => duplex.release(ctx),
        }
        self.log(reason, ctx);
    }

    fn log(&self, reason: Reason, ctx: &Ctx<N>) {
        let (backend, (up_bytes, down_bytes)) = match &self.phase {
            Phase::Connecting(_) => ("-", (0, 0)),
            Phase::Relaying(duplex) => (&*duplex.backend().name, duplex.moved_bytes()),
        };
        log::info!(
            target: ACCESS_LOG,
            "client={} frontend={} backend={backend} policy={} up_bytes={up_bytes} down_bytes={down_bytes} \
             duration_ms={} ended_by={} cause={}",
            self.client_address,
            ctx.config.frontends[self.frontend()].name,
            ctx.pools[self.seeker.pool].policy_name(),
            Millis(ctx.now - self.opened),
            reason.ender,
            reason.cause,
        );
    }
}

/// A client that broke while it waited needs no backend any more. (One that merely finished sending does.)
pub(super) fn client_broke<S: Socket>(client: &Conn<S>) -> Option<Reason> {
    if !client.has_error() {
        return None;
    }
    let error = client.socket.take_error().unwrap_or_else(Some)?;
    Some(Reason::broken(Side::Client, &error))
}
