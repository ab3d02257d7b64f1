//! Bodies: checked and re-framed in place, as they come, never held whole.

use super::message::{Framing, HeadLimits, Refusal, Version};

/// One body on its way: where it is in its framing. Small, and `Copy`: it holds no bytes.
///
/// What it puts out is never longer than what it took, so it works in the buffer the bytes were read into. (A body that
/// ends with its connection and goes to a client in chunks is the exception: see [`Body::wraps`].) A chunk keeps its
/// size; its size line is written anew, without leading zeros or extensions.
#[derive(Clone, Copy, Debug)]
pub struct Body {}

/// How far [`Body::pass`] got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Bytes taken from the front. What is left is an incomplete size line or trailer section, or, after the end of the
    /// body, belongs to whatever follows.
    pub taken: usize,
    /// Bytes put in their place, at the front; never more than `taken`.
    pub put: usize,
}

impl Body {
    /// A body that comes with one framing and leaves with another: the same, or as [`Framing::towards`] has it.
    /// `limits` bound a size line and the trailers. With `trailers` false, trailers are checked and dropped.
    pub fn new(from: Framing, to: Framing, trailers: bool, limits: &HeadLimits) -> Body {
        let _ = (from, to, trailers, limits);
        todo!()
    }

    /// Takes as much from the front of `bytes` as can be told to belong to the body.
    ///
    /// # Errors
    /// The framing is broken (status 400), and with it everything that follows on this connection.
    pub fn pass(&mut self, bytes: &mut [u8]) -> Result<Passed, Refusal> {
        let _ = bytes;
        todo!()
    }

    /// Whether the last byte was passed.
    pub fn is_done(&self) -> bool {
        todo!()
    }

    /// The source has closed.
    ///
    /// # Errors
    /// Not at the end of the body.
    pub fn end(&mut self) -> Result<(), Refusal> {
        todo!()
    }

    /// Whether the body comes until the source closes and leaves in chunks. Then `pass` takes and puts everything as it
    /// is, and whoever calls it puts [`chunk_start`] before it and CRLF after it, and [`LAST_CHUNK`] after a good end.
    pub fn wraps(&self) -> bool {
        todo!()
    }

    /// Bytes of content passed so far, framing not counted.
    pub fn content_bytes(&self) -> u64 {
        todo!()
    }
}

/// The chunk without a size that ends a chunked body without trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
/// The longest [`chunk_start`].
pub const CHUNK_START_MAX: usize = 18;

/// The size line of a chunk of `size_bytes`, CRLF included, and its length.
pub fn chunk_start(size_bytes: usize) -> ([u8; CHUNK_START_MAX], usize) {
    let _ = size_bytes;
    todo!()
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
