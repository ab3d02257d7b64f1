//! Rewriting in place: a place to read from, and behind it one to write to.

use super::Passed;

/// Bytes that are taken and put back, shortened, from front to back.
pub(super) struct Cursor<'b> {
    bytes: &'b mut [u8],
    taken: usize,
    put: usize,
}

impl<'b> Cursor<'b> {
    pub(super) fn new(bytes: &'b mut [u8]) -> Cursor<'b> {
        Cursor { bytes, taken: 0, put: 0 }
    }

    /// What was not taken yet.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    /// Takes `count` bytes and puts them.
    pub(super) fn keep(&mut self, count: usize) {
        let end = self.taken + count;
        // Until something is dropped, everything is in its place already: a body that is canonical is never moved.
        if self.put != self.taken {
            self.bytes.copy_within(self.taken..end, self.put);
        }
        self.taken = end;
        self.put += count;
    }

    /// Takes `count` bytes and puts nothing.
    pub(super) fn skip(&mut self, count: usize) {
        debug_assert!(count <= self.rest().len());
        self.taken += count;
    }

    /// Takes `count` bytes and puts `new`, which is not longer.
    pub(super) fn replace(&mut self, count: usize, new: &[u8]) {
        debug_assert!(new.len() <= count && count <= self.rest().len());
        self.bytes[self.put..self.put + new.len()].copy_from_slice(new);
        self.taken += count;
        self.put += new.len();
    }

    pub(super) fn passed(&self) -> Passed {
        debug_assert!(self.put <= self.taken && self.taken <= self.bytes.len());
        Passed { taken: self.taken, put: self.put }
    }
}
