//! Answers in the backend's place.

use super::{Http, Phase, Step};
use crate::ctx::Ctx;
use crate::http::exchange::{self, Event};
use crate::http::reply::Reply;
use crate::http::request::Facts;
use crate::http::{Framing, Method, Refusal, Version};
use crate::net::Net;
use crate::session::{Cause, Next, Reason};
use crate::token::Side;

/// What a client that finds no backend, or comes too often, is asked to wait: whatever the rate, it gives one in a second.
const RETRY_AFTER_S: u32 = 1;

impl<N: Net> Http<N> {
    /// The client said what no backend is told.
    pub(super) fn refuse(&mut self, refusal: Refusal, ctx: &mut Ctx<N>) -> Step {
        ctx.metrics.refused += 1;
        let reason = Reason::peer(Side::Client, Cause::Refused(refusal.why));
        if self.exchange.is_unanswered() {
            self.answer(refusal.status, reason, ctx)
        } else {
            self.cut_short(reason, ctx)
        }
    }

    /// Answers in the backend's place.
    pub(super) fn answer(&mut self, status: u16, reason: Reason, ctx: &mut Ctx<N>) -> Step {
        self.leave_backend(ctx);
        if !self.down.owes_nothing() {
            // The client may have a part of an interim head, and reads no further: nothing can follow it.
            return self.cut_short(reason, ctx);
        }
        let facts = self.current.as_ref().map(|current| current.facts);
        let keep_alive = !ctx.is_leaving(self.frontend) && facts.is_some_and(|facts| self.may_go_on(&facts));
        self.record.started.get_or_insert(self.since);
        self.record.status = status;
        let reply = Reply {
            status,
            json: facts.is_some_and(|facts| facts.wants_json),
            close: !keep_alive,
            head_only: facts.is_some_and(|facts| facts.method == Method::Head),
            retry_after_s: matches!(status, 429 | 503).then_some(RETRY_AFTER_S),
        };
        ctx.scratch.clear();
        self.record.response_bytes = reply.write(&mut ctx.scratch) as u64;
        self.step(Event::Reply { keep_alive });
        self.down.drop_held(&mut ctx.buffers);
        self.down.replace(0, &ctx.scratch, &mut ctx.buffers);
        if keep_alive {
            self.up.drop_cleared(&mut ctx.buffers);
        } else {
            self.up.drop_held(&mut ctx.buffers);
        }
        self.since = ctx.now;
        self.phase = Phase::Replying(reason);
        Step::On
    }

    /// Whether another request may follow one that the proxy answers itself.
    fn may_go_on(&self, facts: &Facts) -> bool {
        // A body that nobody read would pass for a request, and a pipe that broke has lost what it held: perhaps the
        // start of the next one.
        let is_read = self.exchange.request == exchange::Request::Sent
            || matches!(facts.framing, Framing::Empty | Framing::Length(0));
        // HTTP/1.0 would have to be told.
        is_read && !self.up.is_over() && facts.keep_alive && facts.version > Version::Http10
    }

    /// Writes an answer of our own.
    pub(super) fn send_reply(&mut self, ctx: &mut Ctx<N>) -> Step {
        let Phase::Replying(reason) = self.phase else { return Step::On };
        let is_last = self.exchange.client == exchange::KeepAlive::Close;
        match self.down.flush(&mut self.client, is_last, &mut ctx.buffers) {
            Ok(true) => {
                self.step(Event::ResponseSent);
                self.write_record(reason, ctx);
                if self.exchange.client_stays() {
                    self.await_request(ctx);
                    // Answers of our own take no waiting, so a client that keeps asking would keep us here.
                    return Step::Stop(Next::Again);
                }
                self.take_leave(reason, ctx)
            }
            Ok(false) if self.deadline(ctx).is_some_and(|at| at <= ctx.now) => {
                Step::close(Reason::proxy(Cause::BodyTimeout))
            }
            Ok(false) => Step::Stop(Next::Wait),
            Err(error) => Step::close(Reason::broken(Side::Client, &error)),
        }
    }
}
