//! An HTTP session: one connection of a client, and for each request on it a backend.
//!
//! ```text
//!          ┌───────────────────── the client stays ─────────────────────┐
//!          ▼                                                            │
//! accept ─▶ Head ─▶ Seeking ─▶ Relaying ───────────────────────────────▶ ● ─▶ Lingering ─▶ close
//!            │         │  ▲        │  └─ 101 ─▶ Tunnel (two open pipes: TCP)  ▲
//!            │ refused │  └ retry ─┤ lost, late                               │
//!            └─────────┴───────────┴─▶ Replying (an answer of our own) ───────┘
//! ```
//!
//! Requests go through one pipe and responses through the other, each behind the gate of its body; what comes before a
//! body is read, understood and replaced while it lies at the front of the pipe.

mod answer;
mod closing;
mod gate;
mod record;
mod relaying;
mod request;
mod response;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use self::gate::BodyGate;
use self::record::Record;
use super::connect::{Connect, Link, Seeker};
use super::duplex::{Duplex, Verdict};
use super::{Next, Reason};
use crate::balance::{Backend, Tried};
use crate::config::Config;
use crate::ctx::Ctx;
use crate::http::HeadLimits;
use crate::http::exchange::{self, Exchange};
use crate::http::request::Facts;
use crate::net::{Event, Net};
use crate::relay::{Conn, Pipe};
use crate::token::{SessionId, Token};

/// How long a client that was told of the end may be silent before the connection is closed, and how long it may go on
/// sending before that happens under it: some read no answer before they have sent all of a body.
const LINGER: Duration = Duration::from_secs(5);
const LINGER_MAX: Duration = Duration::from_secs(30);

/// One connection of a client.
pub struct Http<N: Net> {
    id: SessionId,
    peer: SocketAddr,
    frontend: usize,
    client: Conn<N::Socket>,
    /// Requests, from the client to a backend.
    up: Pipe,
    /// Responses, from a backend to the client.
    down: Pipe,
    exchange: Exchange,
    /// The request being served.
    current: Option<Current>,
    phase: Phase<N::Socket>,
    /// What the present wait is counted from: when something moved last.
    since: Instant,
    /// A request has come on this connection.
    served: bool,
    /// What the log will say of it.
    record: Record,
}

enum Phase<S> {
    /// A request head is awaited, or on its way.
    Head,
    /// A backend is sought; the rest of the request waits.
    Seeking(Connect<S>),
    /// The request goes to a backend, its response comes back.
    Relaying(Relay<S>),
    /// The answer of our own that the pipe holds goes to the client.
    Replying(Reason),
    /// The client knows that this is the end; what it still sends is read, because closing before would reset the
    /// connection and could destroy what it has not read.
    Lingering { until: Instant, reason: Reason },
    /// Another protocol: bytes.
    Tunnel(Box<Duplex<S>>),
}

struct Relay<S> {
    link: Link<S>,
    /// Since when this request has it.
    connected: Instant,
    /// The backend has said something, if only a part of an interim head.
    heard: bool,
    /// The response's, once there is one.
    body: Option<BodyGate>,
    /// The client is told of the end of the body by the end of its connection.
    until_close: bool,
}

impl<S> Relay<S> {
    /// Bytes of the response's content so far.
    fn content_bytes(&self) -> u64 {
        self.body.as_ref().map_or(0, |body| body.content_bytes())
    }
}

/// A request, from its head to the end of its response.
struct Current {
    facts: Facts,
    seeker: Seeker,
    body: BodyGate,
    tried: Tried,
    /// The backend that the client's cookie names.
    cookie: Option<u64>,
}

/// What a step of a turn leads to.
enum Step {
    /// Another step.
    On,
    /// The end of the turn.
    Stop(Next),
}

impl Step {
    fn close(reason: Reason) -> Step {
        Step::Stop(Next::Close(reason))
    }
}

impl<N: Net> Http<N> {
    /// A session for a client that came in on `frontend`. Its first turn looks for a request.
    pub fn new(
        id: SessionId,
        socket: N::Socket,
        address: SocketAddr,
        frontend: usize,
        ctx: &Ctx<N>,
    ) -> Http<N> {
        Http {
            id,
            peer: address,
            frontend,
            client: Conn::new(socket),
            up: Pipe::default(),
            down: Pipe::default(),
            exchange: Exchange::default(),
            current: None,
            phase: Phase::Head,
            since: ctx.now,
            served: false,
            record: Record::default(),
        }
    }

    /// Takes in an event; nothing is done about it before the next turn.
    pub fn note(&mut self, event: &Event) {
        match (event.token, &mut self.phase) {
            (Token::Backend(link), Phase::Seeking(connect)) => connect.note(event, link),
            (Token::Backend(link), Phase::Relaying(relay)) if relay.link.id == link => {
                relay.link.conn.note(event);
            }
            (Token::Backend(link), Phase::Tunnel(duplex)) => duplex.note(event, link),
            (Token::Backend(_), _) => {}
            _ => self.client.note(event),
        }
    }

    /// When the session wants a turn even if nothing happens.
    pub fn deadline(&self, ctx: &Ctx<N>) -> Option<Instant> {
        let timeouts = ctx.config.timeouts_of(self.frontend);
        let wait = match &self.phase {
            // Where it is to leave, a client that has yet to say anything has the time of one that has begun.
            Phase::Head if !self.head_has_begun() && !ctx.is_leaving(self.frontend) => timeouts.keep_alive,
            Phase::Head if !self.head_has_begun() => timeouts.keep_alive.min(timeouts.head),
            Phase::Head => timeouts.head,
            Phase::Seeking(connect) => return self.no_later_than_total(connect.deadline(), ctx),
            Phase::Relaying(_) if self.awaits_response() => timeouts.response,
            Phase::Relaying(_) | Phase::Replying(_) => timeouts.body,
            Phase::Lingering { until, .. } => return Some((self.since + LINGER).min(*until)),
            Phase::Tunnel(duplex) => return Some(duplex.deadline(timeouts)),
        };
        self.no_later_than_total(Some(self.since + wait), ctx)
    }

    /// Does what can be done now.
    pub fn turn(&mut self, ctx: &mut Ctx<N>) -> Next {
        loop {
            let step = match &mut self.phase {
                Phase::Head => self.read_head(ctx),
                Phase::Seeking(_) => self.seek(ctx),
                Phase::Relaying(_) => self.relay(ctx),
                Phase::Replying(_) => self.send_reply(ctx),
                Phase::Lingering { .. } => self.linger(ctx),
                Phase::Tunnel(duplex) => {
                    Step::Stop(match duplex.turn(&mut self.client, self.frontend, ctx) {
                        Verdict::Wait => Next::Wait,
                        Verdict::Again => Next::Again,
                        Verdict::Close(reason) => Next::Close(reason),
                        // Not after a response; and there is no other backend to go to.
                        Verdict::Stillborn => Next::Close(Reason::proxy(super::Cause::Incomplete)),
                    })
                }
            };
            if let Step::Stop(next) = step {
                return next;
            }
        }
    }

    /// The frontend it came in on.
    pub fn frontend(&self) -> usize {
        self.frontend
    }

    /// The pool that the present request was given to; without one, the one that the next will be.
    pub fn pool(&self, ctx: &Ctx<N>) -> usize {
        let of_request = self.current.as_ref().map(|current| current.seeker.pool);
        of_request.unwrap_or_else(|| ctx.config.frontends[self.frontend].pool)
    }

    /// The backend that serves it now.
    pub fn backend(&self) -> Option<&Backend> {
        match &self.phase {
            Phase::Relaying(relay) => Some(relay.link.lease.backend()),
            Phase::Tunnel(duplex) => Some(duplex.backend()),
            _ => None,
        }
    }

    /// The request is with the backend, whose turn it is.
    fn awaits_response(&self) -> bool {
        self.exchange.request != exchange::Request::Sending
            && self.exchange.response == exchange::Response::Awaited
    }

    fn no_later_than_total(&self, deadline: Option<Instant>, ctx: &Ctx<N>) -> Option<Instant> {
        let total = self.total_deadline(ctx);
        deadline.into_iter().chain(total).min()
    }

    /// When the exchange as a whole has taken too long.
    fn total_deadline(&self, ctx: &Ctx<N>) -> Option<Instant> {
        match &self.phase {
            Phase::Seeking(_) | Phase::Relaying(_) => {
                Some(self.record.started? + ctx.config.timeouts_of(self.frontend).request?)
            }
            _ => None,
        }
    }

    /// Tells the exchange what happened.
    fn step(&mut self, event: exchange::Event) {
        let legal = self.exchange.step(event);
        debug_assert!(legal, "{event:?} cannot happen in {:?}", self.exchange);
    }
}

fn head_limits(config: &Config, frontend: usize) -> HeadLimits {
    let limits = config.limits_of(frontend);
    HeadLimits { head_bytes: limits.head_bytes, target_bytes: limits.target_bytes, fields: limits.fields }
}
