//! The proxy's own pool and balancers, for backends that exist in name only.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use super::workload::stream;
use crate::balance::policy::{self, Seed};
use crate::balance::{Balancer, Lease, Pool, Sample, Tried};
use crate::config;

/// A backend of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// From 1: its name is `b1`, whoever else is there.
    pub(super) number: usize,
    pub(super) weight: u32,
}

impl Member {
    pub(super) fn name(self) -> String {
        format!("b{}", self.number)
    }
}

/// A pool as it would be configured, with the proxy's own back-off.
pub(super) fn pool(members: &[Member], base: Instant) -> Arc<Pool> {
    // Nobody connects to it.
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let backend = |member: &Member| config::Backend::new(member.name(), nowhere, member.weight);
    let config = config::Pool::new("simulated", "", members.iter().map(backend).collect());
    Arc::new(Pool::new(&config, &config::Timeouts::default(), base))
}

/// One worker's balancer in front of a pool.
///
/// # Panics
/// There is no such policy: names are checked where they come in.
pub(super) fn balancer(policy: &str, pool: &Arc<Pool>, seed: Seed) -> Balancer {
    let policy = policy::build(policy, seed).expect("a name of the registry");
    Balancer::new(Arc::clone(pool), policy)
}

/// Instances of the proxy, each with a pool of its own, and workers that share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) instances: usize,
    pub(super) workers: usize,
}

/// All balancers that requests may meet.
pub(super) struct Fleet {
    balancers: Vec<Balancer>,
}

impl Fleet {
    /// `max_load_percent` bounds the policies that it is for.
    pub(super) fn new(
        policy: &str,
        members: &[Member],
        size: Size,
        max_load_percent: Option<u32>,
        seed: u64,
        base: Instant,
    ) -> Fleet {
        let mut balancers = Vec::with_capacity(size.instances * size.workers);
        for instance in 0..size.instances {
            let pool = pool(members, base);
            let random = stream(seed, &format!("instance {instance}"));
            let workers = (0..size.workers).map(|worker| balancer(policy, &pool, Seed { worker, random }));
            balancers.extend(workers);
        }
        if let Some(percent) = max_load_percent
            && policy::keyed().any(|keyed| keyed == policy)
        {
            balancers.iter_mut().for_each(|balancer: &mut Balancer| balancer.set_max_load(Some(percent)));
        }
        Fleet { balancers }
    }

    /// One of them chooses.
    pub(super) fn choose(
        &mut self,
        balancer: usize,
        client: IpAddr,
        tried: &Tried,
        now: Instant,
    ) -> Option<Lease> {
        self.balancers[balancer].choose(client, None, tried, now)
    }

    /// It hears what came by `now` of what it was asked at `since`.
    pub(super) fn observe(
        &mut self,
        balancer: usize,
        lease: &Lease,
        sample: Sample,
        since: Instant,
        now: Instant,
    ) {
        self.balancers[balancer].observe(lease.backend(), sample, since, now);
    }
}
