//! A backend: a number of places, and a queue before them.

use std::collections::VecDeque;

use super::assigned::Span;
use crate::balance::Lease;

/// What a backend is like.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Nature {
    pub(super) weight: u32,
    /// How many times as long it works on a request.
    pub(super) slowness: f64,
    /// The share of requests that it ends at once, with an error.
    pub(super) fails: f64,
    /// When nobody answers there.
    pub(super) down: Vec<Span>,
}

impl Default for Nature {
    fn default() -> Nature {
        Nature { weight: 1, slowness: 1.0, fails: 0.0, down: Vec::new() }
    }
}

/// A request that a backend has accepted, worked on or waiting.
pub(super) struct Held {
    /// The backend's position.
    pub(super) position: usize,
    /// The balancer that chose it.
    pub(super) balancer: usize,
    /// When the client came.
    pub(super) came_at_ns: u64,
    /// How long this backend works on it.
    pub(super) takes_ns: u64,
    /// Counts it against the backend until it is over.
    pub(super) lease: Lease,
}

/// A backend while it works.
pub(super) struct Backend {
    pub(super) slowness: f64,
    pub(super) fails: f64,
    pub(super) is_down: bool,
    /// Places that are taken.
    pub(super) busy: usize,
    /// Those who wait for one.
    pub(super) queue: VecDeque<Held>,
}

impl Backend {
    pub(super) fn new(nature: &Nature) -> Backend {
        Backend {
            slowness: nature.slowness,
            fails: nature.fails,
            is_down: false,
            busy: 0,
            queue: VecDeque::new(),
        }
    }
}
