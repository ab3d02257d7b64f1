//! Both directions between a client and a connected backend, and how they end.

use std::time::{Duration, Instant};

use super::connect::Link;
use super::{Cause, Ender, Reason};
use crate::balance::Backend;
use crate::config::Timeouts;
use crate::ctx::Ctx;
use crate::net::{Event, Net, Socket};
use crate::relay::{Conn, Open, Pipe, Progress};
use crate::token::{LinkId, Side};

/// A backend that accepts and then ends without a byte within this time has failed, not answered.
pub(super) const AT_ONCE: Duration = Duration::from_secs(1);
/// The shortest wait before a socket that is to be reset is asked again whether its peer has everything.
const RESET_POLL: Duration = Duration::from_millis(5);

/// Two pipes, and the backend they share with a client.
///
/// A direction is over when its sink has the FIN, or when one of its ends broke. If nothing broke, both sockets
/// are then closed. If a peer broke, what it had sent is still delivered to the other one, which is reset in its
/// turn: a broken stream must not look like a complete one.
pub struct Duplex<S> {
    link: Link<S>,
    connected: Instant,
    last_activity: Instant,
    /// Client to backend.
    up: Pipe,
    /// Backend to client.
    down: Pipe,
    /// What ended one direction first, or broke it.
    ending: Option<Reason>,
    /// Both directions are over; this is left to do.
    resetting: Option<Resetting>,
    /// Not only the peer named in `ending` broke: nobody is left to reset.
    both_broke: bool,
    /// The backend's health has heard of this connection.
    judged: bool,
    /// The backend knows of the connection, or will soon.
    heralded: bool,
    /// A silent backend will be asked whether it is still there. Most connections do not live until that is worth a call.
    watched: bool,
}

/// A peer that gets the other's reset as soon as it has everything.
struct Resetting {
    side: Side,
    since: Instant,
    look_again: Instant,
}

/// What a turn of a [`Duplex`] asks for.
pub enum Verdict {
    /// Nothing until an event or the deadline.
    Wait,
    /// Another turn soon.
    Again,
    /// The end.
    Close(Reason),
    /// The backend broke before a byte was moved either way: another one may still serve.
    Stillborn,
}

impl<S: Socket> Duplex<S> {
    /// The relay over a fresh connection to a backend.
    pub fn new(link: Link<S>, now: Instant) -> Duplex<S> {
        Duplex::with(link, Pipe::default(), Pipe::default(), now)
    }

    /// The relay over a connection that has served as something else: it goes on with the bytes these pipes hold, and
    /// the backend's health has heard of it.
    pub fn continued(link: Link<S>, up: Pipe, down: Pipe, now: Instant) -> Duplex<S> {
        Duplex { judged: true, heralded: true, watched: true, ..Duplex::with(link, up, down, now) }
    }

    fn with(link: Link<S>, up: Pipe, down: Pipe, now: Instant) -> Duplex<S> {
        Duplex {
            link,
            connected: now,
            last_activity: now,
            up,
            down,
            ending: None,
            resetting: None,
            both_broke: false,
            judged: false,
            heralded: false,
            watched: false,
        }
    }

    /// The backend.
    pub fn backend(&self) -> &Backend {
        self.link.lease.backend()
    }

    /// When something moved last.
    pub fn last_activity(&self) -> Instant {
        self.last_activity
    }

    /// Whether all that the backend said is with the client's kernel.
    pub fn owes_client_nothing(&self) -> bool {
        self.down.owes_nothing()
    }

    /// Bytes delivered to the backend, and to the client.
    pub fn moved_bytes(&self) -> (u64, u64) {
        (self.up.moved_bytes(), self.down.moved_bytes())
    }

    /// Takes in an event of the socket to the backend.
    pub fn note(&mut self, event: &Event, link: LinkId) {
        if self.link.id == link {
            self.link.conn.note(event);
        }
    }

    /// When a turn is due even if nothing happens.
    pub fn deadline(&self, timeouts: &Timeouts) -> Instant {
        match &self.resetting {
            Some(resetting) => resetting.look_again,
            None if self.judged && self.watched => self.idle_deadline(timeouts),
            None => self.idle_deadline(timeouts).min(self.connected + AT_ONCE),
        }
    }

    /// Moves what can be moved for a client of `frontend`, and finds out whether that was the end.
    pub fn turn<N: Net<Socket = S>>(
        &mut self,
        client: &mut Conn<S>,
        frontend: usize,
        ctx: &mut Ctx<N>,
    ) -> Verdict {
        self.watch(ctx);
        if self.resetting.is_some() {
            return self.finish_resetting(client, frontend, ctx);
        }
        let before = self.signs_of_life();
        let budget_bytes = ctx.config.limits.turn_bytes;
        self.down.end_by_closing(self.up.is_finished());
        // Down first: a backend's reset shows before a client's byte is given to it, while a retry is safe.
        let down = self.down.turn(&mut self.link.conn, client, &mut Open, budget_bytes, &mut ctx.buffers);
        if matches!(down, Progress::SourceBroke(_)) && self.is_untouched() {
            // Long after the connect, it may still be replaced, but has been judged by its better days.
            if !self.judged {
                self.link.lease.failed_at_once(ctx.now);
            }
            return Verdict::Stillborn;
        }
        let down_spent = self.absorb(down, Side::Backend, ctx);
        // Once the backend has nothing more to say, or the client, closing its socket is all that is left to do.
        self.up.end_by_closing(self.down.is_finished());
        let up = self.up.turn(client, &mut self.link.conn, &mut Open, budget_bytes, &mut ctx.buffers);
        if !std::mem::replace(&mut self.heralded, true) && self.up.moved_bytes() == 0 {
            ctx.ungreeted.push_back((self.link.id, ctx.now));
        }
        let up_spent = self.absorb(up, Side::Client, ctx);
        if self.signs_of_life() != before {
            self.last_activity = ctx.now;
        }
        self.judge(ctx.now);
        if self.up.is_over() && self.down.is_over() {
            return self.end(client, frontend, ctx);
        }
        if down_spent || up_spent {
            return Verdict::Again;
        }
        if ctx.now >= self.idle_deadline(ctx.config.timeouts_of(frontend)) {
            let cause = if self.is_half_closed() { Cause::HalfClosedIdle } else { Cause::Idle };
            return Verdict::Close(Reason::proxy(cause));
        }
        Verdict::Wait
    }

    /// Gives back what is held, whatever the end was.
    pub fn release<N: Net<Socket = S>>(&mut self, ctx: &mut Ctx<N>) {
        self.up.abandon(&mut ctx.buffers);
        self.down.abandon(&mut ctx.buffers);
        ctx.links.close(self.link.id);
        ctx.metrics.up_bytes += self.up.moved_bytes();
        ctx.metrics.down_bytes += self.down.moved_bytes();
    }

    /// Takes in how the pipe whose source is `source` fared. True if it wants another turn.
    fn absorb<N: Net<Socket = S>>(&mut self, progress: Progress, source: Side, ctx: &mut Ctx<N>) -> bool {
        match progress {
            // Done and Refused are for those who look at what passes.
            Progress::Waiting | Progress::Done | Progress::Refused(_) => {}
            Progress::Spent => return true,
            Progress::Finished => {
                self.ending.get_or_insert(Reason::peer(source, Cause::Finished));
            }
            Progress::SourceBroke(error) => {
                self.broke(source, &error);
                // Nobody is left to take what the other direction owes.
                match source {
                    Side::Client => self.down.abandon(&mut ctx.buffers),
                    Side::Backend => self.up.abandon(&mut ctx.buffers),
                }
            }
            // What the broken sink sent before may still be read: the other direction goes on until that ends.
            Progress::SinkBroke(error) => self.broke(source.other(), &error),
        }
        false
    }

    /// The first break is the reason, whatever finished before it.
    fn broke(&mut self, side: Side, error: &std::io::Error) {
        match self.broken_side() {
            None => self.ending = Some(Reason::broken(side, error)),
            Some(first) => self.both_broke |= first != side,
        }
    }

    fn broken_side(&self) -> Option<Side> {
        match self.ending {
            Some(Reason { ender: Ender::Peer(side), cause: Cause::Broken(_) }) => Some(side),
            _ => None,
        }
    }

    /// Lets the backend know of the connection, if no byte of the client's has.
    pub fn greet(&self) {
        if self.up.moved_bytes() == 0
            && let Err(error) = self.link.conn.socket.complete_handshake()
        {
            log::debug!("the end of a handshake goes out late: {error}");
        }
    }

    fn watch<N: Net<Socket = S>>(&mut self, ctx: &Ctx<N>) {
        if !self.watched && ctx.now >= self.connected + AT_ONCE {
            self.watched = true;
            self.link.watch(ctx);
        }
    }

    /// Tells the backend's health how this connection speaks for it: once, as soon as it is known.
    ///
    /// A byte from the backend, or a while without its end, is success. Ending first, at once and without a byte
    /// is what a dead service behind a live port does.
    fn judge(&mut self, now: Instant) {
        if self.judged {
            return;
        }
        let young = now < self.connected + AT_ONCE;
        let ended = self.ending.is_some_and(|ending| ending.ender == Ender::Peer(Side::Backend));
        if ended && young && self.down.moved_bytes() == 0 && !self.up.source_ended() {
            self.link.lease.failed_at_once(now);
        } else if self.down.moved_bytes() > 0 || !young {
            self.link.lease.succeeded(now);
        } else if !ended {
            return;
        }
        self.judged = true;
    }

    /// Both directions are over: close, or pass a reset on.
    fn end<N: Net<Socket = S>>(
        &mut self,
        client: &mut Conn<S>,
        frontend: usize,
        ctx: &mut Ctx<N>,
    ) -> Verdict {
        match self.broken_side() {
            Some(side) if !self.both_broke => {
                self.resetting = Some(Resetting { side: side.other(), since: ctx.now, look_again: ctx.now });
                self.finish_resetting(client, frontend, ctx)
            }
            _ => Verdict::Close(self.reason()),
        }
    }

    /// Resets the surviving peer once it has acknowledged everything: a reset overtakes and destroys what is in
    /// flight. No event tells when, so this looks again, less and less often, until a peer that does not read
    /// has had the time of a half-closed one.
    fn finish_resetting<N: Net<Socket = S>>(
        &mut self,
        client: &mut Conn<S>,
        frontend: usize,
        ctx: &mut Ctx<N>,
    ) -> Verdict {
        let reason = self.reason();
        let Some(resetting) = &mut self.resetting else { return Verdict::Close(reason) };
        let survivor = match resetting.side {
            Side::Client => client,
            Side::Backend => &mut self.link.conn,
        };
        let waited = ctx.now - resetting.since;
        let acknowledged = !matches!(survivor.socket.unsent_bytes(), Ok(count) if count > 0);
        if acknowledged || survivor.has_error() || waited >= ctx.config.timeouts_of(frontend).half_close {
            survivor.reset_on_close();
            return Verdict::Close(reason);
        }
        resetting.look_again = ctx.now + RESET_POLL.max(waited / 4);
        Verdict::Wait
    }

    fn reason(&self) -> Reason {
        // Both directions are over only after one of them said why.
        self.ending.unwrap_or(Reason::proxy(Cause::Finished))
    }

    /// Everything that changes when something moves.
    fn signs_of_life(&self) -> [(u64, bool, bool); 2] {
        // A break is one: it starts the time of a half-closed session, however long nothing had moved before.
        [&self.up, &self.down].map(|pipe| (pipe.moved_bytes(), pipe.source_ended(), pipe.is_over()))
    }

    fn is_untouched(&self) -> bool {
        self.down.moved_bytes() == 0 && self.up.is_untouched()
    }

    fn is_half_closed(&self) -> bool {
        [&self.up, &self.down].iter().any(|pipe| pipe.source_ended() || pipe.is_over())
    }

    fn idle_deadline(&self, timeouts: &Timeouts) -> Instant {
        self.last_activity + if self.is_half_closed() { timeouts.half_close } else { timeouts.idle }
    }
}
