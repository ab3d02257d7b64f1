//! One connection: a socket and two bounded buffers, which are lent their memory while they hold bytes.

use std::io;
use std::time::{Duration, Instant};

use mio::net::TcpStream;

use crate::net::os::{OsNet, SocketOptions};
use crate::net::{Event, Net};
use crate::relay::{Buffer, BufferPool, Conn};
use crate::token::{SessionId, Token};

/// What the lab sets its listening sockets to: a peer that vanished is found out, one that pauses is waited for.
pub(super) const SOCKET_OPTIONS: SocketOptions = SocketOptions { keepalive: Duration::from_secs(60) };

/// What one buffer can hold, in bytes. A connection has two: one for what came in, one for what goes out.
const BUFFER_BYTES: usize = 32 * 1024;
/// Bytes one connection may move, both ways together, before others get their turn.
const TURN_BYTES: usize = 256 * 1024;

/// What a protocol sees of its connection.
pub struct Wire<'a> {
    /// What came in and was not consumed yet.
    pub input: &'a mut Buffer,
    /// Where to put what goes out.
    pub output: &'a mut Buffer,
    /// The peer will send no more than what is in `input`.
    pub ended: bool,
    /// When this turn began.
    pub now: Instant,
}

/// What a protocol waits for. It may be asked again at any time before that has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// More input than there is. Not to be said with a full buffer; if the peer has [ended](Wire::ended), the same
    /// as `Close`.
    Read,
    /// More room for output than there is.
    Write,
    /// This moment.
    At(Instant),
    /// Nothing: once the output is flushed, this is over.
    Close,
}

/// What a connection waits for at the end of its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// The next event.
    Event,
    /// Nothing: it spent its budget, and another turn must follow.
    Turn,
    /// This moment, or the next event.
    At(Instant),
    /// Nothing: the protocol is done and its output is flushed.
    Closed,
}

/// A stream that is registered once, and what its protocol has not consumed or not sent yet.
pub struct Connection {
    conn: Conn<TcpStream>,
    ended: bool,
    input: Option<Buffer>,
    output: Option<Buffer>,
    moved_bytes: u64,
}

/// Memory for connections.
pub fn buffers() -> BufferPool {
    BufferPool::new(BUFFER_BYTES)
}

impl Connection {
    /// Takes `stream` over and registers it for the connection in this slot of a loop's table. The loop reuses slots
    /// between batches of events only, so an event never outlives the connection it is about.
    ///
    /// # Errors
    /// The kernel's, from the registration.
    pub fn register(mut stream: TcpStream, net: &mut OsNet, slot: usize) -> io::Result<Self> {
        let id = SessionId { slot: slot as u32, epoch: 1 };
        net.register(&mut stream, Token::Client(id))?;
        Ok(Connection { conn: Conn::new(stream), ended: false, input: None, output: None, moved_bytes: 0 })
    }

    /// The socket.
    pub fn stream(&self) -> &TcpStream {
        &self.conn.socket
    }

    /// Whether the socket may take bytes: not before its connect has ended.
    pub fn writable(&self) -> bool {
        self.conn.writable()
    }

    /// Bytes received and sent so far.
    pub fn moved_bytes(&self) -> u64 {
        self.moved_bytes
    }

    /// Remembers what an event says.
    pub fn note(&mut self, event: &Event) {
        self.conn.note(event);
    }

    /// Reads, lets the protocol `advance`, writes, and again, until one of them has to wait or the budget is spent.
    ///
    /// # Errors
    /// The socket's: the connection is then of no further use.
    pub fn turn(
        &mut self,
        now: Instant,
        buffers: &mut BufferPool,
        advance: impl FnMut(&mut Wire) -> Next,
    ) -> io::Result<After> {
        let mut input = self.input.take().unwrap_or_else(|| buffers.take());
        let mut output = self.output.take().unwrap_or_else(|| buffers.take());
        let after = self.move_bytes(now, &mut input, &mut output, advance);
        self.input = kept_if_filled(input, buffers);
        self.output = kept_if_filled(output, buffers);
        after
    }

    fn move_bytes(
        &mut self,
        now: Instant,
        input: &mut Buffer,
        output: &mut Buffer,
        mut advance: impl FnMut(&mut Wire) -> Next,
    ) -> io::Result<After> {
        let mut moved_bytes = 0;
        while moved_bytes < TURN_BYTES {
            let received_bytes = self.receive(input)?;
            let ended = self.ended;
            let next = advance(&mut Wire { input: &mut *input, output: &mut *output, ended, now });
            let sent_bytes = self.send(output)?;
            let closing = next == Next::Close || (next == Next::Read && ended);
            if closing && output.is_empty() {
                return Ok(After::Closed);
            }
            if received_bytes + sent_bytes == 0 {
                return Ok(if let Next::At(moment) = next { After::At(moment) } else { After::Event });
            }
            moved_bytes += received_bytes + sent_bytes;
            self.moved_bytes += (received_bytes + sent_bytes) as u64;
        }
        Ok(After::Turn)
    }

    /// Tells the peer that nothing more will come.
    pub fn finish(&self) {
        // It can fail only because the connection is gone already, which the next read reports.
        let _ = self.stream().shutdown(std::net::Shutdown::Write);
    }

    /// Reads and drops what the peer still sends, up to a turn's budget. `Closed` once it has ended.
    ///
    /// # Errors
    /// The socket's.
    pub fn discard(&mut self, buffers: &mut BufferPool) -> io::Result<After> {
        let mut dropped = self.input.take().unwrap_or_else(|| buffers.take());
        let mut moved_bytes = 0;
        let after = loop {
            dropped.consumed(dropped.filled().len());
            match self.receive(&mut dropped) {
                Ok(_) if self.ended => break Ok(After::Closed),
                Ok(0) => break Ok(After::Event),
                Ok(_) if moved_bytes >= TURN_BYTES => break Ok(After::Turn),
                Ok(received_bytes) => moved_bytes += received_bytes,
                Err(error) => break Err(error),
            }
        };
        buffers.give(dropped);
        after
    }

    /// Closes the socket and gives the memory back.
    pub fn close(self, buffers: &mut BufferPool) {
        self.input.into_iter().chain(self.output).for_each(|buffer| buffers.give(buffer));
    }

    fn receive(&mut self, input: &mut Buffer) -> io::Result<usize> {
        if !self.conn.readable() || self.ended || input.room_bytes() == 0 {
            return Ok(0);
        }
        let received = self.conn.read(input.make_room())?;
        self.ended = received == Some(0);
        let received_bytes = received.unwrap_or(0);
        input.produced(received_bytes);
        Ok(received_bytes)
    }

    fn send(&mut self, output: &mut Buffer) -> io::Result<usize> {
        if !self.conn.writable() || output.is_empty() {
            return Ok(0);
        }
        let sent_bytes = self.conn.write(output.filled())?.unwrap_or(0);
        output.consumed(sent_bytes);
        Ok(sent_bytes)
    }
}

fn kept_if_filled(buffer: Buffer, buffers: &mut BufferPool) -> Option<Buffer> {
    if !buffer.is_empty() {
        return Some(buffer);
    }
    buffers.give(buffer);
    None
}
