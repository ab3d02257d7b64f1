//! Echo: what a client sends comes back, byte for byte, until it ends. Both sides of it.

use std::time::Instant;

use super::client::Conversation;
use super::connection::{Next, Wire};
use super::report::Tally;
use super::server::Service;

/// The backend's side. It remembers nothing but what is in the buffers; a client that does not read is soon not read
/// from either, since both are bounded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Echo {
    /// Ends each connection at once instead, without a byte.
    pub hang_up: bool,
}

impl Service for Echo {
    type Session = ();

    fn open(&mut self) {}

    fn advance(&mut self, _session: &mut (), wire: &mut Wire) -> Next {
        if self.hang_up {
            return Next::Close;
        }
        if wire.output.is_empty() {
            std::mem::swap(wire.output, wire.input);
        } else {
            let moved_bytes = wire.output.push(wire.input.filled());
            wire.input.consumed(moved_bytes);
        }
        if wire.input.is_empty() { Next::Read } else { Next::Write }
    }
}

/// The client's side: sends a message, waits until it is back, compares, sends the next.
pub struct Messages {
    /// The text of all messages and the number of this connection: what one message starts with.
    prefix: String,
    count: u64,
    sequence: u64,
    message: String,
    sent_bytes: usize,
    returned_bytes: usize,
    accurate: bool,
    started: Option<Instant>,
}

impl Messages {
    /// `count` messages on the connection with this number, each told from all others by what follows `text`.
    pub fn new(text: &str, connection: u64, count: u64) -> Self {
        Messages {
            prefix: format!("{text} #{connection}"),
            count,
            sequence: 0,
            message: String::new(),
            sent_bytes: 0,
            returned_bytes: 0,
            accurate: true,
            started: None,
        }
    }

    fn start(&mut self, now: Instant) {
        use std::fmt::Write;
        self.message.clear();
        // Writing to a String cannot fail.
        let _ = writeln!(self.message, "{}.{}", self.prefix, self.sequence);
        (self.sent_bytes, self.returned_bytes, self.accurate) = (0, 0, true);
        self.started = Some(now);
    }

    /// Compares what has come back of the current message. More than was sent must not come.
    fn compare(&mut self, wire: &mut Wire) -> bool {
        let returned = wire.input.filled();
        let outstanding = &self.message.as_bytes()[self.returned_bytes..self.sent_bytes];
        let count_bytes = returned.len().min(outstanding.len());
        self.accurate &= returned[..count_bytes] == outstanding[..count_bytes];
        self.returned_bytes += count_bytes;
        wire.input.consumed(count_bytes);
        wire.input.is_empty()
    }
}

impl Conversation for Messages {
    fn advance(&mut self, wire: &mut Wire, tally: &mut Tally) -> Next {
        loop {
            if !self.compare(wire) {
                tally.fault("more came back than was sent");
                return Next::Close;
            }
            if let Some(started) = self.started {
                if self.returned_bytes == self.message.len() {
                    tally.count(self.accurate, wire.now - started);
                    self.started = None;
                    self.sequence += 1;
                    continue;
                }
            } else if self.sequence == self.count {
                return Next::Close;
            } else {
                self.start(wire.now);
            }
            self.sent_bytes += wire.output.push(&self.message.as_bytes()[self.sent_bytes..]);
            return if self.sent_bytes < self.message.len() { Next::Write } else { Next::Read };
        }
    }
}
