//! One direction of a relay as a type: a session is two of these.

use std::io;

use super::{Buffer, BufferPool, Conn};
use crate::net::Socket;

/// Moves bytes from a source to a sink, then the end of the stream: the FIN follows the last byte.
///
/// It reads only when it owes nothing, so a sink that does not read stops the source (backpressure), a
/// direction never holds more than one buffer, and when the source breaks everything it sent was handed over.
#[derive(Default)]
pub struct Pipe {
    /// Present only while bytes are owed to the sink.
    owed: Option<Buffer>,
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
    /// Source or sink broke.
    Broken,
}

/// How a turn of a [`Pipe`] went.
#[derive(Debug)]
pub enum Progress {
    /// Nothing more to do until an event.
    Waiting,
    /// The budget is spent with work left: another turn is needed, no event will ask for it.
    Spent,
    /// The sink has everything, the FIN too.
    Finished,
    /// The source broke. Everything it sent before was written to the sink.
    SourceBroke(io::Error),
    /// The sink broke. Bytes may be lost.
    SinkBroke(io::Error),
}

impl Pipe {
    /// Bytes written to the sink so far.
    pub fn moved_bytes(&self) -> u64 {
        self.moved_bytes
    }

    /// Whether the source has sent its end, passed on or not.
    pub fn source_ended(&self) -> bool {
        matches!(self.state, State::Ending | State::Finished)
    }

    /// Whether this direction is over, one way or the other.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Finished | State::Broken)
    }

    /// Whether nothing was taken from the source yet, not even its end.
    pub fn is_untouched(&self) -> bool {
        self.state == State::Open && self.owed.is_none() && self.moved_bytes == 0
    }

    /// Gives the direction up, unless it is over: what it owes is lost.
    pub fn abandon(&mut self, buffers: &mut BufferPool) {
        if self.state != State::Finished {
            self.state = State::Broken;
        }
        if let Some(buffer) = self.owed.take() {
            buffers.give(buffer);
        }
    }

    /// Moves as much as the sockets allow, up to `budget_bytes` or little more.
    pub fn turn<S: Socket>(
        &mut self,
        source: &mut Conn<S>,
        sink: &mut Conn<S>,
        budget_bytes: usize,
        buffers: &mut BufferPool,
    ) -> Progress {
        let stop_at = self.moved_bytes + budget_bytes as u64;
        loop {
            match self.settle_debt(sink, buffers) {
                Ok(true) => {}
                Ok(false) => return Progress::Waiting,
                Err(error) => {
                    self.abandon(buffers);
                    return Progress::SinkBroke(error);
                }
            }
            if self.state == State::Finished {
                return Progress::Finished;
            }
            if self.state == State::Broken || !source.readable() {
                return Progress::Waiting;
            }
            if self.moved_bytes >= stop_at {
                return Progress::Spent;
            }
            if let Err(error) = self.incur_debt(source, buffers) {
                self.abandon(buffers);
                return Progress::SourceBroke(error);
            }
        }
    }

    /// Writes what is owed: bytes first, the FIN after the last of them. True when nothing is owed any more.
    fn settle_debt<S: Socket>(&mut self, sink: &mut Conn<S>, buffers: &mut BufferPool) -> io::Result<bool> {
        while let Some(buffer) = &mut self.owed {
            if !sink.writable() {
                return Ok(false);
            }
            if let Some(count) = sink.write(buffer.filled())? {
                buffer.consumed(count);
                self.moved_bytes += count as u64;
            }
            if buffer.is_empty() {
                self.owed.take().into_iter().for_each(|buffer| buffers.give(buffer));
            }
        }
        if self.state == State::Ending {
            sink.socket.shutdown_write()?;
            self.state = State::Finished;
        }
        Ok(true)
    }

    /// Reads once into a fresh buffer, which is kept only if something came.
    fn incur_debt<S: Socket>(&mut self, source: &mut Conn<S>, buffers: &mut BufferPool) -> io::Result<()> {
        let mut buffer = buffers.take();
        match source.read(buffer.space()) {
            Ok(Some(count)) if count > 0 => {
                buffer.produced(count);
                self.owed = Some(buffer);
                return Ok(());
            }
            Ok(Some(_)) => self.state = State::Ending,
            Ok(None) => {}
            Err(error) => {
                buffers.give(buffer);
                return Err(error);
            }
        }
        buffers.give(buffer);
        Ok(())
    }
}
