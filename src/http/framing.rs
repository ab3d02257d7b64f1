//! Where a body ends, by what Content-Length and Transfer-Encoding say (RFC 9112, 6).

use super::fields::elements;
use super::message::{Framing, Refusal, Version};

/// The framing fields of one head, read one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FramingFields {
    /// What Content-Length says, once or several times over.
    pub(super) length: Option<u64>,
    codings: u32,
    chunked: u32,
    ends_in_chunked: bool,
    bad_coding: Option<Refusal>,
}

impl FramingFields {
    /// Reads the Content-Length of a request. Several that say the same could be taken for one (RFC 9110, 8.6), but
    /// whoever sends them is up to something.
    pub(super) fn only_content_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        match self.length {
            Some(_) => Err(Refusal::new(400, "repeated_content_length")),
            None => self.content_length(value),
        }
    }

    /// Reads one Content-Length. Several that say the same are as good as one (RFC 9110, 8.6).
    pub(super) fn content_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        let length = decimal(value).ok_or(Refusal::new(400, "bad_content_length"))?;
        if self.length.is_some_and(|earlier| earlier != length) {
            return Err(Refusal::new(400, "differing_content_lengths"));
        }
        self.length = Some(length);
        Ok(())
    }

    /// Reads one Transfer-Encoding: all of them together are one list.
    pub(super) fn transfer_encoding(&mut self, value: &[u8]) {
        for coding in elements(value) {
            let is_chunked = coding.eq_ignore_ascii_case(b"chunked");
            if coding.is_empty() {
                self.bad_coding.get_or_insert(Refusal::new(400, "empty_transfer_coding"));
            } else if !coding.iter().all(|byte| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t')) {
                self.bad_coding.get_or_insert(Refusal::new(400, "bad_transfer_coding"));
            } else if !is_chunked && !is_known(coding) {
                self.bad_coding.get_or_insert(Refusal::new(501, "unknown_transfer_coding"));
            }
            self.codings += 1;
            self.chunked += u32::from(is_chunked);
            self.ends_in_chunked = is_chunked;
        }
    }

    /// What they say together; `None` if there are none. Where several things are wrong, what smells of request
    /// smuggling is named first.
    pub(super) fn resolve(&self, version: Version) -> Result<Option<Framing>, Refusal> {
        if self.codings == 0 {
            return Ok(self.length.map(Framing::Length));
        }
        if self.length.is_some() {
            return Err(Refusal::new(400, "content_length_with_transfer_encoding"));
        }
        if version == Version::Http10 {
            return Err(Refusal::new(400, "transfer_encoding_on_http_1_0"));
        }
        if let Some(refusal) = self.bad_coding {
            return Err(refusal);
        }
        if !self.ends_in_chunked || self.chunked > 1 {
            return Err(Refusal::new(400, "transfer_encoding_not_ending_in_chunked"));
        }
        if self.codings > 1 {
            // We would have to undo it, or to forward it to whom never said that it can.
            return Err(Refusal::new(501, "transfer_coding_not_supported"));
        }
        Ok(Some(Framing::Chunked))
    }
}

fn is_known(coding: &[u8]) -> bool {
    let known: [&[u8]; 6] = [b"gzip", b"deflate", b"compress", b"identity", b"x-gzip", b"x-compress"];
    known.iter().any(|known| coding.eq_ignore_ascii_case(known))
}

/// One to 19 digits, and no more than an `i64` holds: what a backend in any language can count.
fn decimal(value: &[u8]) -> Option<u64> {
    if !(1..=19).contains(&value.len()) || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // 19 nines are less than 2^64.
    let number = value.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    (number <= i64::MAX as u64).then_some(number)
}
