//! Connection and Upgrade: what is meant for this hop only (RFC 9110, 7.6.1 and 7.8).

use super::fields::{Kind, elements, is_token};
use super::message::{Refusal, Version};

/// The most options a Connection field may have: each is compared with every field's name.
const OPTIONS_MAX: usize = 64;

/// The options of all Connection fields of one head.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options {
    pub(super) upgrade: bool,
    /// Something is nominated that has no meaning of its own here.
    pub(super) nominates: bool,
    close: bool,
    keep_alive: bool,
    count: usize,
}

impl Options {
    /// Reads one Connection field.
    pub(super) fn read(&mut self, value: &[u8]) -> Result<(), Refusal> {
        // What most heads have, and nothing else.
        if value.eq_ignore_ascii_case(b"keep-alive") {
            self.count += 1;
            self.keep_alive = true;
        } else {
            for option in elements(value).filter(|option| !option.is_empty()) {
                self.read_option(option)?;
            }
        }
        if self.count > OPTIONS_MAX {
            return Err(Refusal::new(400, "too_many_connection_options"));
        }
        Ok(())
    }

    fn read_option(&mut self, option: &[u8]) -> Result<(), Refusal> {
        if !is_token(option) {
            return Err(Refusal::new(400, "bad_connection_option"));
        }
        self.count += 1;
        match option.len() {
            10 if option.eq_ignore_ascii_case(b"keep-alive") => self.keep_alive = true,
            5 if option.eq_ignore_ascii_case(b"close") => self.close = true,
            7 if option.eq_ignore_ascii_case(b"upgrade") => self.upgrade = true,
            2 if option.eq_ignore_ascii_case(b"te") => {}
            _ => self.nominates = true,
        }
        Ok(())
    }

    /// Whether the sender keeps the connection (RFC 9112, 9.3).
    pub(super) fn keeps(&self, version: Version) -> bool {
        !self.close && (version == Version::Http11 || self.keep_alive)
    }
}

/// Marks every field that a Connection field nominates.
pub(super) fn drop_nominated(fields: &[httparse::Header<'_>], kinds: &mut [Kind]) {
    for (index, field) in fields.iter().enumerate() {
        if kinds[index] != Kind::Connection {
            continue;
        }
        for option in elements(field.value).filter(|option| !option.is_empty()) {
            for (other, kind) in fields.iter().zip(&mut *kinds) {
                if kind.heeds_nomination() && other.name.as_bytes().eq_ignore_ascii_case(option) {
                    *kind = Kind::Dropped;
                }
            }
        }
    }
}

/// The protocols of an Upgrade field that can be tunnelled: not those that speak HTTP or TLS on this same connection,
/// which a proxy would have to speak itself.
pub(super) fn protocols(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    elements(value).filter(|protocol| {
        let mut parts = protocol.splitn(2, |byte| *byte == b'/');
        let name = parts.next().unwrap_or_default();
        let refused: [&[u8]; 4] = [b"h2c", b"h2", b"http", b"tls"];
        is_token(name)
            && parts.next().is_none_or(is_token)
            && !refused.iter().any(|refused| name.eq_ignore_ascii_case(refused))
    })
}

/// Writes `Connection: upgrade` and one Upgrade field with the protocols of all that came.
pub(super) fn write_upgrade(out: &mut Vec<u8>, fields: &[httparse::Header<'_>], kinds: &[Kind]) {
    out.extend_from_slice(b"Connection: upgrade\r\n");
    let upgrades = fields.iter().zip(kinds).filter(|(_, kind)| **kind == Kind::Upgrade);
    let mut before: &[u8] = b"Upgrade: ";
    for protocol in upgrades.flat_map(|(field, _)| protocols(field.value)) {
        out.extend_from_slice(before);
        out.extend_from_slice(protocol);
        before = b", ";
    }
    if before == b", " {
        out.extend_from_slice(b"\r\n");
    }
}
