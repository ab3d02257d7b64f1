//! Every number in the configuration: its key, its default, and the range it is held to.

use std::time::Duration;

use super::error::Problem;
use super::key_path::KeyPath;

/// A day: longer than any sane timeout, and far from where adding one to a clock could overflow.
const LONGEST_MS: i64 = 24 * 60 * 60 * 1000;
const KIB: i64 = 1024;
const MIB: i64 = 1024 * KIB;

/// A number the operator may set.
pub(super) struct Number {
    pub(super) key: &'static str,
    pub(super) default: i64,
    pub(super) least: i64,
    pub(super) most: i64,
}

pub(super) const WORKERS: Number = number("workers", 1, 1, 256);

pub(super) const CONNECT_TIMEOUT_MS: Number = number("connect_timeout_ms", 3_000, 1, LONGEST_MS);
pub(super) const IDLE_TIMEOUT_MS: Number = number("idle_timeout_ms", 600_000, 1, LONGEST_MS);
pub(super) const HALF_CLOSE_TIMEOUT_MS: Number = number("half_close_timeout_ms", 60_000, 1, LONGEST_MS);
/// TCP_KEEPIDLE counts in seconds and ends at 32,767.
pub(super) const KEEPALIVE_MS: Number = number("keepalive_ms", 60_000, 1_000, 32_767_000);
pub(super) const DRAIN_TIMEOUT_MS: Number = number("drain_timeout_ms", 30_000, 1, LONGEST_MS);
pub(super) const BACKOFF_MS: Number = number("backoff_ms", 500, 1, LONGEST_MS);
pub(super) const BACKOFF_MAX_MS: Number = number("backoff_max_ms", 30_000, 1, LONGEST_MS);
pub(super) const HEAD_TIMEOUT_MS: Number = number("head_timeout_ms", 10_000, 1, LONGEST_MS);
pub(super) const BODY_TIMEOUT_MS: Number = number("body_timeout_ms", 30_000, 1, LONGEST_MS);
pub(super) const RESPONSE_TIMEOUT_MS: Number = number("response_timeout_ms", 60_000, 1, LONGEST_MS);
pub(super) const KEEP_ALIVE_TIMEOUT_MS: Number = number("keep_alive_timeout_ms", 60_000, 1, LONGEST_MS);
pub(super) const BACKEND_IDLE_TIMEOUT_MS: Number = number("backend_idle_timeout_ms", 30_000, 1, LONGEST_MS);
/// 0: no such limit.
pub(super) const REQUEST_TIMEOUT_MS: Number = number("request_timeout_ms", 0, 0, LONGEST_MS);

/// 0: never again.
pub(super) const RESOLVE_INTERVAL_MS: Number = number("resolve_interval_ms", 30_000, 0, LONGEST_MS);

/// Its default is worked out from the descriptor limit; this one only stands in for a host without any limit.
pub(super) const MAX_CONNECTIONS: Number = number("max_connections", 1_000_000, 1, 10_000_000);
pub(super) const BACKLOG: Number = number("backlog", 1024, 1, 65_535);
pub(super) const CONNECT_ATTEMPTS: Number = number("connect_attempts", 3, 1, 8);
pub(super) const BUFFER_BYTES: Number = number("buffer_bytes", 64 * KIB, KIB, 16 * MIB);
/// 0: every byte is copied. Its default shrinks where descriptors are scarce.
pub(super) const MAX_PIPES: Number = number("max_pipes", 16, 0, 256);
pub(super) const TURN_BYTES: Number = number("turn_bytes", 256 * KIB, KIB, 1024 * MIB);
/// Its default shrinks with the buffer, which has [`HEAD_ROOM_BYTES`] to spare.
pub(super) const MAX_HEAD_BYTES: Number = number("max_head_bytes", 16 * KIB, KIB, 16 * MIB - HEAD_ROOM_BYTES);
/// Its default shrinks with the head that holds it.
pub(super) const MAX_TARGET_BYTES: Number =
    number("max_target_bytes", 8 * KIB, 64, 16 * MIB - HEAD_ROOM_BYTES);
/// At most as many as the HTTP parser has room for: `HeadLimits::MAX_FIELDS`, which a test compares with this.
pub(super) const MAX_FIELDS: Number = number("max_fields", 100, 1, 256);
/// 0: no such limit.
pub(super) const MAX_BODY_BYTES: Number = number("max_body_bytes", 0, 0, 1024 * 1024 * MIB);
/// 0: no reuse.
pub(super) const MAX_IDLE: Number = number("max_idle", 256, 0, 65_535);
pub(super) const RETRY_BUDGET_PERCENT: Number = number("retry_budget_percent", 20, 0, 100);

/// What a buffer holds beyond the largest head: the fields that the proxy adds as it forwards one.
pub(super) const HEAD_ROOM_BYTES: i64 = 4 * KIB;
/// The smallest buffer in HTTP mode, where whole heads must fit.
pub(super) const HTTP_BUFFER_BYTES_LEAST: i64 = 8 * KIB;

/// 0: no such limit.
pub(super) const MAX_CONNECTIONS_PER_CLIENT: Number = number("max_connections_per_client", 0, 0, 10_000_000);
/// 0: no such limit.
pub(super) const RATE_PER_CLIENT_PER_S: Number = number("rate_per_client_per_s", 0, 0, 1_000_000);
/// Left out, it is what the rate gives in a second.
pub(super) const BURST_PER_CLIENT: Number = number("burst_per_client", 1, 1, 1_000_000);
pub(super) const PORT: Number = number("port", 8080, 0, 65_535);
pub(super) const WEIGHT: Number = number("weight", 1, 0, WEIGHT_MOST as i64);
/// The largest weight of a backend.
pub const WEIGHT_MOST: u32 = 1_000_000;
/// Left out, there is no bound, so the default is never used; it is what serves most.
pub(super) const MAX_LOAD_PERCENT: Number = number("max_load_percent", 125, 101, 1_000);
/// 0: for as long as the browser runs. At most 400 days, beyond which browsers cut it (RFC 6265bis, 5.5).
pub(super) const STICKY_COOKIE_TTL_S: Number = number("sticky_cookie_ttl_s", 0, 0, 400 * 24 * 60 * 60);

/// 0: nobody waits for room.
pub(super) const QUEUE: Number = number("queue", 1024, 0, 1_000_000);
pub(super) const QUEUE_TIMEOUT_MS: Number = number("queue_timeout_ms", 1_000, 1, LONGEST_MS);
/// 0: no such limit.
pub(super) const BACKEND_MAX_CONNECTIONS: Number = number("max_connections", 0, 0, 10_000_000);

pub(super) const INTERVAL_MS: Number = number("interval_ms", 2_000, 10, LONGEST_MS);
/// Its default shrinks with the interval.
pub(super) const DOWN_INTERVAL_MS: Number = number("down_interval_ms", 500, 10, LONGEST_MS);
pub(super) const CHECK_TIMEOUT_MS: Number = number("timeout_ms", 1_000, 1, LONGEST_MS);
pub(super) const RISE: Number = number("rise", 2, 1, 1_000);
pub(super) const FALL: Number = number("fall", 3, 1, 1_000);
/// 0: none. The default where there are checks.
pub(super) const SLOW_START_MS: Number = number("slow_start_ms", 10_000, 0, LONGEST_MS);
/// 0: never.
pub(super) const EJECT_ERRORS: Number = number("eject_errors", 0, 0, 1_000_000);
pub(super) const EJECT_MAX_PERCENT: Number = number("eject_max_percent", 50, 0, 100);

const fn number(key: &'static str, default: i64, least: i64, most: i64) -> Number {
    Number { key, default, least, most }
}

impl Number {
    /// The value for this key of `table`, or its default, as the type that the proxy uses.
    pub(super) fn resolve<T: TryFrom<i64>>(&self, table: &KeyPath, value: Option<i64>) -> Result<T, Problem> {
        let value = value.unwrap_or(self.default);
        let in_range = (self.least..=self.most).contains(&value).then(|| T::try_from(value).ok()).flatten();
        in_range.ok_or_else(|| {
            let what = format!("{value} is out of range: use {} to {}", self.least, self.most);
            Problem::new(&table.key(self.key), what)
        })
    }

    /// The same, for a number of milliseconds.
    pub(super) fn resolve_ms(&self, table: &KeyPath, value: Option<i64>) -> Result<Duration, Problem> {
        self.resolve(table, value).map(Duration::from_millis)
    }
}
