//! One connection: a socket, two bounded buffers, and what is known of its readiness.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Instant;

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::buffer::{Buffer, Spare};

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

/// A non-blocking stream that is registered once, edge-triggered, for everything. Readiness is therefore a promise
/// kept here: a flag goes down only when the kernel has shown that there is nothing left to read or no room to write.
pub struct Connection {
    stream: TcpStream,
    readable: bool,
    writable: bool,
    /// An end or an error was announced: one read will find it, so a short read does not mean drained.
    end_announced: bool,
    ended: bool,
    input: Buffer,
    output: Buffer,
    moved_bytes: u64,
}

impl Connection {
    /// Takes `stream` over and registers it under `token`.
    ///
    /// # Errors
    /// The kernel's, from the registration.
    pub fn register(mut stream: TcpStream, registry: &Registry, token: Token) -> io::Result<Self> {
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Connection {
            stream,
            readable: false,
            writable: false,
            end_announced: false,
            ended: false,
            input: Buffer::default(),
            output: Buffer::default(),
            moved_bytes: 0,
        })
    }

    /// The socket.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Bytes received and sent so far.
    pub fn moved_bytes(&self) -> u64 {
        self.moved_bytes
    }

    /// Remembers what an event says. A stale one does no harm: the next read or write finds nothing to do.
    pub fn note(&mut self, event: &Event) {
        let failed = event.is_error() || (event.is_read_closed() && event.is_write_closed());
        self.end_announced |= failed || event.is_read_closed();
        self.readable |= event.is_readable() || self.end_announced;
        self.writable |= event.is_writable() || failed;
    }

    /// Reads, lets the protocol `advance`, writes, and again, until one of them has to wait or the budget is spent.
    ///
    /// # Errors
    /// The socket's: the connection is then of no further use.
    pub fn turn(
        &mut self,
        now: Instant,
        spare: &mut Spare,
        advance: impl FnMut(&mut Wire) -> Next,
    ) -> io::Result<After> {
        spare.lend(&mut self.input);
        spare.lend(&mut self.output);
        let after = self.move_bytes(now, advance);
        spare.reclaim(&mut self.input);
        spare.reclaim(&mut self.output);
        after
    }

    fn move_bytes(&mut self, now: Instant, mut advance: impl FnMut(&mut Wire) -> Next) -> io::Result<After> {
        let mut moved_bytes = 0;
        while moved_bytes < TURN_BYTES {
            let received_bytes = self.receive()?;
            let ended = self.ended;
            let next = advance(&mut Wire { input: &mut self.input, output: &mut self.output, ended, now });
            let sent_bytes = self.send()?;
            let closing = next == Next::Close || (next == Next::Read && ended);
            if closing && self.output.is_empty() {
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
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
    }

    /// Reads and drops what the peer still sends, up to a turn's budget. `Closed` once it has ended.
    ///
    /// # Errors
    /// The socket's.
    pub fn discard(&mut self, spare: &mut Spare) -> io::Result<After> {
        spare.lend(&mut self.input);
        let mut after = Ok(After::Turn);
        let mut moved_bytes = 0;
        while moved_bytes < TURN_BYTES {
            self.input.clear();
            match self.receive() {
                Ok(_) if self.ended => after = Ok(After::Closed),
                Ok(0) => after = Ok(After::Event),
                Ok(received_bytes) => {
                    moved_bytes += received_bytes;
                    continue;
                }
                Err(error) => after = Err(error),
            }
            break;
        }
        self.input.clear();
        spare.reclaim(&mut self.input);
        after
    }

    fn receive(&mut self) -> io::Result<usize> {
        if !self.readable || self.ended || self.input.room() == 0 {
            return Ok(0);
        }
        let vacant = self.input.vacant();
        let vacant_bytes = vacant.len();
        let received_bytes = match retried(|| self.stream.read(vacant)) {
            Ok(received_bytes) => received_bytes,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                return Ok(0);
            }
            Err(error) => return Err(error),
        };
        self.input.filled_more(received_bytes);
        self.ended = received_bytes == 0;
        // A short read has emptied the socket, and what comes later makes a new edge; but an end that was announced
        // with these bytes makes none.
        self.readable = received_bytes == vacant_bytes || self.end_announced;
        Ok(received_bytes)
    }

    fn send(&mut self) -> io::Result<usize> {
        if !self.writable || self.output.is_empty() {
            return Ok(0);
        }
        match retried(|| self.stream.write(self.output.filled())) {
            Ok(sent_bytes) => {
                self.writable = sent_bytes == self.output.filled().len();
                self.output.consume(sent_bytes);
                Ok(sent_bytes)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.writable = false;
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }
}

/// Runs a system call again for as long as a signal interrupts it.
fn retried(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
