//! How much of the load one backend may take: consistent hashing with bounded loads (Mirrokni, Thorup & Zadimoghaddam
//! 2016).
//!
//! A backend takes no more than ⌈c × its share⌉ connections, its share being that of its weight in all connections, the
//! new one included, where c is `max_load_percent` ÷ 100. Whose backend has that many goes on to the next one in the
//! order of the hash. As c is above 1, there is always one that has room: if all were full, they would hold more
//! connections than there are.

use super::backend::Backend;

/// The bound of this moment: other workers change what it is made of.
pub(super) struct Bound {
    percent: u32,
    /// Of all that take part.
    weight: u64,
    /// The same, and the new one.
    connections: u64,
}

impl Bound {
    /// The bound for these backends.
    pub(super) fn among<'a>(percent: u32, backends: impl Iterator<Item = &'a Backend>) -> Bound {
        let mut bound = Bound { percent, weight: 0, connections: 1 };
        for backend in backends {
            bound.weight += u64::from(backend.weight());
            bound.connections += u64::from(backend.connections());
        }
        bound
    }

    /// Whether the backend may take one more: its connections are fewer than percent ÷ 100 × its share, which is to be
    /// rounded up, and so need not be rounded.
    pub(super) fn has_room(&self, backend: &Backend) -> bool {
        let taken = u128::from(backend.connections()) * 100 * u128::from(self.weight);
        taken < u128::from(self.percent) * u128::from(backend.weight()) * u128::from(self.connections)
    }
}
