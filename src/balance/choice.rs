//! What a policy may look at for one pick: the client, and who is available.

use std::net::IpAddr;
use std::time::Instant;

use super::bound::Bound;
use super::pool::{Backend, Pool};
use super::tried::Tried;

/// One question to a policy: of these backends, which for this client?
pub struct Choice<'a> {
    pool: &'a Pool,
    client: IpAddr,
    tried: &'a Tried,
    now_ms: u64,
    ignore_backoff: bool,
    bound: Option<Bound>,
}

impl<'a> Choice<'a> {
    /// `client` is canonical already: no IPv4-mapped IPv6 from here on.
    pub(super) fn new(pool: &'a Pool, client: IpAddr, tried: &'a Tried, now: Instant) -> Choice<'a> {
        let now_ms = pool.millis(now);
        Choice { pool, client, tried, now_ms, ignore_backoff: false, bound: None }
    }

    /// Lets backends in back-off count as available.
    pub(super) fn ignore_backoff(&mut self) {
        self.ignore_backoff = true;
    }

    /// Bounds the load of each backend to `percent` of its share among those available; `None`: no longer.
    pub(super) fn set_bound(&mut self, percent: Option<u32>) {
        self.bound =
            percent.map(|percent| Bound::among(percent, self.available().map(|(_, backend)| backend)));
    }

    /// Milliseconds since the pool's base.
    pub(super) fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// The client's address, IPv4 wherever it can be.
    pub fn client(&self) -> IpAddr {
        self.client
    }

    /// The pool, available or not.
    pub fn pool(&self) -> &'a Pool {
        self.pool
    }

    /// Whether the backend at this position may be picked: it has weight, was not tried for this client, and is
    /// not in back-off. One whose trial is due counts: the claim comes after the pick.
    pub fn is_available(&self, index: usize) -> bool {
        self.may_pick(&self.pool.backends()[index])
    }

    /// The positions and backends that may be picked, in pool order.
    pub fn available(&self) -> impl Iterator<Item = (usize, &'a Backend)> + Clone {
        let backends = self.pool.backends().iter().map(|backend| &**backend).enumerate();
        backends.filter(|(_, backend)| self.may_pick(backend))
    }

    /// Whether the backend has room for this client, where the load is bounded. For policies that can be, see
    /// [`Entry::keyed`](super::policy::Entry::keyed): such a one picks nobody without.
    pub fn has_room(&self, backend: &Backend) -> bool {
        self.bound.as_ref().is_none_or(|bound| bound.has_room(backend))
    }

    pub(super) fn may_pick(&self, backend: &Backend) -> bool {
        backend.weight > 0
            && (self.ignore_backoff || !backend.penalty().passed_over(self.now_ms))
            && !self.tried.contains(backend.id)
    }
}
