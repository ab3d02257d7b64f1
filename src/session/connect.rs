//! From a client to a connected backend: pick, connect, verify, and another backend where that fails.
//!
//! No byte of the client has been read yet, so trying elsewhere is always safe here.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::Cause;
use crate::balance::{Lease, Sample, Tried};
use crate::ctx::Ctx;
use crate::net::{Event, Net, Socket, is_exhaustion};
use crate::relay::Conn;
use crate::token::{LinkId, SessionId, Token};

/// For whom a backend is sought.
#[derive(Clone, Copy, Debug)]
pub struct Seeker {
    /// The session, whom the events of the backend's socket will concern.
    pub id: SessionId,
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
        ctx.links.park(self.id, self.conn, (pool, self.lease.backend().id), ctx.now);
    }
}

/// The search for a backend: at most one attempt under way at a time.
pub struct Connect<S> {
    pending: Option<Pending<S>>,
}

struct Pending<S> {
    link: Link<S>,
    give_up_at: Instant,
}

impl<S> Default for Connect<S> {
    fn default() -> Connect<S> {
        Connect { pending: None }
    }
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
        if let Some(pending) = &mut self.pending
            && pending.link.id == link
        {
            pending.link.conn.note(event);
        }
    }

    /// Gives up what is under way.
    pub fn release<N: Net<Socket = S>>(&mut self, ctx: &mut Ctx<N>) {
        if let Some(pending) = self.pending.take() {
            pending.link.close(ctx);
        }
    }

    /// When the pending attempt is given up.
    pub fn deadline(&self) -> Option<Instant> {
        self.pending.as_ref().map(|pending| pending.give_up_at)
    }

    /// Goes on with the search as far as it can, passing over the backends in `tried` and adding to it.
    pub fn turn<N: Net<Socket = S>>(
        &mut self,
        seeker: Seeker,
        tried: &mut Tried,
        ctx: &mut Ctx<N>,
    ) -> Outcome<S> {
        loop {
            let Some(mut pending) = self.pending.take() else {
                match start(seeker, tried, ctx) {
                    Start::Connecting(pending) => {
                        self.pending = Some(pending);
                        return Outcome::Waiting;
                    }
                    Start::Reused(link) => return Outcome::Connected(link),
                    Start::GaveUp(cause) => return Outcome::Failed(cause),
                    Start::Failed => continue,
                }
            };
            if pending.link.conn.writable() {
                // Writable is not connected.
                let (conn, target) = (&pending.link.conn, pending.link.lease.backend().address);
                match conn.socket.connected(target, conn.has_error()) {
                    Ok(()) => {
                        let began = pending.give_up_at - ctx.config.timeouts.connect;
                        let (pool, backend) = (&mut ctx.pools[seeker.pool], pending.link.lease.backend());
                        pool.observe(backend, Sample::Wait, began, ctx.now);
                        return Outcome::Connected(pending.link);
                    }
                    Err(error) if broke_afterwards(&error) => {
                        pending.link.conn.note_broken(&error);
                        return Outcome::Connected(pending.link);
                    }
                    Err(error) => fail(pending.link, &error, ctx),
                }
            } else if ctx.now >= pending.give_up_at {
                fail(pending.link, &io::ErrorKind::TimedOut.into(), ctx);
            } else {
                self.pending = Some(pending);
                return Outcome::Waiting;
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
    /// There is no next.
    GaveUp(Cause),
}

/// Picks a backend, and uses a connection to it or starts to make one.
fn start<N: Net>(seeker: Seeker, tried: &mut Tried, ctx: &mut Ctx<N>) -> Start<N::Socket> {
    if tried.len() >= ctx.config.limits.connect_attempts as usize {
        return Start::GaveUp(Cause::NoBackend);
    }
    let pool = &mut ctx.pools[seeker.pool];
    if seeker.budgeted && !tried.is_empty() && !pool.may_retry(ctx.now) {
        return Start::GaveUp(Cause::NoBackend);
    }
    let Some(lease) = pool.choose(seeker.client, seeker.preferred, tried, ctx.now) else {
        return Start::GaveUp(Cause::NoBackend);
    };
    tried.insert(lease.backend().id);
    if seeker.reuse
        && let Some((id, conn)) = ctx.links.take((seeker.pool, lease.backend().id), seeker.id)
    {
        return Start::Reused(Link { conn, lease, id, reused: true });
    }
    connect(seeker.id, lease, ctx)
}

fn connect<N: Net>(session: SessionId, lease: Lease, ctx: &mut Ctx<N>) -> Start<N::Socket> {
    let id = ctx.links.open(session);
    let connecting = loop {
        match open_socket(lease.backend().address, id, ctx) {
            // A connection that waits is worth less than one that is needed now.
            Err(error) if is_exhaustion(&error) && ctx.links.yield_one() => {}
            outcome => break outcome,
        }
    };
    match connecting {
        Ok(socket) => {
            let give_up_at = ctx.now + ctx.config.timeouts.connect;
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
