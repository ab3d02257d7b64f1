//! The production loop over a simulated network: one seed, one run.
//!
//! Every knob of the network, the peers and the proxy is drawn from the seed, and everything that must hold whatever
//! happens is checked against a shadow model. A failing seed is printed; `SIM_SEED=N cargo test --test sim` runs it
//! alone, `SIM_SEEDS=N` sets how many are run. `tests/mutations.rs` breaks the proxy on purpose to show that these
//! tests would notice.

#![allow(unreachable_pub, missing_docs, reason = "a test crate has no public interface")]

mod knobs;
mod model;
mod net;
mod peer;
mod record;
mod tcp;
mod timing;
mod world;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lbproxy::balance::policy::{self, Seed};
use lbproxy::balance::{Balancer, Pool};
use lbproxy::config::{self, Config};
use lbproxy::ctx::Ctx;
use lbproxy::proxy::Proxy;

use knobs::Knobs;
use net::{Shared, SimNet};
use world::World;

/// Turns in a row that may achieve nothing: more is spinning.
const IDLE_TURNS: usize = 200;
/// Turns that one run may take, and things that may happen in it: more is a livelock.
const MAX_TURNS: u64 = 500_000;
const MAX_STEPS: u64 = 2_000_000;
/// Seeds run by a plain `cargo test`.
const DEFAULT_SEEDS: u64 = 600;

pub const IDLE_TIMEOUT: Duration = Duration::from_secs(600);
pub const HALF_CLOSE_TIMEOUT: Duration = Duration::from_secs(200);
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

fn configuration(knobs: &Knobs) -> Config {
    let backends = knobs.weights.iter().enumerate().map(|(index, &weight)| config::Backend {
        name: format!("b{index}"),
        address: ([10, 0, 0, index as u8], 80).into(),
        weight,
    });
    Config {
        workers: 1,
        timeouts: config::Timeouts {
            connect: CONNECT_TIMEOUT,
            idle: IDLE_TIMEOUT,
            half_close: HALF_CLOSE_TIMEOUT,
            keepalive: Duration::from_secs(60),
            drain: DRAIN_TIMEOUT,
            backoff: Duration::from_millis(500),
            backoff_max: Duration::from_secs(30),
            ..config::Timeouts::default()
        },
        limits: config::Limits {
            max_connections: knobs.max_connections,
            backlog: 1024,
            connect_attempts: knobs.connect_attempts,
            buffer_bytes: knobs.buffer_bytes,
            turn_bytes: knobs.turn_bytes,
            ..config::Limits::default()
        },
        frontends: vec![config::Frontend {
            name: "sim".into(),
            listen: Vec::new(),
            pool: 0,
            mode: config::Mode::Tcp,
            trusted_proxies: Vec::new(),
            forwarded: config::ForwardedStyle::XForwarded,
        }],
        pools: vec![config::Pool {
            name: "sim".into(),
            policy: knobs.policy,
            backends: backends.collect(),
            sticky: None,
        }],
        log: config::Log { access_format: config::AccessFormat::Combined },
    }
}

fn build(seed: u64, world: &Shared, epoch: Instant) -> (Proxy<SimNet>, Arc<Pool>) {
    let config = Arc::new(configuration(&world.borrow().knobs));
    let pool = Arc::new(Pool::new(&config.pools[0], &config.timeouts, epoch));
    let policy =
        policy::build(config.pools[0].policy, Seed { worker: 0, random: seed }).expect("a registered policy");
    let net = SimNet { world: world.clone(), epoch };
    let listener = net.listener();
    let max_connections = config.limits.max_connections;
    let ctx = Ctx::new(net, vec![Balancer::new(pool.clone(), policy)], config);
    (Proxy::new(ctx, vec![(listener, 0)], max_connections).expect("registers"), pool)
}

/// Runs one seed to its end and checks everything. Returns the trace.
fn run(seed: u64) -> u64 {
    record::start();
    let epoch = lbproxy::net::os::now();
    let world: Shared = Rc::new(RefCell::new(World::new(seed)));
    let (mut proxy, pool) = build(seed, &world, epoch);
    let drain_at = world.borrow().knobs.drain_at;
    let (mut idle_turns, mut draining) = (0, false);
    for turn in 0.. {
        assert!(turn < MAX_TURNS, "no end in sight");
        let (before, progress) = (world.borrow().now, world.borrow().progress);
        proxy.turn().expect("the simulated queue does not fail");
        world.borrow_mut().tell_sessions(|link| proxy.ctx().links.session(link));
        let (now, progress) = (world.borrow().now, world.borrow().progress - progress);
        let slept = now - before > Duration::from_millis(1);
        idle_turns = if progress > 0 || slept { 0 } else { idle_turns + 1 };
        assert!(idle_turns < IDLE_TURNS, "spinning at {now:?}");
        if drain_at.is_some_and(|at| at <= now) && !draining {
            // Clients may connect between the loop's last look at the queue and the signal.
            world.borrow_mut().latecomers();
            proxy.drain();
            world.borrow_mut().tell_sessions(|link| proxy.ctx().links.session(link));
            draining = true;
        }
        if proxy.is_drained() {
            world.borrow_mut().finish();
        }
        let world = world.borrow();
        assert!(world.steps() < MAX_STEPS, "no end in sight");
        assert!(proxy.open_sessions() <= world.knobs.max_connections, "more connections than allowed");
        if proxy.open_sessions() == 0 && world.next_at().is_none() && world.queue.is_empty() {
            break;
        }
    }
    let world = world.borrow();
    model::check(&world, &proxy, &pool, &record::take());
    world.trace()
}

/// Prints the seed if the thread panics on its way through it.
struct Culprit(u64);

impl Drop for Culprit {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failing seed: SIM_SEED={} cargo test --test sim", self.0);
        }
    }
}

/// The seeds to run: one that was asked for, or the `part`th half of all.
fn seeds(part: u64) -> Vec<u64> {
    let number = |name| std::env::var(name).ok().map(|text: String| text.parse().expect("a number"));
    match number("SIM_SEED") {
        Some(seed) => Vec::from_iter((part == 0).then_some(seed)),
        None => (0..number("SIM_SEEDS").unwrap_or(DEFAULT_SEEDS)).filter(|seed| seed % 2 == part).collect(),
    }
}

fn run_all(part: u64) {
    for seed in seeds(part) {
        let culprit = Culprit(seed);
        run(seed);
        drop(culprit);
    }
}

// Two tests, so that two cores share the work.
#[test]
fn whatever_happens_even_seeds() {
    run_all(0);
}

#[test]
fn whatever_happens_odd_seeds() {
    run_all(1);
}

#[test]
fn the_same_seed_leaves_the_same_trace() {
    for seed in 0..20 {
        let _culprit = Culprit(seed);
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
}
