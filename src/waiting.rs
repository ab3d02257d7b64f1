//! Sessions that wait for room in a pool whose backends all have what they may have, in the order they came.
//!
//! One line for each pool, of this worker's own. How many may wait, over all workers, is the pool's business
//! (`balance::Ticket`); here is only who is next.

use std::collections::BTreeMap;

use crate::token::SessionId;

/// The lines of one worker.
#[derive(Default)]
pub struct Lines {
    /// By pool; a pool that nobody ever waited for may have none. Places are numbered as they are taken.
    lines: Vec<BTreeMap<u64, SessionId>>,
    /// The number of the next place.
    next: u64,
}

/// A place in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pool: usize,
    number: u64,
}

impl Lines {
    /// Puts a session at the end of a pool's line.
    pub fn join(&mut self, pool: usize, id: SessionId) -> Place {
        if self.lines.len() <= pool {
            self.lines.resize_with(pool + 1, BTreeMap::new);
        }
        let place = Place { pool, number: self.next };
        self.next += 1;
        self.lines[pool].insert(place.number, id);
        place
    }

    /// Takes a session out of its line.
    pub fn leave(&mut self, place: Place) {
        if let Some(line) = self.lines.get_mut(place.pool) {
            line.remove(&place.number);
        }
    }

    /// How many wait for a pool.
    pub fn len(&self, pool: usize) -> usize {
        self.lines.get(pool).map_or(0, BTreeMap::len)
    }

    /// Whether nobody waits for anything.
    pub fn is_empty(&self) -> bool {
        self.lines.iter().all(BTreeMap::is_empty)
    }

    /// Who is next in a pool's line after `after`; with `None`, who is first.
    pub fn next(&self, pool: usize, after: Option<Place>) -> Option<(Place, SessionId)> {
        let from = after.map_or(0, |place| place.number + 1);
        let (&number, &id) = self.lines.get(pool)?.range(from..).next()?;
        Some((Place { pool, number }, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_came_first_is_first_and_who_leaves_leaves_no_trace() {
        let id = |slot| SessionId { slot, epoch: 1 };
        let mut lines = Lines::default();
        assert!(lines.is_empty() && lines.next(3, None).is_none());
        let places = [3, 1, 2].map(|slot| lines.join(3, id(slot)));
        let elsewhere = lines.join(0, id(9));
        assert_eq!((lines.len(3), lines.len(0), lines.len(7)), (3, 1, 0));
        assert_eq!(lines.next(3, None), Some((places[0], id(3))));
        lines.leave(places[0]);
        lines.leave(places[0]);
        assert_eq!(lines.next(3, None), Some((places[1], id(1))));
        assert_eq!(lines.next(3, Some(places[1])), Some((places[2], id(2))));
        assert_eq!(lines.next(3, Some(places[2])), None);
        [places[1], places[2], elsewhere].into_iter().for_each(|place| lines.leave(place));
        assert!(lines.is_empty());
    }
}
