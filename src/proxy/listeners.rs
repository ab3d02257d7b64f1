//! Listening sockets: edges remembered like those of any socket, and the two reasons to let connections wait.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::net::{Net, concerns_one_connection, is_exhaustion};
use crate::token::Token;

/// How long accepting rests when the host has no descriptor or memory left. Whatever frees one, waiting is cheaper
/// than asking again and again.
const PAUSE: Duration = Duration::from_millis(100);

/// The listening sockets of one worker.
pub(super) struct Listeners<L> {
    all: Vec<Listener<L>>,
}

struct Listener<L> {
    socket: L,
    frontend: usize,
    /// The queue may hold connections: set by an event, cleared by `WouldBlock` only.
    pending: bool,
    resume_at: Option<Instant>,
}

/// What came of asking a listener for a connection.
pub(super) enum Accepted<S> {
    /// A client of the frontend with this index.
    Client(S, SocketAddr, usize),
    /// The connection was gone before we took it; there may be others.
    Gone,
    /// Nothing waits, as far as we know.
    Nothing,
    /// No descriptor or memory left, or something unheard of: this listener rests for a while.
    Paused,
}

impl<L> Listeners<L> {
    /// Starts watching `listeners`, each with the index of its frontend.
    pub(super) fn register<N: Net<Listener = L>>(
        listeners: Vec<(L, usize)>,
        net: &mut N,
    ) -> io::Result<Listeners<L>> {
        let mut all = Vec::with_capacity(listeners.len());
        for (index, (mut socket, frontend)) in listeners.into_iter().enumerate() {
            net.register_listener(&mut socket, Token::Listener(index as u32))?;
            all.push(Listener { socket, frontend, pending: false, resume_at: None });
        }
        Ok(Listeners { all })
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// An event: connections wait.
    pub(super) fn note(&mut self, index: u32) {
        if let Some(listener) = self.all.get_mut(index as usize) {
            listener.pending = true;
        }
    }

    /// Asks every queue next time, whatever events have said.
    pub(super) fn expect_all(&mut self) {
        self.all.iter_mut().for_each(|listener| listener.pending = true);
    }

    /// Whether a connection may be had now.
    pub(super) fn any_pending(&self, now: Instant) -> bool {
        self.all.iter().any(|listener| listener.is_due(now))
    }

    /// When the first resting listener that has something to go on with may do so.
    pub(super) fn resume_at(&self) -> Option<Instant> {
        let waiting = self.all.iter().filter(|listener| listener.pending);
        waiting.filter_map(|listener| listener.resume_at).min()
    }

    /// Lets them all rest: descriptors and memory are everybody's.
    pub(super) fn rest(&mut self, now: Instant) {
        self.all.iter_mut().for_each(|listener| listener.resume_at = Some(now + PAUSE));
    }

    /// Takes one connection from the listener at `index`.
    pub(super) fn accept<N: Net<Listener = L>>(
        &mut self,
        index: usize,
        now: Instant,
        net: &mut N,
    ) -> Accepted<N::Socket> {
        let listener = &mut self.all[index];
        if !listener.is_due(now) {
            return Accepted::Nothing;
        }
        listener.resume_at = None;
        match net.accept(&listener.socket) {
            Ok((socket, address)) => Accepted::Client(socket, address, listener.frontend),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                listener.pending = false;
                Accepted::Nothing
            }
            Err(error) if concerns_one_connection(&error) => Accepted::Gone,
            Err(error) => {
                log::warn!("cannot accept, resting for {} ms: {error}", PAUSE.as_millis());
                listener.resume_at = Some(now + PAUSE);
                if is_exhaustion(&error) {
                    self.rest(now);
                }
                Accepted::Paused
            }
        }
    }

    /// Closes all. What is still queued is reset by the kernel.
    pub(super) fn close(&mut self) {
        self.all.clear();
    }
}

impl<L> Listener<L> {
    fn is_due(&self, now: Instant) -> bool {
        self.pending && self.resume_at.is_none_or(|at| at <= now)
    }
}
