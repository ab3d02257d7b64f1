//! What a policy may look at for one pick: the client, and who is available.

use std::net::IpAddr;
use std::time::Instant;

use super::backend::{Backend, FULL_PERMILLE};
use super::bound::Bound;
use super::pool::Pool;
use super::tried::Tried;

/// One question to a policy: of these backends, which for this client?
pub struct Choice<'a> {
    pool: &'a Pool,
    client: IpAddr,
    tried: &'a Tried,
    now_ms: u64,
    /// There is nothing to look at but weight, penalty and who was tried.
    is_plain: bool,
    /// Backups are asked, and nobody else.
    backups: bool,
    ignore_backoff: bool,
    /// What decides whether a backend that starts slowly takes part, if one does.
    lot: Option<u64>,
    bound: Option<Bound>,
}

impl<'a> Choice<'a> {
    /// `client` is canonical already: no IPv4-mapped IPv6 from here on.
    pub(super) fn new(pool: &'a Pool, client: IpAddr, tried: &'a Tried, now: Instant) -> Choice<'a> {
        let (now_ms, is_plain) = (pool.millis(now), pool.settings().is_plain());
        Choice {
            pool,
            client,
            tried,
            now_ms,
            is_plain,
            backups: false,
            ignore_backoff: false,
            lot: None,
            bound: None,
        }
    }

    /// Asks the backups instead of the others, or the others again.
    pub(super) fn ask_backups(&mut self, backups: bool) {
        self.backups = backups;
    }

    /// Lets backends in back-off, and those that are down, count as available.
    pub(super) fn ignore_backoff(&mut self) {
        self.ignore_backoff = true;
    }

    /// Draws for each backend that starts slowly whether it takes part: by what `lot` says, the same each time.
    pub(super) fn set_lot(&mut self, lot: Option<u64>) {
        self.lot = lot;
        self.is_plain = lot.is_none() && self.pool.settings().is_plain();
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

    /// Whether the backend at this position may be picked: it has weight and room, was not tried for this client, and is
    /// neither down nor in back-off. One whose trial is due counts: the claim comes after the pick. While one starts
    /// slowly, it takes part in some choices only.
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

    /// Whether a client that was with this backend before may come back to it, backup or not, slowly starting or not.
    pub(super) fn may_return_to(&self, backend: &Backend) -> bool {
        self.is_fit(backend) && backend.has_room()
    }

    /// Whether somebody would be available if there were room.
    pub(super) fn is_somebody_full(&self) -> bool {
        let mut backends = self.pool.backends().iter();
        backends
            .any(|backend| backend.is_backup() == self.backups && self.is_fit(backend) && !backend.has_room())
    }

    fn may_pick(&self, backend: &Backend) -> bool {
        self.is_fit(backend) && (self.is_plain || self.may_pick_besides(backend))
    }

    /// Whatever else there is to look at. Most pools have nothing of this, and need not pay for it.
    #[cold]
    fn may_pick_besides(&self, backend: &Backend) -> bool {
        backend.is_backup() == self.backups
            && backend.has_room()
            && self.lot.is_none_or(|lot| takes_part(backend, lot, self.now_ms))
    }

    fn is_fit(&self, backend: &Backend) -> bool {
        backend.weight() > 0
            && (self.ignore_backoff || !backend.penalty().passed_over(self.now_ms))
            && !self.tried.contains(backend.id)
    }
}

/// Whether a backend takes part in a choice with this lot: a thousandth of all lots for each thousandth of its share that it
/// has. Who is in stays in as the share grows.
pub(super) fn takes_part(backend: &Backend, lot: u64, now_ms: u64) -> bool {
    // The multiplier of SplitMix64 spreads what backends and lots have in common over the upper bits.
    let mixed = (backend.key ^ lot).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    (mixed * FULL_PERMILLE) >> 32 < backend.permille(now_ms)
}
