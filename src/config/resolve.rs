//! Raw to resolved: defaults filled in, ranges checked, names looked up, references turned into indices.

use super::error::Problem;
use super::key_path::KeyPath;
use super::raw::{Raw, RawLimits, RawTimeouts};
use super::{Config, Frontend, Host, Limits, Timeouts, frontends, name, number, pools};

/// Descriptors kept for what is not a connection: standard streams, epoll, wakers, the log, a resolver's socket.
const RESERVED_FDS: u64 = 64;
/// A client's socket and a backend's.
const FDS_PER_CONNECTION: u64 = 2;

/// Checks everything, and gives the configuration with what deserves a warning.
///
/// Frontends come before pools, so that a slip in the file is reported before any name is looked up.
pub(super) fn resolve(raw: &Raw, host: &Host) -> Result<(Config, Vec<Problem>), Problem> {
    let root = KeyPath::root();
    let workers: usize = number::WORKERS.resolve(&root, raw.workers)?;
    let timeouts = resolve_timeouts(&raw.timeouts)?;
    let pool_names: Vec<&str> = raw.pool.keys().map(String::as_str).collect();
    for name in &pool_names {
        name::check_name(name, &root.key("pool").key(name))?;
    }
    let frontends = frontends::resolve_frontends(&raw.frontend, &pool_names)?;

    let mut warnings = Vec::new();
    let listeners = workers * frontends.iter().map(|frontend| frontend.listen.len()).sum::<usize>();
    let limits = resolve_limits(&raw.limits, host.fd_limit, listeners, &mut warnings)?;

    let mut pools = Vec::new();
    for (index, (name, raw)) in raw.pool.iter().enumerate() {
        let path = root.key("pool").key(name);
        pools.push(pools::resolve_pool(name, raw, &path, host)?);
        warn_if_unused(index, &path, &frontends, &mut warnings);
    }
    let log = super::Log { access_format: super::AccessFormat::Combined };
    Ok((Config { workers, timeouts, limits, frontends, pools, log }, warnings))
}

impl Default for Timeouts {
    /// What a configuration that says nothing about time gets.
    fn default() -> Timeouts {
        resolve_timeouts(&RawTimeouts::default()).expect("every default is in its range")
    }
}

fn resolve_timeouts(raw: &RawTimeouts) -> Result<Timeouts, Problem> {
    let table = KeyPath::root().key("timeouts");
    let backoff_ms: i64 = number::BACKOFF_MS.resolve(&table, raw.backoff_ms)?;
    // Back-off doubles up to its maximum, so an unset maximum is never below where it starts.
    let backoff_max_ms = raw.backoff_max_ms.unwrap_or(number::BACKOFF_MAX_MS.default.max(backoff_ms));
    let timeouts = Timeouts {
        connect: number::CONNECT_TIMEOUT_MS.resolve_ms(&table, raw.connect_timeout_ms)?,
        idle: number::IDLE_TIMEOUT_MS.resolve_ms(&table, raw.idle_timeout_ms)?,
        half_close: number::HALF_CLOSE_TIMEOUT_MS.resolve_ms(&table, raw.half_close_timeout_ms)?,
        keepalive: number::KEEPALIVE_MS.resolve_ms(&table, raw.keepalive_ms)?,
        drain: number::DRAIN_TIMEOUT_MS.resolve_ms(&table, raw.drain_timeout_ms)?,
        backoff: number::BACKOFF_MS.resolve_ms(&table, Some(backoff_ms))?,
        backoff_max: number::BACKOFF_MAX_MS.resolve_ms(&table, Some(backoff_max_ms))?,
        head: std::time::Duration::from_secs(10),
        body: std::time::Duration::from_secs(30),
        response: std::time::Duration::from_secs(60),
        keep_alive: std::time::Duration::from_secs(60),
        backend_idle: std::time::Duration::from_secs(30),
        request: None,
    };
    if timeouts.backoff_max < timeouts.backoff {
        let what =
            format!("{backoff_max_ms} is less than backoff_ms, {backoff_ms}: raise it, or lower backoff_ms");
        return Err(Problem::new(&table.key(number::BACKOFF_MAX_MS.key), what));
    }
    Ok(timeouts)
}

impl Default for Limits {
    /// What a configuration that says nothing about limits gets, on a host without a limit of its own.
    fn default() -> Limits {
        resolve_limits(&RawLimits::default(), u64::MAX, 1, &mut Vec::new())
            .expect("every default is in its range")
    }
}

fn resolve_limits(
    raw: &RawLimits,
    fd_limit: u64,
    listeners: usize,
    warnings: &mut Vec<Problem>,
) -> Result<Limits, Problem> {
    let table = KeyPath::root().key("limits");
    let buffer_bytes: i64 = number::BUFFER_BYTES.resolve(&table, raw.buffer_bytes)?;
    // A turn shorter than a buffer could not empty one at once, so an unset turn grows along.
    let turn_bytes = raw.turn_bytes.unwrap_or(number::TURN_BYTES.default.max(buffer_bytes));
    let limits = Limits {
        max_connections: resolve_max_connections(raw.max_connections, &table, fd_limit, listeners, warnings)?,
        backlog: number::BACKLOG.resolve(&table, raw.backlog)?,
        connect_attempts: number::CONNECT_ATTEMPTS.resolve(&table, raw.connect_attempts)?,
        buffer_bytes: number::BUFFER_BYTES.resolve(&table, Some(buffer_bytes))?,
        turn_bytes: number::TURN_BYTES.resolve(&table, Some(turn_bytes))?,
        head_bytes: 16 * 1024,
        target_bytes: 8 * 1024,
        fields: 100,
        body_bytes: None,
        max_idle: 256,
        retry_budget_percent: 20,
    };
    if limits.turn_bytes < limits.buffer_bytes {
        let what = format!(
            "{turn_bytes} is less than buffer_bytes, {buffer_bytes}: raise it, or lower buffer_bytes"
        );
        return Err(Problem::new(&table.key(number::TURN_BYTES.key), what));
    }
    Ok(limits)
}

/// What was asked for, or as many as the descriptors suffice for; a warning when they do not.
fn resolve_max_connections(
    raw: Option<i64>,
    table: &KeyPath,
    fd_limit: u64,
    listeners: usize,
    warnings: &mut Vec<Problem>,
) -> Result<usize, Problem> {
    let taken = RESERVED_FDS + listeners as u64;
    let affordable = fd_limit.saturating_sub(taken) / FDS_PER_CONNECTION;
    let most = i64::try_from(affordable).unwrap_or(i64::MAX).clamp(1, number::MAX_CONNECTIONS.default);
    let wanted: usize = number::MAX_CONNECTIONS.resolve(table, Some(raw.unwrap_or(most)))?;
    if wanted as u64 > affordable {
        let needed = taken + FDS_PER_CONNECTION * wanted as u64;
        let what = format!(
            "{wanted} connections need {needed} file descriptors, and the limit is {fd_limit}, enough for \
             {affordable}: raise it (ulimit -n {needed})"
        );
        warnings.push(Problem::new(&table.key(number::MAX_CONNECTIONS.key), what));
    }
    Ok(wanted)
}

fn warn_if_unused(pool: usize, path: &KeyPath, frontends: &[Frontend], warnings: &mut Vec<Problem>) {
    if !frontends.iter().any(|frontend| frontend.pool == pool) {
        warnings.push(Problem::new(path, "no frontend uses this pool"));
    }
}
