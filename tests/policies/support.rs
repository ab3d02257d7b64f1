//! Pools, balancers and clients for the tests, in as few words as possible.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use lbproxy::balance::policy::{self, Seed};
use lbproxy::balance::{Backend, Balancer, Choice, Lease, Policy, Pool, Tried};
use lbproxy::config;
use proptest::test_runner::{Config, RngSeed};

pub(crate) const BACKOFF_MS: u64 = 500;
pub(crate) const BACKOFF_MAX_MS: u64 = 4000;

/// The instant all pools count from. The only look at the clock: every other instant is computed.
pub(crate) fn base() -> Instant {
    static BASE: OnceLock<Instant> = OnceLock::new();
    *BASE.get_or_init(lbproxy::net::os::now)
}

pub(crate) fn at(ms: u64) -> Instant {
    base() + Duration::from_millis(ms)
}

/// The same cases in every run.
pub(crate) fn cases(cases: u32) -> Config {
    Config { cases, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..Config::default() }
}

/// The back-off that pools here have.
pub(crate) fn timeouts() -> config::Timeouts {
    config::Timeouts {
        backoff: Duration::from_millis(BACKOFF_MS),
        backoff_max: Duration::from_millis(BACKOFF_MAX_MS),
        ..config::Timeouts::default()
    }
}

/// A pool of this configuration.
pub(crate) fn configured(config: &config::Pool) -> Arc<Pool> {
    Arc::new(Pool::new(config, &timeouts(), base()))
}

/// A pool of named backends.
pub(crate) fn named<S: AsRef<str>>(backends: &[(S, u32)]) -> Arc<Pool> {
    let backend = |(port, (name, weight)): (u16, &(S, u32))| {
        config::Backend::new(name.as_ref(), SocketAddr::from((Ipv4Addr::LOCALHOST, port)), *weight)
    };
    let backends = (9001..).zip(backends).map(backend).collect();
    configured(&config::Pool::new("test", "", backends))
}

/// A pool of backends b0, b1 … with these weights.
pub(crate) fn pool(weights: &[u32]) -> Arc<Pool> {
    let backends: Vec<_> = weights.iter().enumerate().map(|(i, &weight)| (format!("b{i}"), weight)).collect();
    named(&backends)
}

/// One worker's balancer.
pub(crate) fn worker(policy: &str, pool: &Arc<Pool>, worker: usize) -> Balancer {
    with_seed(policy, pool, Seed { worker, random: 7 })
}

/// The balancer of a run of many that differ in their lots.
pub(crate) fn seeded(policy: &str, pool: &Arc<Pool>, random: u64) -> Balancer {
    with_seed(policy, pool, Seed { worker: 0, random })
}

fn with_seed(policy: &str, pool: &Arc<Pool>, seed: Seed) -> Balancer {
    let policy = policy::build(policy, seed).expect("a name of the registry");
    Balancer::new(Arc::clone(pool), policy)
}

/// A balancer that asks a closure: to test what is around policies.
pub(crate) fn asking<F>(pool: &Arc<Pool>, pick: F) -> Balancer
where
    F: FnMut(&Choice<'_>) -> Option<usize> + Send + 'static,
{
    struct Ask<F>(F);
    impl<F: FnMut(&Choice<'_>) -> Option<usize> + Send> Policy for Ask<F> {
        fn score(&self, _: &Choice<'_>, _: usize) -> Option<f64> {
            None
        }

        fn copy(&self) -> Box<dyn Policy> {
            unreachable!("nobody asks a closure what it would do")
        }

        fn name(&self) -> &'static str {
            "ask"
        }
        fn pick(&mut self, choice: &Choice<'_>) -> Option<usize> {
            (self.0)(choice)
        }
    }
    Balancer::new(Arc::clone(pool), Box::new(Ask(pick)))
}

/// Takes the first backend that is available.
pub(crate) fn first_available(pool: &Arc<Pool>) -> Balancer {
    asking(pool, |choice| choice.available().next().map(|(index, _)| index))
}

/// Client number n: an address like any other, spread over the IPv4 space.
pub(crate) fn client(n: u32) -> IpAddr {
    IpAddr::from(n.wrapping_mul(0x9e37_79b1).to_be_bytes())
}

/// The position of a lease's backend.
pub(crate) fn position(balancer: &Balancer, lease: &Lease) -> usize {
    let is_it = |backend: &Arc<Backend>| backend.id == lease.backend().id;
    balancer.pool().backends().iter().position(is_it).expect("a lease is for a backend of the pool")
}

/// Chooses for a client that stays away from `without`, and gives the connection up at once.
pub(crate) fn pick_without(balancer: &mut Balancer, without: &[usize], now: Instant) -> Option<usize> {
    let tried = tried(balancer, without);
    let lease = balancer.choose(client(0), None, &tried, now)?;
    Some(position(balancer, &lease))
}

pub(crate) fn tried(balancer: &Balancer, positions: &[usize]) -> Tried {
    let mut tried = Tried::default();
    for &i in positions {
        assert!(tried.insert(balancer.pool().backends()[i].id));
    }
    tried
}

/// How often each backend is chosen in so many turns of connections that end at once.
pub(crate) fn counts(balancer: &mut Balancer, without: &[usize], turns: u64) -> Vec<u64> {
    let mut counts = vec![0; balancer.pool().backends().len()];
    for _ in 0..turns {
        counts[pick_without(balancer, without, base()).expect("somebody is available")] += 1;
    }
    counts
}

pub(crate) fn connections(pool: &Pool) -> Vec<u32> {
    pool.backends().iter().map(|backend| backend.connections()).collect()
}

/// The mean of most minus least connections, where a client comes every so many milliseconds, for 100 ms, or 1 s
/// with the first backend: after a while to settle.
pub(crate) fn mean_spread(balancer: &mut Balancer, every_ms: u64) -> f64 {
    const SETTLED: u64 = 5_000;
    const END: u64 = 25_000;
    let mut held: BTreeMap<(u64, u64), Lease> = BTreeMap::new();
    let mut spread = 0;
    for ms in (0..END).map(|n| n * every_ms) {
        held = held.split_off(&(ms + 1, 0));
        let lease = balancer.choose(client(ms as u32), None, &Tried::default(), at(ms)).expect("available");
        let service_ms = if position(balancer, &lease) == 0 { 1000 } else { 100 };
        held.insert((ms + service_ms, ms), lease);
        let now = connections(balancer.pool());
        if ms >= SETTLED * every_ms {
            spread += now.iter().max().expect("backends") - now.iter().min().expect("backends");
        }
    }
    f64::from(spread) / (END - SETTLED) as f64
}

/// Pearson's statistic of counts against the shares that these weights promise.
pub(crate) fn chi_square(counts: &[u64], weights: &[u32]) -> f64 {
    let turns: u64 = counts.iter().sum();
    let total: u32 = weights.iter().sum();
    let term = |(&count, &weight): (&u64, &u32)| {
        let expected = turns as f64 * f64::from(weight) / f64::from(total);
        (count as f64 - expected).powi(2) / expected
    };
    counts.iter().zip(weights).map(term).sum()
}
