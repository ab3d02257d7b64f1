//! How much a backend has to do for its weight.

use crate::balance::Backend;

/// Connections over weight, compared as fractions: no rounding.
#[derive(Clone, Copy)]
pub(super) struct Load {
    connections: u64,
    weight: u64,
}

impl Load {
    /// The load of this moment: other workers change it.
    pub(super) fn of(backend: &Backend) -> Load {
        Load { connections: backend.connections().into(), weight: backend.weight().into() }
    }

    /// As a number, for people; none without weight.
    pub(super) fn value(self) -> Option<f64> {
        (self.weight > 0).then(|| self.connections as f64 / self.weight as f64)
    }

    pub(super) fn cmp(self, other: Load) -> std::cmp::Ordering {
        // 32-bit factors cannot overflow 64 bits.
        (self.connections * other.weight).cmp(&(other.connections * self.weight))
    }
}
