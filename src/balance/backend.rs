//! One server, and what all workers know about it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use twox_hash::XxHash3_64;

use super::common::Common;
use super::latency::Latency;
use super::penalty::{Backoff, Penalty};
use super::stats::Stats;
use crate::config;

/// Names a backend within its pool. Not a position: positions change when membership does. The name of one that has gone is
/// given away again, but not before a whole reload has passed and its last connection has ended: see [`Pool::successor`].
///
/// [`Pool::successor`]: super::Pool::successor
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BackendId(pub(super) u32);

impl BackendId {
    /// Small and dense: what tables with an entry per backend are indexed by.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A whole share, in the unit that slow start counts in.
pub(super) const FULL_PERMILLE: u64 = 1000;
/// What a backend that is back has of it at first.
const FIRST_PERMILLE: u64 = 100;

/// One server, and its state as all workers share it.
///
/// It outlives a reload that keeps it: its identity is for ever, its counters go on, and what the configuration says about
/// it changes where it lies.
pub struct Backend {
    /// Its identity in this process.
    pub id: BackendId,
    /// Its identity in logs, unique in the pool.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its identity for hashing: XXH3 of the name, so the same in every process and at every position.
    pub key: u64,
    // Settings, and statistics below: nothing else is published through any of them, so no ordering is needed.
    weight: AtomicU32,
    /// `u32::MAX` for any number.
    max_connections: AtomicU32,
    backup: AtomicBool,
    /// No longer in the configuration.
    gone: AtomicBool,
    slow_start_ms: AtomicU64,
    connections: AtomicU32,
    penalty: Penalty,
    latency: Latency,
    /// Since when it is back, in milliseconds from the pool's base; 0 if it has all of its share.
    slow_since_ms: AtomicU64,
    stats: Stats,
    common: Arc<Common>,
}

impl Backend {
    /// One that nothing is known of, for a pool whose settings are to follow: see [`Backend::configure`].
    pub(super) fn new(
        id: BackendId,
        config: &config::Backend,
        base: Instant,
        common: Arc<Common>,
    ) -> Backend {
        Backend {
            id,
            name: config.name.clone(),
            address: config.address,
            key: XxHash3_64::oneshot(config.name.as_bytes()),
            weight: AtomicU32::new(0),
            max_connections: AtomicU32::new(u32::MAX),
            backup: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            slow_start_ms: AtomicU64::new(0),
            connections: AtomicU32::new(0),
            penalty: Penalty::new(base),
            latency: Latency::new(),
            slow_since_ms: AtomicU64::new(0),
            stats: Stats::default(),
            common,
        }
    }

    /// Takes over what the configuration says about it.
    pub(super) fn configure(&self, config: &config::Backend, slow_start: Duration, backoff: Backoff) {
        self.weight.store(config.weight, Relaxed);
        self.max_connections.store(config.max_connections.unwrap_or(u32::MAX), Relaxed);
        self.backup.store(config.backup, Relaxed);
        self.gone.store(false, Relaxed);
        self.slow_start_ms.store(super::penalty::millis(slow_start), Relaxed);
        self.penalty.set_backoff(backoff);
    }

    /// It is no longer in the configuration.
    pub(super) fn retire(&self) {
        self.gone.store(true, Relaxed);
    }

    /// Whether it has left the configuration: what it has it may finish, and nothing is to wait for it.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Relaxed)
    }

    /// Its share relative to the others'. 0: not chosen.
    pub fn weight(&self) -> u32 {
        self.weight.load(Relaxed)
    }

    /// Whether it is only chosen when none of the others is available.
    pub fn is_backup(&self) -> bool {
        self.backup.load(Relaxed)
    }

    /// Connections that count against it now, connecting ones included, over all workers.
    pub fn connections(&self) -> u32 {
        self.connections.load(Relaxed)
    }

    /// Whether it is in back-off at `now`: a trial that is due ends it, a trial under way does not.
    pub fn is_passed_over(&self, now: Instant) -> bool {
        self.penalty.passed_over(self.penalty.millis(now))
    }

    /// Whether checks have given it up.
    pub fn is_down(&self) -> bool {
        self.penalty.is_down()
    }

    /// Whether it may have one more connection.
    pub fn has_room(&self) -> bool {
        self.connections() < self.max_connections.load(Relaxed)
    }

    /// How much of its share it has, in thousandths: all of it, unless it has come back lately.
    pub(super) fn permille(&self, now_ms: u64) -> u64 {
        let since_ms = self.slow_since_ms.load(Relaxed);
        if since_ms == 0 {
            return FULL_PERMILLE;
        }
        let (elapsed_ms, slow_start_ms) = (now_ms.saturating_sub(since_ms), self.slow_start_ms.load(Relaxed));
        if elapsed_ms >= slow_start_ms {
            self.slow_since_ms.store(0, Relaxed);
            return FULL_PERMILLE;
        }
        let grown = u128::from(FULL_PERMILLE - FIRST_PERMILLE) * u128::from(elapsed_ms);
        FIRST_PERMILLE + (grown / u128::from(slow_start_ms)) as u64
    }

    /// It is back: it begins with a part of its share.
    pub(super) fn start_slowly(&self, now: Instant) {
        let slow_start_ms = self.slow_start_ms.load(Relaxed);
        if slow_start_ms > 0 {
            let now_ms = self.penalty.millis(now).max(1);
            self.slow_since_ms.store(now_ms, Relaxed);
            self.common.slow_until(now_ms.saturating_add(slow_start_ms));
        }
    }

    /// What has become of it.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The most connections it may have; `None` for any number.
    pub fn max_connections(&self) -> Option<u32> {
        Some(self.max_connections.load(Relaxed)).filter(|most| *most != u32::MAX)
    }

    /// How much of its share it has, in thousandths: less than 1000 for a while after it has come back.
    pub fn share_permille(&self, now: Instant) -> u64 {
        self.permille(self.penalty.millis(now))
    }

    /// Seconds that an answer is expected to take, if the policy goes by that.
    pub fn expected_s(&self, now: Instant) -> Option<f64> {
        self.latency.seconds(self.connections(), self.penalty.millis(now))
    }

    pub(super) fn penalty(&self) -> &Penalty {
        &self.penalty
    }

    pub(super) fn latency(&self) -> &Latency {
        &self.latency
    }

    /// Counts one more connection, unless there is no room for it.
    pub(super) fn try_count(&self) -> bool {
        let before = self.connections.fetch_add(1, Relaxed);
        if before >= self.max_connections.load(Relaxed) {
            self.connections.fetch_sub(1, Relaxed);
            return false;
        }
        true
    }

    pub(super) fn release(&self) {
        let before = self.connections.fetch_sub(1, Relaxed);
        debug_assert!(before > 0, "{self}: released more often than counted");
        if self.max_connections.load(Relaxed) != u32::MAX {
            self.common.note_room();
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Backend { name, address, .. } = self;
        if *name == address.to_string() { write!(f, "{name}") } else { write!(f, "{name} ({address})") }
    }
}
