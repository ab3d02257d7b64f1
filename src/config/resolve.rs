//! Raw to resolved: defaults filled in, ranges checked, names looked up, references turned into indices.

use std::time::Duration;

use super::error::Problem;
use super::key_path::KeyPath;
use super::raw::{Raw, RawLimits, RawTimeouts};
use super::{
    Config, Host, Limits, Log, Mode, Timeouts, admin, frontends, health, name, number, own, pools, sticky,
    word,
};

/// Descriptors kept for what is not a connection: standard streams, epoll, wakers, the log, a resolver's socket.
const RESERVED_FDS: u64 = 64;
/// A client's socket and a backend's.
const FDS_PER_CONNECTION: u64 = 2;
/// Its two ends.
const FDS_PER_PIPE: u64 = 2;
/// One in so many descriptors, at most, is a pipe's if nobody says otherwise.
const FDS_TO_ONE_OF_A_PIPE: u64 = 32;

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
    let mut frontends = frontends::resolve_frontends(&raw.frontend, &pool_names)?;

    let mut warnings = Vec::new();
    frontends::warn_if_all_are_trusted(&frontends, &mut warnings);
    let listeners = workers * frontends.iter().map(|frontend| frontend.listen.len()).sum::<usize>();
    let limits = resolve_limits(&raw.limits, host.fd_limit, workers, listeners, &mut warnings)?;
    if limits.backlog > host.somaxconn {
        let what = format!(
            "{} is more than the kernel queues, {}: raise net.core.somaxconn, or lower it",
            limits.backlog, host.somaxconn
        );
        warnings.push(Problem::new(&root.key("limits").key(number::BACKLOG.key), what));
    }
    if frontends.iter().any(|frontend| frontend.mode == Mode::Http) {
        check_room_for_heads(&limits, &root.key("limits"))?;
    }
    for (index, (frontend, raw)) in frontends.iter_mut().zip(&raw.frontend).enumerate() {
        let path = root.key("frontend").index(index);
        frontend.timeouts = own::resolve_timeouts(&raw.timeouts, &timeouts, &path, frontend.mode)?;
        frontend.limits = own::resolve_limits(&raw.limits, &limits, &path, frontend.mode)?;
    }
    let access_format =
        word::resolve(raw.log.access_format.as_deref(), &root.key("log").key("access_format"))?;

    let mut pools = Vec::new();
    for (index, (name, raw)) in raw.pool.iter().enumerate() {
        let path = root.key("pool").key(name);
        let users = frontends.iter().filter(|frontend| frontend.pools().any(|pool| pool == index));
        let modes: Vec<Mode> = users.map(|frontend| frontend.mode).collect();
        let pool = pools::resolve_pool(name, raw, &path, host, &modes)?;
        sticky::warn_if_odd(&pool, &path, host.keyed, &mut warnings);
        health::warn_if_odd(&pool.health, &path, &mut warnings);
        pools::warn_if_odd(&pool, raw, &path, &mut warnings);
        if modes.is_empty() {
            warnings.push(Problem::new(&path, "no frontend uses this pool"));
        }
        pools.push(pool);
    }
    let (log, admin) = (Log { access_format }, admin::resolve(&raw.admin, &mut warnings)?);
    Ok((Config { workers, timeouts, limits, frontends, pools, log, admin }, warnings))
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
        head: number::HEAD_TIMEOUT_MS.resolve_ms(&table, raw.head_timeout_ms)?,
        body: number::BODY_TIMEOUT_MS.resolve_ms(&table, raw.body_timeout_ms)?,
        response: number::RESPONSE_TIMEOUT_MS.resolve_ms(&table, raw.response_timeout_ms)?,
        keep_alive: number::KEEP_ALIVE_TIMEOUT_MS.resolve_ms(&table, raw.keep_alive_timeout_ms)?,
        backend_idle: number::BACKEND_IDLE_TIMEOUT_MS.resolve_ms(&table, raw.backend_idle_timeout_ms)?,
        request: Some(number::REQUEST_TIMEOUT_MS.resolve_ms(&table, raw.request_timeout_ms)?)
            .filter(|timeout| *timeout > Duration::ZERO),
        resolve_interval: Some(number::RESOLVE_INTERVAL_MS.resolve_ms(&table, raw.resolve_interval_ms)?)
            .filter(|interval| *interval > Duration::ZERO),
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
        resolve_limits(&RawLimits::default(), u64::MAX, 1, 1, &mut Vec::new())
            .expect("every default is in its range")
    }
}

fn resolve_limits(
    raw: &RawLimits,
    fd_limit: u64,
    workers: usize,
    listeners: usize,
    warnings: &mut Vec<Problem>,
) -> Result<Limits, Problem> {
    let table = KeyPath::root().key("limits");
    let buffer_bytes: i64 = number::BUFFER_BYTES.resolve(&table, raw.buffer_bytes)?;
    // A turn shorter than a buffer could not empty one at once, so an unset turn grows along.
    let turn_bytes = raw.turn_bytes.unwrap_or(number::TURN_BYTES.default.max(buffer_bytes));
    let (head_bytes, target_bytes) = resolve_head_bytes(raw, &table, buffer_bytes)?;
    let body_bytes: u64 = number::MAX_BODY_BYTES.resolve(&table, raw.max_body_bytes)?;
    let max_pipes = resolve_max_pipes(raw.max_pipes, &table, fd_limit, workers as u64)?;
    let taken = RESERVED_FDS + listeners as u64 + FDS_PER_PIPE * (max_pipes * workers) as u64;
    let limits = Limits {
        max_connections: resolve_max_connections(raw.max_connections, &table, fd_limit, taken, warnings)?,
        backlog: number::BACKLOG.resolve(&table, raw.backlog)?,
        connect_attempts: number::CONNECT_ATTEMPTS.resolve(&table, raw.connect_attempts)?,
        buffer_bytes: number::BUFFER_BYTES.resolve(&table, Some(buffer_bytes))?,
        turn_bytes: number::TURN_BYTES.resolve(&table, Some(turn_bytes))?,
        head_bytes,
        target_bytes,
        fields: number::MAX_FIELDS.resolve(&table, raw.max_fields)?,
        body_bytes: Some(body_bytes).filter(|bytes| *bytes > 0),
        max_pipes,
        max_idle: number::MAX_IDLE.resolve(&table, raw.max_idle)?,
        retry_budget_percent: number::RETRY_BUDGET_PERCENT.resolve(&table, raw.retry_budget_percent)?,
    };
    if limits.turn_bytes < limits.buffer_bytes {
        let what = format!(
            "{turn_bytes} is less than buffer_bytes, {buffer_bytes}: raise it, or lower buffer_bytes"
        );
        return Err(Problem::new(&table.key(number::TURN_BYTES.key), what));
    }
    Ok(limits)
}

/// The most bytes of a head and of a target. An unset one shrinks with what has to hold it: the buffer, the head.
fn resolve_head_bytes(
    raw: &RawLimits,
    table: &KeyPath,
    buffer_bytes: i64,
) -> Result<(usize, usize), Problem> {
    let (head, target) = (number::MAX_HEAD_BYTES, number::MAX_TARGET_BYTES);
    let fitting = head.default.min(buffer_bytes - number::HEAD_ROOM_BYTES).max(head.least);
    let head_bytes = raw.max_head_bytes.unwrap_or(fitting);
    let target_bytes = raw.max_target_bytes.unwrap_or(target.default.min(head_bytes));
    let resolved = (head.resolve(table, Some(head_bytes))?, target.resolve(table, Some(target_bytes))?);
    check_target_in_head(resolved.1, resolved.0, table)?;
    Ok(resolved)
}

/// A head holds its target.
pub(super) fn check_target_in_head(
    target_bytes: usize,
    head_bytes: usize,
    table: &KeyPath,
) -> Result<(), Problem> {
    if target_bytes <= head_bytes {
        return Ok(());
    }
    let what = format!(
        "{target_bytes} is more than max_head_bytes, {head_bytes}: lower it, or raise max_head_bytes"
    );
    Err(Problem::new(&table.key(number::MAX_TARGET_BYTES.key), what))
}

/// In HTTP mode a head stays in its buffer until it is complete.
pub(super) fn check_room_for_heads(limits: &Limits, table: &KeyPath) -> Result<(), Problem> {
    let (buffer_bytes, head_bytes) = (limits.buffer_bytes as i64, limits.head_bytes as i64);
    let (least, room) = (number::HTTP_BUFFER_BYTES_LEAST, number::HEAD_ROOM_BYTES);
    if buffer_bytes < least {
        let what = format!("{buffer_bytes} is too small for the heads of HTTP: raise it to {least} or more");
        return Err(Problem::new(&table.key(number::BUFFER_BYTES.key), what));
    }
    if head_bytes + room > buffer_bytes {
        let what = format!(
            "{head_bytes} does not fit into buffer_bytes, {buffer_bytes}, with {room} to spare: lower it to {}, or \
             raise buffer_bytes to {}",
            buffer_bytes - room,
            head_bytes + room
        );
        return Err(Problem::new(&table.key(number::MAX_HEAD_BYTES.key), what));
    }
    Ok(())
}

/// What was asked for, or as many as are no loss to connections.
fn resolve_max_pipes(
    raw: Option<i64>,
    table: &KeyPath,
    fd_limit: u64,
    workers: u64,
) -> Result<usize, Problem> {
    let spare = fd_limit / FDS_TO_ONE_OF_A_PIPE / FDS_PER_PIPE / workers;
    let most = i64::try_from(spare).unwrap_or(i64::MAX).min(number::MAX_PIPES.default);
    number::MAX_PIPES.resolve(table, Some(raw.unwrap_or(most)))
}

/// What was asked for, or as many as the descriptors suffice for; a warning when they do not.
fn resolve_max_connections(
    raw: Option<i64>,
    table: &KeyPath,
    fd_limit: u64,
    taken: u64,
    warnings: &mut Vec<Problem>,
) -> Result<usize, Problem> {
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
