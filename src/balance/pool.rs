//! Backends that serve the same thing, with what all workers know about each.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Instant;

use twox_hash::XxHash3_64;

use super::latency::Latency;
use super::penalty::{Backoff, Penalty};
use crate::config;

/// Names a backend within its pool for the life of the process. Never reused, and not a position: positions change
/// when membership does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BackendId(pub(super) u32);

impl BackendId {
    /// Small and dense: what tables with an entry per backend are indexed by.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One server, and its state as all workers share it.
pub struct Backend {
    /// Its identity in this process.
    pub id: BackendId,
    /// Its identity in logs, unique in the pool.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its share relative to the others'. 0: not chosen.
    pub weight: u32,
    /// Its identity for hashing: XXH3 of the name, so the same in every process and at every position.
    pub key: u64,
    connections: AtomicU32,
    penalty: Penalty,
    latency: Latency,
}

impl Backend {
    fn new(id: BackendId, config: &config::Backend, backoff: Backoff, base: Instant) -> Backend {
        Backend {
            id,
            name: config.name.clone(),
            address: config.address,
            weight: config.weight,
            key: XxHash3_64::oneshot(config.name.as_bytes()),
            connections: AtomicU32::new(0),
            penalty: Penalty::new(backoff, base),
            latency: Latency::new(),
        }
    }

    /// Connections that count against it now, connecting ones included, over all workers.
    pub fn connections(&self) -> u32 {
        // A statistic: nothing else is published through it, here and below, so no ordering is needed.
        self.connections.load(Relaxed)
    }

    /// Whether it is in back-off at `now`: a trial that is due ends it, a trial under way does not.
    pub fn is_passed_over(&self, now: Instant) -> bool {
        self.penalty.passed_over(self.penalty.millis(now))
    }

    pub(super) fn penalty(&self) -> &Penalty {
        &self.penalty
    }

    pub(super) fn latency(&self) -> &Latency {
        &self.latency
    }

    pub(super) fn count(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    pub(super) fn release(&self) {
        let before = self.connections.fetch_sub(1, Relaxed);
        debug_assert!(before > 0, "{self}: released more often than counted");
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Backend { name, address, .. } = self;
        if *name == address.to_string() { write!(f, "{name}") } else { write!(f, "{name} ({address})") }
    }
}

/// Backends that serve the same thing. One per process, shared by all workers.
pub struct Pool {
    /// For logs.
    pub name: String,
    backends: Vec<Arc<Backend>>,
    base: Instant,
}

impl Pool {
    /// A pool with nothing connected and nothing penalised. `base` is any instant not after the first one that the
    /// pool gets to see: penalties count in milliseconds from it.
    pub fn new(config: &config::Pool, timeouts: &config::Timeouts, base: Instant) -> Pool {
        let backoff = Backoff::new(timeouts.backoff, timeouts.backoff_max);
        let backends = (0..).zip(&config.backends);
        let backends =
            backends.map(|(id, backend)| Arc::new(Backend::new(BackendId(id), backend, backoff, base)));
        Pool { name: config.name.clone(), backends: backends.collect(), base }
    }

    /// All backends, available or not, in the order of the configuration.
    pub fn backends(&self) -> &[Arc<Backend>] {
        &self.backends
    }

    pub(super) fn millis(&self, now: Instant) -> u64 {
        super::penalty::millis_between(self.base, now)
    }
}
