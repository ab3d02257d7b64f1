//! The cookie that ties a client to a backend.

use std::io::Write;
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
        let Sticky { name, ttl, secure } = self;
        let opaque = scramble(backend_key);
        // Writing to a Vec does not fail.
        let _ = write!(out, "{name}={opaque:016x}; Path=/; HttpOnly; SameSite=Lax");
        if let Some(ttl) = ttl {
            // Rounded up: an age of 0 would delete the cookie.
            let seconds = ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() > 0));
            let _ = write!(out, "; Max-Age={seconds}");
        }
        if *secure {
            out.extend_from_slice(b"; Secure");
        }
    }
}

/// The key of the backend that a cookie's value names, if it is one of ours.
pub fn backend_key(value: &[u8]) -> Option<u64> {
    if value.len() != 16 {
        return None;
    }
    let opaque = value.iter().try_fold(0_u64, |sum, byte| match byte {
        b'0'..=b'9' => Some(sum << 4 | u64::from(byte - b'0')),
        b'a'..=b'f' => Some(sum << 4 | u64::from(byte - b'a' + 10)),
        _ => None,
    })?;
    Some(unscramble(opaque))
}

/// So that a key of 0 does not show as 0.
const OFFSET: u64 = 0x9e37_79b9_7f4a_7c15;
const FACTORS: [u64; 2] = [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb];
/// Their inverses modulo 2^64.
const INVERSES: [u64; 2] = [0x96de_1b17_3f11_9089, 0x3196_42b2_d24d_8ec3];

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a permutation of the keys, so that a cookie does not show the
/// hash a backend goes by. It is no secret; whoever forges a cookie gets a backend that is anybody's for the asking.
fn scramble(key: u64) -> u64 {
    let mut mixed = key.wrapping_add(OFFSET);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(FACTORS[0]);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(FACTORS[1]);
    mixed ^ mixed >> 31
}

/// The inverse of [`scramble`], step by step.
fn unscramble(opaque: u64) -> u64 {
    let mut key = opaque ^ opaque >> 31 ^ opaque >> 62;
    key = key.wrapping_mul(INVERSES[1]);
    key = key ^ key >> 27 ^ key >> 54;
    key = key.wrapping_mul(INVERSES[0]);
    key = key ^ key >> 30 ^ key >> 60;
    key.wrapping_sub(OFFSET)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(ttl: Option<Duration>, secure: bool, key: u64) -> String {
        let mut out = b"Set-Cookie: ".to_vec();
        Sticky { name: "lb", ttl, secure }.write(&mut out, key);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn attributes() {
        let plain = written(None, false, 0);
        assert_eq!(plain, "Set-Cookie: lb=e220a8397b1dcdaf; Path=/; HttpOnly; SameSite=Lax");
        let hour = Some(Duration::from_secs(3600));
        assert_eq!(written(hour, false, 0), format!("{plain}; Max-Age=3600"));
        assert_eq!(written(hour, true, 0), format!("{plain}; Max-Age=3600; Secure"));
        assert_eq!(written(None, true, 0), format!("{plain}; Secure"));
        assert_eq!(written(Some(Duration::from_millis(1)), false, 0), format!("{plain}; Max-Age=1"));
    }

    #[test]
    fn a_key_survives_the_round_trip_and_does_not_show() {
        for key in (0..1000).chain((0..64).map(|bit| 1 << bit)).chain([u64::MAX, 0x0123_4567_89ab_cdef]) {
            let line = written(None, false, key);
            let value = &line["Set-Cookie: lb=".len()..][..16];
            assert_eq!(backend_key(value.as_bytes()), Some(key));
            assert_ne!(value, format!("{key:016x}"));
        }
    }

    #[test]
    fn every_value_is_sixteen_digits() {
        let key = (0..u64::MAX).find(|&key| scramble(key) < 1 << 56).expect("one of 256");
        assert!(written(None, false, key).contains("lb=00"));
    }

    #[test]
    fn other_values_name_nobody() {
        for value in ["", "0", "e220a8397b1dcda", "e220a8397b1dcdaf0", "E220A8397B1DCDAF", "+220a8397b1dcdaf"]
        {
            assert_eq!(backend_key(value.as_bytes()), None, "{value}");
        }
        for value in ["e220a8397b1dcdag", " 220a8397b1dcdaf", "e220a8397b1dcda\u{e9}", "\"20a8397b1dcdaf\""] {
            assert_eq!(backend_key(value.as_bytes()), None, "{value}");
        }
    }
}
