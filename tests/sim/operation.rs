//! What operators do and want, from seed to seed: checks, caps and queues, backups, limits for clients, and another
//! configuration in midst of it all.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use lbproxy::balance::Pool;
use lbproxy::balance::policy::Seed;
use lbproxy::clients::Clients;
use lbproxy::config::{Check, ClientLimits, Config, Health, OnAllDown, OnDown};
use lbproxy::health::Checks;
use lbproxy::proxy::{Proxy, Renewal, Source};

use super::knobs::{Knobs, log_uniform};
use super::net::SimNet;
use super::world::World;

/// Sessions may idle for hours, and nobody wants to see all checks of that time.
const CHECKS_END: Duration = Duration::from_millis(1_500);

/// What has to happen in many seeds, in the order in which [`Operator::check`] counts it.
pub const MUST_HAPPEN: [&str; 6] = [
    "waited for room",
    "refused for want of room",
    "check failed",
    "client limited",
    "backend down",
    "renewed",
];

/// Drawn for half of the seeds.
#[derive(Clone, Debug)]
pub struct Operation {
    pub caps: Vec<Option<u32>>,
    backups: Vec<bool>,
    queue: usize,
    pub queue_timeout: Duration,
    checks: bool,
    on_down: OnDown,
    on_all_down: OnAllDown,
    slow_start: Duration,
    eject_errors: u32,
    client_cap: Option<u32>,
    /// What is left to come, the next one last.
    renewals: Vec<Another>,
}

/// Another configuration.
#[derive(Clone, Debug)]
struct Another {
    at: Duration,
    /// A backend without one is gone.
    weights: Vec<Option<u32>>,
    /// The pool does not follow the last one: that one is gone, and this one happens to have its name.
    is_stranger: bool,
}

impl Another {
    fn draw(rng: &mut Rng, backends: usize) -> Another {
        let weight = |n, rng: &mut Rng| (n == 0 || rng.u8(..4) > 0).then(|| rng.u32(1..=5));
        Another {
            at: Duration::from_millis(rng.u64(0..2_000)),
            weights: (0..backends).map(|n| weight(n, rng)).collect(),
            is_stranger: rng.u8(..4) == 0,
        }
    }
}

impl Operation {
    pub fn draw(rng: &mut Rng, knobs: &Knobs) -> Option<Operation> {
        if rng.bool() {
            return None;
        }
        let backends = knobs.weights.len();
        let calm = knobs.http.as_ref().is_some_and(|http| http.calm);
        let backup = |n: usize, rng: &mut Rng| n > 0 && rng.u8(..4) == 0;
        let mut renewals: Vec<Another> =
            (0..rng.usize(0..=3)).map(|_| Another::draw(rng, backends)).collect();
        renewals.sort_by_key(|another| std::cmp::Reverse(another.at));
        Some(Operation {
            caps: (0..backends).map(|_| rng.bool().then(|| rng.u32(1..=3))).collect(),
            backups: (0..backends).map(|n| backup(n, rng)).collect(),
            queue: if calm { 1_000 } else { rng.usize(0..=4) },
            queue_timeout: match calm {
                true => Duration::from_secs(3_600),
                false => Duration::from_micros(log_uniform(rng, 1_000, 20_000_000) as u64),
            },
            checks: rng.u8(..4) == 0,
            on_down: if rng.bool() && !calm { OnDown::Close } else { OnDown::Leave },
            on_all_down: if rng.bool() { OnAllDown::Try } else { OnAllDown::Refuse },
            slow_start: Duration::from_millis(rng.u64(0..=2_000)),
            eject_errors: if calm { 0 } else { rng.u32(0..=3) },
            client_cap: (!calm && rng.u8(..8) == 0).then(|| rng.u32(1..=2)),
            renewals,
        })
    }

    /// Puts it into a configuration.
    pub fn configure(&self, config: &mut Config) {
        let pool = &mut config.pools[0];
        let each = self.caps.iter().zip(&self.backups);
        for (backend, (cap, backup)) in pool.backends.iter_mut().zip(each) {
            (backend.max_connections, backend.backup) = (*cap, *backup);
        }
        (pool.queue, pool.queue_timeout) = (self.queue, self.queue_timeout);
        pool.health = Health {
            check: if self.checks { Check::Tcp } else { Check::Off },
            interval: Duration::from_millis(300),
            down_interval: Duration::from_millis(100),
            timeout: Duration::from_millis(500),
            rise: 2,
            fall: 2,
            on_down: self.on_down,
            on_all_down: self.on_all_down,
            slow_start: self.slow_start,
            eject_errors: self.eject_errors,
            eject_max_percent: 50,
        };
        config.frontends[0].clients =
            ClientLimits { max_connections: self.client_cap.unwrap_or_default(), ..ClientLimits::default() };
    }
}

/// What is to be done to the proxy of a run, and looked after.
pub struct Operator {
    plan: Option<Operation>,
    config: Arc<Config>,
    /// The last one serves.
    pub pools: Vec<Arc<Pool>>,
    clients: Option<Arc<Clients>>,
    seed: u64,
    looks: u64,
}

impl Operator {
    pub fn new(
        proxy: &mut Proxy<SimNet>,
        world: &World,
        config: Arc<Config>,
        pool: Arc<Pool>,
        seed: u64,
    ) -> Operator {
        let plan = world.knobs.operation.clone();
        let now = proxy.ctx().now;
        let limits = config.frontends[0].clients;
        let clients = (!limits.is_empty()).then(|| Arc::new(Clients::new(limits, seed, now)));
        proxy.limit_clients(vec![clients.clone()]);
        proxy.make_checks(Checks::new(&config, std::slice::from_ref(&pool), seed, now));
        Operator { plan, config, pools: vec![pool], clients, seed, looks: 0 }
    }

    /// After each turn.
    pub fn look(&mut self, proxy: &mut Proxy<SimNet>, now: Duration, draining: bool) {
        let Some(plan) = &mut self.plan else { return };
        for pool in &self.pools {
            for backend in pool.backends() {
                // Its last octet is its number.
                let number = usize::from(match backend.address.ip() {
                    std::net::IpAddr::V4(ip) => ip.octets()[3],
                    std::net::IpAddr::V6(_) => unreachable!("there is none"),
                });
                let most = plan.caps[number].unwrap_or(u32::MAX);
                assert!(backend.connections() <= most, "{backend} has {} of {most}", backend.connections());
            }
            assert!(pool.waiting() <= plan.queue, "{} wait, of {}", pool.waiting(), plan.queue);
        }
        self.looks += 1;
        // Counting them takes long: the table is large.
        if let Some(clients) = &self.clients
            && self.looks.is_multiple_of(200)
        {
            assert_eq!(clients.connections(), proxy.open_sessions() as u64, "counted against clients");
        }
        if plan.checks && now > CHECKS_END {
            plan.checks = false;
            let mut config = Config::clone(&self.config);
            config.pools[0].health.check = Check::Off;
            let pool = self.pools.last().expect("there is one");
            proxy.renew_checks(&config, std::slice::from_ref(pool), self.seed);
        }
        if let Some(another) = plan.renewals.pop_if(|another| another.at <= now && !draining) {
            self.renew(another, proxy);
        }
        for (pool, id) in proxy.ctx().links.seats() {
            let backend = proxy.ctx().pools[pool].backend(id).expect("a backend that somebody knows");
            assert!(!backend.is_gone(), "a connection waits for {backend}, which has gone");
        }
    }

    /// Weights are others, and a backend may be gone, or all of them, with others in their places.
    fn renew(&mut self, another: Another, proxy: &mut Proxy<SimNet>) {
        let Some(plan) = &self.plan else { return };
        let mut config = Config::clone(&self.config);
        config.pools[0].backends = self.config.pools[0]
            .backends
            .iter()
            .zip(&another.weights)
            .filter_map(|(backend, weight)| {
                let mut backend = backend.clone();
                backend.weight = (*weight)?;
                Some(backend)
            })
            .collect();
        let last = self.pools.last().expect("there is one");
        let pool = if another.is_stranger {
            last.retire();
            // Whoever takes one of them for one of the others gets a wrong one.
            config.pools[0].backends.reverse();
            Arc::new(Pool::new(&config.pools[0], &config.timeouts, proxy.ctx().now))
        } else {
            Arc::new(last.successor(&config.pools[0], &config.timeouts))
        };
        let config = Arc::new(config);
        let renewal = Renewal {
            config: Arc::clone(&config),
            pools: vec![Arc::clone(&pool)],
            clients: vec![self.clients.clone()],
            listeners: vec![(Source::Kept(0), 0)],
            max_connections: config.limits.max_connections,
            seed: Seed { worker: 0, random: self.seed },
        };
        proxy.renew(renewal).expect("no new listener");
        if plan.checks {
            proxy.renew_checks(&config, std::slice::from_ref(&pool), self.seed);
        }
        self.pools.push(pool);
    }

    /// When all is over.
    pub fn check(&self, proxy: &Proxy<SimNet>, world: &mut World) {
        assert!(proxy.ctx().waiting.is_empty(), "a place in a line that nobody has");
        let metrics = proxy.metrics();
        let counts = [metrics.queued, metrics.queue_refused, metrics.checks_failed, metrics.client_limited];
        let outages = self.pools[0].outage_news();
        let renewed = self.pools.len() as u64 - 1;
        for (what, count) in MUST_HAPPEN.iter().zip(counts.into_iter().chain([outages, renewed])) {
            (0..count.min(1)).for_each(|_| world.book.count(what));
        }
        for pool in &self.pools {
            assert_eq!(pool.waiting(), 0, "somebody who is gone still waits");
            for backend in pool.backends() {
                assert_eq!(backend.connections(), 0, "connections still counted against {}", backend.name);
            }
        }
        if let Some(clients) = &self.clients {
            assert_eq!(clients.connections(), 0, "connections still counted against clients");
        }
    }
}

impl World {
    /// Whether operators see to it that a backend that would serve is not asked.
    pub fn operators_may_refuse(&self) -> bool {
        self.knobs.operation.is_some()
    }
}
