//! How long the loop may wait, and what is due when it has.

use std::time::{Duration, Instant};

use super::Proxy;
use crate::admin::Desk;
use crate::health::Checks;
use crate::net::Net;
use crate::session::{Cause, Reason};

/// How long a backend may remain without word of a connection while the loop is busy.
const GREETING_MAX: Duration = Duration::from_millis(2);

impl<N: Net> Proxy<N> {
    /// How long the wait for events may take: not at all while work is left that no event will announce.
    pub(super) fn timeout(&self) -> Option<Duration> {
        let now = self.ctx.now;
        let may_accept = self.sessions.len() < self.max_connections;
        let is_busy = !self.run_queue.is_empty() || !self.ctx.ungreeted.is_empty() || self.has_news();
        if is_busy || (may_accept && self.listeners.any_pending(now)) {
            return Some(Duration::ZERO);
        }
        let resume_at = if may_accept { self.listeners.resume_at() } else { None };
        let links = self.ctx.links.deadline();
        // Most have no checks, and are not draining.
        let rare = if self.checks.is_some() || self.drain_deadline.is_some() || self.desk.is_some() {
            self.rare_deadline()
        } else {
            None
        };
        let next = [self.timers.next(), resume_at, links, rare].into_iter().flatten().min()?;
        Some(next.saturating_duration_since(now))
    }

    #[cold]
    fn rare_deadline(&self) -> Option<Instant> {
        let checks = self.checks.as_ref().and_then(Checks::deadline);
        let desk = self.desk.as_deref().and_then(Desk::deadline);
        checks.into_iter().chain(self.drain_deadline).chain(desk).min()
    }

    /// Tells backends of their connections: when there was nothing else to do, or it is high time.
    pub(super) fn greet(&mut self) {
        while let Some(&(link, since)) = self.ctx.ungreeted.front()
            && (self.events.is_empty() || self.ctx.now >= since + GREETING_MAX)
        {
            self.ctx.ungreeted.pop_front();
            let session = self.ctx.links.session(link).and_then(|id| self.sessions.get(id));
            if let Some(tenant) = session {
                tenant.session.greet();
            }
        }
    }

    pub(super) fn expire(&mut self) {
        let now = self.ctx.now;
        self.ctx.links.expire(now);
        if let Some(checks) = &mut self.checks {
            checks.expire(&mut self.ctx);
        }
        while let Some(slot) = self.timers.pop_due(now) {
            let Some(id) = self.sessions.tenant(slot) else { continue };
            let Some(tenant) = self.sessions.get_mut(id) else { continue };
            match tenant.session.deadline(&self.ctx) {
                Some(at) if at > now => self.timers.arm(slot, at),
                _ => self.step(id),
            }
        }
        if self.drain_deadline.is_some_and(|deadline| deadline <= now) {
            for id in self.sessions.ids() {
                self.ctx.metrics.cut += 1;
                self.close(id, Reason::proxy(Cause::Drained));
            }
        }
    }
}
