//! The size line of a chunk (RFC 9112, 7.1), read more strictly than most recipients do: whatever two of them could read
//! differently is refused.

use super::super::message::Refusal;

/// The longest size line accepted, extensions and CRLF included.
pub(super) const LINE_BYTES_MAX: usize = 256;
/// As many digits as fit in 64 bits; sizes have to fit in 63, so that nobody further on reads one as negative.
const DIGITS_MAX: usize = 16;

/// A size line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SizeLine {
    /// The size of the chunk; 0 for the last.
    pub(super) size: u64,
    /// Bytes of the line, CRLF included.
    pub(super) len: usize,
}

/// Reads the size line at the start of `bytes`. `Ok(None)`: it is not complete yet.
///
/// # Errors
/// The first byte that cannot be part of one, or the first too many, is there.
pub(super) fn size_line(bytes: &[u8]) -> Result<Option<SizeLine>, Refusal> {
    const BAD_SIZE: Refusal = Refusal::new(400, "bad_chunk_size");
    let mut size = 0;
    let mut digits = 0;
    while let Some(digit) = bytes.get(digits).and_then(|&byte| (byte as char).to_digit(16)) {
        if digits == DIGITS_MAX {
            return Err(BAD_SIZE);
        }
        size = size << 4 | u64::from(digit);
        digits += 1;
    }
    if size > i64::MAX as u64 {
        return Err(BAD_SIZE);
    }
    let end = match bytes.get(digits) {
        None => return Ok(None),
        Some(_) if digits == 0 => return Err(BAD_SIZE),
        Some(b'\r') => digits,
        // Whitespace before it would be allowed (BWS), and is a disguise that nobody needs.
        Some(b';') => match extension_end(bytes, digits)? {
            Some(end) => end,
            None => return Ok(None),
        },
        Some(_) => return Err(BAD_SIZE),
    };
    match bytes.get(end + 1) {
        _ if end + 2 > LINE_BYTES_MAX => Err(Refusal::new(400, "chunk_line_too_long")),
        None => Ok(None),
        Some(b'\n') => Ok(Some(SizeLine { size, len: end + 2 })),
        Some(_) => Err(BAD_SIZE),
    }
}

/// Where the CR after the extensions is that start at `start`. What they say is nobody's business between two hops, as
/// long as it is text.
fn extension_end(bytes: &[u8], start: usize) -> Result<Option<usize>, Refusal> {
    for (at, &byte) in bytes.iter().enumerate().take(LINE_BYTES_MAX).skip(start) {
        match byte {
            b'\r' => return Ok(Some(at)),
            b'\t' | b' '..=b'~' | 0x80.. => {}
            _ => return Err(Refusal::new(400, "bad_chunk_extension")),
        }
    }
    if bytes.len() < LINE_BYTES_MAX { Ok(None) } else { Err(Refusal::new(400, "chunk_line_too_long")) }
}
