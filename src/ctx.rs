//! What a session may touch besides itself.

use std::sync::Arc;
use std::time::Instant;

use crate::balance::Balancer;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::net::Net;
use crate::relay::BufferPool;

/// The surroundings of a session: everything of the worker except the sessions and the loop itself.
pub struct Ctx<N: Net> {
    /// Sockets and time.
    pub net: N,
    /// One per entry of [`Config::pools`], in that order.
    pub pools: Vec<Balancer>,
    /// Relay buffers.
    pub buffers: BufferPool,
    /// Counters.
    pub metrics: Metrics,
    /// What the operator asked for.
    pub config: Arc<Config>,
    /// The time of this turn of the loop: read once after each wait, good enough for every deadline.
    pub now: Instant,
}
