//! The production loop over a simulated network: one seed, one run.
//!
//! Every knob of the network, the peers and the proxy is drawn from the seed, and everything that must hold whatever
//! happens is checked against a shadow model. A failing seed is printed; `SIM_SEED=N cargo test --test sim` runs it
//! alone, as TCP and as HTTP sessions; `SIM_SEEDS=N` sets how many of each kind are run. `SIM_TALLY=1` prints how often
//! what happened to HTTP. `tests/mutations.rs` breaks the proxy on purpose to show that these tests would notice.

#![allow(unreachable_pub, missing_docs, reason = "a test crate has no public interface")]

mod http;
mod knobs;
mod model;
mod net;
mod operation;
mod peer;
mod record;
#[path = "../strict/mod.rs"]
mod strict;
mod tcp;
mod timing;
mod world;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use lbproxy::balance::policy::{self, Seed};
use lbproxy::balance::{Balancer, Pool};
use lbproxy::config::{self, Config};
use lbproxy::ctx::Ctx;
use lbproxy::proxy::Proxy;

use knobs::Knobs;
use net::{Shared, SimNet};
use operation::Operator;
use world::World;

/// Turns in a row that may achieve nothing: more is spinning.
const IDLE_TURNS: usize = 200;
/// Turns that one run may take, and things that may happen in it: more is a livelock.
const MAX_TURNS: u64 = 500_000;
const MAX_STEPS: u64 = 2_000_000;
/// Seeds run by a plain `cargo test`.
const DEFAULT_SEEDS: u64 = 600;
/// Seeds in which everything that can happen should.
const MEANINGFUL_SEEDS: usize = 300;

pub const IDLE_TIMEOUT: Duration = Duration::from_secs(600);
pub const HALF_CLOSE_TIMEOUT: Duration = Duration::from_secs(200);
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

fn configuration(knobs: &Knobs) -> Config {
    let backends = knobs.weights.iter().enumerate().map(|(index, &weight)| {
        config::Backend::new(format!("b{index}"), ([10, 0, 0, index as u8], 80).into(), weight)
    });
    let mut config = Config {
        admin: None,
        workers: 1,
        timeouts: config::Timeouts {
            connect: CONNECT_TIMEOUT,
            idle: IDLE_TIMEOUT,
            half_close: HALF_CLOSE_TIMEOUT,
            keepalive: Duration::from_secs(60),
            drain: DRAIN_TIMEOUT,
            resolve_interval: None,
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
            max_pipes: knobs.max_pipes,
            ..config::Limits::default()
        },
        frontends: vec![config::Frontend::new("sim", 0)],
        pools: vec![config::Pool {
            max_load_percent: knobs.max_load_percent,
            ..config::Pool::new("sim", knobs.policy, backends.collect())
        }],
        log: config::Log { access_format: config::AccessFormat::Combined },
    };
    if let Some(http) = &knobs.http {
        http.configure(&mut config);
    }
    if let Some(operation) = &knobs.operation {
        operation.configure(&mut config);
    }
    config
}

fn build(seed: u64, world: &Shared, epoch: Instant) -> (Proxy<SimNet>, Operator) {
    let config = Arc::new(configuration(&world.borrow().knobs));
    let pool = Arc::new(Pool::new(&config.pools[0], &config.timeouts, epoch));
    let policy =
        policy::build(config.pools[0].policy, Seed { worker: 0, random: seed }).expect("a registered policy");
    let net = SimNet { world: world.clone(), epoch };
    let listener = net.listener();
    let max_connections = config.limits.max_connections;
    let ctx = Ctx::new(net, vec![Balancer::new(pool.clone(), policy)], config.clone());
    let mut proxy = Proxy::new(ctx, vec![(listener, 0)], max_connections).expect("registers");
    let operator = Operator::new(&mut proxy, &world.borrow(), config, pool, seed);
    (proxy, operator)
}

/// What the sessions of a run are.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Tcp,
    Http,
}

/// What is left of a run: the trace, and how often what happened in it.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    trace: u64,
    counts: BTreeMap<&'static str, u64>,
}

/// Runs one seed to its end and checks everything.
fn run(seed: u64, kind: Kind) -> Ran {
    record::start();
    let epoch = lbproxy::net::os::now();
    let world: Shared = Rc::new(RefCell::new(World::new(
        seed,
        match kind {
            Kind::Tcp => Knobs::draw,
            Kind::Http => http::knobs::draw,
        },
    )));
    let (mut proxy, mut operator) = build(seed, &world, epoch);
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
            let gently = world.borrow_mut().rng.bool();
            proxy.drain(gently);
            world.borrow_mut().tell_sessions(|link| proxy.ctx().links.session(link));
            draining = true;
        }
        if proxy.is_drained() {
            world.borrow_mut().finish();
        }
        let now = world.borrow().now;
        operator.look(&mut proxy, now, draining);
        let world = world.borrow();
        assert!(world.steps() < MAX_STEPS, "no end in sight");
        assert!(proxy.open_sessions() <= world.knobs.max_connections, "more connections than allowed");
        let over = proxy.open_sessions() == 0 && proxy.ctx().links.is_empty();
        if over && world.next_at().is_none() && world.queue.is_empty() {
            break;
        }
    }
    let mut world = world.borrow_mut();
    let lines = record::take();
    operator.check(&proxy, &mut world);
    let pool = operator.pools.last().expect("there is one");
    match kind {
        Kind::Tcp => model::check(&world, &proxy, pool, &lines),
        Kind::Http => http::model::check(&mut world, &proxy, pool, &lines),
    }
    Ran { trace: world.trace(), counts: std::mem::take(&mut world.book.counts) }
}

/// A seed has failed: the other half of them need not be run to its end.
static FAILED: AtomicBool = AtomicBool::new(false);

/// Prints the seed if the thread panics on its way through it.
struct Culprit(u64);

impl Drop for Culprit {
    fn drop(&mut self) {
        if std::thread::panicking() {
            FAILED.store(true, Relaxed);
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

/// Runs the `part`th half of all seeds: how many there were, and how often what happened in how many of them.
fn run_all(part: u64, kind: Kind) -> (usize, Tally) {
    let (seeds, mut tally) = (seeds(part), Tally::new());
    for &seed in seeds.iter().take_while(|_| !FAILED.load(Relaxed)) {
        let culprit = Culprit(seed);
        for (what, times) in run(seed, kind).counts {
            let (all, runs) = tally.entry(what).or_default();
            (*all, *runs) = (*all + times, *runs + 1);
        }
        drop(culprit);
    }
    (seeds.len(), tally)
}

type Tally = BTreeMap<&'static str, (u64, usize)>;

fn run_and_check(part: u64, kind: Kind) {
    let (seeds, tally) = run_all(part, kind);
    if std::env::var_os("SIM_TALLY").is_some() {
        eprintln!("{seeds} seeds, {kind:?}: {tally:#?}");
    }
    if FAILED.load(Relaxed) {
        return;
    }
    let tally = |what: &str| tally.get(what).copied().unwrap_or_default();
    if seeds >= MEANINGFUL_SEEDS && matches!(kind, Kind::Tcp) {
        for what in operation::MUST_HAPPEN {
            assert!(tally(what).0 > 0, "never: {what}");
        }
    }
    match kind {
        _ if seeds < MEANINGFUL_SEEDS => {}
        Kind::Tcp => assert!(tally("spliced").0 > 0, "never: spliced"),
        Kind::Http => http::model::check_coverage(seeds, tally),
    }
}

// Two tests of each kind, so that two cores share the work.
#[test]
fn whatever_happens_even_seeds() {
    run_and_check(0, Kind::Tcp);
}

#[test]
fn whatever_happens_odd_seeds() {
    run_and_check(1, Kind::Tcp);
}

#[test]
fn http_even_seeds() {
    run_and_check(0, Kind::Http);
}

#[test]
fn http_odd_seeds() {
    run_and_check(1, Kind::Http);
}

#[test]
fn the_same_seed_leaves_the_same_trace() {
    for (seed, kind) in (0..20).flat_map(|seed| [(seed, Kind::Tcp), (seed, Kind::Http)]) {
        let _culprit = Culprit(seed);
        assert_eq!(run(seed, kind), run(seed, kind), "seed {seed}, {kind:?}");
    }
}
