//! The cookie that ties a client to a backend.

use std::time::Duration;

/// How the cookie is set.
#[derive(Clone, Copy, Debug)]
pub struct Sticky<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its lifetime (`Max-Age`); the browser's session without one.
    pub ttl: Option<Duration>,
    /// Only over TLS.
    pub secure: bool,
}

impl Sticky<'_> {
    /// Appends the value of the `Set-Cookie` that names the backend with this key: opaque (16 hex digits), for all
    /// paths, HttpOnly, SameSite=Lax.
    pub fn write(&self, out: &mut Vec<u8>, backend_key: u64) {
        let _ = (out, backend_key);
        todo!()
    }
}

/// The key of the backend that a cookie's value names, if it is one of ours.
pub fn backend_key(value: &[u8]) -> Option<u64> {
    let _ = value;
    todo!()
}
