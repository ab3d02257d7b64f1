//! Bounded byte queues, lent their memory only while they hold bytes.

/// What one buffer can hold, in bytes. A connection has two: one for what came in, one for what goes out.
pub const BUFFER_BYTES: usize = 32 * 1024;

/// Blocks kept for reuse. Beyond it they go back to the allocator.
const SPARE_BLOCKS_MAX: usize = 1024;

/// A queue of bytes in one block: filled at the back, consumed at the front, never longer than [`BUFFER_BYTES`].
#[derive(Default)]
pub struct Buffer {
    block: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// The bytes it holds, oldest first.
    pub fn filled(&self) -> &[u8] {
        &self.block[self.start..self.end]
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// How many more bytes fit.
    pub fn room(&self) -> usize {
        self.block.len() - (self.end - self.start)
    }

    /// All of the room, as a slice to write into; [`filled_more`](Self::filled_more) says how much was.
    pub fn vacant(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.block.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        &mut self.block[self.end..]
    }

    /// Appends the first `count_bytes` of what [`vacant`](Self::vacant) returned.
    pub fn filled_more(&mut self, count_bytes: usize) {
        debug_assert!(self.end + count_bytes <= self.block.len());
        self.end += count_bytes;
    }

    /// Drops the `count_bytes` oldest bytes.
    pub fn consume(&mut self, count_bytes: usize) {
        debug_assert!(count_bytes <= self.end - self.start);
        self.start += count_bytes;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// Appends as much of `bytes` as fits and says how much that was.
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        let count_bytes = bytes.len().min(self.room());
        // Bytes move to the front only when the back has no room: most pushes then copy once.
        if self.block.len() - self.end < count_bytes {
            self.vacant();
        }
        self.block[self.end..self.end + count_bytes].copy_from_slice(&bytes[..count_bytes]);
        self.end += count_bytes;
        count_bytes
    }

    /// Appends what fits of `other` and takes it from there. An empty buffer just trades blocks.
    pub fn take_from(&mut self, other: &mut Buffer) {
        if self.is_empty() {
            std::mem::swap(self, other);
        } else {
            let count_bytes = self.push(other.filled());
            other.consume(count_bytes);
        }
    }
}

/// Blocks nobody uses at the moment. The one used last is lent first: it is still in the processor's cache.
#[derive(Default)]
pub struct Spare {
    blocks: Vec<Box<[u8]>>,
}

impl Spare {
    /// Sees to it that `buffer` has memory.
    pub fn lend(&mut self, buffer: &mut Buffer) {
        if buffer.block.is_empty() {
            buffer.block = self.blocks.pop().unwrap_or_else(new_block);
        }
    }

    /// Takes the memory of `buffer` back if it holds nothing.
    pub fn reclaim(&mut self, buffer: &mut Buffer) {
        if buffer.is_empty() && !buffer.block.is_empty() {
            let block = std::mem::take(buffer).block;
            if self.blocks.len() < SPARE_BLOCKS_MAX {
                self.blocks.push(block);
            }
        }
    }
}

fn new_block() -> Box<[u8]> {
    vec![0; BUFFER_BYTES].into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn empty() -> Buffer {
        Buffer { block: new_block(), ..Buffer::default() }
    }

    proptest! {
        /// Whatever is done to it, a buffer is the queue of bytes a `Vec` would be, up to its bound.
        #[test]
        fn a_buffer_is_a_bounded_queue(steps in prop::collection::vec((0..4_u8, 0..BUFFER_BYTES), 1..60)) {
            let (mut buffer, mut model) = (empty(), Vec::new());
            for (number, (step, bytes)) in steps.into_iter().enumerate() {
                let pushed = vec![number as u8; bytes];
                match step {
                    0 => model.extend_from_slice(&pushed[..buffer.push(&pushed)]),
                    1 => {
                        let count_bytes = bytes.min(buffer.room());
                        buffer.vacant()[..count_bytes].copy_from_slice(&pushed[..count_bytes]);
                        buffer.filled_more(count_bytes);
                        model.extend_from_slice(&pushed[..count_bytes]);
                    }
                    2 => {
                        buffer.consume(bytes.min(model.len()));
                        model.drain(..bytes.min(model.len()));
                    }
                    _ => {
                        let mut other = empty();
                        other.push(&pushed);
                        buffer.take_from(&mut other);
                        model.extend_from_slice(&pushed[..bytes - other.filled().len()]);
                    }
                }
                prop_assert_eq!(buffer.filled(), &model[..]);
                prop_assert_eq!(buffer.room(), BUFFER_BYTES - model.len());
            }
        }
    }

    #[test]
    fn only_empty_buffers_give_their_memory_back() {
        let (mut spare, mut buffer) = (Spare::default(), Buffer::default());
        spare.lend(&mut buffer);
        buffer.push(b"x");
        spare.reclaim(&mut buffer);
        assert_eq!(buffer.filled(), b"x");
        buffer.consume(1);
        spare.reclaim(&mut buffer);
        assert_eq!((buffer.room(), spare.blocks.len()), (0, 1));
    }
}
