//! A proxy on a network that follows scripts: how it is configured, run and left.

#![allow(dead_code, reason = "each test crate that includes it uses what it needs")]

pub mod net;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use lbproxy::balance::policy::{self, Seed};
use lbproxy::balance::{Balancer, Pool};
use lbproxy::config::{self, Config};
use lbproxy::ctx::Ctx;
use lbproxy::proxy::Proxy;

use self::net::{ScriptNet, Shared};
use self::wire::Wire;

/// Turns that the proxy may take before it waits: more is spinning.
const TURNS_MAX: usize = 300;
/// Waits until nothing is left.
const WAITS_MAX: usize = 1_000;

/// The proxy, and what is watched from outside.
pub struct Rig {
    pub world: Shared,
    pub proxy: Proxy<ScriptNet>,
    pub pool: Arc<Pool>,
}

impl Rig {
    pub fn new(config: Config, world: &Shared) -> Rig {
        let now = world.borrow().now;
        let config = Arc::new(config);
        let pool = Arc::new(Pool::new(&config.pools[0], &config.timeouts, now));
        let seed = Seed { worker: 0, random: 1 };
        let policy = policy::build(config.pools[0].policy, seed).expect("a registered policy");
        let max_connections = config.limits.max_connections;
        let ctx = Ctx::new(ScriptNet(world.clone()), vec![Balancer::new(pool.clone(), policy)], config);
        let proxy = Proxy::new(ctx, vec![((), 0)], max_connections).expect("nothing to fail");
        Rig { world: world.clone(), proxy, pool }
    }

    /// The proxy runs until it waits.
    pub fn settle(&mut self) -> Result<(), String> {
        for _ in 0..TURNS_MAX {
            self.proxy.turn().map_err(|error| error.to_string())?;
            if self.world.borrow().waits.is_some() {
                return Ok(());
            }
        }
        Err(format!("{TURNS_MAX} turns without a wait"))
    }

    /// Time passes, and the proxy runs until it waits.
    pub fn pass(&mut self, duration: Duration) -> Result<(), String> {
        self.world.borrow_mut().now += duration;
        self.proxy.turn().map_err(|error| error.to_string())?;
        self.settle()
    }

    /// How long the proxy would wait if nothing happened.
    pub fn would_wait(&self) -> Option<Duration> {
        self.world.borrow().waits.flatten()
    }

    /// Everybody leaves, and nothing may be left of them.
    pub fn leave(&mut self) -> Result<(), String> {
        let wires = self.world.borrow().wires.len();
        for wire in 0..wires {
            self.world.borrow_mut().wires[wire].peer_leaves();
            self.settle()?;
        }
        for _ in 0..WAITS_MAX {
            let Some(timeout) = self.would_wait() else { break };
            if self.proxy.open_sessions() == 0 && self.world.borrow().wires.iter().all(|wire| wire.closed) {
                break;
            }
            // Connections made meanwhile belong to nobody.
            self.world.borrow_mut().wires.iter_mut().for_each(Wire::peer_leaves);
            self.pass(timeout.max(Duration::from_millis(1)))?;
        }
        self.check_nothing_is_left()
    }

    fn check_nothing_is_left(&self) -> Result<(), String> {
        let counted: u32 = self.pool.backends().iter().map(|backend| backend.connections()).sum();
        let open = self.world.borrow().wires.iter().filter(|wire| !wire.closed).count();
        let left = [
            ("sessions", self.proxy.open_sessions()),
            ("counted backend connections", counted as usize),
            ("buffers", self.proxy.ctx().buffers.in_use()),
            ("sockets", open),
        ];
        match left.iter().find(|(_, count)| *count > 0) {
            Some((what, count)) => Err(format!("everybody has left, and {count} {what} remain")),
            None => Ok(()),
        }
    }

    /// What went over every wire.
    pub fn transcript(&self) -> String {
        let world = self.world.borrow();
        let mut text = String::new();
        for (index, wire) in world.wires.iter().enumerate() {
            let who = match world.backend_wires.iter().position(|backend| *backend == index) {
                Some(number) => format!("backend connection {number}"),
                None => "client".to_owned(),
            };
            let end = match wire {
                Wire { reset_out: true, .. } => " and a reset",
                wire if wire.ended() => " and the end",
                _ => "",
            };
            text += &format!("  {who} sent: {}\n", wire.sent.escape_ascii());
            text += &format!("  {who} got:  {}{end}\n", wire.got.escape_ascii());
        }
        text
    }
}

/// Small limits keep exchanges short; round timeouts tell each other apart. What is not about either can be changed.
pub fn configuration() -> Config {
    let second = Duration::from_secs(1);
    Config {
        workers: 1,
        timeouts: config::Timeouts {
            connect: 3 * second,
            idle: 600 * second,
            half_close: 200 * second,
            head: 10 * second,
            body: 30 * second,
            response: 50 * second,
            keep_alive: 70 * second,
            backend_idle: 40 * second,
            request: None,
            ..config::Timeouts::default()
        },
        limits: config::Limits {
            max_connections: 100,
            buffer_bytes: 4096,
            turn_bytes: 16 * 1024,
            head_bytes: 1024,
            target_bytes: 200,
            fields: 20,
            body_bytes: None,
            max_idle: 4,
            ..config::Limits::default()
        },
        frontends: vec![config::Frontend { mode: config::Mode::Http, ..config::Frontend::new("web", 0) }],
        pools: vec![config::Pool::new("app", "round_robin", vec![another_backend(0)])],
        log: config::Log { access_format: config::AccessFormat::Combined },
        admin: None,
    }
}

/// A backend for [`Config::pools`].
pub fn another_backend(number: u8) -> config::Backend {
    config::Backend::new(format!("b{number}"), ([10, 99, 0, number], 80).into(), 1)
}

/// How the addresses of all backends begin: clients must never see it.
pub const INTERNAL: &[u8] = b"10.99.0.";
