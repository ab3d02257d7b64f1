//! Reading past a request body, by its length or by its chunks (RFC 9112, sections 6 and 7).

use crate::relay::Buffer;

/// The longest line of a chunked body: a chunk's size with its extensions, or a trailer field.
const LINE_BYTES_MAX: usize = 4096;
/// The longest trailer section, in lines.
const TRAILER_LINES_MAX: u32 = 100;

const BAD_REQUEST: &str = "400 Bad Request";

/// What is left of a body.
#[derive(Debug)]
pub(super) enum Body {
    /// So many bytes.
    Length(u64),
    /// Chunks, of which this is next.
    Chunked(Chunk),
}

#[derive(Debug)]
pub(super) enum Chunk {
    Size,
    /// So many bytes of the chunk.
    Data(u64),
    /// The line end after a chunk.
    DataEnd,
    /// The trailer section, of which so many lines went by.
    Trailer(u32),
    Done,
}

impl Body {
    pub(super) fn chunked() -> Self {
        Body::Chunked(Chunk::Size)
    }

    /// Drops what has come of the body from `input`: true once that was all. An error is the status line to refuse
    /// the request with.
    pub(super) fn consume(&mut self, input: &mut Buffer) -> Result<bool, &'static str> {
        match self {
            Body::Length(left_bytes) => Ok(skip(input, left_bytes)),
            Body::Chunked(chunk) => loop {
                *chunk = match chunk {
                    Chunk::Done => return Ok(true),
                    Chunk::Data(left_bytes) => {
                        if !skip(input, left_bytes) {
                            return Ok(false);
                        }
                        Chunk::DataEnd
                    }
                    Chunk::Size | Chunk::DataEnd | Chunk::Trailer(_) => {
                        let Some((line, line_bytes)) = line(input)? else { return Ok(false) };
                        let following = chunk.after_line(line)?;
                        input.consumed(line_bytes);
                        following
                    }
                }
            },
        }
    }
}

impl Chunk {
    fn after_line(&self, line: &[u8]) -> Result<Chunk, &'static str> {
        match self {
            Chunk::Size => match size(line) {
                Some(0) => Ok(Chunk::Trailer(0)),
                Some(data_bytes) => Ok(Chunk::Data(data_bytes)),
                None => Err(BAD_REQUEST),
            },
            Chunk::DataEnd if line.is_empty() => Ok(Chunk::Size),
            Chunk::Trailer(_) if line.is_empty() => Ok(Chunk::Done),
            Chunk::Trailer(lines) if *lines < TRAILER_LINES_MAX => Ok(Chunk::Trailer(lines + 1)),
            _ => Err(BAD_REQUEST),
        }
    }
}

/// Drops up to `left_bytes`: true once none is left.
fn skip(input: &mut Buffer, left_bytes: &mut u64) -> bool {
    let present_bytes = input.filled().len();
    let skipped_bytes = usize::try_from(*left_bytes).unwrap_or(usize::MAX).min(present_bytes);
    input.consumed(skipped_bytes);
    *left_bytes -= skipped_bytes as u64;
    *left_bytes == 0
}

/// The next line without its ending, and the bytes it takes up with it; `None` while it is not complete.
fn line(input: &Buffer) -> Result<Option<(&[u8], usize)>, &'static str> {
    let filled = input.filled();
    match filled.iter().take(LINE_BYTES_MAX).position(|&byte| byte == b'\n') {
        Some(end) => {
            let text = filled[..end].strip_suffix(b"\r").ok_or(BAD_REQUEST)?;
            Ok(Some((text, end + 1)))
        }
        None if filled.len() < LINE_BYTES_MAX => Ok(None),
        None => Err(BAD_REQUEST),
    }
}

/// Hexadecimal digits, then possibly extensions, which are ignored.
fn size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|&byte| byte == b';').next()?.trim_ascii_end();
    let digits = std::str::from_utf8(digits).ok()?;
    // `from_str_radix` alone would take a sign; it refuses nothing at all, and what overflows.
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u64::from_str_radix(digits, 16).ok())?
}
