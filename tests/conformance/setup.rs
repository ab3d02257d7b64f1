//! A proxy, and how it is configured for these tests.

use std::sync::Arc;
use std::time::Duration;

use lbproxy::balance::policy::{self, Seed};
use lbproxy::balance::{Balancer, Pool};
use lbproxy::config::{self, Config};
use lbproxy::ctx::Ctx;
use lbproxy::proxy::Proxy;

use super::case::Case;
use super::net::{ScriptNet, Shared};

/// Small limits keep cases short; round timeouts tell each other apart.
fn configuration(case: &Case) -> Config {
    let second = Duration::from_secs(1);
    let mut config = Config {
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
        frontends: vec![config::Frontend {
            name: "web".into(),
            listen: Vec::new(),
            pool: 0,
            mode: case.mode,
            trusted_proxies: Vec::new(),
            forwarded: config::ForwardedStyle::XForwarded,
        }],
        pools: vec![config::Pool {
            name: "app".into(),
            policy: "round_robin",
            backends: vec![another_backend(0)],
            sticky: None,
        }],
        log: config::Log { access_format: config::AccessFormat::Combined },
    };
    case.configure.iter().for_each(|configure| configure(&mut config));
    config
}

/// A backend for [`Config::pools`].
pub fn another_backend(number: u8) -> config::Backend {
    config::Backend { name: format!("b{number}"), address: ([10, 99, 0, number], 80).into(), weight: 1 }
}

/// How the addresses of all backends begin: clients must never see it.
pub const INTERNAL: &[u8] = b"10.99.0.";

/// A proxy for this case.
pub fn proxy(case: &Case, world: &Shared) -> (Proxy<ScriptNet>, Arc<Pool>) {
    let now = world.borrow().now;
    let config = Arc::new(configuration(case));
    let pool = Arc::new(Pool::new(&config.pools[0], &config.timeouts, now));
    let seed = Seed { worker: 0, random: 1 };
    let policy = policy::build(config.pools[0].policy, seed).expect("a registered policy");
    let max_connections = config.limits.max_connections;
    let ctx = Ctx::new(ScriptNet(world.clone()), vec![Balancer::new(pool.clone(), policy)], config);
    (Proxy::new(ctx, vec![((), 0)], max_connections).expect("nothing to fail"), pool)
}
