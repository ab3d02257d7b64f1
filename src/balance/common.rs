//! What the backends of a pool have in common, shared by all workers: news, and how many wait for room.

use std::sync::Arc;
use std::sync::atomic::{
    AtomicU64, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};

/// Counters beside those of the backends. Whoever looks at one compares it with what it was when he looked last.
#[derive(Default)]
pub(super) struct Common {
    // Room and waiting are in one order for all (SeqCst): of one who gives room back and then looks who waits, and one who
    // begins to wait and then looks for room, one sees the other.
    room: AtomicU64,
    outages: AtomicU64,
    waiting: AtomicUsize,
    /// Until when some backend may be starting slowly, in milliseconds from the pool's base.
    slow_until_ms: AtomicU64,
}

impl Common {
    /// There may be room where there was none.
    pub(super) fn note_room(&self) {
        self.room.fetch_add(1, SeqCst);
    }

    pub(super) fn room_news(&self) -> u64 {
        self.room.load(SeqCst)
    }

    /// A backend has gone down.
    pub(super) fn note_outage(&self) {
        self.outages.fetch_add(1, Relaxed);
    }

    pub(super) fn outage_news(&self) -> u64 {
        self.outages.load(Relaxed)
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(SeqCst)
    }

    /// A backend starts slowly, until then.
    pub(super) fn slow_until(&self, until_ms: u64) {
        self.slow_until_ms.fetch_max(until_ms, Relaxed);
    }

    pub(super) fn has_slow_starters(&self, now_ms: u64) -> bool {
        now_ms < self.slow_until_ms.load(Relaxed)
    }
}

/// A place among those who wait for room in a pool, over all workers, until it is dropped.
///
/// Not `Clone`, so that what was counted once is released once.
pub struct Ticket {
    common: Arc<Common>,
}

impl Ticket {
    /// A place, unless `most` are taken.
    pub(super) fn draw(common: &Arc<Common>, most: usize) -> Option<Ticket> {
        let ticket = Ticket { common: Arc::clone(common) };
        // Counted first: of two who come at once, none takes a place that is not there.
        let before = common.waiting.fetch_add(1, SeqCst);
        (before < most).then_some(ticket)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.common.waiting.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_tickets_as_places_and_a_refusal_takes_none() {
        let common = Arc::new(Common::default());
        let first = Ticket::draw(&common, 2);
        let second = Ticket::draw(&common, 2);
        assert!(first.is_some() && second.is_some() && Ticket::draw(&common, 2).is_none());
        assert_eq!(common.waiting(), 2);
        drop(first);
        assert!(Ticket::draw(&common, 2).is_some());
        drop(second);
        assert_eq!(common.waiting(), 0);
        assert!(Ticket::draw(&common, 0).is_none());
        assert_eq!(common.waiting(), 0);
    }
}
