//! How exchanges end, and with them, perhaps, the client's connection.

use super::{Current, Http, LINGER, Phase, Relay, Step};
use crate::ctx::Ctx;
use crate::http::exchange::{self, Event, Exchange};
use crate::http::reply::Reply;
use crate::http::{Framing, Method, Refusal, Version};
use crate::net::{Net, Socket};
use crate::relay::Filled;
use crate::session::{Cause, Next, Reason};
use crate::token::Side;

/// Reads of what nobody wants, before others get their turn.
const LINGER_READS: usize = 16;
/// What a client that finds no backend is asked to wait.
const RETRY_AFTER_S: u32 = 1;

impl<N: Net> Http<N> {
    /// The client said what no backend is told.
    pub(super) fn refuse(&mut self, refusal: Refusal, ctx: &mut Ctx<N>) -> Step {
        ctx.metrics.refused += 1;
        let reason = Reason::peer(Side::Client, Cause::Refused(refusal.why));
        if self.exchange.is_unanswered() {
            self.answer(refusal.status, reason, ctx)
        } else {
            self.abort(reason, ctx)
        }
    }

    /// Answers in the backend's place.
    pub(super) fn answer(&mut self, status: u16, reason: Reason, ctx: &mut Ctx<N>) -> Step {
        self.leave_backend(ctx);
        if !self.down.owes_nothing() {
            // The client may have a part of an interim head, and reads no further: nothing can follow it.
            return self.abort(reason, ctx);
        }
        let keep_alive = self.current.as_ref().is_some_and(|current| {
            // Ours is told how by its version only, and a body that nobody read would pass for a request.
            let is_read = matches!(current.facts.framing, Framing::Empty | Framing::Length(0));
            is_read && current.facts.keep_alive && current.facts.version > Version::Http10
        }) && !ctx.draining
            // What the client said next went down with the backend's connection.
            && !self.up.is_over();
        let (id, started) = (self.id, self.since);
        let current = self.current.get_or_insert_with(|| Current::unread(id, started));
        current.record.status = status;
        let reply = Reply {
            status,
            json: current.facts.wants_json,
            close: !keep_alive,
            head_only: current.facts.method == Method::Head,
            retry_after_s: (status == 503).then_some(RETRY_AFTER_S),
        };
        ctx.scratch.clear();
        reply.write(&mut ctx.scratch);
        self.response_bytes = content_bytes(&ctx.scratch);
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

    /// Writes an answer of our own.
    pub(super) fn send_reply(&mut self, ctx: &mut Ctx<N>) -> Step {
        let Phase::Replying(reason) = self.phase else { return Step::On };
        match self.down.flush(&mut self.client, &mut ctx.buffers) {
            Ok(true) => {
                self.step(Event::ResponseSent);
                self.record(reason, ctx);
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

    /// The response is written: what becomes of both connections.
    pub(super) fn finish_exchange(&mut self, ctx: &mut Ctx<N>) -> Step {
        let Phase::Relaying(Relay { link, body, .. }) = std::mem::replace(&mut self.phase, Phase::Head)
        else {
            return Step::On;
        };
        self.response_bytes = body.map_or(0, |body| body.0.content_bytes());
        // Bytes beyond the response belong to nothing that was asked.
        let extra = !self.down.unread().is_empty();
        self.down.drop_held(&mut ctx.buffers);
        let pool = ctx.config.frontends[self.frontend].pool;
        if self.exchange.backend_stays() && !extra {
            link.park(pool, ctx)
        } else {
            link.close(ctx)
        }
        let asked_to_close = self.current.as_ref().is_some_and(|current| !current.facts.keep_alive);
        let reason = Reason::peer(Side::Backend, Cause::Finished);
        self.record(reason, ctx);
        if self.exchange.client_stays() {
            self.await_request(ctx);
            return Step::On;
        }
        // Closing while the client still sends would reset the connection, and destroy what it has not read.
        let is_read = self.exchange.request == exchange::Request::Sent;
        let nothing_follows = is_read && self.up.unread().is_empty() && !self.client.readable();
        if asked_to_close && nothing_follows {
            return Step::close(reason);
        }
        self.take_leave(reason, ctx)
    }

    /// The response cannot be completed, and the client must not take it for complete.
    pub(super) fn abort(&mut self, reason: Reason, ctx: &mut Ctx<N>) -> Step {
        if self.ends_by_closing() {
            return Step::close(reason);
        }
        // Closing at once could reset the connection, and destroy the answers to earlier requests.
        self.leave_backend(ctx);
        self.down.drop_held(&mut ctx.buffers);
        self.record(reason, ctx);
        self.take_leave(reason, ctx)
    }

    /// A part of a response is sent whose end is told by closing.
    fn ends_by_closing(&self) -> bool {
        matches!(self.phase, Phase::Relaying(Relay { until_close: true, .. }))
    }

    /// Reads, and forgets, what a client sends that was told of the end.
    pub(super) fn linger(&mut self, ctx: &mut Ctx<N>) -> Step {
        let Phase::Lingering { until, reason } = self.phase else { return Step::On };
        for _ in 0..LINGER_READS {
            if ctx.now >= until {
                return Step::close(reason);
            }
            if !self.client.readable() {
                return Step::Stop(Next::Wait);
            }
            let filled = self.up.fill_large(&mut self.client, 0, &mut ctx.buffers);
            self.up.drop_held(&mut ctx.buffers);
            if matches!(filled, Filled::Ended | Filled::Broke(_)) {
                return Step::close(reason);
            }
        }
        Step::Stop(Next::Again)
    }

    /// The last thing done to a session: gives back what it holds, and writes the line of a request cut short.
    pub fn finish(&mut self, reason: Reason, ctx: &mut Ctx<N>) {
        if let Phase::Tunnel(duplex) = &mut self.phase {
            self.response_bytes = duplex.moved_bytes().1;
        }
        if self.ends_by_closing() {
            // Only a reset tells that this is not the end.
            self.client.reset_on_close();
        }
        self.leave_backend(ctx);
        self.up.drop_held(&mut ctx.buffers);
        self.down.drop_held(&mut ctx.buffers);
        self.record(reason, ctx);
        ctx.metrics.up_bytes += self.up.moved_bytes();
        ctx.metrics.down_bytes += self.down.moved_bytes();
    }

    /// Closes what leads to a backend.
    fn leave_backend(&mut self, ctx: &mut Ctx<N>) {
        match std::mem::replace(&mut self.phase, Phase::Head) {
            Phase::Seeking(mut connect) => connect.release(ctx),
            Phase::Relaying(relay) => {
                self.response_bytes = relay.body.map_or(0, |body| body.0.content_bytes());
                relay.link.close(ctx);
            }
            Phase::Tunnel(mut duplex) => duplex.release(ctx),
            Phase::Head | Phase::Replying(_) | Phase::Lingering { .. } => {}
        }
    }

    /// Both are ready for another request.
    fn await_request(&mut self, ctx: &mut Ctx<N>) {
        self.up.forget(&mut ctx.buffers);
        self.exchange = Exchange::default();
        self.phase = Phase::Head;
        self.since = ctx.now;
        self.response_bytes = 0;
    }

    /// Tells the client that nothing follows, and waits until it has understood.
    fn take_leave(&mut self, reason: Reason, ctx: &mut Ctx<N>) -> Step {
        self.up.drop_held(&mut ctx.buffers);
        if self.client.socket.shutdown_write().is_err() {
            return Step::close(reason);
        }
        self.phase = Phase::Lingering { until: ctx.now + LINGER, reason };
        Step::On
    }
}

/// What follows the head of an answer of ours.
fn content_bytes(reply: &[u8]) -> u64 {
    let head = reply.windows(4).position(|four| four == b"\r\n\r\n").map_or(reply.len(), |end| end + 4);
    (reply.len() - head) as u64
}
