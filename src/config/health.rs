//! `[pool.NAME.health]`: how backends are checked, and what follows from it.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::error::Problem;
use super::key_path::KeyPath;
use super::raw::RawHealth;
use super::{Check, Health, HttpCheck, Mode, OnDown, number, suggest, word};

/// The statuses that a check may ask for: final ones. A check that succeeds on 101 would be no check.
const STATUSES: RangeInclusive<u16> = 200..=599;
/// What is healthy if nobody says otherwise.
const STATUS_DEFAULT: &str = "200-399";
/// The longest path and host of a check: its request is sent in one piece.
const TEXT_BYTES_MAX: usize = 1024;

/// The health of one pool. `modes` are those of the frontends that use it.
pub(super) fn resolve_health(raw: &RawHealth, pool: &KeyPath, modes: &[Mode]) -> Result<Health, Problem> {
    let path = pool.key("health");
    let check = resolve_check(raw, &path)?;
    let interval_ms: i64 = number::INTERVAL_MS.resolve(&path, raw.interval_ms)?;
    // Faster while down, and never slower than before if nobody says so.
    let down_interval_ms = raw.down_interval_ms.unwrap_or(number::DOWN_INTERVAL_MS.default.min(interval_ms));
    // Without checks nothing is ever known to be back, only hoped.
    let slow_start_ms =
        raw.slow_start_ms.unwrap_or(if check == Check::Off { 0 } else { number::SLOW_START_MS.default });
    let health = Health {
        interval: number::INTERVAL_MS.resolve_ms(&path, Some(interval_ms))?,
        down_interval: number::DOWN_INTERVAL_MS.resolve_ms(&path, Some(down_interval_ms))?,
        timeout: number::CHECK_TIMEOUT_MS.resolve_ms(&path, raw.timeout_ms)?,
        rise: number::RISE.resolve(&path, raw.rise)?,
        fall: number::FALL.resolve(&path, raw.fall)?,
        on_down: word::resolve(raw.on_down.as_deref(), &path.key("on_down"))?,
        on_all_down: word::resolve(raw.on_all_down.as_deref(), &path.key("on_all_down"))?,
        slow_start: number::SLOW_START_MS.resolve_ms(&path, Some(slow_start_ms))?,
        eject_errors: number::EJECT_ERRORS.resolve(&path, raw.eject_errors)?,
        eject_max_percent: number::EJECT_MAX_PERCENT.resolve(&path, raw.eject_max_percent)?,
        check,
    };
    if health.eject_errors > 0 && !modes.is_empty() && modes.iter().all(|mode| *mode == Mode::Tcp) {
        let what = "only TCP frontends use this pool, and they see no errors: give one mode = \"http\" (--mode http)";
        return Err(Problem::new(&path.key(number::EJECT_ERRORS.key), what));
    }
    Ok(health)
}

/// What is odd about settings that work.
pub(super) fn warn_if_odd(health: &Health, pool: &KeyPath, warnings: &mut Vec<Problem>) {
    if health.on_down == OnDown::Close && health.check == Check::Off {
        let what = "nothing marks a backend down without a check: add check = \"tcp\" or check = \"http\"";
        warnings.push(Problem::new(&pool.key("health").key("on_down"), what));
    }
}

fn resolve_check(raw: &RawHealth, path: &KeyPath) -> Result<Check, Problem> {
    const WORDS: [&str; 3] = ["off", "tcp", "http"];
    let of_http =
        [("path", raw.path.is_some()), ("host", raw.host.is_some()), ("status", raw.status.is_some())];
    let stray = |keys: &[(&str, bool)], what: &str| match keys.iter().find(|(_, given)| *given) {
        Some((key, _)) => Err(Problem::new(&path.key(key), what)),
        None => Ok(()),
    };
    match raw.check.as_deref() {
        None => {
            stray(&of_http, "there is no check it could apply to: add check = \"http\"")?;
            let what = "there is no check it could apply to: add check = \"tcp\" or check = \"http\"";
            let of_any = [
                (number::INTERVAL_MS.key, raw.interval_ms.is_some()),
                (number::DOWN_INTERVAL_MS.key, raw.down_interval_ms.is_some()),
                (number::CHECK_TIMEOUT_MS.key, raw.timeout_ms.is_some()),
                (number::RISE.key, raw.rise.is_some()),
                (number::FALL.key, raw.fall.is_some()),
            ];
            stray(&of_any, what)?;
            Ok(Check::Off)
        }
        // Checks that are turned off for a while keep what they will be when they are back.
        Some("off") => resolve_http(raw, path).map(|_| Check::Off),
        Some("tcp") => {
            stray(&of_http, "a TCP check only connects: use check = \"http\", or remove it")?;
            Ok(Check::Tcp)
        }
        Some("http") => resolve_http(raw, path).map(Check::Http),
        Some(wanted) => {
            let mut what = format!("{wanted:?} is none of {}", WORDS.join(", "));
            if let Some(near) = suggest::nearest(wanted, &WORDS) {
                what = format!("{what}; did you mean {near:?}?");
            }
            Err(Problem::new(&path.key("check"), what))
        }
    }
}

fn resolve_http(raw: &RawHealth, path: &KeyPath) -> Result<HttpCheck, Problem> {
    let target = raw.path.clone().unwrap_or_else(|| "/".to_owned());
    let printable = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if !target.starts_with('/') || !printable(&target) || target.len() > TEXT_BYTES_MAX {
        let what =
            format!("{target:?} is not a path: start with /, and percent-encode what is no plain ASCII");
        return Err(Problem::new(&path.key("path"), what));
    }
    if let Some(host) = &raw.host
        && (host.is_empty() || !printable(host) || host.len() > TEXT_BYTES_MAX)
    {
        let what = format!("{host:?} is not a host: use a name or an address, with a port if need be");
        return Err(Problem::new(&path.key("host"), what));
    }
    let text = raw.status.as_deref().unwrap_or(STATUS_DEFAULT);
    let status = parse_status(text).map_err(|what| Problem::new(&path.key("status"), what))?;
    Ok(HttpCheck { path: target, host: raw.host.clone(), status })
}

/// `200`, `200-299,304`
fn parse_status(text: &str) -> Result<Vec<RangeInclusive<u16>>, String> {
    let part = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        let range = first..=last;
        (first <= last && STATUSES.contains(&first) && STATUSES.contains(&last)).then_some(range)
    };
    text.split(',').map(part).collect::<Option<Vec<_>>>().ok_or_else(|| {
        format!("{text:?} is no list of statuses from 200 to 599: write for example 200 or 200-299,304")
    })
}

/// How [`HttpCheck::status`] is spelled.
pub(super) fn spell_status(status: &[RangeInclusive<u16>]) -> String {
    let part = |range: &RangeInclusive<u16>| match (range.start(), range.end()) {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    };
    status.iter().map(part).collect::<Vec<_>>().join(",")
}

/// The word for a kind of check.
pub(super) fn spell_check(check: &Check) -> &'static str {
    match check {
        Check::Off => "off",
        Check::Tcp => "tcp",
        Check::Http(_) => "http",
    }
}

impl Default for Health {
    /// No checks, and nothing that would follow from them.
    fn default() -> Health {
        resolve_health(&RawHealth::default(), &KeyPath::root(), &[]).expect("every default is in its range")
    }
}

impl HttpCheck {
    /// Whether a backend that answers with `status` is healthy.
    pub fn expects(&self, status: u16) -> bool {
        self.status.iter().any(|range| range.contains(&status))
    }
}

impl Health {
    /// Until the next check of a backend.
    pub fn interval(&self, is_down: bool) -> Duration {
        if is_down { self.down_interval } else { self.interval }
    }
}
