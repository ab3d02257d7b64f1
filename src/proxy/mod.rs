//! The loop of one worker: wait, hand out events, accept, run who stopped early, expire.

mod admission;
mod layout;
mod listeners;
mod news;
mod observed;
mod renewal;
#[cfg(test)]
mod sizes;
mod time;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use self::admission::{admit, refuse};
pub use self::listeners::free_slot;
use self::listeners::{Accepted, Listeners};
use self::news::News;
pub use self::observed::{Explained, Observed, Question};
pub use self::renewal::{Renewal, Source};
use crate::admin::Desk;
use crate::clients::Admission;
use crate::ctx::Ctx;
use crate::health::Checks;
use crate::metrics::Metrics;
use crate::net::{Event, Net};
use crate::session::{Cause, Next, Reason, Session};
use crate::table::Table;
use crate::timers::Timers;
use crate::token::{SessionId, Side, Token};

/// Connections taken from one listener before the sessions get their turn.
const ACCEPT_BATCH: usize = 64;

/// One worker: its sessions, and the loop that runs them.
pub struct Proxy<N: Net> {
    ctx: Ctx<N>,
    sessions: Table<Tenant<N>>,
    listeners: Listeners<N::Listener>,
    max_connections: usize,
    /// `max_connections` was reached while clients waited in the kernel's queue, and it is no long way back there.
    full: bool,
    /// The listener to serve first, the one after who was served last: at the limit, there is only a first.
    first_listener: usize,
    timers: Timers,
    /// Sessions that stopped before they had to.
    run_queue: VecDeque<SessionId>,
    /// Events of the current turn; kept for its memory.
    events: Vec<Event>,
    /// Whom they concern; the same.
    awake: Vec<SessionId>,
    /// The checks of backends, if they are this worker's to make.
    checks: Option<Checks<N::Socket>>,
    /// The admin endpoint, if it is this worker's.
    desk: Option<Box<Desk<N>>>,
    /// Another thread wanted this one to look up.
    woken: bool,
    news: News,
    /// Set once connections are only let finish.
    drain_deadline: Option<Instant>,
}

struct Tenant<N: Net> {
    session: Session<N>,
    /// In the run queue: at most once.
    queued: bool,
    /// Counts against its client, where that matters.
    _admission: Option<Box<Admission>>,
}

impl<N: Net> Proxy<N> {
    /// A worker that serves `listeners`, each with the index of its frontend, and holds `max_connections` clients at
    /// the most. Beyond that it does not accept: clients wait in the kernel's queue until another one leaves, which
    /// turns a burst into a delay instead of errors.
    ///
    /// # Errors
    /// The listeners cannot be registered.
    pub fn new(
        mut ctx: Ctx<N>,
        listeners: Vec<(N::Listener, usize)>,
        max_connections: usize,
    ) -> io::Result<Proxy<N>> {
        // A session uses one connection to a backend at a time, so this leaves each its two descriptors, and those that
        // wait for reuse have what the sessions do not need.
        ctx.links.limit(max_connections);
        Ok(Proxy {
            listeners: Listeners::register(listeners, &mut ctx.net)?,
            news: News::new(&ctx),
            checks: None,
            desk: None,
            woken: false,
            ctx,
            sessions: Table::default(),
            max_connections,
            full: false,
            first_listener: 0,
            timers: Timers::default(),
            run_queue: VecDeque::new(),
            events: Vec::new(),
            awake: Vec::new(),
            drain_deadline: None,
        })
    }

    /// Waits until there is something to do, and does it.
    ///
    /// # Errors
    /// The event queue itself failed: nothing can go on.
    pub fn turn(&mut self) -> io::Result<()> {
        let timeout = self.timeout();
        self.ctx.net.poll(&mut self.events, timeout)?;
        self.ctx.now = self.ctx.net.now();
        self.hand_out_events();
        self.accept();
        self.run_queued();
        self.expire();
        self.heed_news();
        self.greet();
        if let Some(desk) = &mut self.desk {
            desk.turn(std::mem::take(&mut self.woken), &mut self.ctx);
        }
        self.measure_turn();
        Ok(())
    }

    /// Stops accepting. What the kernel has queued is taken first: closing a listener resets it.
    pub fn close_listeners(&mut self) {
        if self.listeners.len() > 0 {
            self.listeners.expect_all();
            // As many as can be queued now; under a flood, more would come for ever.
            let rounds = self.ctx.config.limits.backlog as usize / ACCEPT_BATCH + 1;
            for _ in 0..rounds {
                if !self.accept() {
                    break;
                }
            }
            self.listeners.close();
            self.first_listener = 0;
        }
    }

    /// Stops accepting and lets connections finish until `drain_timeout_ms` is over. `gently`: a client's connection that
    /// waits for another request gets an answer to it, and learns then that it was the last.
    pub fn drain(&mut self, gently: bool) {
        if self.drain_deadline.is_none() {
            self.close_listeners();
            self.drain_deadline = Some(self.ctx.now + self.ctx.config.timeouts.drain);
            (self.ctx.draining, self.ctx.gently) = (true, gently);
            self.ctx.links.retire();
            self.checks = None;
            if let Some(desk) = self.desk.as_mut().filter(|_| gently) {
                // Another process has that too.
                desk.leave();
            }
            // Who waits for nothing but another request need not wait.
            self.sessions.ids().into_iter().for_each(|id| self.step(id));
        }
    }

    /// Whether [`Proxy::drain`] was called, the last session is gone, and no operator waits for an answer, or not any longer.
    pub fn is_drained(&self) -> bool {
        let is_asked = || self.desk.as_ref().is_some_and(|desk| desk.is_busy());
        self.drain_deadline.is_some_and(|at| self.sessions.is_empty() && (at <= self.ctx.now || !is_asked()))
    }

    /// Its listeners, each with its slot.
    pub fn listeners(&self) -> impl Iterator<Item = (usize, &N::Listener)> {
        self.listeners.sockets()
    }

    /// Sessions open now.
    pub fn open_sessions(&self) -> usize {
        self.sessions.len()
    }

    /// What this worker has done so far.
    pub fn metrics(&self) -> &Metrics {
        &self.ctx.metrics
    }

    /// The surroundings of the sessions.
    pub fn ctx(&self) -> &Ctx<N> {
        &self.ctx
    }

    /// Tells everybody what happened before anybody has a turn: what an idle connection has to say disqualifies it, and
    /// must not be taken for the answer to a request that came with the same batch.
    fn hand_out_events(&mut self) {
        self.awake.clear();
        for index in 0..self.events.len() {
            let event = self.events[index];
            match event.token {
                Token::Client(id) => self.note(id, &event),
                Token::Backend(link) => match self.ctx.links.session(link) {
                    Some(id) => self.note(id, &event),
                    None => self.ctx.links.note(link, &event),
                },
                Token::Probe { slot, turn } => {
                    if let Some(checks) = &mut self.checks {
                        checks.note(slot, turn, &event, &mut self.ctx);
                    }
                }
                Token::Listener(index) => self.listeners.note(index),
                Token::Desk { slot, turn } => {
                    if let Some(desk) = &mut self.desk {
                        desk.note(slot, turn, &event);
                    }
                }
                // Whoever woke us looks at the flags it set once this turn is over.
                Token::Waker => self.woken = true,
            }
        }
        for index in 0..self.awake.len() {
            let id = self.awake[index];
            if self.sessions.get(id).is_some_and(|tenant| !tenant.queued) {
                self.step(id);
            }
        }
    }

    /// Hands an event to the session it concerns, whose turn comes next unless it waits for one anyway.
    fn note(&mut self, id: SessionId, event: &Event) {
        let Some(tenant) = self.sessions.get_mut(id) else { return };
        tenant.session.note(event);
        if !tenant.queued && self.awake.last() != Some(&id) {
            self.awake.push(id);
        }
    }

    /// Takes a batch from every listener. True if there may be more to take at once.
    fn accept(&mut self) -> bool {
        let mut more = false;
        let (first, count) = (self.first_listener, self.listeners.len());
        for index in (first..count).chain(0..first) {
            more |= self.accept_batch(index);
        }
        more
    }

    fn accept_batch(&mut self, index: usize) -> bool {
        for _ in 0..ACCEPT_BATCH {
            if self.sessions.len() >= self.max_connections {
                self.note_full();
                return false;
            }
            match self.listeners.accept(index, self.ctx.now, &mut self.ctx.net) {
                Accepted::Client(socket, address, frontend) => {
                    self.first_listener = (index + 1) % self.listeners.len();
                    self.open(socket, address, frontend);
                }
                Accepted::Gone => {}
                Accepted::Nothing => return false,
                Accepted::Paused => {
                    self.ctx.metrics.accept_pauses += 1;
                    // Descriptors or memory, most likely: after the pause, the next batch will find some.
                    let _ = (0..ACCEPT_BATCH).all(|_| self.ctx.links.yield_one());
                    return false;
                }
            }
        }
        true
    }

    /// Says once that the limit is reached, not again for each client that takes the place of one who left.
    fn note_full(&mut self) {
        if !self.full && self.listeners.any_pending(self.ctx.now) {
            self.full = true;
            self.ctx.metrics.limit_reached += 1;
            log::warn!("{} connections open: clients wait until one closes", self.max_connections);
        }
    }

    fn open(&mut self, mut socket: N::Socket, address: SocketAddr, frontend: usize) {
        self.ctx.metrics.count_accepted(frontend);
        let admission = match admit(address, frontend, &mut self.ctx) {
            Ok(admission) => admission,
            Err(()) => {
                count_closed(frontend, Reason::peer(Side::Client, Cause::ClientLimit), &mut self.ctx);
                return refuse(socket);
            }
        };
        let Proxy { sessions, ctx, .. } = self;
        let mut registered = Ok(());
        let id = sessions.insert(|id| {
            registered = ctx.net.register(&mut socket, Token::Client(id));
            Tenant {
                session: Session::new(id, socket, address, frontend, ctx),
                queued: false,
                _admission: admission,
            }
        });
        match registered {
            Ok(()) => self.step(id),
            Err(error) => {
                rest(&mut self.listeners, &mut self.ctx);
                self.close(id, Reason::proxy(Cause::Exhausted(error.kind())));
            }
        }
    }

    /// Gives a session its turn and does what it asks for.
    fn step(&mut self, id: SessionId) {
        self.give(id, |session, ctx| session.turn(ctx));
    }

    /// Lets a session do something, and does what it asks for.
    #[inline]
    fn give(&mut self, id: SessionId, work: impl FnOnce(&mut Session<N>, &mut Ctx<N>) -> Next) {
        let Some(tenant) = self.sessions.get_mut(id) else { return };
        let next = work(&mut tenant.session, &mut self.ctx);
        if std::mem::take(&mut self.ctx.exhausted) {
            rest(&mut self.listeners, &mut self.ctx);
        }
        match next {
            Next::Wait => {}
            Next::Again if tenant.queued => {}
            Next::Again => {
                tenant.queued = true;
                self.run_queue.push_back(id);
            }
            Next::Close(reason) => return self.close(id, reason),
        }
        if let Some(at) = tenant.session.deadline(&self.ctx) {
            debug_assert!(at > self.ctx.now, "a turn leaves no deadline behind it unserved");
            self.timers.arm(id.slot, at);
        }
    }

    /// The one place where sessions end. Dropping one closes its sockets and releases its backend.
    fn close(&mut self, id: SessionId, reason: Reason) {
        if let Some(mut tenant) = self.sessions.remove(id) {
            tenant.session.finish(reason, &mut self.ctx);
            count_closed(tenant.session.frontend(), reason, &mut self.ctx);
            self.full &= self.sessions.len() > self.max_connections / 8 * 7;
        }
    }

    /// One turn for everybody who is queued now; who queues again meanwhile waits for the next round.
    fn run_queued(&mut self) {
        for _ in 0..self.run_queue.len() {
            let Some(id) = self.run_queue.pop_front() else { return };
            let Some(tenant) = self.sessions.get_mut(id) else { continue };
            tenant.queued = false;
            self.step(id);
        }
    }
}

/// The host has no descriptor or memory left. Whoever is accepted now would be turned away as well; in the queue,
/// waiting costs nothing.
fn rest<N: Net>(listeners: &mut Listeners<N::Listener>, ctx: &mut Ctx<N>) {
    ctx.metrics.accept_pauses += 1;
    listeners.rest(ctx.now);
}

fn count_closed<N: Net>(frontend: usize, reason: Reason, ctx: &mut Ctx<N>) {
    ctx.metrics.count_closed(frontend, reason.ender.word(), reason.cause.word());
}
