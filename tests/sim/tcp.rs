//! One TCP connection, as the kernels at its two ends see it.
//!
//! What matters is modelled as Linux does it: received bytes can be read after a reset, the end of the stream is
//! reported before an error, a close with unread input resets, data for a closed socket is answered by a reset, and
//! a reset destroys what the sender has not delivered yet.

use std::collections::VecDeque;
use std::io;

pub const ECONNRESET: i32 = 104;
pub const ECONNREFUSED: i32 = 111;
const EPIPE: i32 = 32;
const ENOTCONN: i32 = 107;

/// The end that the proxy holds, and the one of the peer, in [`Link::ends`].
pub const PROXY: usize = 0;
pub const PEER: usize = 1;

/// What epoll would report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags {
    pub readable: bool,
    pub writable: bool,
    pub read_closed: bool,
    pub error: bool,
}

impl Flags {
    pub const ALL: Flags = Flags { readable: true, writable: true, read_closed: true, error: true };

    pub fn any(self) -> bool {
        self != Flags::default()
    }
}

/// One end of a connection.
#[derive(Debug, Default)]
pub struct End {
    /// Taken from the application, not yet with the peer.
    pub send: VecDeque<u8>,
    /// From the peer, not yet read.
    pub receive: VecDeque<u8>,
    pub established: bool,
    pub fin_queued: bool,
    fin_delivered: bool,
    pub fin_received: bool,
    reset_queued: bool,
    /// A reset arrived.
    pub reset: bool,
    pub error: Option<i32>,
    pub closed: bool,
    reset_on_close: bool,
    /// What a reset destroyed here: the kernel goes on counting it as unacknowledged.
    lost: usize,
    /// A write found no room: an edge is owed when there is some.
    wants_room: bool,
    /// What changed since the owner was last told.
    pub edge: Flags,
    /// Bytes that arrived here, ever.
    pub arrived: u64,
}

/// A connection.
#[derive(Debug)]
pub struct Link {
    pub ends: [End; 2],
    send_capacity: usize,
    receive_capacity: usize,
}

impl Link {
    pub fn new(send_capacity: usize, receive_capacity: usize, established: bool) -> Link {
        let mut link = Link { ends: Default::default(), send_capacity, receive_capacity };
        link.ends.iter_mut().for_each(|end| end.established = established);
        link
    }

    pub fn establish(&mut self) {
        for end in &mut self.ends {
            end.established = true;
            end.edge.writable = true;
        }
    }

    /// The connect failed, or a reset arrived.
    pub fn break_end(&mut self, which: usize, errno: i32) {
        let end = &mut self.ends[which];
        if end.reset {
            return;
        }
        end.reset = true;
        end.lost = end.send.len();
        end.send.clear();
        if !end.closed {
            // Only in CLOSE_WAIT: once both have finished, it is an ordinary reset again.
            let half_closed = end.fin_received && !end.fin_queued;
            end.error = Some(if half_closed && errno == ECONNRESET { EPIPE } else { errno });
            end.edge = Flags::ALL;
        }
    }

    /// The readiness that a level-triggered look would find.
    pub fn level(&self, which: usize) -> Flags {
        let end = &self.ends[which];
        Flags {
            readable: !end.receive.is_empty() || end.fin_received || end.reset,
            writable: end.reset || (end.established && end.send.len() < self.send_capacity),
            read_closed: end.fin_received || end.reset,
            error: end.error.is_some(),
        }
    }

    pub fn read(&mut self, which: usize, space: &mut [u8]) -> io::Result<usize> {
        let end = &mut self.ends[which];
        if !end.receive.is_empty() && !space.is_empty() {
            let count = space.len().min(end.receive.len());
            for (slot, byte) in space.iter_mut().zip(end.receive.drain(..count)) {
                *slot = byte;
            }
            return Ok(count);
        }
        if end.fin_received {
            return Ok(0);
        }
        match end.error.take() {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None if end.reset => Ok(0),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Takes at most `at_most` bytes. Like the kernel's, a short write means: full.
    pub fn write(&mut self, which: usize, bytes: &[u8], at_most: usize) -> io::Result<usize> {
        let room = self.send_capacity.saturating_sub(self.ends[which].send.len());
        let end = &mut self.ends[which];
        if let Some(errno) = end.error.take() {
            return Err(io::Error::from_raw_os_error(errno));
        }
        if end.reset || end.fin_queued {
            return Err(io::Error::from_raw_os_error(EPIPE));
        }
        assert!(end.established, "written before the connect ended");
        let count = bytes.len().min(room).min(at_most);
        end.wants_room |= count < bytes.len();
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        end.send.extend(&bytes[..count]);
        Ok(count)
    }

    pub fn shutdown_write(&mut self, which: usize) -> io::Result<()> {
        let end = &mut self.ends[which];
        if end.reset {
            return Err(io::Error::from_raw_os_error(ENOTCONN));
        }
        end.fin_queued = true;
        Ok(())
    }

    /// Bytes the peer has not acknowledged; a FIN counts as one.
    pub fn unsent(&self, which: usize) -> usize {
        let end = &self.ends[which];
        end.send.len() + end.lost + usize::from(end.fin_queued && !end.fin_delivered)
    }

    pub fn reset_on_close(&mut self, which: usize) {
        self.ends[which].reset_on_close = true;
    }

    pub fn close(&mut self, which: usize) {
        let end = &mut self.ends[which];
        if end.closed {
            return;
        }
        end.closed = true;
        if end.reset {
            return;
        }
        if end.reset_on_close || !end.receive.is_empty() || !end.established {
            end.reset_queued = true;
            end.send.clear();
        } else {
            end.fin_queued = true;
        }
    }

    /// Whether [`Link::deliver`] from this end has something to do.
    pub fn can_deliver(&self, from: usize) -> bool {
        let (end, peer) = (&self.ends[from], &self.ends[1 - from]);
        let room = peer.closed || peer.receive.len() < self.receive_capacity;
        let fin = end.send.is_empty() && end.fin_queued && !end.fin_delivered;
        end.established && !end.reset && (end.reset_queued || (!end.send.is_empty() && room) || fin)
    }

    /// Tells a writer that was turned away, if there is room now.
    pub fn offer_room(&mut self, which: usize) {
        let end = &mut self.ends[which];
        if end.wants_room && end.send.len() < self.send_capacity {
            end.wants_room = false;
            end.edge.writable = true;
        }
    }

    /// Lets up to `at_most` bytes arrive at the other end, or what comes after the last of them.
    pub fn deliver(&mut self, from: usize, at_most: usize) {
        let to = 1 - from;
        if !self.can_deliver(from) {
            return;
        }
        if self.ends[from].reset_queued {
            self.ends[from].reset_queued = false;
            self.ends[from].reset = true;
            return self.break_end(to, ECONNRESET);
        }
        if !self.ends[from].send.is_empty() && self.ends[to].closed {
            // Nobody is there: the answer is a reset, and what that socket still had to send goes with it.
            self.ends[to].reset = true;
            self.ends[to].send.clear();
            return self.break_end(from, ECONNRESET);
        }
        let room = self.receive_capacity.saturating_sub(self.ends[to].receive.len());
        let count = self.ends[from].send.len().min(room).min(at_most.max(1));
        if count > 0 {
            let bytes: Vec<u8> = self.ends[from].send.drain(..count).collect();
            self.ends[to].receive.extend(bytes);
            self.ends[to].arrived += count as u64;
            self.ends[to].edge.readable = true;
            self.offer_room(from);
        }
        if self.ends[from].send.is_empty() && self.ends[from].fin_queued {
            self.ends[from].fin_delivered = true;
            self.ends[to].fin_received = true;
            self.ends[to].edge.readable = true;
            self.ends[to].edge.read_closed = true;
        }
    }
}
