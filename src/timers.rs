//! Deadlines, kept lazily: activity only moves a field in the session; the heap hears of it when the old
//! deadline comes up.
//!
//! A slot of the session table has one live heap entry at the most, and it may be too early, never too late:
//! whoever is woken compares with its own deadline and is armed again. An entry that a sooner one replaced
//! stays behind as garbage, and garbage is swept before it outgrows the slots, so the heap is bounded by the
//! number of slots and not by the rate of connections.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// A min-heap of wake-up times, one per slot.
#[derive(Default)]
pub struct Timers {
    heap: BinaryHeap<Reverse<(At, u32)>>,
    armed: Vec<At>,
    /// What times are counted from: the first one there was.
    base: Option<Instant>,
}

/// Garbage below this many entries is not worth a sweep.
const SWEEP_MIN: usize = 64;

/// Nanoseconds since the base: an [`Instant`] takes twice the room, and there are two or three for each connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct At(i64);

impl At {
    const NEVER: At = At(i64::MAX);

    fn new(at: Instant, base: Instant) -> At {
        let nanos = |span: Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX - 1);
        At(nanos(at.saturating_duration_since(base)) - nanos(base.saturating_duration_since(at)))
    }

    fn instant(self, base: Instant) -> Instant {
        let span = Duration::from_nanos(self.0.unsigned_abs());
        if self.0 < 0 { base - span } else { base + span }
    }
}

impl Timers {
    /// Makes sure that `slot` is woken at `at` or before.
    pub fn arm(&mut self, slot: u32, at: Instant) {
        let at = At::new(at, *self.base.get_or_insert(at));
        let index = slot as usize;
        if index >= self.armed.len() {
            self.armed.resize(index + 1, At::NEVER);
        }
        if self.armed[index] <= at {
            return;
        }
        self.armed[index] = at;
        self.heap.push(Reverse((at, slot)));
        if self.heap.len() > self.armed.len() + self.armed.len() / 2 + SWEEP_MIN {
            let armed = &self.armed;
            self.heap.retain(|Reverse((at, slot))| armed[*slot as usize] == *at);
        }
    }

    /// When the loop must look next. May be early, because of garbage.
    pub fn next(&self) -> Option<Instant> {
        let Reverse((at, _)) = self.heap.peek()?;
        Some(at.instant(self.base?))
    }

    /// A slot whose time has come. It is no longer armed.
    pub fn pop_due(&mut self, now: Instant) -> Option<u32> {
        let now = At::new(now, self.base?);
        while let Some(&Reverse((at, slot))) = self.heap.peek() {
            if at > now {
                return None;
            }
            self.heap.pop();
            if self.armed[slot as usize] == at {
                self.armed[slot as usize] = At::NEVER;
                return Some(slot);
            }
        }
        None
    }

    /// Heap entries, garbage included.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nothing is armed.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Instant {
        crate::net::os::now()
    }

    #[test]
    fn slots_come_up_in_order_and_only_once() {
        let (mut timers, start) = (Timers::default(), start());
        let at = |ms| start + Duration::from_millis(ms);
        timers.arm(3, at(30));
        timers.arm(1, at(10));
        timers.arm(2, at(20));
        timers.arm(1, at(15)); // later than armed: the early wake-up stands
        timers.arm(3, at(5)); // sooner: replaces
        assert_eq!(timers.next(), Some(at(5)));
        assert_eq!(timers.pop_due(at(4)), None);
        assert_eq!(timers.pop_due(at(20)), Some(3));
        assert_eq!(timers.pop_due(at(20)), Some(1));
        assert_eq!(timers.pop_due(at(20)), Some(2));
        assert_eq!(timers.pop_due(at(100)), None, "slot 3's replaced entry is garbage");
        assert!(timers.is_empty());
    }

    #[test]
    fn a_time_before_the_first_one_is_a_time_too() {
        let (mut timers, start) = (Timers::default(), start());
        let sooner = start - Duration::from_nanos(1);
        timers.arm(0, start);
        timers.arm(1, sooner);
        assert_eq!(timers.next(), Some(sooner));
        assert_eq!(timers.pop_due(sooner), Some(1));
        assert_eq!((timers.pop_due(sooner), timers.next()), (None, Some(start)));
    }

    #[test]
    fn garbage_is_bounded_by_the_slots() {
        let (mut timers, start) = (Timers::default(), start());
        for round in 0..10_000u64 {
            let slot = (round % 8) as u32;
            timers.arm(slot, start + Duration::from_secs(1_000_000 - round));
        }
        assert!(timers.len() <= 8 + 8 / 2 + SWEEP_MIN + 1, "{} entries", timers.len());
        let mut slots: Vec<u32> =
            std::iter::from_fn(|| timers.pop_due(start + Duration::from_secs(2_000_000))).collect();
        slots.sort();
        assert_eq!(slots, [0, 1, 2, 3, 4, 5, 6, 7]);
    }
}
