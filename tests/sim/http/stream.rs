//! A peer's end of its connection: what it has to say, and what it heard.

use fastrand::Rng;

use super::super::strict::{Framing, Kind, Message};
use super::super::tcp::{Link, PEER};
use super::knobs::HttpKnobs;

/// How far reading got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    Open,
    /// A clean end.
    Ended,
    Broken,
}

#[derive(Debug)]
pub struct Stream {
    /// Said, and not yet taken by the kernel.
    out: Vec<u8>,
    inbox: Vec<u8>,
    /// So many bytes must be there before looking at them makes sense.
    needed: usize,
    /// Bytes ever put into `out`, taken by the kernel, and heard.
    pub said: u64,
    pub sent: u64,
    pub received: u64,
    pub reading: Reading,
    pub finished: bool,
    stopped: bool,
    pub done: bool,
    write_bytes: usize,
    read_bytes: usize,
    pause_us: u64,
    long_pauses: u32,
    long_pause_us: u64,
}

/// What a strict reader makes of the bytes so far.
pub enum Parsed {
    Whole(Message),
    /// It takes at least so many bytes more.
    Unfinished {
        missing: usize,
    },
    /// It takes all that will come.
    UntilClose,
}

/// Reads a message; `ended` says that no more will come.
pub fn parse(bytes: &[u8], kind: Kind, ended: bool) -> Result<Parsed, String> {
    Ok(match Message::read(bytes, kind, ended)? {
        Some(message) if message.complete => Parsed::Whole(message),
        Some(Message { framing: Framing::Length(length), content, .. }) => {
            Parsed::Unfinished { missing: length - content.len() }
        }
        Some(Message { framing: Framing::UntilClose, .. }) => Parsed::UntilClose,
        _ => Parsed::Unfinished { missing: 1 },
    })
}

impl Stream {
    pub fn new(rng: &mut Rng, knobs: &HttpKnobs) -> Stream {
        Stream {
            out: Vec::new(),
            inbox: Vec::new(),
            needed: 1,
            said: 0,
            sent: 0,
            received: 0,
            reading: Reading::Open,
            finished: false,
            stopped: false,
            done: false,
            write_bytes: 1 << rng.u32(3..14),
            read_bytes: 1 << rng.u32(3..14),
            pause_us: 1 << rng.u32(0..14),
            long_pauses: knobs.long_pauses,
            long_pause_us: knobs.long_pause_us,
        }
    }

    /// How long it may take its time before the next step.
    pub fn pause_us(&self, rng: &mut Rng) -> u64 {
        if self.long_pauses > 0 && rng.u32(..1000) < self.long_pauses {
            self.long_pause_us
        } else {
            self.pause_us
        }
    }

    pub fn say(&mut self, bytes: &[u8]) {
        if !self.stopped {
            self.out.extend_from_slice(bytes);
            self.said += bytes.len() as u64;
        }
    }

    /// Says nothing more, not even what it was about to say.
    pub fn stop(&mut self) {
        self.stopped = true;
        self.out.clear();
    }

    pub fn is_over(&self) -> bool {
        self.stopped || self.done || self.reading == Reading::Broken
    }

    pub fn has_more(&self) -> bool {
        !self.out.is_empty()
    }

    pub fn write(&mut self, link: &mut Link, rng: &mut Rng) {
        self.write_up_to(usize::MAX, link, rng);
    }

    /// Writes, but no more than so many bytes.
    pub fn write_up_to(&mut self, most: usize, link: &mut Link, rng: &mut Rng) {
        let count = self.out.len().min(rng.usize(1..=self.write_bytes)).min(most);
        if count == 0 || self.done || self.finished {
            return;
        }
        match link.write(PEER, &self.out[..count], usize::MAX) {
            Ok(count) => {
                self.out.drain(..count);
                self.sent += count as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            // Nobody takes the rest; what was sent to us before may still be read.
            Err(_) => self.stop(),
        }
    }

    pub fn read(&mut self, link: &mut Link, rng: &mut Rng) {
        if self.reading != Reading::Open || self.done {
            return;
        }
        let mut space = vec![0; rng.usize(1..=self.read_bytes)];
        match link.read(PEER, &mut space) {
            // Of a broken connection the write was told already; a reader then finds what looks like an end.
            Ok(0) if !link.ends[PEER].fin_received => self.reading = Reading::Broken,
            Ok(0) => self.reading = Reading::Ended,
            Ok(count) => {
                self.received += count as u64;
                self.inbox.extend_from_slice(&space[..count]);
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => self.reading = Reading::Broken,
        }
    }

    /// What came and was not understood yet, if looking at it makes sense.
    pub fn unparsed(&self) -> Option<&[u8]> {
        (self.inbox.len() >= self.needed).then_some(&self.inbox[..])
    }

    pub fn has_unparsed(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// The same, when nothing more can come.
    pub fn unparsed_at_end(&mut self) -> Vec<u8> {
        self.inbox.clone()
    }

    pub fn wait_for(&mut self, missing: usize) {
        self.needed = self.inbox.len() + missing;
    }

    pub fn wait_for_end(&mut self) {
        self.needed = usize::MAX;
    }

    /// So many bytes of it were understood.
    pub fn took(&mut self, count: usize) {
        self.inbox.drain(..count);
        self.needed = 1;
    }

    /// Whatever came is nobody's business.
    pub fn ignore(&mut self) {
        self.inbox.clear();
    }

    /// Ends what it says, once all of it is said.
    pub fn finish(&mut self, link: &mut Link) {
        if self.out.is_empty() && !self.finished {
            // A reset that came first is seen by the next read.
            let _ = link.shutdown_write(PEER);
            self.finished = true;
        }
    }

    pub fn close(&mut self, link: &mut Link) {
        link.close(PEER);
        self.done = true;
    }
}
