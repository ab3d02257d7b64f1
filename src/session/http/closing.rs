//! How exchanges end, and with them, perhaps, the client's connection.

use super::{Http, LINGER_MAX, Link, Phase, Relay, Step};
use crate::balance::Sample;
use crate::ctx::Ctx;
use crate::http::exchange::{self, Exchange};
use crate::net::{Net, Socket};
use crate::relay::Filled;
use crate::session::{Cause, Next, Reason};
use crate::token::Side;

/// Reads of what nobody wants, before others get their turn.
const LINGER_READS: usize = 16;

impl<N: Net> Http<N> {
    /// The response is written: what becomes of both connections.
    pub(super) fn finish_exchange(&mut self, ctx: &mut Ctx<N>) -> Step {
        let Phase::Relaying(relay) = std::mem::replace(&mut self.phase, Phase::Head) else { return Step::On };
        self.record.response_bytes = relay.content_bytes();
        self.count_bytes(&relay.link);
        let link = relay.link;
        let pool = self.pool(ctx);
        ctx.pools[pool].completed(&link.lease, self.record.status, ctx.now);
        // Bytes beyond the response belong to nothing that was asked.
        let extra = !self.down.unread().is_empty();
        self.down.drop_held(&mut ctx.buffers);
        // Another answer may be on its way if the backend took an unexpected body for a request.
        let is_in_step = self.current.as_ref().is_some_and(|current| {
            current.facts.method.defines_content() || current.body.content_bytes() == 0
        });
        if self.exchange.backend_stays() && !extra && is_in_step {
            link.park(pool, ctx)
        } else {
            link.close(ctx)
        }
        let asked_to_close = self.current.as_ref().is_some_and(|current| !current.facts.keep_alive);
        let reason = Reason::peer(Side::Backend, Cause::Finished);
        self.write_record(reason, ctx);
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
    pub(super) fn cut_short(&mut self, reason: Reason, ctx: &mut Ctx<N>) -> Step {
        if self.ends_by_closing() {
            return Step::close(reason);
        }
        // Closing at once could reset the connection, and destroy the answers to earlier requests.
        self.leave_backend(ctx);
        self.down.drop_held(&mut ctx.buffers);
        self.write_record(reason, ctx);
        self.take_leave(reason, ctx)
    }

    /// Reads, and forgets, what a client sends that was told of the end.
    pub(super) fn linger(&mut self, ctx: &mut Ctx<N>) -> Step {
        let Phase::Lingering { reason, .. } = self.phase else { return Step::On };
        for _ in 0..LINGER_READS {
            if self.client.readable() {
                let filled = self.up.fill_large(&mut self.client, 0, &mut ctx.buffers);
                self.up.drop_held(&mut ctx.buffers);
                match filled {
                    Filled::More(_) => self.since = ctx.now,
                    Filled::Ended | Filled::Broke(_) => return Step::close(reason),
                    Filled::Nothing | Filled::Full => {}
                }
            }
            if self.deadline(ctx).is_some_and(|at| at <= ctx.now) {
                return Step::close(reason);
            }
            if !self.client.readable() {
                return Step::Stop(Next::Wait);
            }
        }
        Step::Stop(Next::Again)
    }

    /// The last thing done to a session: gives back what it holds, and writes the line of a request cut short.
    pub fn finish(&mut self, reason: Reason, ctx: &mut Ctx<N>) {
        if self.ends_by_closing() {
            // Only a reset tells that this is not the end.
            self.client.reset_on_close();
        }
        self.leave_backend(ctx);
        self.up.drop_held(&mut ctx.buffers);
        self.down.drop_held(&mut ctx.buffers);
        self.write_record(reason, ctx);
        ctx.metrics.up_bytes += self.up.moved_bytes();
        ctx.metrics.down_bytes += self.down.moved_bytes();
    }

    /// A part of a response is sent whose end is told by closing.
    fn ends_by_closing(&self) -> bool {
        matches!(self.phase, Phase::Relaying(Relay { until_close: true, .. }))
    }

    /// Closes what leads to a backend, and notes what came from there.
    pub(super) fn leave_backend(&mut self, ctx: &mut Ctx<N>) {
        match std::mem::replace(&mut self.phase, Phase::Head) {
            Phase::Seeking(mut connect) => connect.release(ctx),
            Phase::Relaying(relay) => {
                self.record.response_bytes = relay.content_bytes();
                self.count_bytes(&relay.link);
                self.note_wait(&relay.link, ctx);
                relay.link.close(ctx);
            }
            Phase::Tunnel(mut duplex) => {
                let (up_bytes, down_bytes) = duplex.moved_bytes();
                self.record.response_bytes = down_bytes.saturating_sub(self.record.before_bytes);
                duplex.backend().stats().count_bytes(up_bytes, self.record.response_bytes);
                duplex.release(ctx);
            }
            Phase::Head | Phase::Replying(_) | Phase::Lingering { .. } => {}
        }
    }

    /// Counts what the exchange has moved for its backend.
    fn count_bytes(&self, link: &Link<N::Socket>) {
        let request_bytes = self.current.as_ref().map_or(0, |current| current.body.content_bytes());
        link.lease.backend().stats().count_bytes(request_bytes, self.record.response_bytes);
    }

    /// Tells the balancer how long an answer was awaited in vain: who gave up, the client, the backend or our patience,
    /// does not matter.
    pub(super) fn note_wait(&self, link: &Link<N::Socket>, ctx: &mut Ctx<N>) {
        if self.awaits_response() {
            let pool = self.pool(ctx);
            ctx.pools[pool].observe(link.lease.backend(), Sample::Wait, self.since, ctx.now);
        }
    }

    /// Both are ready for another request.
    pub(super) fn await_request(&mut self, ctx: &mut Ctx<N>) {
        self.up.forget(&mut ctx.buffers);
        self.exchange = Exchange::default();
        self.phase = Phase::Head;
        self.since = ctx.now;
    }

    /// Tells the client that nothing follows, and waits until it has understood.
    pub(super) fn take_leave(&mut self, reason: Reason, ctx: &mut Ctx<N>) -> Step {
        self.up.drop_held(&mut ctx.buffers);
        if self.client.socket.shutdown_write().is_err() {
            return Step::close(reason);
        }
        self.since = ctx.now;
        self.phase = Phase::Lingering { until: ctx.now + LINGER_MAX, reason };
        Step::On
    }
}
