//! Long transfers: past the buffers, through a kernel pipe.

use super::held::Held;
use super::progress::Filled;
use super::{BufferPool, Conn, Gate, Pipe};
use crate::net::Socket;

/// A splice that moves less than one in so many parts of a buffer costs more than copying.
const WORTHWHILE: usize = 4;

/// Whether a transfer is a long one. Its last piece may be short, and another one may follow: one is forgiven.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bulk(u8);

impl Bulk {
    fn is_on(self) -> bool {
        self.0 > 0
    }

    pub(super) fn seen(&mut self) {
        self.0 = 2;
    }

    fn missed(&mut self) {
        self.0 = self.0.saturating_sub(1);
    }
}

impl Pipe {
    /// Reads once: by splice, where that is known to be worth it and nobody has to see the bytes.
    pub(super) fn take_in<S: Socket, G: Gate>(
        &mut self,
        source: &mut Conn<S>,
        gate: &mut G,
        budget_bytes: usize,
        buffers: &mut BufferPool,
    ) -> Filled {
        if self.bulk.is_on() && self.owes_nothing() && gate.unseen_bytes() >= buffers.size_bytes() as u64 {
            if self.keeps {
                self.forget(buffers);
            }
            let most_bytes = budget_bytes.max(buffers.size_bytes()).min(u32::MAX as usize);
            let most_bytes =
                usize::try_from(gate.unseen_bytes()).map_or(most_bytes, |left| left.min(most_bytes));
            if self.held.is_nothing()
                && let Some(filled) = self.splice(source, gate, most_bytes, buffers)
            {
                return filled;
            }
        }
        self.read(source, G::HEADROOM_BYTES, G::TAILROOM_BYTES, BufferPool::take, buffers)
    }

    fn splice<S: Socket, G: Gate>(
        &mut self,
        source: &mut Conn<S>,
        gate: &mut G,
        most_bytes: usize,
        buffers: &mut BufferPool,
    ) -> Option<Filled> {
        debug_assert!(most_bytes as u64 <= gate.unseen_bytes(), "what follows a message has to be seen");
        let duct = buffers.ducts.take()?;
        let outcome = source.splice_in(&duct, most_bytes);
        if let Ok(Some(count @ 1..)) = outcome {
            gate.pass_unseen(count as u64);
            self.cleared = count as u32;
            self.held = Held::Duct(Some(duct));
            match count >= buffers.size_bytes() / WORTHWHILE {
                true => self.bulk.seen(),
                false => self.bulk.missed(),
            }
            return Some(Filled::More(count));
        }
        buffers.ducts.give(duct);
        if source.readable() {
            self.bulk = Bulk::default();
        }
        Some(outcome.map_or_else(Filled::Broke, |_| Filled::Nothing))
    }
}
