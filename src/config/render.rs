//! Resolved back to TOML, for `--check`: every key written out, so that nothing about it is left to a default
//! (except those of a mode, a policy or a cookie that is not there, which would be refused).

use std::time::Duration;

use super::raw::{
    Raw, RawAdmin, RawBackend, RawFrontend, RawHealth, RawLimits, RawLog, RawOwnLimits, RawOwnTimeouts,
    RawPool, RawRoute, RawTimeouts,
};
use super::{
    Admin, Backend, Check, Config, Frontend, Health, Limits, Mode, Pool, Route, Timeouts, health, word,
};

impl Config {
    /// A configuration file that resolves to exactly this configuration.
    pub fn to_toml(&self) -> String {
        let raw = Raw {
            workers: integer(self.workers),
            timeouts: raw_timeouts(&self.timeouts),
            limits: raw_limits(&self.limits),
            admin: raw_admin(self.admin.as_ref()),
            log: RawLog { access_format: Some(word::spell(self.log.access_format)) },
            frontend: self.frontends.iter().map(|frontend| raw_frontend(frontend, &self.pools)).collect(),
            pool: self.pools.iter().map(|pool| (pool.name.clone(), raw_pool(pool))).collect(),
        };
        toml::to_string(&raw)
            .expect("strings, integers, arrays and string-keyed tables: all of them exist in TOML")
    }
}

fn raw_admin(admin: Option<&Admin>) -> RawAdmin {
    RawAdmin {
        listen: admin.map(|admin| admin.listen.to_string()),
        token_file: admin.and_then(|admin| Some(admin.token_file.as_ref()?.display().to_string())),
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
        head_timeout_ms: millis(timeouts.head),
        body_timeout_ms: millis(timeouts.body),
        response_timeout_ms: millis(timeouts.response),
        keep_alive_timeout_ms: millis(timeouts.keep_alive),
        backend_idle_timeout_ms: millis(timeouts.backend_idle),
        request_timeout_ms: millis(timeouts.request.unwrap_or_default()),
        resolve_interval_ms: millis(timeouts.resolve_interval.unwrap_or_default()),
    }
}

fn raw_limits(limits: &Limits) -> RawLimits {
    RawLimits {
        max_connections: integer(limits.max_connections),
        backlog: integer(limits.backlog),
        connect_attempts: integer(limits.connect_attempts),
        buffer_bytes: integer(limits.buffer_bytes),
        turn_bytes: integer(limits.turn_bytes),
        max_head_bytes: integer(limits.head_bytes),
        max_target_bytes: integer(limits.target_bytes),
        max_fields: integer(limits.fields),
        max_body_bytes: integer(limits.body_bytes.unwrap_or_default()),
        max_pipes: integer(limits.max_pipes),
        max_idle: integer(limits.max_idle),
        retry_budget_percent: integer(limits.retry_budget_percent),
    }
}

fn raw_frontend(frontend: &Frontend, pools: &[Pool]) -> RawFrontend {
    let everywhere = frontend.listen.iter().find(|listen| listen.dual_stack);
    let precise = frontend.listen.iter().filter(|listen| !listen.dual_stack);
    let http = frontend.mode == Mode::Http;
    RawFrontend {
        name: Some(frontend.name.clone()),
        port: everywhere.and_then(|listen| integer(listen.address.port())),
        listen: precise.map(|listen| listen.address.to_string()).collect(),
        pool: pools.get(frontend.pool).map(|pool| pool.name.clone()),
        mode: Some(word::spell(frontend.mode)),
        trusted_proxies: http.then(|| frontend.trusted_proxies.iter().map(ToString::to_string).collect()),
        forwarded: http.then(|| word::spell(frontend.forwarded)),
        max_connections_per_client: integer(frontend.clients.max_connections),
        rate_per_client_per_s: integer(frontend.clients.rate_per_s),
        burst_per_client: integer(frontend.clients.burst).filter(|_| frontend.clients.rate_per_s > 0),
        routes: frontend.routes.iter().map(|route| raw_route(route, pools)).collect(),
        timeouts: frontend.timeouts.as_ref().map(|own| raw_own_timeouts(own, http)).unwrap_or_default(),
        limits: frontend.limits.as_ref().map(|own| raw_own_limits(own, http)).unwrap_or_default(),
    }
}

fn raw_own_timeouts(own: &Timeouts, http: bool) -> RawOwnTimeouts {
    let of_http = |timeout: Duration| millis(timeout).filter(|_| http);
    RawOwnTimeouts {
        connect_timeout_ms: millis(own.connect),
        idle_timeout_ms: millis(own.idle),
        half_close_timeout_ms: millis(own.half_close),
        head_timeout_ms: of_http(own.head),
        body_timeout_ms: of_http(own.body),
        response_timeout_ms: of_http(own.response),
        keep_alive_timeout_ms: of_http(own.keep_alive),
        request_timeout_ms: of_http(own.request.unwrap_or_default()),
    }
}

fn raw_own_limits(own: &Limits, http: bool) -> RawOwnLimits {
    let of_http = |bytes: u64| integer(bytes).filter(|_| http);
    RawOwnLimits {
        connect_attempts: integer(own.connect_attempts),
        max_head_bytes: of_http(own.head_bytes as u64),
        max_target_bytes: of_http(own.target_bytes as u64),
        max_fields: of_http(own.fields as u64),
        max_body_bytes: of_http(own.body_bytes.unwrap_or_default()),
    }
}

fn raw_route(route: &Route, pools: &[Pool]) -> RawRoute {
    RawRoute {
        host: route.host.spell(),
        path_prefix: Some(route.path_prefix.clone()),
        pool: pools.get(route.pool).map(|pool| pool.name.clone()),
    }
}

fn raw_pool(pool: &Pool) -> RawPool {
    let sticky = pool.sticky.as_ref();
    // Where there is always room, a queue would be odd.
    let is_capped =
        pool.backends.iter().all(|backend| backend.max_connections.is_some() || backend.weight == 0);
    RawPool {
        policy: Some(pool.policy.to_owned()),
        max_load_percent: pool.max_load_percent.and_then(integer),
        sticky_cookie: sticky.map(|sticky| sticky.cookie.clone()),
        sticky_cookie_ttl_s: sticky.and_then(|sticky| integer(sticky.ttl.unwrap_or_default().as_secs())),
        sticky_cookie_secure: sticky.map(|sticky| sticky.secure),
        queue: is_capped.then(|| integer(pool.queue)).flatten(),
        queue_timeout_ms: is_capped.then(|| millis(pool.queue_timeout)).flatten(),
        health: raw_health(&pool.health),
        backends: pool.backends.iter().map(raw_backend).collect(),
    }
}

fn raw_health(health: &Health) -> RawHealth {
    let http = match &health.check {
        Check::Http(http) => Some(http),
        Check::Off | Check::Tcp => None,
    };
    RawHealth {
        check: Some(health::spell_check(&health.check).to_owned()),
        path: http.map(|http| http.path.clone()),
        host: http.and_then(|http| http.host.clone()),
        status: http.map(|http| health::spell_status(&http.status)),
        interval_ms: millis(health.interval),
        down_interval_ms: millis(health.down_interval),
        timeout_ms: millis(health.timeout),
        rise: integer(health.rise),
        fall: integer(health.fall),
        on_down: Some(word::spell(health.on_down)),
        on_all_down: Some(word::spell(health.on_all_down)),
        slow_start_ms: millis(health.slow_start),
        // Of no use to TCP, where it would be refused.
        eject_errors: integer(health.eject_errors).filter(|errors| *errors > 0),
        eject_max_percent: integer(health.eject_max_percent),
    }
}

fn raw_backend(backend: &Backend) -> RawBackend {
    RawBackend {
        address: Some(backend.address.to_string()),
        weight: integer(backend.weight),
        name: Some(backend.name.clone()),
        max_connections: integer(backend.max_connections.unwrap_or_default()),
        backup: Some(backend.backup),
    }
}

fn millis(duration: Duration) -> Option<i64> {
    integer(duration.as_millis())
}

/// Always `Some` for a configuration that was resolved: its numbers came from `i64`s.
fn integer(value: impl TryInto<i64>) -> Option<i64> {
    value.try_into().ok()
}
