//! Command-line values on top of a file: the same raw keys, plus a memory of which flag set which key, so that an
//! error names what the operator typed.

use std::collections::BTreeMap;

use super::error::{ConfigError, Place};
use super::key_path::KeyPath;
use super::raw::{Raw, RawBackend, RawFrontend, RawLimits, RawPool, RawTimeouts};
use super::{number, own, suggest};

/// What the one frontend and the one pool are called when flags alone make them.
const DEFAULT_NAME: &str = "default";

/// What the flags said. Nothing is checked yet.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--port`
    pub port: Option<i64>,
    /// `--listen`, each `ADDRESS:PORT`
    pub listen: Vec<String>,
    /// `--backend`, each `HOST:PORT[,weight=N][,name=S][,max_connections=N][,backup=true]`
    pub backends: Vec<String>,
    /// `--policy`
    pub policy: Option<String>,
    /// `--max-load-percent`
    pub max_load_percent: Option<i64>,
    /// `--sticky-cookie`
    pub sticky_cookie: Option<String>,
    /// `--health-check`
    pub health_check: Option<String>,
    /// `--health-path`
    pub health_path: Option<String>,
    /// `--mode`
    pub mode: Option<String>,
    /// `--max-connections-per-client`
    pub max_connections_per_client: Option<i64>,
    /// `--rate-per-client-per-s`
    pub rate_per_client_per_s: Option<i64>,
    /// `--burst-per-client`
    pub burst_per_client: Option<i64>,
    /// `--trusted-proxy`, each a range of addresses
    pub trusted_proxies: Vec<String>,
    /// `--forwarded`
    pub forwarded: Option<String>,
    /// `--access-format`
    pub access_format: Option<String>,
    /// `--admin`
    pub admin: Option<String>,
    /// `--admin-token-file`
    pub admin_token_file: Option<String>,
    /// `--workers`
    pub workers: Option<i64>,
    /// `--connect-timeout-ms` and the other times
    pub timeouts: RawTimeouts,
    /// `--max-connections` and the other sizes
    pub limits: RawLimits,
}

/// Which flag set which key.
#[derive(Default)]
pub(super) struct Flags(Vec<(KeyPath, String)>);

impl Flags {
    /// The flag that set `path` or the nearest thing above it.
    pub(super) fn place_of(&self, path: &KeyPath) -> Option<Place> {
        let candidates = self.0.iter().filter_map(|(prefix, flag)| Some((path.below(prefix)?, flag)));
        let (part, flag) = candidates.min_by_key(|(part, _)| part.steps().len())?;
        Some(Place::Flag { flag: flag.clone(), part })
    }

    fn set(&mut self, path: KeyPath, flag: impl Into<String>) {
        self.0.push((path, flag.into()));
    }

    /// A word or name with a flag of its own.
    fn set_text(&mut self, path: KeyPath, flag: &str, slot: &mut Option<String>, value: &Option<String>) {
        if value.is_some() {
            slot.clone_from(value);
            self.set(path, flag);
        }
    }

    /// A number whose flag has the name of its key.
    fn set_number(&mut self, table: &KeyPath, key: &str, slot: &mut Option<i64>, value: Option<i64>) {
        if value.is_some() {
            *slot = value;
            self.set(table.key(key), format!("--{}", key.replace('_', "-")));
        }
    }
}

impl Overrides {
    /// Writes the flags over `raw`.
    pub(super) fn apply(&self, raw: &mut Raw) -> Result<Flags, ConfigError> {
        let mut flags = Flags::default();
        flags.set_number(&KeyPath::root(), number::WORKERS.key, &mut raw.workers, self.workers);
        self.apply_timeouts(&mut raw.timeouts, &mut flags);
        self.apply_limits(&mut raw.limits, &mut flags);
        for frontend in &mut raw.frontend {
            own::give_way(frontend, &self.timeouts, &self.limits);
        }
        let access_format = KeyPath::root().key("log").key("access_format");
        flags.set_text(access_format, "--access-format", &mut raw.log.access_format, &self.access_format);
        let admin = KeyPath::root().key("admin");
        flags.set_text(admin.key("listen"), "--admin", &mut raw.admin.listen, &self.admin);
        let token_file = &mut raw.admin.token_file;
        flags.set_text(admin.key("token_file"), "--admin-token-file", token_file, &self.admin_token_file);
        self.apply_frontend(&mut raw.frontend, &mut flags)?;
        self.apply_pool(&mut raw.pool, &mut flags)?;
        Ok(flags)
    }

    fn apply_timeouts(&self, raw: &mut RawTimeouts, flags: &mut Flags) {
        let (table, new) = (KeyPath::root().key("timeouts"), &self.timeouts);
        for (number, slot, value) in [
            (number::CONNECT_TIMEOUT_MS, &mut raw.connect_timeout_ms, new.connect_timeout_ms),
            (number::IDLE_TIMEOUT_MS, &mut raw.idle_timeout_ms, new.idle_timeout_ms),
            (number::HALF_CLOSE_TIMEOUT_MS, &mut raw.half_close_timeout_ms, new.half_close_timeout_ms),
            (number::KEEPALIVE_MS, &mut raw.keepalive_ms, new.keepalive_ms),
            (number::DRAIN_TIMEOUT_MS, &mut raw.drain_timeout_ms, new.drain_timeout_ms),
            (number::BACKOFF_MS, &mut raw.backoff_ms, new.backoff_ms),
            (number::BACKOFF_MAX_MS, &mut raw.backoff_max_ms, new.backoff_max_ms),
            (number::HEAD_TIMEOUT_MS, &mut raw.head_timeout_ms, new.head_timeout_ms),
            (number::BODY_TIMEOUT_MS, &mut raw.body_timeout_ms, new.body_timeout_ms),
            (number::RESPONSE_TIMEOUT_MS, &mut raw.response_timeout_ms, new.response_timeout_ms),
            (number::KEEP_ALIVE_TIMEOUT_MS, &mut raw.keep_alive_timeout_ms, new.keep_alive_timeout_ms),
            (number::BACKEND_IDLE_TIMEOUT_MS, &mut raw.backend_idle_timeout_ms, new.backend_idle_timeout_ms),
            (number::REQUEST_TIMEOUT_MS, &mut raw.request_timeout_ms, new.request_timeout_ms),
            (number::RESOLVE_INTERVAL_MS, &mut raw.resolve_interval_ms, new.resolve_interval_ms),
        ] {
            flags.set_number(&table, number.key, slot, value);
        }
    }

    fn apply_limits(&self, raw: &mut RawLimits, flags: &mut Flags) {
        let (table, new) = (KeyPath::root().key("limits"), &self.limits);
        for (number, slot, value) in [
            (number::MAX_CONNECTIONS, &mut raw.max_connections, new.max_connections),
            (number::BACKLOG, &mut raw.backlog, new.backlog),
            (number::CONNECT_ATTEMPTS, &mut raw.connect_attempts, new.connect_attempts),
            (number::BUFFER_BYTES, &mut raw.buffer_bytes, new.buffer_bytes),
            (number::TURN_BYTES, &mut raw.turn_bytes, new.turn_bytes),
            (number::MAX_PIPES, &mut raw.max_pipes, new.max_pipes),
            (number::MAX_HEAD_BYTES, &mut raw.max_head_bytes, new.max_head_bytes),
            (number::MAX_TARGET_BYTES, &mut raw.max_target_bytes, new.max_target_bytes),
            (number::MAX_FIELDS, &mut raw.max_fields, new.max_fields),
            (number::MAX_BODY_BYTES, &mut raw.max_body_bytes, new.max_body_bytes),
            (number::MAX_IDLE, &mut raw.max_idle, new.max_idle),
            (number::RETRY_BUDGET_PERCENT, &mut raw.retry_budget_percent, new.retry_budget_percent),
        ] {
            flags.set_number(&table, number.key, slot, value);
        }
    }

    /// `--port`, `--listen` and the flags of HTTP mode go to the only frontend, or make one where there is none.
    fn apply_frontend(&self, raw: &mut Vec<RawFrontend>, flags: &mut Flags) -> Result<(), ConfigError> {
        let given = [
            (self.port.is_some(), "--port"),
            (!self.listen.is_empty(), "--listen"),
            (self.mode.is_some(), "--mode"),
            (self.max_connections_per_client.is_some(), "--max-connections-per-client"),
            (self.rate_per_client_per_s.is_some(), "--rate-per-client-per-s"),
            (self.burst_per_client.is_some(), "--burst-per-client"),
            (!self.trusted_proxies.is_empty(), "--trusted-proxy"),
            (self.forwarded.is_some(), "--forwarded"),
        ];
        let Some(flag) = first_given(&given) else { return Ok(()) };
        if raw.is_empty() {
            raw.push(RawFrontend { name: Some(DEFAULT_NAME.to_owned()), ..RawFrontend::default() });
        }
        let [frontend] = raw.as_mut_slice() else {
            let names: Vec<_> =
                raw.iter().enumerate().map(|(index, frontend)| name_of(frontend, index)).collect();
            return Err(ambiguous(flag, "frontends", &names));
        };
        let path = KeyPath::root().key("frontend").index(0);
        self.apply_listen(frontend, &path, flags);
        for (number, slot, value) in [
            (
                number::MAX_CONNECTIONS_PER_CLIENT,
                &mut frontend.max_connections_per_client,
                self.max_connections_per_client,
            ),
            (number::RATE_PER_CLIENT_PER_S, &mut frontend.rate_per_client_per_s, self.rate_per_client_per_s),
            (number::BURST_PER_CLIENT, &mut frontend.burst_per_client, self.burst_per_client),
        ] {
            flags.set_number(&path, number.key, slot, value);
        }
        flags.set_text(path.key("mode"), "--mode", &mut frontend.mode, &self.mode);
        flags.set_text(path.key("forwarded"), "--forwarded", &mut frontend.forwarded, &self.forwarded);
        if !self.trusted_proxies.is_empty() {
            let path = path.key("trusted_proxies");
            frontend.trusted_proxies = Some(self.trusted_proxies.clone());
            for (index, text) in self.trusted_proxies.iter().enumerate() {
                flags.set(path.index(index), format!("--trusted-proxy {text}"));
            }
            flags.set(path, "--trusted-proxy");
        }
        Ok(())
    }

    /// Either flag replaces all listeners.
    fn apply_listen(&self, frontend: &mut RawFrontend, path: &KeyPath, flags: &mut Flags) {
        if self.port.is_none() && self.listen.is_empty() {
            return;
        }
        frontend.listen.clone_from(&self.listen);
        for (index, text) in self.listen.iter().enumerate() {
            flags.set(path.key("listen").index(index), format!("--listen {text}"));
        }
        frontend.port = None;
        flags.set_number(path, number::PORT.key, &mut frontend.port, self.port);
    }

    /// `--backend`, `--policy` and the like replace what the only pool has, or make one where there is none.
    fn apply_pool(&self, raw: &mut BTreeMap<String, RawPool>, flags: &mut Flags) -> Result<(), ConfigError> {
        let given = [
            (!self.backends.is_empty(), "--backend"),
            (self.policy.is_some(), "--policy"),
            (self.max_load_percent.is_some(), "--max-load-percent"),
            (self.sticky_cookie.is_some(), "--sticky-cookie"),
            (self.health_check.is_some(), "--health-check"),
            (self.health_path.is_some(), "--health-path"),
        ];
        let Some(flag) = first_given(&given) else { return Ok(()) };
        if raw.is_empty() {
            raw.insert(DEFAULT_NAME.to_owned(), RawPool::default());
        }
        if raw.len() > 1 {
            let names: Vec<_> = raw.keys().cloned().collect();
            return Err(ambiguous(flag, "pools", &names));
        }
        for (name, pool) in raw {
            let path = KeyPath::root().key("pool").key(name);
            flags.set_text(path.key("policy"), "--policy", &mut pool.policy, &self.policy);
            let max_load = &mut pool.max_load_percent;
            flags.set_number(&path, number::MAX_LOAD_PERCENT.key, max_load, self.max_load_percent);
            let cookie = path.key("sticky_cookie");
            flags.set_text(cookie, "--sticky-cookie", &mut pool.sticky_cookie, &self.sticky_cookie);
            let health = path.key("health");
            flags.set_text(health.key("check"), "--health-check", &mut pool.health.check, &self.health_check);
            flags.set_text(health.key("path"), "--health-path", &mut pool.health.path, &self.health_path);
            if !self.backends.is_empty() {
                pool.backends =
                    self.backends.iter().map(|text| parse_backend(text)).collect::<Result<_, _>>()?;
                flags.set(path.key("backends"), "--backend");
            }
            for (index, text) in self.backends.iter().enumerate() {
                flags.set(path.key("backends").index(index), backend_flag(text));
            }
        }
        Ok(())
    }
}

fn first_given<'f>(flags: &[(bool, &'f str)]) -> Option<&'f str> {
    flags.iter().find(|(given, _)| *given).map(|(_, flag)| *flag)
}

/// `HOST:PORT[,weight=N][,name=S][,max_connections=N][,backup=true]`
fn parse_backend(text: &str) -> Result<RawBackend, ConfigError> {
    let fail = |what: String| Err(ConfigError::flag(backend_flag(text), what));
    let mut parts = text.split(',');
    let address = parts.next().map(str::to_owned);
    let mut backend = RawBackend { address, ..RawBackend::default() };
    for part in parts {
        let again = match part.split_once('=') {
            Some(("name", name)) => backend.name.replace(name.to_owned()).is_some(),
            Some((key @ ("weight" | "max_connections"), text)) => {
                let Ok(number) = text.parse() else {
                    return fail(format!("{key}: {text:?} is not a whole number"));
                };
                let slot = if key == "weight" { &mut backend.weight } else { &mut backend.max_connections };
                slot.replace(number).is_some()
            }
            Some(("backup", "true")) => backend.backup.replace(true).is_some(),
            Some(("backup", "false")) => backend.backup.replace(false).is_some(),
            Some(("backup", text)) => return fail(format!("backup: {text:?} is neither true nor false")),
            Some((key, _)) => {
                let keys = ["weight", "name", "max_connections", "backup"];
                return fail(format!("unknown key {key:?}{}", suggest::instead_of(key, &keys)));
            }
            None => return fail(format!("{part:?} is not KEY=VALUE: write HOST:PORT,weight=N,name=S")),
        };
        if again {
            return fail(format!("{part:?} says the same key again: keep one"));
        }
    }
    Ok(backend)
}

fn backend_flag(text: &str) -> String {
    format!("--backend {text}")
}

fn name_of(frontend: &RawFrontend, index: usize) -> String {
    let name = frontend.name.as_ref().or(frontend.pool.as_ref());
    name.cloned().unwrap_or_else(|| format!("frontend[{index}]"))
}

fn ambiguous(flag: &str, things: &str, names: &[String]) -> ConfigError {
    let what = format!("the file has {} {things} ({}): change it there", names.len(), names.join(", "));
    ConfigError::flag(flag, what)
}
