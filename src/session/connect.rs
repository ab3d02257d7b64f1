//! From a client to a connected backend: pick, connect, verify, and another backend where that fails.
//!
//! No byte of the client has been read yet, so trying elsewhere is always safe here.

use std::io;
use std::net::IpAddr;
use std::time::Instant;

use super::Cause;
use crate::balance::{Lease, Tried};
use crate::ctx::Ctx;
use crate::net::{Event, Net, Socket, is_exhaustion};
use crate::relay::Conn;
use crate::token::{SessionId, Side, Token};

/// For whom a backend is sought.
#[derive(Clone, Copy, Debug)]
pub struct Seeker {
    /// The session, which the events of the backend's socket will name.
    pub id: SessionId,
    /// Index of the pool to choose from.
    pub pool: usize,
    /// The client, for policies that look at it.
    pub client: IpAddr,
}

/// A connected backend: its socket, and the claim on its load counter, which ends with it.
pub struct Link<S> {
    /// The socket.
    pub conn: Conn<S>,
    /// Counts the connection against the backend until dropped.
    pub lease: Lease,
    /// Which of the session's attempts this socket is.
    pub attempt: u8,
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
    /// Takes in an event of the backend socket numbered `attempt`.
    pub fn note(&mut self, event: &Event, attempt: u8) {
        if let Some(pending) = &mut self.pending
            && pending.link.attempt == attempt
        {
            pending.link.conn.note(event);
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
                    Ok(pending) => {
                        self.pending = Some(pending);
                        return Outcome::Waiting;
                    }
                    Err(Some(cause)) => return Outcome::Failed(cause),
                    Err(None) => continue,
                }
            };
            if pending.link.conn.writable() {
                // Writable is not connected.
                match pending.link.conn.socket.connected() {
                    Ok(()) => return Outcome::Connected(pending.link),
                    Err(error) if broke_afterwards(&error) => {
                        pending.link.conn.note_broken(&error);
                        return Outcome::Connected(pending.link);
                    }
                    Err(error) => failed(&pending.link.lease, &error, ctx),
                }
            } else if ctx.now >= pending.give_up_at {
                failed(&pending.link.lease, &io::ErrorKind::TimedOut.into(), ctx);
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

/// Picks a backend and starts to connect to it. `Err(None)`: that one failed, try the next.
fn start<N: Net>(
    seeker: Seeker,
    tried: &mut Tried,
    ctx: &mut Ctx<N>,
) -> Result<Pending<N::Socket>, Option<Cause>> {
    if tried.len() >= ctx.config.limits.connect_attempts as usize {
        return Err(Some(Cause::NoBackend));
    }
    let Some(lease) = ctx.pools[seeker.pool].choose(seeker.client, tried, ctx.now) else {
        return Err(Some(Cause::NoBackend));
    };
    let attempt = tried.len() as u8;
    tried.insert(lease.backend().id);
    let token = Token::Session { id: seeker.id, side: Side::Backend, attempt };
    let connecting = ctx.net.connect(lease.backend().address).and_then(|mut socket| {
        ctx.net.register(&mut socket, token)?;
        Ok(socket)
    });
    match connecting {
        Ok(socket) => {
            let give_up_at = ctx.now + ctx.config.timeouts.connect;
            Ok(Pending { link: Link { conn: Conn::new(socket), lease, attempt }, give_up_at })
        }
        // Nothing the backend could help, and trying another one would not either. (EADDRNOTAVAIL is not of these: ports
        // run out towards one address, and ::1 may not exist here where 127.0.0.1 does.)
        Err(error) if is_exhaustion(&error) => {
            log::warn!("no socket for a connection to a backend: {error}");
            Err(Some(Cause::Exhausted(error.kind())))
        }
        Err(error) => {
            failed(&lease, &error, ctx);
            Err(None)
        }
    }
}

fn failed<N: Net>(lease: &Lease, error: &io::Error, ctx: &mut Ctx<N>) {
    ctx.metrics.connects_failed += 1;
    let backend = lease.backend();
    log::debug!("connect to {} ({}) failed: {error}", backend.name, backend.address);
    lease.connect_failed(&format_args!("connect failed: {error}"), ctx.now);
}
