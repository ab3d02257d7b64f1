//! A request on its way: a backend is found, the request written, and, where that is safe, written again to another.

use super::{Connect, Current, Http, Phase, Relay, Step};
use crate::ctx::Ctx;
use crate::http::exchange::{self, Event};
use crate::net::Net;
use crate::relay::{Gate, Progress};
use crate::session::connect::{Link, Outcome};
use crate::session::duplex::AT_ONCE;
use crate::session::tcp::client_broke;
use crate::session::{Cause, Next, Reason};
use crate::token::Side;

impl<N: Net> Http<N> {
    /// Looks for a backend.
    pub(super) fn seek(&mut self, ctx: &mut Ctx<N>) -> Step {
        if let Some(reason) = client_broke(&self.client) {
            return Step::close(reason);
        }
        let (Phase::Seeking(connect), Some(current)) = (&mut self.phase, &mut self.current) else {
            return Step::On;
        };
        match connect.turn(current.seeker, &mut current.tried, ctx) {
            Outcome::Waiting if self.total_deadline(ctx).is_some_and(|at| at <= ctx.now) => {
                self.answer(504, Reason::proxy(Cause::RequestTimeout), ctx)
            }
            Outcome::Waiting => {
                self.up.tuck_in(&mut ctx.buffers);
                Step::Stop(Next::Wait)
            }
            Outcome::Failed(cause) => {
                ctx.metrics.unserved += 1;
                self.answer(503, Reason::proxy(cause), ctx)
            }
            Outcome::Connected(link) => self.connected(link, ctx),
        }
    }

    fn connected(&mut self, mut link: Link<N::Socket>, ctx: &mut Ctx<N>) -> Step {
        let Some(current) = &mut self.current else { return Step::On };
        self.record.backend = Some(link.lease.backend().id);
        if link.reused {
            ctx.metrics.reused += 1;
            // A request that must not be sent twice, or whose body may be gone by then, is not sent where the end may
            // already wait to be read.
            let is_repeatable = current.facts.method.is_idempotent() && current.body.is_done();
            if !is_repeatable && !link.conn.is_quiet() {
                return self.seek_fresh(link, ctx);
            }
        } else {
            link.watch(ctx);
        }
        self.since = ctx.now;
        self.phase =
            Phase::Relaying(Relay { link, connected: ctx.now, heard: false, body: None, until_close: false });
        Step::On
    }

    /// Moves what can be moved, both ways.
    pub(super) fn relay(&mut self, ctx: &mut Ctx<N>) -> Step {
        if let Some(reason) = client_broke(&self.client) {
            return Step::close(reason);
        }
        let before = (self.up.moved_bytes(), self.down.moved_bytes(), self.exchange);
        let spent = match self.relay_both(ctx) {
            Ok(spent) => spent,
            Err(step) => return step,
        };
        if (self.up.moved_bytes(), self.down.moved_bytes(), self.exchange) != before {
            self.since = ctx.now;
        }
        // However much moves, the exchange as a whole has its time.
        if spent && self.deadline(ctx).is_none_or(|at| at > ctx.now) {
            return Step::Stop(Next::Again);
        }
        self.await_progress(ctx)
    }

    fn relay_both(&mut self, ctx: &mut Ctx<N>) -> Result<bool, Step> {
        // Both have their turn, whatever the first one says.
        Ok(self.relay_request(ctx)? | self.relay_response(ctx)?)
    }

    /// Writes what is left of the request. `Ok(true)`: another turn is needed.
    fn relay_request(&mut self, ctx: &mut Ctx<N>) -> Result<bool, Step> {
        let (Phase::Relaying(relay), Some(current)) = (&mut self.phase, &mut self.current) else {
            return Ok(false);
        };
        if self.exchange.request != exchange::Request::Sending {
            return Ok(false);
        }
        let backend = &mut relay.link.conn;
        let budget_bytes = ctx.config.limits.turn_bytes;
        match self.up.turn(&mut self.client, backend, &mut current.body, budget_bytes, &mut ctx.buffers) {
            Progress::Done => self.step(Event::RequestSent),
            // What the backend said before may still be read: an answer, or nothing.
            Progress::SinkBroke(_) => {
                backend.expect_end();
                self.step(Event::RequestStopped);
            }
            Progress::SourceBroke(error) => return Err(Step::close(Reason::broken(Side::Client, &error))),
            Progress::Refused(refusal) => return Err(self.refuse(refusal, ctx)),
            Progress::Spent => return Ok(true),
            Progress::Waiting | Progress::Finished => {}
        }
        Ok(false)
    }

    /// The backend's connection ended before a byte of its answer.
    pub(super) fn lost(&mut self, cause: Cause, ctx: &mut Ctx<N>) -> Step {
        let Phase::Relaying(relay) = std::mem::replace(&mut self.phase, Phase::Head) else { return Step::On };
        let Some(current) = &mut self.current else { return Step::On };
        let current_pool = current.seeker.pool;
        let Relay { link, connected, .. } = relay;
        let may_repeat = match self.up.kept_bytes() {
            Some(0) => true,
            // It closed while it was idle, and our request crossed with that: nobody has seen it.
            Some(_) => link.reused && current.facts.method.is_idempotent(),
            None => false,
        };
        if !link.reused && ctx.now < connected + AT_ONCE {
            link.lease.failed_at_once(ctx.now);
        }
        if may_repeat && link.reused {
            return self.seek_fresh(link, ctx);
        }
        self.note_wait(&link, ctx);
        if !link.reused {
            ctx.pools[current_pool].erred(&link.lease, ctx.now);
        }
        link.close(ctx);
        if may_repeat {
            return self.seek_again(ctx);
        }
        self.answer(502, Reason::peer(Side::Backend, cause), ctx)
    }

    /// Checks have given the backend up, and nobody is to wait for it.
    pub fn abandon(&mut self, ctx: &mut Ctx<N>) -> Next {
        let step = match &self.phase {
            Phase::Relaying(relay) if !relay.heard => self.lost(Cause::BackendDown, ctx),
            Phase::Relaying(_) => self.cut_short(Reason::proxy(Cause::BackendDown), ctx),
            Phase::Tunnel(_) => {
                // Only a reset tells that this is not the end.
                self.client.reset_on_close();
                Step::close(Reason::proxy(Cause::BackendDown))
            }
            _ => Step::On,
        };
        match step {
            Step::On => self.turn(ctx),
            Step::Stop(next) => next,
        }
    }

    /// The backend gave no answer, or not all of it.
    pub(super) fn note_error(&self, ctx: &Ctx<N>) {
        if let (Phase::Relaying(relay), Some(current)) = (&self.phase, &self.current) {
            ctx.pools[current.seeker.pool].erred(&relay.link.lease, ctx.now);
        }
    }

    /// Gives a connection that was closed while it waited another chance, as a new one.
    fn seek_fresh(&mut self, link: Link<N::Socket>, ctx: &mut Ctx<N>) -> Step {
        if let Some(Current { seeker, tried, .. }) = &mut self.current {
            seeker.reuse = false;
            seeker.preferred = Some(link.lease.backend().key);
            tried.forget_last();
        }
        link.close(ctx);
        self.seek_again(ctx)
    }

    fn seek_again(&mut self, ctx: &mut Ctx<N>) -> Step {
        ctx.metrics.retries += 1;
        self.record.retries += 1;
        self.up.rewind();
        self.down.drop_held(&mut ctx.buffers);
        self.step(Event::Retry);
        self.phase = Phase::Seeking(Connect::default());
        Step::On
    }

    /// Nothing can be done now. If that has lasted too long, ends it.
    fn await_progress(&mut self, ctx: &mut Ctx<N>) -> Step {
        if self.deadline(ctx).is_none_or(|at| at > ctx.now) {
            if self.awaits_response() {
                self.up.tuck_in(&mut ctx.buffers);
            }
            return Step::Stop(Next::Wait);
        }
        let (status, cause) = if self.total_deadline(ctx).is_some_and(|at| at <= ctx.now) {
            (504, Cause::RequestTimeout)
        } else if self.awaits_response() {
            (504, Cause::ResponseTimeout)
        } else if self.up.owes_nothing() {
            (408, Cause::BodyTimeout)
        } else {
            (504, Cause::BodyTimeout)
        };
        if status == 504 {
            self.note_error(ctx);
        }
        if self.exchange.is_unanswered() {
            self.answer(status, Reason::proxy(cause), ctx)
        } else {
            self.cut_short(Reason::proxy(cause), ctx)
        }
    }
}
