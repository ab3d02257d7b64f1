//! A connection's claim on its backend: counted while it lives, and the way back for what became of it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::backend::Backend;
use super::penalty::{AT_ONCE_LIMIT, Failure, Role};

/// One connection counted against one backend, from the choice until the drop, whichever way the connection ends.
///
/// Not `Clone`, so that what was counted once is released once.
#[must_use = "dropping it ends the connection's claim on the backend"]
pub struct Lease {
    backend: Arc<Backend>,
    role: Role,
}

impl Lease {
    /// Takes the backend unless it is full or must be passed over; claims its trial if that is due.
    pub(super) fn claim(backend: &Arc<Backend>, now_ms: u64) -> Option<Lease> {
        let mut lease = Lease::counted(backend)?;
        lease.role = backend.penalty().admit(now_ms)?;
        backend.stats().chosen.fetch_add(1, Relaxed);
        Some(lease)
    }

    /// Takes the backend unless it is full, penalised or not.
    pub(super) fn open(backend: &Arc<Backend>, now_ms: u64) -> Option<Lease> {
        let mut lease = Lease::counted(backend)?;
        lease.role = backend.penalty().admit(now_ms).unwrap_or(Role::Extra);
        backend.stats().chosen.fetch_add(1, Relaxed);
        Some(lease)
    }

    /// Counted before anything else is asked: what is counted is what others see.
    fn counted(backend: &Arc<Backend>) -> Option<Lease> {
        backend.try_count().then(|| Lease { backend: Arc::clone(backend), role: Role::Extra })
    }

    /// Where to connect.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// No connection came about: refused, unreachable or too slow. The backend is passed over from now on.
    /// The log says `why`.
    pub fn connect_failed(&self, why: &dyn fmt::Display, now: Instant) {
        self.backend.stats().connects_failed.fetch_add(1, Relaxed);
        self.failed(Failure::Connect, why, now);
    }

    /// The backend accepted, then closed or reset within moments, without having sent a byte. Call at most once per
    /// lease, and not after [`Lease::succeeded`].
    ///
    /// What the client sent may have caused it, so only the third in a row, with no success in between, has the
    /// backend passed over.
    pub fn failed_at_once(&self, now: Instant) {
        let why = format_args!("closed at once, {AT_ONCE_LIMIT} times or more in a row");
        self.failed(Failure::AtOnce, &why, now);
    }

    /// The backend sent a byte, or kept the connection for longer than moments: whatever was held against it is
    /// forgotten. Not to be called for a mere connect, which a backend that fails at once achieves too. Nearly free,
    /// but once per lease is enough.
    pub fn succeeded(&self, now: Instant) {
        if self.backend.penalty().succeeded() {
            log::info!("backend {} is back", self.backend);
            self.backend.stats().note("up", "it serves again".to_owned(), now);
            self.backend.start_slowly(now);
        }
    }

    /// The backend answered with an error; after `limit` of those in a row, or as a trial, it is passed over if that
    /// `may` be.
    pub(super) fn erred(&self, limit: u32, may: impl Fn() -> bool, now: Instant) {
        if self.backend.penalty().erred(limit, self.role) && may() {
            self.failed(Failure::Errors, &format_args!("{limit} errors in a row, or one on trial"), now);
        }
    }

    fn failed(&self, failure: Failure, why: &dyn fmt::Display, now: Instant) {
        let penalty = self.backend.penalty();
        let Some(penalised) = penalty.failed(failure, self.role, penalty.millis(now)) else { return };
        // Once per outage at a level people watch; its trials are detail.
        let level = if penalised.first { log::Level::Warn } else { log::Level::Debug };
        if penalised.first {
            self.backend.stats().note("passed over", why.to_string(), now);
        }
        log::log!(level, "backend {} passed over for {} ms: {why}", self.backend, penalised.length_ms);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.backend.release();
    }
}
