//! From a backend's bytes to a response: heads are read, checked and replaced by those for the client.

use super::gate::{BodyGate, HEADROOM_BYTES};
use super::{Http, Phase, Relay, Step, head_limits};
use crate::balance::Sample;
use crate::config::Config;
use crate::ctx::Ctx;
use crate::http::cookie::Sticky;
use crate::http::exchange::{self, Event, KeepAlive};
use crate::http::request::Fields;
use crate::http::response::{self, Connection, Facts, Forward};
use crate::http::{Body, Framing, HeadLimits, Method, Refusal, Version};
use crate::net::Net;
use crate::relay::{Filled, Progress};
use crate::session::{Cause, Duplex, Reason};
use crate::token::Side;

/// Interim heads passed on before others get their turn.
const INTERIM_MAX: usize = 32;

/// What a head of the backend's leads to.
enum Head {
    /// It is not complete.
    Incomplete,
    /// Another will follow.
    Interim,
    /// It is followed by its body.
    Final,
    /// The protocol changes.
    Switch,
}

impl<N: Net> Http<N> {
    /// Passes on what the backend answers. `Ok(true)`: another turn is needed.
    pub(super) fn relay_response(&mut self, ctx: &mut Ctx<N>) -> Result<bool, Step> {
        if self.exchange.response == exchange::Response::Awaited && self.read_response_head(ctx)? {
            return Ok(true);
        }
        if self.exchange.response == exchange::Response::Sending {
            return self.relay_response_body(ctx);
        }
        Ok(false)
    }

    /// Reads until the last head, or what there is of it. `Ok(true)`: another turn is needed.
    fn read_response_head(&mut self, ctx: &mut Ctx<N>) -> Result<bool, Step> {
        let mut interim_left = INTERIM_MAX;
        loop {
            // An interim head goes out before the next one is looked at.
            match self.down.flush(&mut self.client, false, &mut ctx.buffers) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => return Err(Step::close(Reason::broken(Side::Client, &error))),
            }
            if interim_left == 0 {
                return Ok(true);
            }
            match self.take_response_head(ctx) {
                Ok(Head::Incomplete) => {}
                Ok(Head::Interim) => {
                    interim_left -= 1;
                    continue;
                }
                Ok(Head::Final) => return Ok(false),
                Ok(Head::Switch) => return Err(self.switch(ctx)),
                Err(refusal) => {
                    return Err(self.bad_answer(Cause::Refused(refusal.why), ctx));
                }
            }
            let Phase::Relaying(Relay { link, heard, .. }) = &mut self.phase else { return Ok(false) };
            if !link.conn.readable() {
                return Ok(false);
            }
            match self.down.fill_large(&mut link.conn, HEADROOM_BYTES, &mut ctx.buffers) {
                // From here on, the request is not sent anywhere else.
                Filled::More(_) => {
                    *heard = true;
                    self.up.forget(&mut ctx.buffers);
                }
                Filled::Nothing => {}
                Filled::Full => return Err(self.bad_answer(Cause::Refused("head_too_large"), ctx)),
                Filled::Ended if !*heard => return Err(self.lost(Cause::Incomplete, ctx)),
                Filled::Broke(error) if !*heard => {
                    return Err(self.lost(Cause::Broken(error.kind()), ctx));
                }
                Filled::Ended => return Err(self.bad_answer(Cause::Incomplete, ctx)),
                Filled::Broke(error) => return Err(self.bad_answer(Cause::Broken(error.kind()), ctx)),
            }
        }
    }

    /// If a head is complete, puts the one for the client in its place.
    fn take_response_head(&mut self, ctx: &mut Ctx<N>) -> Result<Head, Refusal> {
        let awaited = self.awaits_response();
        let (Phase::Relaying(relay), Some(current)) = (&mut self.phase, &mut self.current) else {
            return Ok(Head::Incomplete);
        };
        if self.down.unread().is_empty() {
            return Ok(Head::Incomplete);
        }
        let limits = head_limits(&ctx.config, self.frontend);
        let mut fields = Fields::default();
        let Some(response) = response::parse(self.down.unread(), &mut fields, &limits, current.facts.method)?
        else {
            return Ok(Head::Incomplete);
        };
        let (len, facts, client) = (response.len, response.facts, current.facts.version);
        let framing = facts.framing.towards(client);
        let mut cookie = None;
        let (head, connection) = if facts.is_switching() {
            if !self.exchange.step(Event::Switch) {
                return Err(Refusal::new(502, "unasked_upgrade"));
            }
            (Head::Switch, Connection::Upgrade)
        } else if facts.is_interim() {
            (Head::Interim, Connection::Implied)
        } else {
            let last = ctx.is_leaving(self.frontend) || framing == Framing::UntilClose;
            self.exchange.step(Event::ResponseHead { keep_alive: facts.keep_alive, last });
            let backend_key = relay.link.lease.backend().key;
            if current.cookie != Some(backend_key) {
                cookie = set_cookie(&ctx.config, current.seeker.pool, backend_key);
            }
            (Head::Final, connection(self.exchange.client, client))
        };
        ctx.scratch.clear();
        // HTTP/1.0 knows of no interim responses.
        if !facts.is_interim() || client > Version::Http10 {
            response.forward(&mut ctx.scratch, &Forward { framing, connection, cookie: cookie.as_deref() });
        }
        self.down.replace(len, &ctx.scratch, &mut ctx.buffers);
        let pool = &mut ctx.pools[current.seeker.pool];
        pool.answered(&relay.link.lease, facts.status, ctx.now);
        // One that does not wait for the whole request says nothing about the time that one takes.
        if awaited && !matches!(head, Head::Interim) {
            let sample = if facts.status < 500 { Sample::Answer } else { Sample::Failure };
            pool.observe(relay.link.lease.backend(), sample, self.since, ctx.now);
        }
        if matches!(head, Head::Final) {
            relay.until_close = framing == Framing::UntilClose;
            self.down.end_by_closing(self.exchange.client != KeepAlive::Keep);
            relay.body = Some(response_body(&facts, current.facts.method, framing, &limits));
        }
        if !matches!(head, Head::Interim) {
            self.record.status = facts.status;
        }
        Ok(head)
    }

    /// Writes what is left of the response. `Ok(true)`: another turn is needed.
    fn relay_response_body(&mut self, ctx: &mut Ctx<N>) -> Result<bool, Step> {
        let Phase::Relaying(Relay { link, body: Some(body), .. }) = &mut self.phase else { return Ok(false) };
        let budget_bytes = ctx.config.limits.turn_bytes;
        match self.down.turn(&mut link.conn, &mut self.client, body, budget_bytes, &mut ctx.buffers) {
            Progress::Waiting | Progress::Finished => Ok(false),
            Progress::Spent => Ok(true),
            Progress::Done => {
                self.step(Event::ResponseSent);
                Err(self.finish_exchange(ctx))
            }
            Progress::SinkBroke(error) => Err(Step::close(Reason::broken(Side::Client, &error))),
            Progress::SourceBroke(error) => {
                self.note_error(ctx);
                Err(self.cut_short(Reason::broken(Side::Backend, &error), ctx))
            }
            Progress::Refused(refusal) => {
                self.note_error(ctx);
                Err(self.cut_short(Reason::peer(Side::Backend, Cause::Refused(refusal.why)), ctx))
            }
        }
    }

    /// From here on it is TCP.
    fn switch(&mut self, ctx: &mut Ctx<N>) -> Step {
        let Phase::Relaying(relay) = std::mem::replace(&mut self.phase, Phase::Head) else { return Step::On };
        self.up.forget(&mut ctx.buffers);
        // The head is on its way, and all before it is out.
        let pool = self.current.as_ref().map(|current| &ctx.pools[current.seeker.pool]);
        pool.inspect(|pool| pool.completed(&relay.link.lease, self.record.status, ctx.now));
        self.record.before_bytes = self.down.moved_bytes() + self.down.owed_bytes() as u64;
        let (up, down) = (std::mem::take(&mut self.up), std::mem::take(&mut self.down));
        self.phase = Phase::Tunnel(Box::new(Duplex::continued(relay.link, up, down, ctx.now)));
        Step::On
    }

    /// What the backend says is not an answer that could be passed on.
    fn bad_answer(&mut self, cause: Cause, ctx: &mut Ctx<N>) -> Step {
        self.note_error(ctx);
        self.answer(502, Reason::peer(Side::Backend, cause), ctx)
    }
}

fn connection(client: KeepAlive, version: Version) -> Connection {
    match (client, version) {
        (KeepAlive::Close, _) => Connection::Close,
        (KeepAlive::Keep, Version::Http10) => Connection::KeepAlive,
        (KeepAlive::Keep, Version::Http11) => Connection::Implied,
    }
}

fn response_body(facts: &Facts, method: Method, framing: Framing, limits: &HeadLimits) -> BodyGate {
    debug_assert!(method != Method::Head || facts.framing == Framing::Empty);
    BodyGate::new(Body::new(facts.framing, framing, !facts.nominates, limits))
}

/// The value of the `Set-Cookie` that ties the client to the backend with this key, if the pool wants that.
fn set_cookie(config: &Config, pool: usize, backend_key: u64) -> Option<Vec<u8>> {
    let sticky = config.pools[pool].sticky.as_ref()?;
    let mut value = Vec::new();
    let how = Sticky { name: &sticky.cookie, ttl: sticky.ttl, secure: sticky.secure };
    how.write(&mut value, backend_key);
    Some(value)
}
