//! Connections to backends: whose each one is, and those that wait to be used again.
//!
//! A connection outlives the session it was made for, so its events name the connection, and this table says whom
//! they concern. Connections wait for reuse last in, first out: the few that a light load needs stay warm, the others
//! grow old and are closed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Conn;
use crate::balance::BackendId;
use crate::net::{Event, Socket};
use crate::table::Table;
use crate::token::{LinkId, SessionId};

/// A backend as the idle set knows it: the index of its pool, and itself.
pub type Seat = (usize, BackendId);

/// All connections to backends of one worker.
pub struct Links<S> {
    holders: Table<Holder<S>>,
    /// Idle connections by pool and backend, in the order in which they began to wait.
    idle: Vec<Vec<VecDeque<LinkId>>>,
    max_idle: usize,
    /// Beyond so many, in use and waiting, one that waits makes way for a new one.
    most: usize,
    idle_timeout: Duration,
    /// No idle connection is due before; there may be none.
    look_at: Option<Instant>,
}

/// Who holds a connection.
enum Holder<S> {
    Session(SessionId),
    /// Nobody: it waits.
    Idle {
        conn: Conn<S>,
        since: Instant,
        seat: Seat,
    },
}

impl<S: Socket> Links<S> {
    /// Keeps at most `max_idle` connections to each backend waiting, and none for longer than `idle_timeout`.
    pub fn new(max_idle: usize, idle_timeout: Duration) -> Links<S> {
        let most = usize::MAX;
        Links { holders: Table::default(), idle: Vec::new(), max_idle, most, idle_timeout, look_at: None }
    }

    /// Lets there be no more than `most` connections, in use and waiting, unless all of them are in use.
    pub fn limit(&mut self, most: usize) {
        self.most = most;
    }

    /// A name for a connection that `session` is about to make. It is held until [`Links::close`] or [`Links::park`].
    pub fn open(&mut self, session: SessionId) -> LinkId {
        if self.holders.len() >= self.most {
            self.yield_one();
        }
        self.holders.insert(|_| Holder::Session(session))
    }

    /// The holder of this connection dropped it.
    pub fn close(&mut self, id: LinkId) {
        self.holders.remove(id);
    }

    /// Whom a connection serves now.
    pub fn session(&self, id: LinkId) -> Option<SessionId> {
        match self.holders.get(id)? {
            Holder::Session(session) => Some(*session),
            Holder::Idle { .. } => None,
        }
    }

    /// Takes in an event. Whatever a backend has to say on a connection that waits, an end or bytes that nobody asked
    /// for, disqualifies that connection.
    pub fn note(&mut self, id: LinkId, event: &Event) {
        if event.readable || event.read_closed || event.error {
            self.discard(id);
        }
    }

    /// Closes a connection that waits; one in use is left alone.
    fn discard(&mut self, id: LinkId) {
        if let Some(Holder::Idle { seat: (pool, backend), .. }) = self.holders.get(id) {
            self.idle[*pool][backend.index()].retain(|waiting| *waiting != id);
            self.holders.remove(id);
        }
    }

    /// Takes a connection back from its session, to wait for the next one. It is closed instead when enough wait, or
    /// when it has something to say.
    pub fn park(&mut self, id: LinkId, mut conn: Conn<S>, seat: Seat, now: Instant) {
        let full = self.max_idle == 0 || self.seat(seat).len() >= self.max_idle;
        let holder = self.holders.get_mut(id);
        match holder {
            // Who took exactly what belonged to the last answer has not seen that nothing follows.
            Some(holder) if !full && !conn.has_error() && (!conn.readable() || conn.is_quiet()) => {
                *holder = Holder::Idle { conn, since: now, seat };
                self.seat(seat).push_back(id);
                self.look_at.get_or_insert(now + self.idle_timeout);
            }
            _ => self.close(id),
        }
    }

    /// The connection to this backend that has waited least, for `session` to use.
    pub fn take(&mut self, seat: Seat, session: SessionId) -> Option<(LinkId, Conn<S>)> {
        let id = self.seat(seat).pop_back()?;
        match std::mem::replace(self.holders.get_mut(id)?, Holder::Session(session)) {
            Holder::Idle { conn, .. } => Some((id, conn)),
            Holder::Session(_) => None,
        }
    }

    /// When [`Links::expire`] wants to be called.
    pub fn deadline(&self) -> Option<Instant> {
        self.look_at
    }

    /// Closes the connections that have waited too long.
    pub fn expire(&mut self, now: Instant) {
        if self.look_at.is_none_or(|at| at > now) {
            return;
        }
        self.look_at = None;
        for waiting in self.idle.iter_mut().flatten() {
            while let Some(id) = waiting.front() {
                let Some(Holder::Idle { since, .. }) = self.holders.get(*id) else { break };
                let due = *since + self.idle_timeout;
                if due > now {
                    self.look_at = Some(self.look_at.map_or(due, |at| at.min(due)));
                    break;
                }
                self.holders.remove(*id);
                waiting.pop_front();
            }
        }
    }

    /// Closes those that wait for a seat that is no longer there, and keeps so many and so long from now on.
    pub fn renew(&mut self, max_idle: usize, idle_timeout: Duration, is_there: impl Fn(Seat) -> bool) {
        (self.max_idle, self.idle_timeout) = (max_idle, idle_timeout);
        let is_gone = |id: &LinkId| match self.holders.get(*id) {
            Some(Holder::Idle { seat, .. }) => !is_there(*seat),
            _ => false,
        };
        let gone: Vec<LinkId> = self.idle.iter().flatten().flatten().copied().filter(is_gone).collect();
        gone.into_iter().for_each(|id| self.discard(id));
    }

    /// Closes all that wait, and lets none wait from now on.
    pub fn retire(&mut self) {
        self.max_idle = 0;
        self.look_at = None;
        for id in self.idle.drain(..).flatten().flatten() {
            self.holders.remove(id);
        }
    }

    /// Closes the connection that has waited longest, if any waits: its descriptor is needed.
    pub fn yield_one(&mut self) -> bool {
        let since = |id: &LinkId| match self.holders.get(*id) {
            Some(Holder::Idle { since, .. }) => Some(*since),
            _ => None,
        };
        let oldest =
            self.idle.iter().flatten().filter_map(|waiting| waiting.front()).min_by_key(|id| since(id));
        let Some(oldest) = oldest.copied() else { return false };
        self.discard(oldest);
        true
    }

    /// Whom the connections lead to that wait, once for each.
    pub fn seats(&self) -> impl Iterator<Item = Seat> {
        let seat = |id: &LinkId| match self.holders.get(*id) {
            Some(Holder::Idle { seat, .. }) => Some(*seat),
            _ => None,
        };
        self.idle.iter().flatten().flatten().filter_map(seat)
    }

    /// All connections, in use or waiting.
    pub fn len(&self) -> usize {
        self.holders.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.holders.is_empty()
    }

    fn seat(&mut self, (pool, backend): Seat) -> &mut VecDeque<LinkId> {
        if self.idle.len() <= pool {
            self.idle.resize_with(pool + 1, Vec::new);
        }
        let pool = &mut self.idle[pool];
        if pool.len() <= backend.index() {
            pool.resize_with(backend.index() + 1, VecDeque::new);
        }
        &mut pool[backend.index()]
    }
}
