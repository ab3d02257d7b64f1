//! The configuration as TOML spells it: every key optional, nothing checked beyond its type.
//!
//! Numbers are `i64` whatever they will become, so that one out of range is reported with its range, in one place
//! (`number.rs`), instead of with the name of a Rust type.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(super) struct Raw {
    pub(super) workers: Option<i64>,
    pub(super) timeouts: RawTimeouts,
    pub(super) limits: RawLimits,
    pub(super) log: RawLog,
    #[serde(skip_serializing_if = "is_empty")]
    pub(super) admin: RawAdmin,
    pub(super) frontend: Vec<RawFrontend>,
    // By name, so that the same file resolves to the same pools in the same order every time.
    pub(super) pool: BTreeMap<String, RawPool>,
}

/// `[timeouts]`, and the flags of the same names. See [`super::Timeouts`] for what each one does.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
#[allow(missing_docs, reason = "the resolved type documents them; the names are the keys")]
pub struct RawTimeouts {
    pub connect_timeout_ms: Option<i64>,
    pub idle_timeout_ms: Option<i64>,
    pub half_close_timeout_ms: Option<i64>,
    pub keepalive_ms: Option<i64>,
    pub drain_timeout_ms: Option<i64>,
    pub backoff_ms: Option<i64>,
    pub backoff_max_ms: Option<i64>,
    pub head_timeout_ms: Option<i64>,
    pub body_timeout_ms: Option<i64>,
    pub response_timeout_ms: Option<i64>,
    pub keep_alive_timeout_ms: Option<i64>,
    pub backend_idle_timeout_ms: Option<i64>,
    pub request_timeout_ms: Option<i64>,
    pub resolve_interval_ms: Option<i64>,
}

/// `[limits]`, and the flags of the same names. See [`super::Limits`] for what each one does.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
#[allow(missing_docs, reason = "the resolved type documents them; the names are the keys")]
pub struct RawLimits {
    pub max_connections: Option<i64>,
    pub backlog: Option<i64>,
    pub connect_attempts: Option<i64>,
    pub buffer_bytes: Option<i64>,
    pub turn_bytes: Option<i64>,
    pub max_head_bytes: Option<i64>,
    pub max_target_bytes: Option<i64>,
    pub max_fields: Option<i64>,
    pub max_body_bytes: Option<i64>,
    pub max_pipes: Option<i64>,
    pub max_idle: Option<i64>,
    pub retry_budget_percent: Option<i64>,
}

/// `[log]`
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(super) struct RawLog {
    pub(super) access_format: Option<String>,
}

/// `[admin]`
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(super) struct RawAdmin {
    pub(super) listen: Option<String>,
    pub(super) token_file: Option<String>,
}

/// One `[[frontend]]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(super) struct RawFrontend {
    pub(super) name: Option<String>,
    pub(super) port: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) listen: Vec<String>,
    pub(super) pool: Option<String>,
    pub(super) mode: Option<String>,
    // An empty array is still a key that TCP mode has no use for.
    pub(super) trusted_proxies: Option<Vec<String>>,
    pub(super) forwarded: Option<String>,
    pub(super) max_connections_per_client: Option<i64>,
    pub(super) rate_per_client_per_s: Option<i64>,
    pub(super) burst_per_client: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) routes: Vec<RawRoute>,
    #[serde(skip_serializing_if = "is_empty")]
    pub(super) timeouts: RawOwnTimeouts,
    #[serde(skip_serializing_if = "is_empty")]
    pub(super) limits: RawOwnLimits,
}

/// `[frontend.timeouts]`: those of [`RawTimeouts`] that clients of one frontend may have otherwise.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(super) struct RawOwnTimeouts {
    pub(super) connect_timeout_ms: Option<i64>,
    pub(super) idle_timeout_ms: Option<i64>,
    pub(super) half_close_timeout_ms: Option<i64>,
    pub(super) head_timeout_ms: Option<i64>,
    pub(super) body_timeout_ms: Option<i64>,
    pub(super) response_timeout_ms: Option<i64>,
    pub(super) keep_alive_timeout_ms: Option<i64>,
    pub(super) request_timeout_ms: Option<i64>,
}

/// `[frontend.limits]`: those of [`RawLimits`] that clients of one frontend may have otherwise.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(super) struct RawOwnLimits {
    pub(super) connect_attempts: Option<i64>,
    pub(super) max_head_bytes: Option<i64>,
    pub(super) max_target_bytes: Option<i64>,
    pub(super) max_fields: Option<i64>,
    pub(super) max_body_bytes: Option<i64>,
}

/// Whether a table says nothing, and need not be written.
fn is_empty<T: Default + PartialEq>(table: &T) -> bool {
    *table == T::default()
}

/// One entry of `routes`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table such as { path_prefix = \"/api\", pool = \"api\" }"
)]
pub(super) struct RawRoute {
    pub(super) host: Option<String>,
    pub(super) path_prefix: Option<String>,
    pub(super) pool: Option<String>,
}

/// One `[pool.NAME]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(super) struct RawPool {
    pub(super) policy: Option<String>,
    pub(super) max_load_percent: Option<i64>,
    pub(super) sticky_cookie: Option<String>,
    pub(super) sticky_cookie_ttl_s: Option<i64>,
    pub(super) sticky_cookie_secure: Option<bool>,
    pub(super) queue: Option<i64>,
    pub(super) queue_timeout_ms: Option<i64>,
    pub(super) health: RawHealth,
    pub(super) backends: Vec<RawBackend>,
}

/// One `[pool.NAME.health]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(super) struct RawHealth {
    pub(super) check: Option<String>,
    pub(super) path: Option<String>,
    pub(super) host: Option<String>,
    pub(super) status: Option<String>,
    pub(super) interval_ms: Option<i64>,
    pub(super) down_interval_ms: Option<i64>,
    pub(super) timeout_ms: Option<i64>,
    pub(super) rise: Option<i64>,
    pub(super) fall: Option<i64>,
    pub(super) on_down: Option<String>,
    pub(super) on_all_down: Option<String>,
    pub(super) slow_start_ms: Option<i64>,
    pub(super) eject_errors: Option<i64>,
    pub(super) eject_max_percent: Option<i64>,
}

/// One entry of `backends`, or one `--backend`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, expecting = "a table such as { address = \"127.0.0.1:9001\" }")]
pub(super) struct RawBackend {
    pub(super) address: Option<String>,
    pub(super) weight: Option<i64>,
    pub(super) name: Option<String>,
    pub(super) max_connections: Option<i64>,
    pub(super) backup: Option<bool>,
}
