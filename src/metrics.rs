//! Plain counters of one worker. Counting lives here, rendering elsewhere.

use crate::histogram::Histogram;
use crate::http::{CLASSES, class_of};

/// What one worker has done since it started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Clients accepted.
    pub accepted: u64,
    /// Sessions ended, for whatever reason.
    pub closed: u64,
    /// Attempts to connect to a backend that failed, retried or not.
    pub connects_failed: u64,
    /// Clients given up because no backend could be had.
    pub unserved: u64,
    /// Times accepting was suspended because the kernel had no descriptor or memory left.
    pub accept_pauses: u64,
    /// Times accepting was suspended because `max_connections` was reached.
    pub limit_reached: u64,
    /// Sessions cut because draining took too long.
    pub cut: u64,
    /// HTTP requests with a head that could be read.
    pub requests: u64,
    /// Responses by the first digit of their status; at 0, requests that got none.
    pub responses: [u64; CLASSES],
    /// Requests, or parts of them, that were refused as malformed or too large.
    pub refused: u64,
    /// Requests served on a backend's connection that had served before.
    pub reused: u64,
    /// Requests that were sent, or would have been, to one more backend or connection.
    pub retries: u64,
    /// Checks of backends that failed.
    pub checks_failed: u64,
    /// Connections refused because their client has as many as it may, or comes too often.
    pub client_limited: u64,
    /// Clients, or requests, that had to wait for room in their pool.
    pub queued: u64,
    /// Those of them that did not get it in time, or found too many waiting.
    pub queue_refused: u64,
    /// Bytes moved from clients to backends.
    pub up_bytes: u64,
    /// Bytes moved from backends to clients.
    pub down_bytes: u64,
    /// Requests to the admin endpoint.
    pub admin_requests: u64,
    /// Events that somebody there was too slow for.
    pub events_dropped: u64,
    /// Turns of the loop.
    pub turns: u64,
    /// How long a turn took, of one in [`LAG_EVERY`]: so long whatever came meanwhile had to wait.
    pub lag: Histogram,
    /// How connections ended.
    pub connections_ended: Endings,
    /// How requests ended.
    pub requests_ended: Endings,
    /// By the position of the frontend.
    pub frontends: Vec<FrontendCounts>,
}

/// One turn in so many is measured: it takes a look at the clock.
pub const LAG_EVERY: u64 = 16;

/// What came in on one frontend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrontendCounts {
    /// Clients accepted.
    pub accepted: u64,
    /// Those of them that are gone.
    pub closed: u64,
    /// Responses by the first digit of their status; at 0, requests that got none.
    pub responses: [u64; CLASSES],
}

impl std::ops::AddAssign<&FrontendCounts> for FrontendCounts {
    fn add_assign(&mut self, other: &FrontendCounts) {
        self.accepted += other.accepted;
        self.closed += other.closed;
        self.responses.iter_mut().zip(other.responses).for_each(|(ours, theirs)| *ours += theirs);
    }
}

/// How often something ended for a reason: who ended it, and the word for why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endings(Vec<(&'static str, &'static str, u64)>);

impl Endings {
    /// One more.
    pub fn count(&mut self, side: &'static str, cause: &'static str) {
        self.add(side, cause, 1);
    }

    fn add(&mut self, side: &'static str, cause: &'static str, count: u64) {
        // There are some dozens at the most, and what happens often was first.
        let known = self.0.iter_mut().find(|(a, b, _)| *a == side && *b == cause);
        match known {
            Some((_, _, all)) => *all += count,
            None => self.0.push((side, cause, count)),
        }
    }

    /// Who, why, and how often.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        self.0.iter().copied()
    }
}

impl Metrics {
    /// What came in on the frontend at this position.
    pub fn frontend(&mut self, place: usize) -> &mut FrontendCounts {
        if place >= self.frontends.len() {
            self.frontends.resize_with(place + 1, FrontendCounts::default);
        }
        &mut self.frontends[place]
    }

    /// A client was accepted on this frontend.
    pub fn count_accepted(&mut self, frontend: usize) {
        self.accepted += 1;
        self.frontend(frontend).accepted += 1;
    }

    /// A client of this frontend is gone: who ended it, and the word for why.
    pub fn count_closed(&mut self, frontend: usize, side: &'static str, cause: &'static str) {
        self.closed += 1;
        self.frontend(frontend).closed += 1;
        self.connections_ended.count(side, cause);
    }

    /// A response with this status was written to a client of this frontend, or as much of it as could be; 0 if none was begun.
    pub fn count_response(&mut self, frontend: usize, status: u16) {
        let class = class_of(status);
        self.responses[class] += 1;
        self.frontend(frontend).responses[class] += 1;
    }
}

impl std::ops::AddAssign<&Metrics> for Metrics {
    fn add_assign(&mut self, other: &Metrics) {
        self.accepted += other.accepted;
        self.closed += other.closed;
        self.connects_failed += other.connects_failed;
        self.unserved += other.unserved;
        self.accept_pauses += other.accept_pauses;
        self.limit_reached += other.limit_reached;
        self.cut += other.cut;
        self.requests += other.requests;
        self.responses.iter_mut().zip(other.responses).for_each(|(ours, theirs)| *ours += theirs);
        self.refused += other.refused;
        self.reused += other.reused;
        self.retries += other.retries;
        self.checks_failed += other.checks_failed;
        self.client_limited += other.client_limited;
        self.queued += other.queued;
        self.queue_refused += other.queue_refused;
        self.up_bytes += other.up_bytes;
        self.down_bytes += other.down_bytes;
        self.admin_requests += other.admin_requests;
        self.events_dropped += other.events_dropped;
        self.turns += other.turns;
        self.lag += &other.lag;
        for (ours, theirs) in [
            (&mut self.connections_ended, &other.connections_ended),
            (&mut self.requests_ended, &other.requests_ended),
        ] {
            theirs.iter().for_each(|(side, cause, count)| ours.add(side, cause, count));
        }
        for (place, theirs) in other.frontends.iter().enumerate() {
            *self.frontend(place) += theirs;
        }
    }
}
