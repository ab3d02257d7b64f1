//! Bodies: checked and re-framed in place, as they come, never held whole.

mod chunk;
mod cursor;
mod trailer;

use self::cursor::Cursor;
use super::message::{Framing, HeadLimits, Refusal, Version};

/// One body on its way: where it is in its framing. Small, and `Copy`: it holds no bytes.
///
/// What it puts out is never longer than what it took, so it works in the buffer the bytes were read into. (A body that
/// ends with its connection and goes to a client in chunks is the exception: see [`Body::wraps`].) A chunk keeps its
/// size; its size line is written anew, without leading zeros or extensions.
#[derive(Clone, Copy, Debug)]
pub struct Body {
    state: State,
    content_bytes: u64,
    trailer_bytes_max: u32,
    trailer_fields_max: u16,
    /// It leaves in chunks, as it came.
    chunks: bool,
    /// Harmless trailers leave with it.
    trailers: bool,
    wraps: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing.
    Done,
    /// Content until the source closes.
    UntilClose,
    /// So many bytes of content, at least one, and that is all.
    Length { left: u64 },
    /// The size line of a chunk.
    Size,
    /// So many bytes of a chunk's content, at least one.
    Data { left: u64 },
    /// CRLF after a chunk's content.
    DataEnd,
    /// A trailer line, or the empty line after them; so much room is left for them.
    Trailers { bytes_left: u32, fields_left: u16 },
}

/// How far [`Body::pass`] got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Bytes taken from the front. What is left is an incomplete line of the framing (a chunk's size or end, a trailer),
    /// or, after the end of the body, belongs to whatever follows.
    pub taken: usize,
    /// Bytes put in their place, at the front; never more than `taken`.
    pub put: usize,
}

impl Body {
    /// A body that comes with one framing and leaves with another: the same, or as [`Framing::towards`] has it.
    /// `limits` bound the trailers. With `trailers` false, trailers are checked and dropped.
    pub fn new(from: Framing, to: Framing, trailers: bool, limits: &HeadLimits) -> Body {
        let state = match from {
            Framing::Empty | Framing::Length(0) => State::Done,
            Framing::Length(left) => State::Length { left },
            Framing::Chunked => State::Size,
            Framing::UntilClose => State::UntilClose,
        };
        Body {
            state,
            content_bytes: 0,
            trailer_bytes_max: u32::try_from(limits.head_bytes).unwrap_or(u32::MAX),
            trailer_fields_max: u16::try_from(limits.fields).unwrap_or(u16::MAX),
            chunks: to == Framing::Chunked,
            // A client that gets no chunks has nowhere to look for trailers.
            trailers: trailers && to == Framing::Chunked,
            wraps: from == Framing::UntilClose && to == Framing::Chunked,
        }
    }

    /// Takes as much from the front of `bytes` as can be told to belong to the body.
    ///
    /// # Errors
    /// The framing is broken (status 400), and with it everything that follows on this connection. What `bytes` holds by
    /// then is neither what came nor what should leave.
    pub fn pass(&mut self, bytes: &mut [u8]) -> Result<Passed, Refusal> {
        let mut cursor = Cursor::new(bytes);
        while self.step(&mut cursor)? {}
        Ok(cursor.passed())
    }

    /// How many of the bytes that come next are content and leave as they are.
    pub fn raw_bytes(&self) -> u64 {
        match self.state {
            State::Length { left } | State::Data { left } => left,
            State::UntilClose if !self.wraps => u64::MAX,
            _ => 0,
        }
    }

    /// Takes `count` of the [`Body::raw_bytes`] for passed.
    pub fn pass_raw(&mut self, count: u64) {
        debug_assert!(count <= self.raw_bytes());
        self.content_bytes += count;
        self.state = match self.state {
            State::Length { left } if left > count => State::Length { left: left - count },
            State::Length { .. } => State::Done,
            State::Data { left } if left > count => State::Data { left: left - count },
            State::Data { .. } => State::DataEnd,
            state => state,
        };
    }

    /// Whether the last byte was passed.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The source has closed.
    ///
    /// # Errors
    /// Not at the end of the body.
    pub fn end(&mut self) -> Result<(), Refusal> {
        match self.state {
            State::Done => Ok(()),
            State::UntilClose => {
                self.state = State::Done;
                Ok(())
            }
            _ => Err(Refusal::new(400, "incomplete_body")),
        }
    }

    /// Whether the body comes until the source closes and leaves in chunks. Then `pass` takes and puts everything as it
    /// is, and whoever calls it puts [`chunk_start`] before it and CRLF after it (unless it is nothing, which would be
    /// the last chunk), and [`LAST_CHUNK`] after a good end.
    pub fn wraps(&self) -> bool {
        self.wraps
    }

    /// Bytes of content passed so far, framing not counted.
    pub fn content_bytes(&self) -> u64 {
        self.content_bytes
    }

    /// Passes one element of the framing, if all that it takes to judge it is there. Says whether it did: every decision
    /// depends on the state and on the bytes up to it alone, so it does not matter in which pieces they come.
    fn step(&mut self, cursor: &mut Cursor<'_>) -> Result<bool, Refusal> {
        let Some(&first) = cursor.rest().first() else { return Ok(false) };
        match self.state {
            State::Done => return Ok(false),
            State::UntilClose => {
                self.content(cursor, u64::MAX);
            }
            State::Length { left } => {
                self.state = match self.content(cursor, left) {
                    0 => State::Done,
                    left => State::Length { left },
                };
            }
            State::Size => return self.size(cursor),
            State::Data { left } => {
                self.state = match self.content(cursor, left) {
                    0 => State::DataEnd,
                    left => State::Data { left },
                };
            }
            State::DataEnd => match cursor.rest() {
                [b'\r', b'\n', ..] => {
                    self.framing(cursor, 2, b"\r\n");
                    self.state = State::Size;
                }
                [_] if first == b'\r' => return Ok(false),
                _ => return Err(Refusal::new(400, "bad_chunk_end")),
            },
            State::Trailers { bytes_left, fields_left } => {
                return self.trailer(cursor, bytes_left, fields_left);
            }
        }
        Ok(true)
    }

    /// Passes content: `left` bytes if they are there. Returns how many are not.
    fn content(&mut self, cursor: &mut Cursor<'_>, left: u64) -> u64 {
        let here = cursor.rest().len();
        let count = usize::try_from(left).map_or(here, |left| left.min(here));
        cursor.keep(count);
        self.content_bytes += count as u64;
        left - count as u64
    }

    fn size(&mut self, cursor: &mut Cursor<'_>) -> Result<bool, Refusal> {
        let Some(line) = chunk::size_line(cursor.rest())? else { return Ok(false) };
        let (start, length) = chunk_line(line.size);
        self.framing(cursor, line.len, &start[..length]);
        self.state = match line.size {
            0 => State::Trailers { bytes_left: self.trailer_bytes_max, fields_left: self.trailer_fields_max },
            left => State::Data { left },
        };
        Ok(true)
    }

    fn trailer(
        &mut self,
        cursor: &mut Cursor<'_>,
        bytes_left: u32,
        fields_left: u16,
    ) -> Result<bool, Refusal> {
        let Some(length) = trailer::line(cursor.rest(), bytes_left as usize)? else { return Ok(false) };
        if length == trailer::EMPTY_LINE_BYTES {
            self.framing(cursor, length, b"\r\n");
            self.state = State::Done;
            return Ok(true);
        }
        let Some(fields_left) = fields_left.checked_sub(1) else {
            return Err(Refusal::new(400, "too_many_trailers"));
        };
        let parts = trailer::parse(&cursor.rest()[..length])?;
        if self.trailers && trailer::is_harmless(&cursor.rest()[..parts.name_len]) {
            trailer::keep(cursor, &parts, length);
        } else {
            cursor.skip(length);
        }
        // No overflow: a line is never longer than what is left.
        self.state = State::Trailers { bytes_left: bytes_left - length as u32, fields_left };
        Ok(true)
    }

    /// Takes `count` bytes of framing, and puts what they mean if it is to leave in chunks.
    fn framing(&self, cursor: &mut Cursor<'_>, count: usize, canonical: &[u8]) {
        if self.chunks {
            cursor.replace(count, canonical);
        } else {
            cursor.skip(count);
        }
    }
}

/// The chunk without a size that ends a chunked body without trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
/// The longest [`chunk_start`].
pub const CHUNK_START_MAX: usize = 18;

/// The size line of a chunk of `size_bytes`, CRLF included, and its length. A size of 0 would start the last chunk.
pub fn chunk_start(size_bytes: usize) -> ([u8; CHUNK_START_MAX], usize) {
    chunk_line(size_bytes as u64)
}

fn chunk_line(size_bytes: u64) -> ([u8; CHUNK_START_MAX], usize) {
    let digits = (u64::BITS - size_bytes.leading_zeros()).div_ceil(4).max(1) as usize;
    let mut line = [0; CHUNK_START_MAX];
    let mut rest = size_bytes;
    for digit in line[..digits].iter_mut().rev() {
        *digit = b"0123456789abcdef"[(rest % 16) as usize];
        rest /= 16;
    }
    line[digits..digits + 2].copy_from_slice(b"\r\n");
    (line, digits + 2)
}

impl Framing {
    /// How a response body that came like this goes to a client of this version: in chunks where its end would otherwise
    /// be told by closing, except that HTTP/1.0 knows no chunks.
    pub fn towards(self, client: Version) -> Framing {
        match (self, client) {
            (Framing::Chunked | Framing::UntilClose, Version::Http11) => Framing::Chunked,
            (Framing::Chunked | Framing::UntilClose, Version::Http10) => Framing::UntilClose,
            (known, _) => known,
        }
    }
}

#[cfg(test)]
#[path = "body/tests.rs"]
mod tests;
