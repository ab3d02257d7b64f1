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

/// Its default is worked out from the descriptor limit; this one only stands in for a host without any limit.
pub(super) const MAX_CONNECTIONS: Number = number("max_connections", 1_000_000, 1, 10_000_000);
pub(super) const BACKLOG: Number = number("backlog", 1024, 1, 65_535);
pub(super) const CONNECT_ATTEMPTS: Number = number("connect_attempts", 3, 1, 8);
pub(super) const BUFFER_BYTES: Number = number("buffer_bytes", 64 * KIB, KIB, 16 * MIB);
pub(super) const TURN_BYTES: Number = number("turn_bytes", 256 * KIB, KIB, 1024 * MIB);

pub(super) const PORT: Number = number("port", 8080, 0, 65_535);
pub(super) const WEIGHT: Number = number("weight", 1, 0, 1_000_000);

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
