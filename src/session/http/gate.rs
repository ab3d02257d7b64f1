//! The gate of a body: what of the bytes read belongs to it, re-framed where it has to be.

use crate::http::body::{CHUNK_START_MAX, LAST_CHUNK, chunk_start};
use crate::http::{Body, Passed, Refusal};
use crate::relay::{Buffer, Gate, Pipe};

/// Room in front of a head for what its forwarded form has more: Via, a cookie, the names of earlier hops.
pub(super) const HEADROOM_BYTES: usize = 512;

/// Lets one body through.
pub(super) struct BodyGate {
    body: Body,
    /// More content than this does not pass.
    most_bytes: u64,
    /// What did not pass: nothing does after it, and the body is not asked again, because what it has left in the buffer
    /// is neither what came nor what should leave.
    refused: Option<Refusal>,
}

/// A request body beyond `max_body_bytes`.
pub(super) const BODY_TOO_LARGE: Refusal = Refusal::new(413, "body_too_large");

impl BodyGate {
    /// For a body of any size.
    pub(super) fn new(body: Body) -> BodyGate {
        BodyGate::bounded(body, None)
    }

    /// For a body of at most `most_bytes`.
    pub(super) fn bounded(body: Body, most_bytes: Option<u64>) -> BodyGate {
        BodyGate { body, most_bytes: most_bytes.unwrap_or(u64::MAX), refused: None }
    }

    /// Bytes of content passed so far.
    pub(super) fn content_bytes(&self) -> u64 {
        self.body.content_bytes()
    }

    fn pass_body(&mut self, bytes: &mut [u8]) -> Result<Passed, Refusal> {
        let passed = self.body.pass(bytes)?;
        if self.body.content_bytes() > self.most_bytes { Err(BODY_TOO_LARGE) } else { Ok(passed) }
    }
}

impl Gate for BodyGate {
    const HEADROOM_BYTES: usize = HEADROOM_BYTES;
    const TAILROOM_BYTES: usize = 2 + LAST_CHUNK.len();

    fn pass(&mut self, held: &mut Buffer, from: usize) -> Result<usize, Refusal> {
        if let Some(refusal) = self.refused {
            return Err(refusal);
        }
        let size = held.filled().len() - from;
        let passed = self.pass_body(&mut held.filled_mut()[from..]);
        self.refused = passed.err();
        let passed = passed?;
        if self.body.wraps() {
            return wrap(held, from, size);
        }
        // What was taken and not put again leaves a gap.
        held.splice(from + passed.put, passed.taken - passed.put, &[]);
        Ok(passed.put)
    }

    fn end(&mut self, held: &mut Buffer) -> Result<usize, Refusal> {
        self.body.end()?;
        Ok(if self.body.wraps() { held.push(LAST_CHUNK) } else { 0 })
    }

    fn is_done(&self) -> bool {
        self.refused.is_none() && self.body.is_done()
    }

    fn unseen_bytes(&self) -> u64 {
        if self.refused.is_some() {
            return 0;
        }
        self.body.raw_bytes().min(self.most_bytes - self.body.content_bytes())
    }

    fn pass_unseen(&mut self, count: u64) {
        self.body.pass_raw(count);
    }
}

/// Makes a chunk of the last `size` bytes.
fn wrap(held: &mut Buffer, from: usize, size: usize) -> Result<usize, Refusal> {
    const _: () = assert!(CHUNK_START_MAX < HEADROOM_BYTES && CHUNK_START_MAX + 2 <= Pipe::SPARE_BYTES);
    let (start, len) = chunk_start(size);
    if !held.splice(from, 0, &start[..len]) || held.push(b"\r\n") < 2 {
        // The room was left when the bytes were read.
        return Err(Refusal::new(502, "no_room_for_a_chunk"));
    }
    Ok(len + size + 2)
}
