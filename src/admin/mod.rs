//! The admin endpoint's connections, in the loop of the first worker: requests go out to who can answer, answers come back.
//!
//! ```text
//! visitor ──head, body──▶ Asked ──channel──▶ the thread that answers (control/)
//!         ◀───bytes─────── Told ◀─channel, and a waker──┘
//! ```
//!
//! The loop only moves bytes here: what takes time (rendering, a reload) is done elsewhere, so that no client waits for an
//! operator. There are [`VISITORS_MOST`] visitors at the most, apart from the clients: who looks in at a full proxy gets in.

mod talk;
mod visitor;

use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

pub use self::talk::{Asked, Then, Told, VisitorId, reply};
use self::visitor::{Step, Visitor};
use crate::ctx::Ctx;
use crate::net::{Event, Net, concerns_one_connection};
use crate::token::Token;

/// Connections at a time. One more takes the place of who has been idle longest.
pub const VISITORS_MOST: usize = 64;
/// Requests that wait for who answers. Visitors who had to go have left some behind.
pub const ASKED_MOST: usize = 4 * VISITORS_MOST;
/// The slot of the listener.
pub const LISTENER: u32 = VISITORS_MOST as u32;
/// How long accepting rests when it fails.
const PAUSE: Duration = Duration::from_millis(100);

/// The turn of a slot, and who has it; in a box, since every turn of the loop looks at all of the slots.
type Place<S> = (u16, Option<Box<Visitor<S>>>);

/// Where the loop and who answers meet.
pub struct Desk<N: Net> {
    /// `None`: another process has taken over, and the visitors that are here still are the last ones.
    listener: Option<N::Listener>,
    /// The queue may hold connections.
    pending: bool,
    resume_at: Option<Instant>,
    visitors: Vec<Place<N::Socket>>,
    /// Whose turn it is.
    ready: Vec<VisitorId>,
    asked: SyncSender<Asked>,
    told: Receiver<Told>,
}

impl<N: Net> Desk<N> {
    /// Opens the desk: requests go into `asked`, and what comes from `told` is handed out when the loop is woken.
    ///
    /// # Errors
    /// The listener cannot be watched.
    pub fn open(
        mut listener: N::Listener,
        asked: SyncSender<Asked>,
        told: Receiver<Told>,
        net: &mut N,
    ) -> std::io::Result<Desk<N>> {
        net.register_listener(&mut listener, Token::Desk { slot: LISTENER, turn: 0 })?;
        let visitors = (0..VISITORS_MOST).map(|_| (0, None)).collect();
        let listener = Some(listener);
        Ok(Desk { listener, pending: true, resume_at: None, visitors, ready: Vec::new(), asked, told })
    }

    /// Where visitors come in.
    pub fn listener(&self) -> Option<&N::Listener> {
        self.listener.as_ref()
    }

    /// Accepts nobody else: another process does. Who is here gets an answer, and is told that it was the last; who looks
    /// at events comes again, and finds the other one.
    pub fn leave(&mut self) {
        (self.listener, self.pending) = (None, false);
        for (_, place) in &mut self.visitors {
            if place.as_ref().is_some_and(|visitor| visitor.is_streaming()) {
                *place = None;
            }
        }
    }

    /// Whether somebody waits for an answer. None takes long: see [`Desk::deadline`].
    pub fn is_busy(&self) -> bool {
        let is_last = self.listener.is_none();
        self.visitors.iter().filter_map(|(_, visitor)| visitor.as_ref()).any(|one| one.is_owed(is_last))
    }

    /// Takes in an event of the listener or of a visitor.
    pub fn note(&mut self, slot: u32, turn: u16, event: &Event) {
        if slot == LISTENER {
            self.pending = self.listener.is_some();
            return;
        }
        if let Some((now, Some(visitor))) = self.visitors.get_mut(slot as usize)
            && *now == turn
        {
            visitor.note(event);
            self.ready.push(VisitorId { slot: slot as u16, turn });
        }
    }

    /// Does what there is to do. `woken`: there may be answers.
    pub fn turn(&mut self, woken: bool, ctx: &mut Ctx<N>) {
        if woken {
            self.hand_out(ctx);
        }
        self.accept(ctx);
        while let Some(id) = self.ready.pop() {
            self.step(id, ctx);
        }
        self.expire(ctx);
    }

    /// When a turn is due even if nothing happens.
    pub fn deadline(&self) -> Option<Instant> {
        let resume_at = self.resume_at.filter(|_| self.pending);
        let is_last = self.listener.is_none();
        let visitors = self.visitors.iter().filter_map(|(_, visitor)| visitor.as_ref()?.deadline(is_last));
        visitors.chain(resume_at).min()
    }

    fn accept(&mut self, ctx: &mut Ctx<N>) {
        if self.resume_at.is_some_and(|at| at > ctx.now) {
            return;
        }
        self.resume_at = None;
        // No more than there are places at a time: the clients have their turn as well.
        for _ in 0..VISITORS_MOST {
            let Some(listener) = self.listener.as_ref().filter(|_| self.pending) else { return };
            match ctx.net.accept_any(listener) {
                Ok(socket) => self.admit(socket, ctx),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => self.pending = false,
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    log::warn!("the admin endpoint cannot accept: {error}");
                    self.resume_at = Some(ctx.now + PAUSE);
                    return;
                }
            }
        }
        // There may be more.
        self.resume_at = Some(ctx.now);
    }

    fn admit(&mut self, mut socket: N::Socket, ctx: &mut Ctx<N>) {
        let free = self.visitors.iter().position(|(_, visitor)| visitor.is_none());
        let Some(slot) = free.or_else(|| self.idlest()) else { return };
        let (turn, place) = &mut self.visitors[slot];
        *turn = (*turn + 1) % Token::DESK_TURNS;
        let token = Token::Desk { slot: slot as u32, turn: *turn };
        *place = match ctx.net.register(&mut socket, token) {
            Ok(()) => Some(Box::new(Visitor::new(socket, ctx.now))),
            Err(error) => {
                log::warn!("the admin endpoint cannot watch a connection: {error}");
                None
            }
        };
    }

    /// Who has asked for nothing for the longest time, or, where all have asked, has been there longest.
    fn idlest(&self) -> Option<usize> {
        let visitors = self.visitors.iter().enumerate();
        let known = visitors.filter_map(|(slot, (_, visitor))| Some((slot, visitor.as_ref()?)));
        known.min_by_key(|(_, visitor)| (visitor.is_busy(), visitor.since())).map(|(slot, _)| slot)
    }

    fn hand_out(&mut self, ctx: &mut Ctx<N>) {
        while let Ok(told) = self.told.try_recv() {
            match told {
                Told::Reply { to, bytes, then } => {
                    if let Some((turn, Some(visitor))) = self.visitors.get_mut(usize::from(to.slot))
                        && *turn == to.turn
                    {
                        visitor.answer(bytes, then, ctx.now);
                        self.ready.push(to);
                    }
                }
                Told::Event(event) => {
                    for (slot, (turn, visitor)) in (0..).zip(&mut self.visitors) {
                        match visitor {
                            Some(visitor) if visitor.is_streaming() => {
                                if !visitor.stream(&event, ctx.now) {
                                    ctx.metrics.events_dropped += 1;
                                }
                                self.ready.push(VisitorId { slot, turn: *turn });
                            }
                            _ => {}
                        }
                    }
                }
            }
        }
    }

    fn step(&mut self, id: VisitorId, ctx: &mut Ctx<N>) {
        let Some((turn, place)) = self.visitors.get_mut(usize::from(id.slot)) else { return };
        let Some(visitor) = place.as_mut().filter(|_| *turn == id.turn) else { return };
        loop {
            match visitor.turn(id, ctx.now) {
                Step::Wait => return,
                Step::Ask(mut asked) => {
                    asked.keep_alive &= self.listener.is_some();
                    ctx.metrics.admin_requests += 1;
                    if self.asked.try_send(*asked).is_err() {
                        // Who answers has too much to do, or has gone, since the process is about to end.
                        *place = None;
                        return;
                    }
                }
                Step::Close => {
                    *place = None;
                    return;
                }
            }
        }
    }

    fn expire(&mut self, ctx: &Ctx<N>) {
        let is_last = self.listener.is_none();
        for (_, place) in &mut self.visitors {
            let deadline = place.as_ref().and_then(|visitor| visitor.deadline(is_last));
            if deadline.is_some_and(|at| at <= ctx.now) {
                *place = None;
            }
        }
    }
}
