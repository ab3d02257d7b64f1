//! A socket and what is known of its readiness.

use std::io;

use crate::net::{Duct, Event, Socket};

/// A socket whose edges are remembered: an event sets a flag, and only the kernel's own word, `WouldBlock` or
/// a short read, clears it. Whatever stops early therefore finds the flag still set.
pub struct Conn<S> {
    /// The socket.
    pub socket: S,
    readable: bool,
    writable: bool,
    read_closed: bool,
    error: bool,
    /// What a write failed of, if that was not the answer to an end of stream that we have yet to read.
    broke: Option<io::ErrorKind>,
}

impl<S: Socket> Conn<S> {
    /// A socket nothing is known of; its registration brings the first event.
    pub fn new(socket: S) -> Conn<S> {
        Conn { socket, readable: false, writable: false, read_closed: false, error: false, broke: None }
    }

    /// Takes in an event. An error wakes both halves: the read and the write that follow say why.
    pub fn note(&mut self, event: &Event) {
        self.readable |= event.readable | event.read_closed | event.error;
        self.writable |= event.writable | event.error;
        self.read_closed |= event.read_closed | event.error;
        self.error |= event.error;
    }

    /// Remembers what a call learned of the connection's end. The kernel tells it once; a read that comes later finds
    /// what looks like a clean end.
    pub fn note_broken(&mut self, error: &io::Error) {
        // EPIPE: the peer's FIN was here before its reset, so the end that a read will find is a true one.
        if error.kind() != io::ErrorKind::BrokenPipe {
            self.broke = Some(error.kind());
        }
    }

    /// Makes the coming close a reset: see [`Socket::reset_on_close`] for when that is right.
    pub fn reset_on_close(&self) {
        // The connection is gone already, and so is whoever could be told.
        if let Err(error) = self.socket.reset_on_close() {
            log::debug!("cannot reset a connection: {error}");
        }
    }

    /// A write failed: whatever the reason, a read will name it, after what came before.
    pub fn expect_end(&mut self) {
        (self.readable, self.read_closed) = (true, true);
    }

    /// Whether a read may have something to say.
    pub fn readable(&self) -> bool {
        self.readable
    }

    /// Whether a write may have room.
    pub fn writable(&self) -> bool {
        self.writable
    }

    /// Whether the end of what it will say is known to be there, behind what there is to be read.
    pub fn end_is_near(&self) -> bool {
        self.readable && self.read_closed
    }

    /// Whether the kernel reported an error on this socket.
    pub fn has_error(&self) -> bool {
        self.error
    }

    /// Reads once. `Ok(None)`: nothing now, an event will follow. `Ok(Some(0))`: the peer has finished.
    ///
    /// # Errors
    /// The stream broke; nothing more will be read.
    pub fn read(&mut self, space: &mut [u8]) -> io::Result<Option<usize>> {
        let outcome = uninterrupted(|| self.socket.read(space))?;
        match outcome {
            // The kernel reports a broken connection once, and to a writer as well as a reader; whoever comes second
            // finds what looks like a clean end.
            Some(0) => {
                if let Some(kind) = self.broke {
                    return Err(kind.into());
                }
            }
            // A short read drained the socket, and what comes later brings a new edge. Not so at the end of the
            // stream: its edge may be behind us already, so read on until it shows.
            Some(count) if count < space.len() && !self.read_closed => self.readable = false,
            Some(_) => {}
            None => self.readable = false,
        }
        Ok(outcome)
    }

    /// Whether nothing, not even an end, has come on a connection that nothing was asked of. Costs a system call.
    pub fn is_quiet(&mut self) -> bool {
        matches!(self.read(&mut [0]), Ok(None))
    }

    /// Moves what is there into an empty duct, at most `most_bytes`. `Ok(None)`: nothing that could be moved; where
    /// [`Conn::readable`] still promises something, only a read can tell.
    ///
    /// # Errors
    /// The stream broke; nothing more will be read.
    pub fn splice_in(&mut self, duct: &Duct, most_bytes: usize) -> io::Result<Option<usize>> {
        match uninterrupted(|| self.socket.splice_in(duct, most_bytes))? {
            // It stops before urgent data, and then looks like an end if there is one behind that.
            Some(0) => Ok(None),
            None => {
                self.readable = self.read_closed;
                Ok(None)
            }
            // A duct is full of a few bytes if they came in as many segments: it takes another splice to know.
            moved => Ok(moved),
        }
    }

    /// Writes once, out of a duct that holds at least `count` bytes. `Ok(None)`: no room now, an event will follow.
    ///
    /// # Errors
    /// The stream broke; nothing more will be written.
    pub fn splice_out(&mut self, duct: &Duct, count: usize) -> io::Result<Option<usize>> {
        let outcome = uninterrupted(|| self.socket.splice_out(duct, count));
        self.note_written(outcome)
    }

    /// Writes once. `Ok(None)`: no room now, an event will follow.
    ///
    /// # Errors
    /// The stream broke; nothing more will be written.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        let outcome = uninterrupted(|| self.socket.write(bytes));
        self.note_written(outcome)
    }

    /// Writes what is left of `bytes`, of which `sent` are out. True once all of them are; else an event will follow.
    ///
    /// # Errors
    /// The stream broke; nothing more will be written.
    pub fn write_on(&mut self, bytes: &[u8], sent: &mut usize) -> io::Result<bool> {
        while *sent < bytes.len() {
            match self.write(&bytes[*sent..])? {
                Some(count) => *sent += count,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// [`Conn::write`] for the last bytes of the stream: see [`Socket::write_last`].
    pub fn write_last(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        let outcome = uninterrupted(|| self.socket.write_last(bytes));
        self.note_written(outcome)
    }

    fn note_written(&mut self, outcome: io::Result<Option<usize>>) -> io::Result<Option<usize>> {
        match &outcome {
            Ok(written) => self.writable = written.is_some(),
            Err(error) => self.note_broken(error),
        }
        outcome
    }
}

/// Repeats what a signal interrupted; `None` stands for `WouldBlock`.
fn uninterrupted(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        match call() {
            Ok(count) => return Ok(Some(count)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use socket2::SockRef;

    use super::*;
    use crate::config::Listen;
    use crate::net::Net;
    use crate::net::os::{self, OsNet, SocketOptions};
    use crate::token::Token;

    /// Telnet and FTP interrupt with urgent data. A read stops short of it, with more to be had and no edge to come.
    #[test]
    fn what_follows_urgent_data_is_read_too() {
        let options = SocketOptions { keepalive: Duration::from_secs(60) };
        let (mut net, _waker) = OsNet::new(options).unwrap();
        let any = Listen { address: (Ipv4Addr::LOCALHOST, 0).into(), dual_stack: false };
        let listener = os::listen(any, 16, 1, &options).unwrap().remove(0);
        let mut peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut socket, _) = loop {
            if let Ok(accepted) = net.accept(&listener) {
                break accepted;
            }
        };
        peer.write_all(b"abc").unwrap();
        SockRef::from(&peer).send_out_of_band(b"X").unwrap();
        peer.write_all(b"def").unwrap();
        net.register(&mut socket, Token::Listener(0)).unwrap();
        let (mut conn, mut events, mut heard) = (Conn::new(socket), Vec::new(), Vec::new());
        while heard.len() < 7 {
            net.poll(&mut events, Some(Duration::from_secs(5))).unwrap();
            assert!(!events.is_empty(), "no event, and only this was read: {heard:?}");
            events.iter().for_each(|event| conn.note(event));
            while conn.readable() {
                let mut space = [0; 64];
                let count = conn.read(&mut space).unwrap().unwrap_or(0);
                heard.extend_from_slice(&space[..count]);
            }
        }
        assert_eq!(heard, b"abcXdef");
    }
}
