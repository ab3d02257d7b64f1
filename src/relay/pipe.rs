//! One direction of a relay as a type: a session is two of these.

mod bulk;
mod held;
mod progress;

use std::io;

use self::bulk::Bulk;
use self::held::Held;
pub use self::progress::{Filled, Progress};
use super::{Buffer, BufferPool, Conn, Gate};
use crate::http::Refusal;
use crate::net::Socket;

/// Moves bytes from a source to a sink, as far as a [`Gate`] lets them, then the end of the stream: the FIN follows the
/// last byte.
///
/// It reads only when it owes nothing, so a sink that does not read stops the source (backpressure), a
/// direction never holds more than one buffer, and when the source breaks everything it sent was handed over.
#[derive(Default)]
pub struct Pipe {
    /// What was read and not yet written: first what may be written, then what the gate has not let through. Present
    /// only while there is any.
    held: Held,
    /// How much of it may be written.
    cleared: u32,
    /// How much of that was written already, and is only kept for [`Pipe::rewind`].
    kept: u32,
    keeps: bool,
    /// The sink is closed as soon as this direction is over, which says that nothing follows.
    closes: bool,
    /// Whether so much comes at a time that what may pass unseen need not be copied.
    bulk: Bulk,
    state: State,
    moved_bytes: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// The source may still send.
    #[default]
    Open,
    /// The source has finished; its last bytes, or its FIN, are not passed on yet.
    Ending,
    /// The sink has the FIN.
    Finished,
    /// The source broke; its last bytes are not passed on yet.
    Breaking(io::ErrorKind),
    /// Source or sink broke.
    Broken,
}

/// Reading less than this is not worth moving what is held.
const LEAST_BYTES: usize = 1024;

impl Pipe {
    /// Room that [`Pipe::replace`] leaves for what a gate puts around the body that came with a head.
    pub const SPARE_BYTES: usize = 32;

    /// Bytes written to the sink so far.
    pub fn moved_bytes(&self) -> u64 {
        self.moved_bytes
    }

    /// Whether nothing more will come from the source, passed on or not.
    pub fn source_ended(&self) -> bool {
        matches!(self.state, State::Ending | State::Finished | State::Breaking(_))
    }

    /// Whether this direction is over, one way or the other.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Finished | State::Broken)
    }

    /// Whether the sink has the end of the stream, or has it when it is closed.
    pub fn is_finished(&self) -> bool {
        self.state == State::Finished
    }

    /// Whether the sink is closed as soon as this direction is over: the FIN comes of that, and goes out with the last
    /// bytes.
    pub fn end_by_closing(&mut self, closes: bool) {
        self.closes = closes;
    }

    /// Whether nothing was taken from the source yet, not even its end.
    pub fn is_untouched(&self) -> bool {
        self.state == State::Open && self.held.is_nothing() && self.moved_bytes == 0
    }

    /// Gives the direction up, unless it is over: what it owes is lost.
    pub fn abandon(&mut self, buffers: &mut BufferPool) {
        if self.state != State::Finished {
            self.state = State::Broken;
        }
        self.drop_held(buffers);
    }

    /// Moves as much as the sockets and the gate allow, up to `budget_bytes` or little more.
    pub fn turn<S: Socket, G: Gate>(
        &mut self,
        source: &mut Conn<S>,
        sink: &mut Conn<S>,
        gate: &mut G,
        budget_bytes: usize,
        buffers: &mut BufferPool,
    ) -> Progress {
        let mut budget_bytes = budget_bytes;
        let mut refused = None;
        loop {
            refused = refused.or_else(|| self.pass(gate).err());
            // Where the end is known to follow, it is read before the last bytes are written, and goes out with them.
            let may_follow = self.state == State::Open && refused.is_none() && !gate.is_done();
            if !(may_follow && source.end_is_near() && self.has_space(G::TAILROOM_BYTES)) {
                let is_last = self.state == State::Ending || (self.closes && gate.is_done());
                match self.flush(sink, is_last, buffers) {
                    Ok(true) => {}
                    Ok(false) => return Progress::Waiting,
                    Err(error) => return self.sink_broke(error, buffers),
                }
            }
            if let Some(refusal) = refused {
                return Progress::Refused(refusal);
            }
            if gate.is_done() {
                return Progress::Done;
            }
            if let State::Breaking(kind) = self.state {
                self.abandon(buffers);
                return Progress::SourceBroke(kind.into());
            }
            if self.state == State::Finished {
                return Progress::Finished;
            }
            if self.state == State::Broken || !source.readable() {
                return Progress::Waiting;
            }
            if budget_bytes == 0 {
                return Progress::Spent;
            }
            match self.take_in(source, gate, budget_bytes, buffers) {
                // What was read counts, not what was written: a gate may drop much of it.
                Filled::More(count) => budget_bytes = budget_bytes.saturating_sub(count),
                Filled::Nothing => {}
                Filled::Full => return Progress::Refused(Refusal::new(400, "framing_too_long")),
                Filled::Ended => refused = self.source_finished(gate, buffers).err(),
                Filled::Broke(error) => self.state = State::Breaking(error.kind()),
            }
        }
    }

    /// Writes what may be written: bytes first, the FIN after the last of them. True when nothing is owed any more; with
    /// `is_last`, the end of the sink's stream must then follow.
    ///
    /// # Errors
    /// The sink broke.
    pub fn flush<S: Socket>(
        &mut self,
        sink: &mut Conn<S>,
        is_last: bool,
        buffers: &mut BufferPool,
    ) -> io::Result<bool> {
        while !self.owes_nothing() {
            if !sink.writable() {
                return Ok(false);
            }
            let (kept, cleared) = (self.kept as usize, self.cleared as usize);
            let written = match &self.held {
                Held::Buffer(buffer) if is_last => sink.write_last(&buffer.filled()[kept..cleared]),
                Held::Buffer(buffer) => sink.write(&buffer.filled()[kept..cleared]),
                Held::Duct(Some(duct)) => sink.splice_out(duct, cleared),
                Held::Duct(None) => break,
            };
            if let Some(count) = written? {
                self.moved_bytes += count as u64;
                if self.keeps {
                    self.kept += count as u32;
                } else {
                    self.cleared -= count as u32;
                    self.held.consumed(count, self.cleared == 0, buffers);
                }
            }
        }
        self.held.discard_empty_buffer(buffers);
        if self.state == State::Ending {
            if !self.closes {
                sink.socket.shutdown_write()?;
            }
            self.state = State::Finished;
        }
        Ok(true)
    }

    /// Reads once without a sink in sight, into a small buffer: for what must be understood before it can be passed on.
    pub fn fill<S: Socket>(
        &mut self,
        source: &mut Conn<S>,
        headroom_bytes: usize,
        buffers: &mut BufferPool,
    ) -> Filled {
        self.read(source, headroom_bytes, 0, BufferPool::take_small, buffers)
    }

    /// The same, into a buffer of full size.
    pub fn fill_large<S: Socket>(
        &mut self,
        source: &mut Conn<S>,
        headroom_bytes: usize,
        buffers: &mut BufferPool,
    ) -> Filled {
        self.read(source, headroom_bytes, 0, BufferPool::take, buffers)
    }

    /// What was read and not yet let through.
    pub fn unread(&self) -> &[u8] {
        self.held.buffer().map_or(&[], |buffer| &buffer.filled()[self.cleared as usize..])
    }

    /// How much may be written and is not.
    pub fn owed_bytes(&self) -> usize {
        (self.cleared - self.kept) as usize
    }

    /// Whether nothing waits to be written.
    pub fn owes_nothing(&self) -> bool {
        self.owed_bytes() == 0
    }

    /// Puts `new` in the place of the first `old` bytes of [`Pipe::unread`], to be written. [`Pipe::SPARE_BYTES`] of
    /// room are left.
    pub fn replace(&mut self, old: usize, new: &[u8], buffers: &mut BufferPool) {
        let cleared = self.cleared as usize;
        let Some(held) = self.held.buffer_or(|| buffers.take_small()) else {
            debug_assert!(false, "a message ends before another one starts");
            return;
        };
        let needed = new.len() + Pipe::SPARE_BYTES;
        if held.room_bytes() + old < needed {
            buffers.enlarge(held, needed);
        }
        let fits = held.splice(cleared, old, new);
        debug_assert!(fits);
        self.cleared += new.len() as u32;
        self.held.discard_empty_buffer(buffers);
    }

    /// From now on what is written is kept, so that it can be written again, until [`Pipe::forget`] or until the room is
    /// needed for more.
    pub fn keep(&mut self) {
        self.keeps = true;
    }

    /// Holds what is held in as little room as it takes: for a wait that may be long.
    pub fn tuck_in(&mut self, buffers: &mut BufferPool) {
        if let Some(buffer) = self.held.buffer_mut() {
            buffers.shrink(buffer);
        }
    }

    /// Drops what was only kept.
    pub fn forget(&mut self, buffers: &mut BufferPool) {
        self.keeps = false;
        if let Some(buffer) = self.held.buffer_mut() {
            buffer.consumed(self.kept as usize);
        }
        self.cleared -= self.kept;
        self.kept = 0;
        self.held.discard_empty_buffer(buffers);
    }

    /// How much was written since [`Pipe::keep`], if it is all still here.
    pub fn kept_bytes(&self) -> Option<usize> {
        self.keeps.then_some(self.kept as usize)
    }

    /// Makes all that was kept count as not written. Only while [`Pipe::kept_bytes`] says so.
    pub fn rewind(&mut self) {
        debug_assert!(self.keeps);
        self.moved_bytes -= u64::from(self.kept);
        self.kept = 0;
    }

    /// Drops what is held, written or not.
    pub fn drop_held(&mut self, buffers: &mut BufferPool) {
        (self.cleared, self.kept, self.keeps) = (0, 0, false);
        self.held.discard(buffers);
    }

    /// Drops what may be written, and keeps what may not.
    pub fn drop_cleared(&mut self, buffers: &mut BufferPool) {
        if let Held::Duct(Some(_)) = self.held {
            return self.drop_held(buffers);
        }
        self.kept = self.cleared;
        self.forget(buffers);
    }

    /// Whether there is something held, and space behind it.
    fn has_space(&mut self, tailroom_bytes: usize) -> bool {
        self.held.buffer_mut().is_some_and(|buffer| buffer.space().len() > tailroom_bytes)
    }

    fn pass<G: Gate>(&mut self, gate: &mut G) -> Result<(), Refusal> {
        if let Some(buffer) = self.held.buffer_mut()
            && !gate.is_done()
            && buffer.filled().len() > self.cleared as usize
        {
            self.cleared += gate.pass(buffer, self.cleared as usize)? as u32;
        }
        Ok(())
    }

    fn source_finished<G: Gate>(&mut self, gate: &mut G, buffers: &mut BufferPool) -> Result<(), Refusal> {
        // The end is only read where no duct is held.
        let Some(held) = self.held.buffer_or(|| buffers.take_small()) else { return Ok(()) };
        let more = gate.end(held);
        if let Ok(more) = more {
            self.cleared += more as u32;
            if !gate.is_done() {
                self.state = State::Ending;
            }
        }
        self.held.discard_empty_buffer(buffers);
        more.map(|_| ())
    }

    fn sink_broke(&mut self, error: io::Error, buffers: &mut BufferPool) -> Progress {
        if !self.keeps {
            self.abandon(buffers);
        }
        Progress::SinkBroke(error)
    }

    /// Reads once, behind what is held.
    fn read<S: Socket>(
        &mut self,
        source: &mut Conn<S>,
        headroom_bytes: usize,
        tailroom_bytes: usize,
        take: fn(&mut BufferPool) -> Buffer,
        buffers: &mut BufferPool,
    ) -> Filled {
        if self.keeps && self.owes_nothing() {
            self.forget(buffers);
        }
        let Some(buffer) = self.held.buffer_or(|| take(buffers)) else { return Filled::Full };
        if buffer.is_empty() {
            buffer.leave_headroom(headroom_bytes);
        }
        let is_full = buffer.space().len() <= tailroom_bytes;
        if is_full
            && !buffer.reclaim(headroom_bytes, tailroom_bytes + LEAST_BYTES)
            && !buffers.grow(buffer, headroom_bytes)
        {
            buffer.make_room();
        }
        let Some(space_bytes) = buffer.space().len().checked_sub(tailroom_bytes).filter(|bytes| *bytes > 0)
        else {
            return Filled::Full;
        };
        let filled = match source.read(&mut buffer.space()[..space_bytes]) {
            Ok(Some(0)) => Filled::Ended,
            Ok(Some(count)) => {
                buffer.produced(count);
                if count == space_bytes && count > buffers.size_bytes() / 2 {
                    self.bulk.seen();
                }
                Filled::More(count)
            }
            Ok(None) => Filled::Nothing,
            Err(error) => Filled::Broke(error),
        };
        self.held.discard_empty_buffer(buffers);
        filled
    }
}
