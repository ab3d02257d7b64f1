//! Plain counters of one worker. Counting lives here, rendering elsewhere.

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
    /// Bytes moved from clients to backends.
    pub up_bytes: u64,
    /// Bytes moved from backends to clients.
    pub down_bytes: u64,
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
        self.up_bytes += other.up_bytes;
        self.down_bytes += other.down_bytes;
    }
}
