//! What a direction holds between reading and writing.

use crate::net::Duct;
use crate::relay::{Buffer, BufferPool};

/// Nothing, bytes, or a kernel pipe with bytes that nobody looks at.
pub(super) enum Held {
    Buffer(Buffer),
    /// Never empty, and everything in it may be written. (`None` is nothing at all: as a variant it would cost a word.)
    Duct(Option<Duct>),
}

impl Default for Held {
    fn default() -> Held {
        Held::Duct(None)
    }
}

impl Held {
    #[inline]
    pub(super) fn is_nothing(&self) -> bool {
        matches!(self, Held::Duct(None))
    }

    #[inline]
    pub(super) fn buffer(&self) -> Option<&Buffer> {
        if let Held::Buffer(buffer) = self { Some(buffer) } else { None }
    }

    #[inline]
    pub(super) fn buffer_mut(&mut self) -> Option<&mut Buffer> {
        if let Held::Buffer(buffer) = self { Some(buffer) } else { None }
    }

    /// A buffer, taken where nothing is held; none while a duct is.
    #[inline]
    pub(super) fn buffer_or(&mut self, take: impl FnOnce() -> Buffer) -> Option<&mut Buffer> {
        if self.is_nothing() {
            *self = Held::Buffer(take());
        }
        self.buffer_mut()
    }

    /// So many bytes were written; `is_all` says whether more may be.
    #[inline]
    pub(super) fn consumed(&mut self, count: usize, is_all: bool, buffers: &mut BufferPool) {
        if let Held::Buffer(buffer) = self {
            buffer.consumed(count);
        } else if is_all && let Held::Duct(Some(duct)) = std::mem::take(self) {
            buffers.ducts.give(duct);
        }
    }

    /// Gives it back, with whatever is in it.
    #[inline]
    pub(super) fn discard(&mut self, buffers: &mut BufferPool) {
        match std::mem::take(self) {
            Held::Buffer(buffer) => buffers.give(buffer),
            Held::Duct(Some(duct)) => buffers.ducts.discard(duct),
            Held::Duct(None) => {}
        }
    }

    /// Gives a buffer back that holds nothing.
    #[inline]
    pub(super) fn discard_empty_buffer(&mut self, buffers: &mut BufferPool) {
        if self.buffer().is_some_and(Buffer::is_empty) {
            self.discard(buffers);
        }
    }
}
