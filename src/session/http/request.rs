//! From a client's bytes to a request: its head is read, checked and replaced by the one for the backend.

use std::net::IpAddr;

use super::gate::{BODY_TOO_LARGE, BodyGate, HEADROOM_BYTES};
use super::record::Record;
use super::{Connect, Current, Http, Phase, Seeker, Step, head_limits};
use crate::balance::Tried;
use crate::config::{ForwardedStyle, Frontend};
use crate::ctx::Ctx;
use crate::http::exchange::{Event, Exchange};
use crate::http::request::{self, Fields, Forward};
use crate::http::{Body, Framing, Refusal, Request, cookie};
use crate::net::Net;
use crate::relay::Filled;
use crate::session::{Cause, Next, Reason};
use crate::token::Side;

/// The client comes more often than it may.
const TOO_OFTEN: Refusal = Refusal::new(429, "rate_limited");

impl<N: Net> Http<N> {
    /// Reads until a head is complete, refused, or late.
    pub(super) fn read_head(&mut self, ctx: &mut Ctx<N>) -> Step {
        loop {
            if !self.up.unread().is_empty() {
                match self.take_head(ctx) {
                    Ok(true) => return Step::On,
                    Ok(false) => {}
                    Err(refusal) => return self.refuse(refusal, ctx),
                }
            }
            let begins = !self.head_has_begun();
            // Whoever waits for nothing but another request need not wait while we drain; one may be here already.
            let leaving = ctx.draining && !ctx.gently && self.served && begins;
            if !self.client.readable() && !leaving {
                return self.await_head(ctx);
            }
            match self.up.fill(&mut self.client, HEADROOM_BYTES, &mut ctx.buffers) {
                // A head's time begins with its first byte.
                Filled::More(_) if begins && self.head_has_begun() => self.since = ctx.now,
                Filled::Nothing if leaving => return Step::close(Reason::proxy(Cause::Finished)),
                Filled::More(_) | Filled::Nothing => {}
                Filled::Full => return self.refuse(Refusal::new(431, "head_too_large"), ctx),
                Filled::Ended if begins => return Step::close(Reason::peer(Side::Client, Cause::Finished)),
                Filled::Ended => return self.refuse(Refusal::new(400, "incomplete_head"), ctx),
                Filled::Broke(error) => return Step::close(Reason::broken(Side::Client, &error)),
            }
        }
    }

    fn await_head(&mut self, ctx: &mut Ctx<N>) -> Step {
        match self.deadline(ctx) {
            Some(at) if at > ctx.now => Step::Stop(Next::Wait),
            // Between requests nobody waits for an answer.
            _ if !self.head_has_begun() => Step::close(Reason::proxy(Cause::Idle)),
            _ => self.answer(408, Reason::proxy(Cause::HeadTimeout), ctx),
        }
    }

    /// Whether there is more than the empty lines that some clients put after a body, and that ask for nothing.
    pub(super) fn head_has_begun(&self) -> bool {
        self.up.unread().iter().any(|byte| !matches!(byte, b'\r' | b'\n'))
    }

    /// If the head is complete, puts the one for the backend in its place, and begins to look for a backend.
    fn take_head(&mut self, ctx: &mut Ctx<N>) -> Result<bool, Refusal> {
        let limits = head_limits(&ctx.config, self.frontend);
        let mut fields = Fields::default();
        let Some(request) = request::parse(self.up.unread(), &mut fields, &limits)? else {
            return Ok(false);
        };
        let frontend = &ctx.config.frontends[self.frontend];
        let peer = self.peer.ip();
        let trusts = |address: IpAddr| frontend.trusted_proxies.iter().any(|range| range.contains(address));
        let how = forward(frontend, peer, trusts(peer));
        ctx.scratch.clear();
        request.forward(&mut ctx.scratch, &how);
        let (len, facts) = (request.len, request.facts);
        let client = if how.trusted { request.client(peer, trusts) } else { peer };
        let pool = frontend.route(request.host, request.path_and_query());
        let cookie = sticky_key(&request, pool, ctx);
        let record = Record::new(&request, ctx.now, &mut ctx.spare_texts);
        self.up.replace(len, &ctx.scratch, &mut ctx.buffers);
        let seeker = Seeker {
            id: self.id,
            frontend: self.frontend as u32,
            pool,
            client,
            preferred: cookie,
            reuse: true,
            budgeted: true,
        };
        // What is sent may have to be sent again, until the backend has said something.
        self.up.keep();
        ctx.pools[pool].note_request();
        ctx.metrics.requests += 1;
        (self.served, self.record) = (true, record);
        self.exchange = Exchange::default();
        self.step(Event::RequestHead { keep_alive: facts.keep_alive, upgrade: facts.upgrade });
        let body = Body::new(facts.framing, facts.framing, !facts.nominates, &limits);
        let body = BodyGate::bounded(body, ctx.config.limits_of(self.frontend).body_bytes);
        self.current = Some(Current { facts, seeker, body, tried: Tried::default(), cookie });
        self.phase = Phase::Seeking(Connect::default());
        self.since = ctx.now;
        if let Some(clients) = &ctx.clients[self.frontend]
            && let Err(excess) = clients.may_come(client, ctx.now)
        {
            clients.note_refusal(client, excess, &ctx.config.frontends[self.frontend].name, ctx.now);
            return Err(TOO_OFTEN);
        }
        match (facts.framing, ctx.config.limits_of(self.frontend).body_bytes) {
            (Framing::Length(length), Some(most)) if length > most => Err(BODY_TOO_LARGE),
            _ => Ok(true),
        }
    }
}

fn forward(frontend: &Frontend, peer: IpAddr, trusted: bool) -> Forward {
    use ForwardedStyle::{Both, Rfc7239, XForwarded};
    let x_forwarded = matches!(frontend.forwarded, XForwarded | Both);
    let rfc7239 = matches!(frontend.forwarded, Rfc7239 | Both);
    Forward { peer, trusted, x_forwarded, rfc7239 }
}

/// The key of the backend that the client's cookie names, if this pool sets one.
fn sticky_key<N: Net>(request: &Request<'_, '_>, pool: usize, ctx: &Ctx<N>) -> Option<u64> {
    let sticky = ctx.config.pools[pool].sticky.as_ref()?;
    cookie::backend_key(request.cookie(&sticky.cookie)?)
}
