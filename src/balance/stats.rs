//! What has become of a backend, counted for people to see. Nothing here decides anything.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::histogram::SharedHistogram;
use crate::http::{CLASSES, class_of};

/// Changes remembered for each backend.
const CHANGES_MOST: usize = 16;

/// Counters of one backend, over all workers.
#[derive(Default)]
pub struct Stats {
    /// Connections given to it; in HTTP mode, requests.
    pub chosen: AtomicU64,
    /// Connects that failed.
    pub connects_failed: AtomicU64,
    /// Responses by the first digit of their status.
    pub responses: [AtomicU64; CLASSES],
    /// Bytes to it; in HTTP mode, of content.
    pub up_bytes: AtomicU64,
    /// Bytes from it, likewise.
    pub down_bytes: AtomicU64,
    /// From the end of a request to the head of its response; in TCP mode, from the client's last byte to its first.
    pub answers: SharedHistogram,
    changes: Mutex<VecDeque<Change>>,
}

/// Something about a backend is different from what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Instant,
    /// What it is now, in a word or two.
    pub what: &'static str,
    /// Why.
    pub why: String,
}

impl Stats {
    /// A response with this status has come.
    pub fn count_response(&self, status: u16) {
        self.responses[class_of(status)].fetch_add(1, Relaxed);
    }

    /// So many bytes have moved to the backend and from it.
    pub fn count_bytes(&self, up: u64, down: u64) {
        if up > 0 {
            self.up_bytes.fetch_add(up, Relaxed);
        }
        if down > 0 {
            self.down_bytes.fetch_add(down, Relaxed);
        }
    }

    /// Remembers a change, and forgets the oldest if there are many.
    pub fn note(&self, what: &'static str, why: String, at: Instant) {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if changes.len() == CHANGES_MOST {
            changes.pop_front();
        }
        changes.push_back(Change { at, what, why });
    }

    /// What has changed, the oldest first.
    pub fn changes(&self) -> Vec<Change> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
