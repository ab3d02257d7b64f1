//! Resolved back to TOML, for `--check`: every key written out, so that nothing about it is left to a default.

use std::time::Duration;

use super::raw::{Raw, RawBackend, RawFrontend, RawLimits, RawPool, RawTimeouts};
use super::{Backend, Config, Frontend, Limits, Pool, Timeouts};

impl Config {
    /// A configuration file that resolves to exactly this configuration.
    pub fn to_toml(&self) -> String {
        let raw = Raw {
            workers: integer(self.workers),
            timeouts: raw_timeouts(&self.timeouts),
            limits: raw_limits(&self.limits),
            frontend: self.frontends.iter().map(|frontend| raw_frontend(frontend, &self.pools)).collect(),
            pool: self.pools.iter().map(|pool| (pool.name.clone(), raw_pool(pool))).collect(),
        };
        toml::to_string(&raw)
            .expect("strings, integers, arrays and string-keyed tables: all of them exist in TOML")
    }
}

fn raw_timeouts(timeouts: &Timeouts) -> RawTimeouts {
    RawTimeouts {
        connect_timeout_ms: millis(timeouts.connect),
        idle_timeout_ms: millis(timeouts.idle),
        half_close_timeout_ms: millis(timeouts.half_close),
        keepalive_ms: millis(timeouts.keepalive),
        drain_timeout_ms: millis(timeouts.drain),
        backoff_ms: millis(timeouts.backoff),
        backoff_max_ms: millis(timeouts.backoff_max),
    }
}

fn raw_limits(limits: &Limits) -> RawLimits {
    RawLimits {
        max_connections: integer(limits.max_connections),
        backlog: integer(limits.backlog),
        connect_attempts: integer(limits.connect_attempts),
        buffer_bytes: integer(limits.buffer_bytes),
        turn_bytes: integer(limits.turn_bytes),
    }
}

fn raw_frontend(frontend: &Frontend, pools: &[Pool]) -> RawFrontend {
    let everywhere = frontend.listen.iter().find(|listen| listen.dual_stack);
    let precise = frontend.listen.iter().filter(|listen| !listen.dual_stack);
    RawFrontend {
        name: Some(frontend.name.clone()),
        port: everywhere.and_then(|listen| integer(listen.address.port())),
        listen: precise.map(|listen| listen.address.to_string()).collect(),
        pool: pools.get(frontend.pool).map(|pool| pool.name.clone()),
    }
}

fn raw_pool(pool: &Pool) -> RawPool {
    RawPool {
        policy: Some(pool.policy.to_owned()),
        backends: pool.backends.iter().map(raw_backend).collect(),
    }
}

fn raw_backend(backend: &Backend) -> RawBackend {
    RawBackend {
        address: Some(backend.address.to_string()),
        weight: integer(backend.weight),
        name: Some(backend.name.clone()),
    }
}

fn millis(duration: Duration) -> Option<i64> {
    integer(duration.as_millis())
}

/// Always `Some` for a configuration that was resolved: its numbers came from `i64`s.
fn integer(value: impl TryInto<i64>) -> Option<i64> {
    value.try_into().ok()
}
