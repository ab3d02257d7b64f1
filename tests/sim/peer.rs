//! The peers: clients and backends, each following a script of its own and checking every byte it gets.

use fastrand::Rng;

use super::knobs::Knobs;
use super::tcp::{Link, PEER};

/// What a peer does. Both kinds of peer follow the same kind of script: the proxy is transparent.
#[derive(Clone, Debug)]
pub struct Script {
    pub to_send: u64,
    write_bytes: usize,
    read_bytes: usize,
    pub pause_us: u64,
    /// Sends its FIN only after the other one's.
    pub finishes_last: bool,
    /// Never reads: whoever sends to it gets stuck.
    pub deaf: bool,
    /// Ends abruptly once this many bytes are sent and received together.
    pub abort_after: Option<u64>,
    /// Aborts by a close instead of a reset: a reset follows only if something comes or was unread.
    abort_politely: bool,
}

impl Script {
    pub fn draw(rng: &mut Rng, knobs: &Knobs) -> Script {
        let to_send = if rng.u8(..8) == 0 { 0 } else { rng.u64(1..=knobs.stream_bytes) };
        Script {
            to_send,
            write_bytes: rng.usize(1..=knobs.segment_bytes * 2),
            read_bytes: rng.usize(1..=knobs.segment_bytes * 2),
            pause_us: rng.u64(1..=20_000),
            finishes_last: rng.bool(),
            deaf: rng.u8(..40) == 0,
            abort_after: (rng.u32(..1000) < knobs.abort).then(|| rng.u64(0..=knobs.stream_bytes)),
            abort_politely: rng.bool(),
        }
    }
}

/// A peer at work.
#[derive(Debug)]
pub struct Peer {
    pub script: Script,
    /// Names the stream it sends.
    pub id: u16,
    pub sent: u64,
    pub received: u64,
    /// The first two bytes that came: who sent them.
    pub heard: Vec<u8>,
    pub saw_end: bool,
    pub saw_break: bool,
    pub aborted: bool,
    pub done: bool,
}

/// Byte `offset` of the stream of peer `id`: the id first, then noise that depends on both.
pub fn pattern(id: u16, offset: u64) -> u8 {
    match offset {
        0 | 1 => id.to_be_bytes()[offset as usize],
        _ => ((offset ^ (id as u64) << 32).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8,
    }
}

impl Peer {
    pub fn new(script: Script, id: u16) -> Peer {
        Peer {
            script,
            id,
            sent: 0,
            received: 0,
            heard: Vec::new(),
            saw_end: false,
            saw_break: false,
            aborted: false,
            done: false,
        }
    }

    /// Whom it hears, if it heard enough to tell.
    pub fn hears(&self) -> Option<u16> {
        Some(u16::from_be_bytes([*self.heard.first()?, *self.heard.get(1)?]))
    }

    /// One step. True if another one would get further without anything happening.
    pub fn act(&mut self, link: &mut Link, rng: &mut Rng) -> bool {
        if self.done {
            return false;
        }
        let moved = self.read(link, rng) | self.write(link, rng);
        if self.script.abort_after.is_some_and(|limit| self.sent + self.received >= limit) {
            return self.abort(link);
        }
        let may_finish = !self.script.finishes_last || self.saw_end;
        if self.sent == self.script.to_send && may_finish && !link.ends[PEER].fin_queued && !self.saw_break {
            // A reset that came first is seen by the next read.
            let _ = link.shutdown_write(PEER);
        }
        if self.saw_break || (self.saw_end && link.ends[PEER].fin_queued) {
            self.done = true;
            link.close(PEER);
        }
        moved && !self.done
    }

    fn read(&mut self, link: &mut Link, rng: &mut Rng) -> bool {
        if self.script.deaf || self.saw_end {
            return false;
        }
        let mut space = vec![0; rng.usize(1..=self.script.read_bytes)];
        match link.read(PEER, &mut space) {
            // Of a broken connection the write was told already; a reader then finds what looks like an end.
            Ok(0) if !link.ends[PEER].fin_received => self.saw_break = true,
            Ok(0) => self.saw_end = true,
            Ok(count) => {
                self.check(&space[..count]);
                return true;
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => self.saw_break = true,
        }
        false
    }

    fn check(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.heard.len() < 2 {
                self.heard.push(byte);
            }
            if let Some(id) = self.hears() {
                assert_eq!(
                    byte,
                    pattern(id, self.received),
                    "byte {} of stream {id}, heard by {}",
                    self.received,
                    self.id
                );
            }
            self.received += 1;
        }
    }

    fn write(&mut self, link: &mut Link, rng: &mut Rng) -> bool {
        let left = self.script.to_send - self.sent;
        if left == 0 || self.saw_break {
            return false;
        }
        let count = left.min(rng.u64(1..=self.script.write_bytes as u64));
        let bytes: Vec<u8> = (self.sent..self.sent + count).map(|offset| pattern(self.id, offset)).collect();
        match link.write(PEER, &bytes, usize::MAX) {
            Ok(count) => {
                self.sent += count as u64;
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => false,
            Err(_) => {
                // Nobody takes the rest; what was sent to us before may still be read.
                self.script.to_send = self.sent;
                self.saw_break |= self.script.deaf;
                false
            }
        }
    }

    fn abort(&mut self, link: &mut Link) -> bool {
        if !self.script.abort_politely {
            link.reset_on_close(PEER);
        }
        link.close(PEER);
        (self.aborted, self.done) = (true, true);
        false
    }
}
