//! Moments at which a connection wants another turn.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// A heap of (moment, connection). Nothing is ever removed early: whoever takes an entry out checks that it still
/// means something, because by then the connection may be gone, or its slot taken by another.
#[derive(Default)]
pub(super) struct Deadlines {
    heap: BinaryHeap<Reverse<(Instant, usize)>>,
}

impl Deadlines {
    /// Adds a moment for the connection in slot `key`.
    pub(super) fn arm(&mut self, at: Instant, key: usize) {
        self.heap.push(Reverse((at, key)));
    }

    /// Takes out the earliest entry, if its moment has come.
    pub(super) fn expired(&mut self, now: Instant) -> Option<(Instant, usize)> {
        self.heap.peek().filter(|entry| entry.0.0 <= now)?;
        self.heap.pop().map(|entry| entry.0)
    }

    /// How long until the earliest one; `None` if there is none.
    pub(super) fn until_next(&self, now: Instant) -> Option<Duration> {
        self.heap.peek().map(|entry| entry.0.0.saturating_duration_since(now))
    }
}
