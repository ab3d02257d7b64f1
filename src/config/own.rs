//! `[frontend.timeouts]` and `[frontend.limits]`: what a frontend has otherwise than `[timeouts]` and `[limits]` say.

use std::time::Duration;

use super::error::Problem;
use super::frontends::needs_http;
use super::key_path::KeyPath;
use super::number::{self, Number};
use super::raw::{RawFrontend, RawLimits, RawOwnLimits, RawOwnTimeouts, RawTimeouts};
use super::{Config, Limits, Mode, Timeouts, resolve};

/// What applies to those who come in on a frontend, if it has anything of its own.
pub(super) fn resolve_timeouts(
    raw: &RawOwnTimeouts,
    of_all: &Timeouts,
    path: &KeyPath,
    mode: Mode,
) -> Result<Option<Timeouts>, Problem> {
    if *raw == RawOwnTimeouts::default() {
        return Ok(None);
    }
    let table = path.key("timeouts");
    let any = |number: Number, own: Option<i64>, of_all: Duration| match own {
        Some(_) => number.resolve_ms(&table, own),
        None => Ok(of_all),
    };
    let http = |number: Number, own: Option<i64>, of_all: Duration| {
        if own.is_some() {
            needs_http(mode, &table.key(number.key))?;
        }
        any(number, own, of_all)
    };
    let request = of_all.request.unwrap_or_default();
    Ok(Some(Timeouts {
        connect: any(number::CONNECT_TIMEOUT_MS, raw.connect_timeout_ms, of_all.connect)?,
        idle: any(number::IDLE_TIMEOUT_MS, raw.idle_timeout_ms, of_all.idle)?,
        half_close: any(number::HALF_CLOSE_TIMEOUT_MS, raw.half_close_timeout_ms, of_all.half_close)?,
        head: http(number::HEAD_TIMEOUT_MS, raw.head_timeout_ms, of_all.head)?,
        body: http(number::BODY_TIMEOUT_MS, raw.body_timeout_ms, of_all.body)?,
        response: http(number::RESPONSE_TIMEOUT_MS, raw.response_timeout_ms, of_all.response)?,
        keep_alive: http(number::KEEP_ALIVE_TIMEOUT_MS, raw.keep_alive_timeout_ms, of_all.keep_alive)?,
        request: Some(http(number::REQUEST_TIMEOUT_MS, raw.request_timeout_ms, request)?)
            .filter(|timeout| *timeout > Duration::ZERO),
        ..of_all.clone()
    }))
}

/// The same for limits.
pub(super) fn resolve_limits(
    raw: &RawOwnLimits,
    of_all: &Limits,
    path: &KeyPath,
    mode: Mode,
) -> Result<Option<Limits>, Problem> {
    if *raw == RawOwnLimits::default() {
        return Ok(None);
    }
    let table = path.key("limits");
    let http = |number: Number, own: Option<i64>, of_all: u64| {
        if own.is_some() {
            needs_http(mode, &table.key(number.key))?;
        }
        own.map_or(Ok(of_all), |_| number.resolve(&table, own))
    };
    let head_bytes = http(number::MAX_HEAD_BYTES, raw.max_head_bytes, of_all.head_bytes as u64)? as usize;
    // Left out, it shrinks with the head that holds it, as it does for everybody.
    let target_bytes = of_all.target_bytes.min(head_bytes) as u64;
    let body_bytes = http(number::MAX_BODY_BYTES, raw.max_body_bytes, of_all.body_bytes.unwrap_or_default())?;
    let attempts = raw.connect_attempts.unwrap_or(i64::from(of_all.connect_attempts));
    let limits = Limits {
        connect_attempts: number::CONNECT_ATTEMPTS.resolve(&table, Some(attempts))?,
        head_bytes,
        target_bytes: http(number::MAX_TARGET_BYTES, raw.max_target_bytes, target_bytes)? as usize,
        fields: http(number::MAX_FIELDS, raw.max_fields, of_all.fields as u64)? as usize,
        body_bytes: Some(body_bytes).filter(|bytes| *bytes > 0),
        ..of_all.clone()
    };
    resolve::check_target_in_head(limits.target_bytes, limits.head_bytes, &table)?;
    if mode == Mode::Http {
        resolve::check_room_for_heads(&limits, &table)?;
    }
    Ok(Some(limits))
}

/// Forgets what a frontend has of its own where a flag says something for everybody: flags have the last word.
pub(super) fn give_way(frontend: &mut RawFrontend, timeouts: &RawTimeouts, limits: &RawLimits) {
    let (own_timeouts, own_limits) = (&mut frontend.timeouts, &mut frontend.limits);
    for (own, flag) in [
        (&mut own_timeouts.connect_timeout_ms, timeouts.connect_timeout_ms),
        (&mut own_timeouts.idle_timeout_ms, timeouts.idle_timeout_ms),
        (&mut own_timeouts.half_close_timeout_ms, timeouts.half_close_timeout_ms),
        (&mut own_timeouts.head_timeout_ms, timeouts.head_timeout_ms),
        (&mut own_timeouts.body_timeout_ms, timeouts.body_timeout_ms),
        (&mut own_timeouts.response_timeout_ms, timeouts.response_timeout_ms),
        (&mut own_timeouts.keep_alive_timeout_ms, timeouts.keep_alive_timeout_ms),
        (&mut own_timeouts.request_timeout_ms, timeouts.request_timeout_ms),
        (&mut own_limits.connect_attempts, limits.connect_attempts),
        (&mut own_limits.max_head_bytes, limits.max_head_bytes),
        (&mut own_limits.max_target_bytes, limits.max_target_bytes),
        (&mut own_limits.max_fields, limits.max_fields),
        (&mut own_limits.max_body_bytes, limits.max_body_bytes),
    ] {
        if flag.is_some() {
            *own = None;
        }
    }
}

impl Config {
    /// How long things may take for who came in on `frontend`.
    pub fn timeouts_of(&self, frontend: usize) -> &Timeouts {
        self.frontends.get(frontend).and_then(|frontend| frontend.timeouts.as_ref()).unwrap_or(&self.timeouts)
    }

    /// How much of everything there may be for who came in on `frontend`.
    pub fn limits_of(&self, frontend: usize) -> &Limits {
        self.frontends.get(frontend).and_then(|frontend| frontend.limits.as_ref()).unwrap_or(&self.limits)
    }
}
