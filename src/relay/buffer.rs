//! Relay buffers: bounded, from a free list, held only while they hold bytes.

use super::Ducts;

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

    /// Makes space at the end of what was consumed at the front, but for this much headroom. False, and nothing is
    /// changed, if that would not come to `least_bytes` of space.
    pub fn reclaim(&mut self, headroom_bytes: usize, least_bytes: usize) -> bool {
        let gained = (self.start as usize).saturating_sub(headroom_bytes);
        let is_enough = gained > 0 && self.space().len() + gained >= least_bytes;
        if is_enough {
            self.shift_to(headroom_bytes as u32);
        }
        is_enough
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
    /// What takes the place of a buffer in long transfers.
    pub ducts: Ducts,
    free: Vec<Buffer>,
    free_small: Vec<Buffer>,
    free_tiny: Vec<Buffer>,
    size_bytes: usize,
    in_use: usize,
}

/// A small buffer takes in a head; the large ones hold what is on its way through.
const SMALL_BYTES: usize = 4096;
/// A tiny one holds a short head that waits for its answer: of a burst, there are as many as there are clients. Smaller than
/// any full size.
const TINY_BYTES: usize = 256;

/// Free buffers kept for reuse; what a burst of slow readers needed beyond that goes back to the allocator.
const MAX_FREE: usize = 64;

impl BufferPool {
    /// A pool of buffers of `size_bytes` each, of which none is allocated yet, and no ducts.
    pub fn new(size_bytes: usize) -> BufferPool {
        let free = || Vec::with_capacity(MAX_FREE);
        BufferPool {
            ducts: Ducts::default(),
            free: free(),
            free_small: free(),
            free_tiny: free(),
            size_bytes,
            in_use: 0,
        }
    }

    /// The size of a full-size buffer.
    pub fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// The same, with so many ducts.
    pub fn with_ducts(self, most: usize) -> BufferPool {
        BufferPool { ducts: Ducts::new(most), ..self }
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

    /// Puts what a buffer holds into a tiny one, if that is enough.
    pub fn shrink(&mut self, buffer: &mut Buffer) {
        if buffer.bytes.len() > TINY_BYTES && buffer.filled().len() <= TINY_BYTES {
            self.in_use += 1;
            let mut tiny = self.free_tiny.pop().unwrap_or_else(|| Buffer::new(TINY_BYTES));
            tiny.push(buffer.filled());
            self.give(std::mem::replace(buffer, tiny));
        }
    }

    /// Puts what a small buffer holds into one of full size. False if it is one already.
    pub fn grow(&mut self, buffer: &mut Buffer, headroom_bytes: usize) -> bool {
        let is_small = buffer.bytes.len() < self.size_bytes;
        if is_small {
            self.enlarge(buffer, headroom_bytes);
        }
        is_small
    }

    /// Puts what a buffer holds into a larger one, with this much room besides: one of full size, or, where even that
    /// does not suffice, one that is made for this and not kept.
    pub fn enlarge(&mut self, buffer: &mut Buffer, room_bytes: usize) {
        let needed = buffer.filled().len() + room_bytes;
        let mut larger = if needed <= self.size_bytes {
            self.take()
        } else {
            self.in_use += 1;
            Buffer::new(needed)
        };
        larger.leave_headroom(room_bytes);
        larger.push(buffer.filled());
        self.give(std::mem::replace(buffer, larger));
    }

    /// Returns a buffer; what it still holds is forgotten.
    pub fn give(&mut self, mut buffer: Buffer) {
        self.in_use -= 1;
        (buffer.start, buffer.end) = (0, 0);
        let free = match buffer.bytes.len() {
            length if length >= self.size_bytes => &mut self.free,
            TINY_BYTES => &mut self.free_tiny,
            _ => &mut self.free_small,
        };
        if free.len() < MAX_FREE && buffer.bytes.len() <= self.size_bytes {
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
    fn headroom_is_left_where_space_is_made() {
        let mut buffer = BufferPool::new(16).take();
        buffer.leave_headroom(4);
        buffer.produced(12);
        assert!(!buffer.reclaim(4, 1), "nothing was consumed");
        buffer.consumed(6);
        assert!(!buffer.reclaim(4, 7));
        assert!(buffer.reclaim(4, 6));
        assert_eq!((buffer.space().len(), buffer.filled().len(), buffer.room_bytes()), (6, 6, 10));
    }

    #[test]
    fn what_waits_takes_no_more_room_than_it_needs() {
        let mut pool = BufferPool::new(64 * 1024);
        let mut buffer = pool.take_small();
        buffer.push(&[7; TINY_BYTES]);
        pool.shrink(&mut buffer);
        assert_eq!((buffer.filled(), buffer.bytes.len()), (&[7; TINY_BYTES][..], TINY_BYTES));
        pool.give(buffer);
        let mut longer = pool.take_small();
        longer.push(&[7; TINY_BYTES + 1]);
        pool.shrink(&mut longer);
        assert_eq!(longer.bytes.len(), SMALL_BYTES, "it does not fit");
        pool.give(longer);
        let free = (pool.in_use(), pool.free.len(), pool.free_small.len(), pool.free_tiny.len());
        assert_eq!(free, (0, 0, 1, 1));
    }

    #[test]
    fn what_is_made_for_one_use_is_not_kept() {
        let mut pool = BufferPool::new(8);
        let mut buffer = pool.take();
        buffer.push(b"12345678");
        pool.enlarge(&mut buffer, 3);
        assert_eq!((buffer.filled(), buffer.room_bytes()), (&b"12345678"[..], 3));
        pool.give(buffer);
        assert_eq!((pool.in_use(), pool.free.len()), (0, 1));
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
