//! What a session may touch besides itself.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::balance::Balancer;
use crate::clients::Clients;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::net::Net;
use crate::relay::{BufferPool, Links};
use crate::token::LinkId;
use crate::waiting::Lines;

/// The surroundings of a session: everything of the worker except the sessions and the loop itself.
pub struct Ctx<N: Net> {
    /// Sockets and time.
    pub net: N,
    /// One per entry of [`Config::pools`], in that order.
    pub pools: Vec<Balancer>,
    /// Relay buffers.
    pub buffers: BufferPool,
    /// Connections to backends.
    pub links: Links<N::Socket>,
    /// What clients have, for each entry of [`Config::frontends`] that limits it.
    pub clients: Vec<Option<Arc<Clients>>>,
    /// Sessions that wait for room in their pool.
    pub waiting: Lines,
    /// Connections of which their backends do not know yet, and since when they exist, the oldest first. The first bytes of
    /// the clients may tell them, which saves a segment: the loop waits for those as long as it has other things to do.
    pub ungreeted: VecDeque<(LinkId, Instant)>,
    /// Counters.
    pub metrics: Metrics,
    /// What the operator asked for.
    pub config: Arc<Config>,
    /// The time of this turn of the loop: read once after each wait, good enough for every deadline.
    pub now: Instant,
    /// No new clients, and those connected may finish.
    pub draining: bool,
    /// For each entry of [`Config::frontends`], whether it is there for those alone who came before it went; none, where no
    /// reload has taken one away.
    pub departed: Vec<bool>,
    /// While draining: who might say something just now is not cut off.
    pub gently: bool,
    /// The host had no socket to give: set by whoever asked for one, cleared by the loop, which then rests.
    pub exhausted: bool,
    /// For heads that are being written; nothing in it is of use to the next one.
    pub scratch: Vec<u8>,
    /// For what the log will say of requests under way.
    pub spare_texts: Vec<Vec<u8>>,
}

impl<N: Net> Ctx<N> {
    /// The surroundings at the start of a worker.
    pub fn new(net: N, mut pools: Vec<Balancer>, config: Arc<Config>) -> Ctx<N> {
        for (pool, of_pool) in pools.iter_mut().zip(&config.pools) {
            pool.set_retry_budget(config.limits.retry_budget_percent);
            pool.set_max_load(of_pool.max_load_percent);
        }
        Ctx {
            pools,
            buffers: BufferPool::new(config.limits.buffer_bytes).with_ducts(config.limits.max_pipes),
            links: Links::new(config.limits.max_idle, config.timeouts.backend_idle),
            clients: vec![None; config.frontends.len()],
            waiting: Lines::default(),
            ungreeted: VecDeque::new(),
            metrics: Metrics::default(),
            now: net.now(),
            draining: false,
            departed: Vec::new(),
            gently: false,
            exhausted: false,
            scratch: Vec::new(),
            spare_texts: Vec::new(),
            config,
            net,
        }
    }

    /// Whether who came in on this frontend is to go as soon as that harms nobody.
    pub fn is_leaving(&self, frontend: usize) -> bool {
        self.draining || self.departed.get(frontend).is_some_and(|departed| *departed)
    }
}
