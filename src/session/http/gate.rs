//! The gate of a body: what of the bytes read belongs to it, re-framed where it has to be.

use crate::http::body::{CHUNK_START_MAX, LAST_CHUNK, chunk_start};
use crate::http::{Body, Refusal};
use crate::relay::{Buffer, Gate};

/// Room in front of a head for what its forwarded form has more: Via, a cookie, the names of earlier hops.
pub(super) const HEADROOM_BYTES: usize = 512;

/// Lets one body through.
pub(super) struct BodyGate(pub(super) Body);

impl Gate for BodyGate {
    const HEADROOM_BYTES: usize = HEADROOM_BYTES;
    const TAILROOM_BYTES: usize = 2 + LAST_CHUNK.len();

    fn pass(&mut self, held: &mut Buffer, from: usize) -> Result<usize, Refusal> {
        let size = held.filled().len() - from;
        let passed = self.0.pass(&mut held.filled_mut()[from..])?;
        if self.0.wraps() {
            return wrap(held, from, size);
        }
        // What was taken and not put again leaves a gap.
        held.splice(from + passed.put, passed.taken - passed.put, &[]);
        Ok(passed.put)
    }

    fn end(&mut self, held: &mut Buffer) -> Result<usize, Refusal> {
        self.0.end()?;
        Ok(if self.0.wraps() { held.push(LAST_CHUNK) } else { 0 })
    }

    fn is_done(&self) -> bool {
        self.0.is_done()
    }
}

/// Makes a chunk of the last `size` bytes.
fn wrap(held: &mut Buffer, from: usize, size: usize) -> Result<usize, Refusal> {
    const _: () = assert!(CHUNK_START_MAX < HEADROOM_BYTES);
    let (start, len) = chunk_start(size);
    if !held.splice(from, 0, &start[..len]) || held.push(b"\r\n") < 2 {
        // The room was left when the bytes were read.
        return Err(Refusal::new(502, "no_room_for_a_chunk"));
    }
    Ok(len + size + 2)
}
