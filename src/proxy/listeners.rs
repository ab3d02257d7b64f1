//! Listening sockets: edges remembered like those of any socket, and the two reasons to let connections wait.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::net::{Net, concerns_one_connection, is_exhaustion};
use crate::token::Token;

/// How long accepting rests when the host has no descriptor or memory left. Whatever frees one, waiting is cheaper
/// than asking again and again.
const PAUSE: Duration = Duration::from_millis(100);

/// The listening sockets of one worker, in slots that stay where they are: events name them.
pub(super) struct Listeners<L> {
    slots: Vec<Option<Listener<L>>>,
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
        let mut all = Listeners { slots: Vec::with_capacity(listeners.len()) };
        for (socket, frontend) in listeners {
            all.add(socket, frontend, net)?;
        }
        Ok(all)
    }

    /// Starts watching one more, in the first slot that is free.
    pub(super) fn add<N: Net<Listener = L>>(
        &mut self,
        mut socket: L,
        frontend: usize,
        net: &mut N,
    ) -> io::Result<()> {
        let slot = free_slot(&self.slots);
        net.register_listener(&mut socket, Token::Listener(slot as u32))?;
        if slot == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[slot] = Some(Listener { socket, frontend, pending: false, resume_at: None });
        Ok(())
    }

    /// Slots, in use or not.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The slots in use, each with its socket.
    pub(super) fn sockets(&self) -> impl Iterator<Item = (usize, &L)> {
        self.slots.iter().enumerate().filter_map(|(slot, listener)| Some((slot, &listener.as_ref()?.socket)))
    }

    /// The sockets, each with the frontend whose clients come in there.
    pub(super) fn with_frontends(&self) -> impl Iterator<Item = (&L, usize)> {
        self.all().map(|listener| (&listener.socket, listener.frontend))
    }

    /// Whose clients come in anywhere.
    pub(super) fn frontends(&self) -> impl Iterator<Item = usize> {
        self.all().map(|listener| listener.frontend)
    }

    /// Whose clients come in there from now on.
    pub(super) fn assign(&mut self, slot: usize, frontend: usize) {
        if let Some(Some(listener)) = self.slots.get_mut(slot) {
            listener.frontend = frontend;
        }
    }

    /// Asks this queue next time, whatever events have said.
    pub(super) fn expect(&mut self, slot: usize) {
        if let Some(Some(listener)) = self.slots.get_mut(slot) {
            (listener.pending, listener.resume_at) = (true, None);
        }
    }

    /// Closes one. What is still queued is reset by the kernel.
    pub(super) fn remove(&mut self, slot: usize) {
        if let Some(slot) = self.slots.get_mut(slot) {
            *slot = None;
        }
    }

    fn all(&self) -> impl Iterator<Item = &Listener<L>> {
        self.slots.iter().flatten()
    }

    /// An event: connections wait.
    pub(super) fn note(&mut self, index: u32) {
        if let Some(Some(listener)) = self.slots.get_mut(index as usize) {
            listener.pending = true;
        }
    }

    /// Asks every queue next time, whatever events have said.
    pub(super) fn expect_all(&mut self) {
        self.slots.iter_mut().flatten().for_each(|listener| listener.pending = true);
    }

    /// Whether a connection may be had now.
    pub(super) fn any_pending(&self, now: Instant) -> bool {
        self.all().any(|listener| listener.is_due(now))
    }

    /// When the first resting listener that has something to go on with may do so.
    pub(super) fn resume_at(&self) -> Option<Instant> {
        let waiting = self.all().filter(|listener| listener.pending);
        waiting.filter_map(|listener| listener.resume_at).min()
    }

    /// Lets them all rest: descriptors and memory are everybody's.
    pub(super) fn rest(&mut self, now: Instant) {
        self.slots.iter_mut().flatten().for_each(|listener| listener.resume_at = Some(now + PAUSE));
    }

    /// Takes one connection from the listener at `index`.
    pub(super) fn accept<N: Net<Listener = L>>(
        &mut self,
        index: usize,
        now: Instant,
        net: &mut N,
    ) -> Accepted<N::Socket> {
        let Some(Some(listener)) = self.slots.get_mut(index) else { return Accepted::Nothing };
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
        self.slots.clear();
    }
}

/// The first slot that nobody uses, or the one after the last.
pub fn free_slot<T>(slots: &[Option<T>]) -> usize {
    slots.iter().position(Option::is_none).unwrap_or(slots.len())
}

impl<L> Listener<L> {
    fn is_due(&self, now: Instant) -> bool {
        self.pending && self.resume_at.is_none_or(|at| at <= now)
    }
}
