//! `sticky_cookie`: the cookie that ties a client to a backend.

use std::time::Duration;

use super::error::Problem;
use super::key_path::KeyPath;
use super::raw::RawPool;
use super::{Mode, Pool, Sticky, number};

/// The longest name of a cookie: browsers allow 4096 bytes for all of it, and every request carries it.
const NAME_BYTES_MAX: usize = 64;

/// The cookie of a pool, if it has one. `modes` are those of the frontends that use the pool.
pub(super) fn resolve_sticky(
    raw: &RawPool,
    pool: &KeyPath,
    modes: &[Mode],
) -> Result<Option<Sticky>, Problem> {
    let Some(cookie) = &raw.sticky_cookie else {
        let stray = [
            raw.sticky_cookie_ttl_s.is_some().then_some(number::STICKY_COOKIE_TTL_S.key),
            raw.sticky_cookie_secure.is_some().then_some("sticky_cookie_secure"),
        ];
        return match stray.into_iter().flatten().next() {
            None => Ok(None),
            Some(key) => Err(Problem::new(
                &pool.key(key),
                "there is no sticky_cookie it could apply to: add sticky_cookie = \"NAME\", or remove it",
            )),
        };
    };
    if !is_token(cookie) {
        let what = format!(
            "{cookie:?} is not a cookie's name: use 1 to {NAME_BYTES_MAX} letters, digits or !#$%&'*+-.^_`|~"
        );
        return Err(Problem::new(&pool.key("sticky_cookie"), what));
    }
    if !modes.is_empty() && modes.iter().all(|mode| *mode == Mode::Tcp) {
        let what = "only TCP frontends use this pool, and they set no cookies: give one mode = \"http\" (--mode http)";
        return Err(Problem::new(&pool.key("sticky_cookie"), what));
    }
    let ttl_s = number::STICKY_COOKIE_TTL_S.resolve(pool, raw.sticky_cookie_ttl_s)?;
    Ok(Some(Sticky {
        cookie: cookie.clone(),
        ttl: Some(Duration::from_secs(ttl_s)).filter(|ttl| !ttl.is_zero()),
        secure: raw.sticky_cookie_secure.unwrap_or_default(),
    }))
}

/// What is odd about a cookie that works, or for some clients only.
pub(super) fn warn_if_odd(pool: &Pool, path: &KeyPath, keyed: &[&str], warnings: &mut Vec<Problem>) {
    let Some(sticky) = &pool.sticky else { return };
    let path = path.key("sticky_cookie");
    if keyed.contains(&pool.policy) {
        let what = format!(
            "the cookie decides wherever a client has one: {} only chooses for those without",
            pool.policy
        );
        warnings.push(Problem::new(&path, what));
    }
    let promises_tls = |prefix: &str| {
        sticky.cookie.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    if !sticky.secure && (promises_tls("__Secure-") || promises_tls("__Host-")) {
        let what = "browsers refuse a cookie of that name without sticky_cookie_secure = true";
        warnings.push(Problem::new(&path, what));
    }
}

/// A token (RFC 9110, 5.6.2), as the names of cookies are (RFC 6265, 4.1.1).
fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed)
}
