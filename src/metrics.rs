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
    /// HTTP requests with a head that could be read.
    pub requests: u64,
    /// Responses by the first digit of their status; at 0, requests that got none.
    pub responses: [u64; 6],
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
}

impl Metrics {
    /// A response with this status was written, or as much of it as could be; 0 if none was begun.
    pub fn count_response(&mut self, status: u16) {
        let class = usize::from(status / 100).min(self.responses.len() - 1);
        self.responses[class] += 1;
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
    }
}
