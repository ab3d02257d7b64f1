//! From a client to a connected backend: pick, connect, verify, and another backend where that fails.
//!
//! No byte of the client has been read yet, so trying elsewhere is always safe here.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::Cause;
use crate::balance::{Lease, Sample, Ticket, Tried};
use crate::config::Timeouts;
use crate::ctx::Ctx;
use crate::net::{Event, Net, Socket, is_exhaustion};
use crate::relay::Conn;
use crate::token::{LinkId, SessionId, Token};
use crate::waiting::Place;

/// For whom a backend is sought.
#[derive(Clone, Copy, Debug)]
pub struct Seeker {
    /// The session, whom the events of the backend's socket will concern.
    pub id: SessionId,
    /// Index of the frontend the client came in on.
    pub frontend: u32,
    /// Index of the pool to choose from.
    pub pool: usize,
    /// The client, for policies that look at it.
    pub client: IpAddr,
    /// The key of the backend to choose if it is available, whatever the policy says.
    pub preferred: Option<u64>,
    /// A connection that waits for reuse will do.
    pub reuse: bool,
    /// Another attempt after a failed one must be within the pool's retry budget.
    pub budgeted: bool,
}

impl Seeker {
    fn timeouts<'c, N: Net>(&self, ctx: &'c Ctx<N>) -> &'c Timeouts {
        ctx.config.timeouts_of(self.frontend as usize)
    }
}

/// A connected backend: its socket, and the claim on its load counter, which ends with it.
pub struct Link<S> {
    /// The socket.
    pub conn: Conn<S>,
    /// Counts the connection against the backend until dropped.
    pub lease: Lease,
    /// Its name in the events of its socket.
    pub id: LinkId,
    /// It has served before, so its end may have crossed with what is sent on it.
    pub reused: bool,
}

impl<S: Socket> Link<S> {
    /// Lets the kernel notice if the backend vanishes: for a connection that stays.
    pub fn watch<N: Net<Socket = S>>(&self, ctx: &Ctx<N>) {
        if let Err(error) = ctx.net.watch(&self.conn.socket) {
            log::debug!("a connection to {} goes unwatched: {error}", self.lease.backend().name);
        }
    }

    /// Closes the connection.
    pub fn close<N: Net<Socket = S>>(self, ctx: &mut Ctx<N>) {
        ctx.links.close(self.id);
    }

    /// Lets the connection wait for the next request, and ends this one's claim on the backend.
    pub fn park<N: Net<Socket = S>>(self, pool: usize, ctx: &mut Ctx<N>) {
        if self.lease.backend().is_gone() {
            // There will be none.
            return self.close(ctx);
        }
        ctx.links.park(self.id, self.conn, (pool, self.lease.backend().id), ctx.now);
    }
}

/// The search for a backend: at most one attempt under way at a time.
#[derive(Default)]
pub enum Connect<S> {
    /// An attempt is to be made.
    #[default]
    Looking,
    /// Every backend is full: one of them will have room.
    Waiting(Wait),
    /// An attempt is under way.
    Pending(Pending<S>),
}

/// A place in the line of a pool that is full.
pub struct Wait {
    place: Place,
    until: Instant,
    /// Counts among those who wait until dropped.
    _ticket: Ticket,
}

/// An attempt to connect.
pub struct Pending<S> {
    link: Link<S>,
    give_up_at: Instant,
}

/// How a turn of a [`Connect`] went.
pub enum Outcome<S> {
    /// Nothing to do until an event or the deadline.
    Waiting,
    /// Here it is.
    Connected(Link<S>),
    /// There is none to be had.
    Failed(Cause),
}

impl<S: Socket> Connect<S> {
    /// Takes in an event of the socket to the backend.
    pub fn note(&mut self, event: &Event, link: LinkId) {
        if let Connect::Pending(pending) = self
            && pending.link.id == link
        {
            pending.link.conn.note(event);
        }
    }

    /// Gives up what is under way.
    pub fn release<N: Net<Socket = S>>(&mut self, ctx: &mut Ctx<N>) {
        match std::mem::take(self) {
            Connect::Looking => {}
            Connect::Waiting(wait) => ctx.waiting.leave(wait.place),
            Connect::Pending(pending) => pending.link.close(ctx),
        }
    }

    /// When the pending attempt, or the wait for room, is given up.
    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Connect::Looking => None,
            Connect::Waiting(wait) => Some(wait.until),
            Connect::Pending(pending) => Some(pending.give_up_at),
        }
    }

    /// Goes on with the search as far as it can, passing over the backends in `tried` and adding to it.
    pub fn turn<N: Net<Socket = S>>(
        &mut self,
        seeker: Seeker,
        tried: &mut Tried,
        ctx: &mut Ctx<N>,
    ) -> Outcome<S> {
        loop {
            let Connect::Pending(pending) = self else { return self.look(seeker, tried, ctx) };
            let outcome = if pending.link.conn.writable() {
                // Writable is not connected.
                let (conn, target) = (&pending.link.conn, pending.link.lease.backend().address);
                conn.socket.connected(target, conn.has_error())
            } else if ctx.now >= pending.give_up_at {
                Err(io::ErrorKind::TimedOut.into())
            } else {
                return Outcome::Waiting;
            };
            let Connect::Pending(Pending { mut link, give_up_at }) = std::mem::take(self) else { continue };
            match outcome {
                Ok(()) => {
                    let began = give_up_at - seeker.timeouts(ctx).connect;
                    let pool = &mut ctx.pools[seeker.pool];
                    pool.observe(link.lease.backend(), Sample::Wait, began, ctx.now);
                    return Outcome::Connected(link);
                }
                Err(error) if broke_afterwards(&error) => {
                    link.conn.note_broken(&error);
                    return Outcome::Connected(link);
                }
                Err(error) => fail(link, &error, ctx),
            }
        }
    }

    /// Makes attempts until one is under way, there is nobody left to try, or everybody is full.
    fn look<N: Net<Socket = S>>(
        &mut self,
        seeker: Seeker,
        tried: &mut Tried,
        ctx: &mut Ctx<N>,
    ) -> Outcome<S> {
        loop {
            let start = start(seeker, tried, matches!(self, Connect::Waiting(_)), ctx);
            if let Start::Full = start {
                return self.stand_in_line(seeker, ctx);
            }
            if let Connect::Waiting(wait) = self {
                ctx.waiting.leave(wait.place);
            }
            *self = Connect::Looking;
            match start {
                Start::Connecting(pending) => {
                    *self = Connect::Pending(pending);
                    return Outcome::Waiting;
                }
                Start::Reused(link) => return Outcome::Connected(link),
                Start::GaveUp(cause) => return Outcome::Failed(cause),
                Start::Failed | Start::Full => {}
            }
        }
    }

    /// Everybody is full: keeps the place in the line, or takes one.
    fn stand_in_line<N: Net<Socket = S>>(&mut self, seeker: Seeker, ctx: &mut Ctx<N>) -> Outcome<S> {
        match self {
            Connect::Waiting(wait) if ctx.now < wait.until => Outcome::Waiting,
            Connect::Waiting(wait) => {
                ctx.waiting.leave(wait.place);
                *self = Connect::Looking;
                ctx.metrics.queue_refused += 1;
                Outcome::Failed(Cause::QueueTimeout)
            }
            _ => {
                let pool = ctx.pools[seeker.pool].pool();
                let Some(ticket) = pool.ticket() else {
                    ctx.metrics.queue_refused += 1;
                    return Outcome::Failed(Cause::QueueFull);
                };
                let until = ctx.now + pool.queue_timeout();
                ctx.metrics.queued += 1;
                let place = ctx.waiting.join(seeker.pool, seeker.id);
                *self = Connect::Waiting(Wait { place, until, _ticket: ticket });
                Outcome::Waiting
            }
        }
    }
}

/// A connect is refused or goes unanswered; only a connection is reset. So there was one, and what the backend sent on
/// it may still be read.
fn broke_afterwards(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

/// How a search goes on.
enum Start<S> {
    /// An attempt is under way.
    Connecting(Pending<S>),
    /// A connection was waiting.
    Reused(Link<S>),
    /// That one failed: try the next.
    Failed,
    /// They all have as many connections as they may.
    Full,
    /// There is no next.
    GaveUp(Cause),
}

/// Picks a backend, and uses a connection to it or starts to make one. Who `waits` already has a place in the line, and is
/// not to pay for this attempt again.
fn start<N: Net>(seeker: Seeker, tried: &mut Tried, waits: bool, ctx: &mut Ctx<N>) -> Start<N::Socket> {
    if tried.len() >= ctx.config.limits_of(seeker.frontend as usize).connect_attempts as usize {
        return Start::GaveUp(Cause::NoBackend);
    }
    let pool = &mut ctx.pools[seeker.pool];
    if seeker.budgeted && !waits && !tried.is_empty() && !pool.may_retry(ctx.now) {
        return Start::GaveUp(Cause::NoBackend);
    }
    // Who came first is first.
    if !waits && ctx.waiting.len(seeker.pool) > 0 {
        return Start::Full;
    }
    let Some(lease) = pool.choose(seeker.client, seeker.preferred, tried, ctx.now) else {
        let full = pool.is_full(tried, ctx.now);
        return if full { Start::Full } else { Start::GaveUp(Cause::NoBackend) };
    };
    tried.insert(lease.backend().id);
    if seeker.reuse
        && let Some((id, conn)) = ctx.links.take((seeker.pool, lease.backend().id), seeker.id)
    {
        return Start::Reused(Link { conn, lease, id, reused: true });
    }
    connect(seeker, lease, ctx)
}

fn connect<N: Net>(seeker: Seeker, lease: Lease, ctx: &mut Ctx<N>) -> Start<N::Socket> {
    let id = ctx.links.open(seeker.id);
    let connecting = loop {
        match open_socket(lease.backend().address, id, ctx) {
            // A connection that waits is worth less than one that is needed now.
            Err(error) if is_exhaustion(&error) && ctx.links.yield_one() => {}
            outcome => break outcome,
        }
    };
    match connecting {
        Ok(socket) => {
            let give_up_at = ctx.now + seeker.timeouts(ctx).connect;
            let link = Link { conn: Conn::new(socket), lease, id, reused: false };
            Start::Connecting(Pending { link, give_up_at })
        }
        // Nothing the backend could help, and trying another one would not either. (EADDRNOTAVAIL is not of these: ports
        // run out towards one address, and ::1 may not exist here where 127.0.0.1 does.)
        Err(error) if is_exhaustion(&error) => {
            ctx.links.close(id);
            ctx.exhausted = true;
            log::warn!("no socket for a connection to a backend: {error}");
            Start::GaveUp(Cause::Exhausted(error.kind()))
        }
        Err(error) => {
            ctx.links.close(id);
            note_failure(&lease, &error, ctx);
            Start::Failed
        }
    }
}

fn open_socket<N: Net>(address: SocketAddr, id: LinkId, ctx: &mut Ctx<N>) -> io::Result<N::Socket> {
    let mut socket = ctx.net.connect(address)?;
    ctx.net.register(&mut socket, Token::Backend(id))?;
    Ok(socket)
}

fn fail<N: Net>(link: Link<N::Socket>, error: &io::Error, ctx: &mut Ctx<N>) {
    note_failure(&link.lease, error, ctx);
    link.close(ctx);
}

fn note_failure<N: Net>(lease: &Lease, error: &io::Error, ctx: &mut Ctx<N>) {
    ctx.metrics.connects_failed += 1;
    let backend = lease.backend();
    log::debug!("connect to {} ({}) failed: {error}", backend.name, backend.address);
    lease.connect_failed(&format_args!("connect failed: {error}"), ctx.now);
}
