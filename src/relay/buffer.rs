//! Relay buffers: bounded, from a free list, held only while they hold bytes.

/// Bytes on their way from one socket to another: filled at the end, consumed at the front.
#[derive(Debug)]
pub struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    fn new(size_bytes: usize) -> Buffer {
        Buffer { bytes: vec![0; size_bytes].into_boxed_slice(), start: 0, end: 0 }
    }

    /// What is owed to the sink.
    pub fn filled(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Where the next read may go.
    pub fn space(&mut self) -> &mut [u8] {
        &mut self.bytes[self.end..]
    }

    /// The same, and as much of it as can be had: what is owed moves to the front.
    pub fn make_room(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        self.space()
    }

    /// The length of what [`Buffer::make_room`] returns.
    pub fn room_bytes(&self) -> usize {
        self.bytes.len() - (self.end - self.start)
    }

    /// Appends as much of `bytes` as there is room for, and says how much that was.
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.room_bytes());
        // Most pushes find space at the end, and then nothing is moved.
        let space = if self.space().len() < count { self.make_room() } else { self.space() };
        space[..count].copy_from_slice(&bytes[..count]);
        self.produced(count);
        count
    }

    /// `count` bytes were read into [`Buffer::space`].
    pub fn produced(&mut self, count: usize) {
        debug_assert!(self.end + count <= self.bytes.len());
        self.end += count;
    }

    /// `count` bytes of [`Buffer::filled`] were written. An empty buffer starts over at its front.
    pub fn consumed(&mut self, count: usize) {
        debug_assert!(self.start + count <= self.end);
        self.start += count;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Whether nothing is owed.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }
}

/// The free list of one worker. Most turns take a buffer and give it back before they end, so a handful of
/// warm buffers serves any number of connections whose readers keep up.
pub struct BufferPool {
    free: Vec<Buffer>,
    size_bytes: usize,
    in_use: usize,
}

/// Free buffers kept for reuse; what a burst of slow readers needed beyond that goes back to the allocator.
const MAX_FREE: usize = 64;

impl BufferPool {
    /// A pool of buffers of `size_bytes` each; none is allocated yet.
    pub fn new(size_bytes: usize) -> BufferPool {
        BufferPool { free: Vec::with_capacity(MAX_FREE), size_bytes, in_use: 0 }
    }

    /// An empty buffer.
    pub fn take(&mut self) -> Buffer {
        self.in_use += 1;
        self.free.pop().unwrap_or_else(|| Buffer::new(self.size_bytes))
    }

    /// Returns a buffer; what it still holds is forgotten.
    pub fn give(&mut self, mut buffer: Buffer) {
        self.in_use -= 1;
        (buffer.start, buffer.end) = (0, 0);
        if self.free.len() < MAX_FREE {
            self.free.push(buffer);
        }
    }

    /// Buffers taken and not yet given back.
    pub fn in_use(&self) -> usize {
        self.in_use
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is done to it, a buffer is the queue of bytes a `Vec` would be, up to its bound.
        #[test]
        fn a_buffer_is_a_bounded_queue(steps in prop::collection::vec((0..4_u8, 0..SIZE_BYTES), 1..60)) {
            let (mut buffer, mut model) = (Buffer::new(SIZE_BYTES), Vec::new());
            for (number, (step, wanted)) in steps.into_iter().enumerate() {
                let bytes = vec![number as u8; wanted];
                let count = match step {
                    0 => buffer.push(&bytes),
                    1 | 2 => {
                        let space = if step == 1 { buffer.space() } else { buffer.make_room() };
                        let count = wanted.min(space.len());
                        space[..count].copy_from_slice(&bytes[..count]);
                        buffer.produced(count);
                        count
                    }
                    _ => {
                        let count = wanted.min(model.len());
                        buffer.consumed(count);
                        model.drain(..count);
                        0
                    }
                };
                model.extend_from_slice(&bytes[..count]);
                prop_assert!(step != 0 || count == wanted || buffer.room_bytes() == 0);
                prop_assert_eq!(buffer.filled(), &model[..]);
                prop_assert_eq!(buffer.room_bytes(), SIZE_BYTES - model.len());
                prop_assert!(step != 2 || buffer.space().len() == buffer.room_bytes());
            }
        }
    }

    const SIZE_BYTES: usize = 64;

    #[test]
    fn what_goes_in_comes_out_in_order() {
        let mut buffer = BufferPool::new(8).take();
        buffer.space()[..5].copy_from_slice(b"hello");
        buffer.produced(5);
        buffer.consumed(2);
        assert_eq!(buffer.filled(), b"llo");
        assert_eq!(buffer.space().len(), 3);
        buffer.consumed(3);
        assert!(buffer.is_empty());
        assert_eq!(buffer.space().len(), 8, "an empty buffer starts over");
    }

    #[test]
    fn a_pool_counts_reuses_and_forgets() {
        let mut pool = BufferPool::new(16);
        let mut held: Vec<Buffer> = (0..MAX_FREE + 10).map(|_| pool.take()).collect();
        held[0].produced(4);
        assert_eq!(pool.in_use(), MAX_FREE + 10);
        held.drain(..).for_each(|buffer| pool.give(buffer));
        assert_eq!((pool.in_use(), pool.free.len()), (0, MAX_FREE));
        assert!(std::iter::repeat_with(|| pool.take()).take(MAX_FREE).all(|buffer| buffer.is_empty()));
    }
}
