//! Relay buffers: bounded, from a free list, held only while they hold bytes.

/// Bytes on their way from one socket to another: filled at the end, consumed at the front.
#[derive(Debug)]
pub struct Buffer {
    bytes: Box<[u8]>,
    // Buffers are held by the hundred thousand: half a word each is enough for 4 GiB.
    start: u32,
    end: u32,
}

impl Buffer {
    fn new(size_bytes: usize) -> Buffer {
        debug_assert!(u32::try_from(size_bytes).is_ok());
        Buffer { bytes: vec![0; size_bytes].into_boxed_slice(), start: 0, end: 0 }
    }

    /// What is owed to the sink.
    pub fn filled(&self) -> &[u8] {
        &self.bytes[self.start as usize..self.end as usize]
    }

    /// The same, to be changed in place.
    pub fn filled_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start as usize..self.end as usize]
    }

    /// Where the next read may go.
    pub fn space(&mut self) -> &mut [u8] {
        &mut self.bytes[self.end as usize..]
    }

    /// The same, and as much of it as can be had: what is owed moves to the front.
    pub fn make_room(&mut self) -> &mut [u8] {
        self.shift_to(0);
        self.space()
    }

    /// The same, but for this much room in front of what is owed. There must be so much.
    pub fn make_room_behind(&mut self, headroom_bytes: usize) {
        debug_assert!(headroom_bytes <= self.room_bytes());
        self.shift_to(headroom_bytes as u32);
    }

    /// The length of what [`Buffer::make_room`] returns.
    pub fn room_bytes(&self) -> usize {
        self.bytes.len() - self.filled().len()
    }

    /// Leaves this much room in front of what comes into the empty buffer next, for [`Buffer::splice`] to use.
    pub fn leave_headroom(&mut self, headroom_bytes: usize) {
        debug_assert!(self.is_empty());
        let start = headroom_bytes.min(self.bytes.len() / 2) as u32;
        (self.start, self.end) = (start, start);
    }

    /// Puts `new` in the place of the `old` bytes that follow the first `at`. False, and nothing is changed, if it does
    /// not fit.
    pub fn splice(&mut self, at: usize, old: usize, new: &[u8]) -> bool {
        debug_assert!(at + old <= self.filled().len());
        if new.len() > old + self.room_bytes() {
            return false;
        }
        let (start, end) = (self.start as usize, self.end as usize);
        let tail = start + at + old;
        let (before, behind) = (start + old >= new.len(), end + new.len() <= self.bytes.len() + old);
        // The shorter side moves: usually it is nothing, or a head.
        if before && (at <= end - tail || !behind) {
            let moved = start + old - new.len();
            self.bytes.copy_within(start..start + at, moved);
            self.start = moved as u32;
        } else if behind {
            self.bytes.copy_within(tail..end, tail + new.len() - old);
            self.end = (end + new.len() - old) as u32;
        } else {
            self.shift_to(0);
            return self.splice(at, old, new);
        }
        self.filled_mut()[at..at + new.len()].copy_from_slice(new);
        true
    }

    fn shift_to(&mut self, start: u32) {
        if self.start != start {
            self.bytes.copy_within(self.start as usize..self.end as usize, start as usize);
            (self.start, self.end) = (start, start + (self.end - self.start));
        }
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
        debug_assert!(self.end as usize + count <= self.bytes.len());
        self.end += count as u32;
    }

    /// `count` bytes of [`Buffer::filled`] were written. An empty buffer starts over at its front.
    pub fn consumed(&mut self, count: usize) {
        debug_assert!(count <= self.filled().len());
        self.start += count as u32;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Whether nothing is owed.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }
}

/// The free lists of one worker. Most turns take a buffer and give it back before they end, so a handful of
/// warm buffers serves any number of connections whose readers keep up.
pub struct BufferPool {
    free: Vec<Buffer>,
    free_small: Vec<Buffer>,
    size_bytes: usize,
    in_use: usize,
}

/// A small buffer holds a head, which may have to wait for its answer; the large ones hold what is on its way through.
const SMALL_BYTES: usize = 4096;

/// Free buffers kept for reuse; what a burst of slow readers needed beyond that goes back to the allocator.
const MAX_FREE: usize = 64;

impl BufferPool {
    /// A pool of buffers of `size_bytes` each; none is allocated yet.
    pub fn new(size_bytes: usize) -> BufferPool {
        let free = || Vec::with_capacity(MAX_FREE);
        BufferPool { free: free(), free_small: free(), size_bytes, in_use: 0 }
    }

    /// An empty buffer.
    pub fn take(&mut self) -> Buffer {
        self.in_use += 1;
        self.free.pop().unwrap_or_else(|| Buffer::new(self.size_bytes))
    }

    /// An empty buffer for something short: usually one of 4 KiB.
    pub fn take_small(&mut self) -> Buffer {
        if self.size_bytes <= SMALL_BYTES {
            return self.take();
        }
        self.in_use += 1;
        self.free_small.pop().unwrap_or_else(|| Buffer::new(SMALL_BYTES))
    }

    /// Puts what a small buffer holds into one of full size. False if it is one already.
    pub fn grow(&mut self, buffer: &mut Buffer, headroom_bytes: usize) -> bool {
        if buffer.bytes.len() >= self.size_bytes {
            return false;
        }
        let mut larger = self.take();
        larger.leave_headroom(headroom_bytes);
        larger.push(buffer.filled());
        self.give(std::mem::replace(buffer, larger));
        true
    }

    /// Returns a buffer; what it still holds is forgotten.
    pub fn give(&mut self, mut buffer: Buffer) {
        self.in_use -= 1;
        (buffer.start, buffer.end) = (0, 0);
        let free = if buffer.bytes.len() < self.size_bytes { &mut self.free_small } else { &mut self.free };
        if free.len() < MAX_FREE {
            free.push(buffer);
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
        fn a_buffer_is_a_bounded_queue(steps in prop::collection::vec((0..6_u8, 0..SIZE_BYTES), 1..60)) {
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
                    3 => {
                        let at = wanted.min(model.len());
                        let old = number.min(model.len() - at);
                        let fits = model.len() - old + wanted / 2 <= SIZE_BYTES;
                        prop_assert_eq!(buffer.splice(at, old, &bytes[..wanted / 2]), fits);
                        if fits {
                            model.splice(at..at + old, bytes[..wanted / 2].iter().copied());
                        }
                        0
                    }
                    4 if model.is_empty() => {
                        buffer.leave_headroom(wanted);
                        0
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
