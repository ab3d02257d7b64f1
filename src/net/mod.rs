//! The network as the proxy sees it: two traits, so that the same proxy runs on the kernel and in simulation.
//!
//! The contract, which `os.rs` inherits from epoll and a simulation must keep:
//! - Everything is non-blocking, and [`io::ErrorKind::WouldBlock`] means: an event will follow.
//! - Readiness is edge-triggered: an event says that something changed, once. Whoever stops reading or writing
//!   before `WouldBlock` must remember that by himself (see [`crate::relay::Conn`]).
//! - Events may be spurious, but never claim that a connect succeeded while it is under way.
//! - Dropping a socket closes it and ends its events, except those already handed out in the current batch.

pub mod desk;
mod duct;
pub mod inherited;
pub mod os;
mod queue;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::io::Errno;

pub use self::duct::Duct;
use crate::token::Token;

/// Something changed on a registered socket. The flags are hints; the call that follows tells the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// What it is about.
    pub token: Token,
    /// Bytes, an end of stream, an error, or a connection to accept.
    pub readable: bool,
    /// Room to write, a connect that ended, or an error.
    pub writable: bool,
    /// A short read does not mean that nothing is left: read on until `WouldBlock`, or the end, shows. Above all, the
    /// peer will send no more.
    pub read_closed: bool,
    /// An error is pending; [`Socket::take_error`], a read or a write will name it.
    pub error: bool,
}

/// Where sockets and time come from.
pub trait Net {
    /// A connected, or connecting, stream.
    type Socket: Socket;
    /// A listening socket.
    type Listener;

    /// The time, of a clock that never goes back.
    fn now(&self) -> Instant;

    /// Seconds since 1970, for people. A simulation has no calendar.
    fn unix_s(&self) -> u64 {
        0
    }

    /// Waits until something happens or `timeout` is over (`None`: for ever), and replaces `events` by what did.
    ///
    /// # Errors
    /// Only those no loop can go on from. An interrupted wait is an empty batch.
    fn poll(&mut self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<()>;

    /// Starts reporting connections to accept.
    ///
    /// # Errors
    /// What the kernel says; out of memory or watches.
    fn register_listener(&mut self, listener: &mut Self::Listener, token: Token) -> io::Result<()>;

    /// Lets a listener's queue hold so many connections from now on. A simulation has queues of its own.
    ///
    /// # Errors
    /// None to expect.
    fn set_backlog(&self, _listener: &Self::Listener, _backlog: u32) -> io::Result<()> {
        Ok(())
    }

    /// Connections that wait in a listener's queue, and how many may. A simulation does not say.
    fn queue_depth(&self, _listener: &Self::Listener) -> Option<(u32, u32)> {
        None
    }

    /// Where a listener is, with the port that the kernel picked. A simulation does not say.
    fn address(&self, _listener: &Self::Listener) -> Option<SocketAddr> {
        None
    }

    /// Takes one connection from the listener's queue.
    ///
    /// # Errors
    /// `WouldBlock` when the queue is empty; others, see `accept(2)`: most concern one connection only.
    fn accept(&mut self, listener: &Self::Listener) -> io::Result<(Self::Socket, SocketAddr)>;

    /// Takes one connection from a listener of any kind, a unix socket's too.
    ///
    /// # Errors
    /// Those of [`Net::accept`].
    fn accept_any(&mut self, listener: &Self::Listener) -> io::Result<Self::Socket> {
        self.accept(listener).map(|(socket, _)| socket)
    }

    /// Starts connecting. The outcome is known at the first writable event: [`Socket::connected`] tells.
    /// The kernel may keep its last word of the handshake to let it travel with the first bytes: where none are written
    /// before the next wait, [`Socket::complete_handshake`] is called for.
    ///
    /// # Errors
    /// What can be known at once: no file descriptor, no route.
    fn connect(&mut self, address: SocketAddr) -> io::Result<Self::Socket>;

    /// Lets the kernel ask the peer, once a connection that [`Net::connect`] made has been silent for long, whether it is
    /// still there. (Accepted ones are asked anyway.) A connection that lives for a moment does not need it.
    ///
    /// # Errors
    /// None to expect.
    fn watch(&self, socket: &Self::Socket) -> io::Result<()>;

    /// Starts reporting everything that happens to `socket`: once for its lifetime, for all interests.
    ///
    /// # Errors
    /// What the kernel says; out of memory or watches.
    fn register(&mut self, socket: &mut Self::Socket, token: Token) -> io::Result<()>;
}

/// A non-blocking stream. Reading and writing are those of std.
pub trait Socket: io::Read + io::Write {
    /// Ends our direction: a FIN follows the last byte written.
    ///
    /// # Errors
    /// `NotConnected` if the peer reset the connection meanwhile.
    fn shutdown_write(&self) -> io::Result<()>;

    /// Writes the last bytes of a stream: its end, by [`Socket::shutdown_write`] or by dropping the socket, follows before
    /// the next wait if all of them are taken, so the kernel may keep them to send both at once.
    ///
    /// # Errors
    /// Those of a write.
    fn write_last(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Moves what has been received into a duct, at most `most_bytes`, without a copy (splice(2)). 0 is the end of the
    /// stream, or urgent data with an end behind it (tcp_splice_read).
    ///
    /// # Errors
    /// As for reading.
    fn splice_in(&mut self, duct: &Duct, most_bytes: usize) -> io::Result<usize>;

    /// Sends as much as there is room for of the `count` bytes that are in a duct.
    ///
    /// # Errors
    /// As for writing.
    fn splice_out(&mut self, duct: &Duct, count: usize) -> io::Result<usize>;

    /// Whether the connect to `target` that ended got us a peer, and not ourselves. A connect never fails but with
    /// [`Event::error`]: `error` says whether that was reported.
    ///
    /// # Errors
    /// Why it did not.
    fn connected(&self, target: SocketAddr, error: bool) -> io::Result<()>;

    /// Tells the peer of the connection now: there are no bytes yet that could do so.
    ///
    /// # Errors
    /// None to expect.
    fn complete_handshake(&self) -> io::Result<()>;

    /// The pending error, which reading it clears.
    ///
    /// # Errors
    /// None to expect; treat as the pending error itself.
    fn take_error(&self) -> io::Result<Option<io::Error>>;

    /// Bytes written that the peer's kernel has not yet acknowledged.
    ///
    /// # Errors
    /// None to expect.
    fn unsent_bytes(&self) -> io::Result<usize>;

    /// Makes the coming close a reset. Anything unsent is lost: only for passing a peer's reset on, once
    /// [`Socket::unsent_bytes`] is 0.
    ///
    /// # Errors
    /// None to expect.
    fn reset_on_close(&self) -> io::Result<()>;
}

/// Whether this host is out of descriptors, epoll watches or memory (EMFILE, ENFILE, ENOSPC, ENOBUFS, ENOMEM): it
/// concerns everybody and passes when something is closed, so waiting helps and trying again at once does not.
pub fn is_exhaustion(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOSPC | Errno::NOBUFS | Errno::NOMEM))
}

/// Whether an error of [`Net::accept`] is the accepted connection's own: Linux hands those to `accept(2)`, and the next
/// one may be fine. Anything else would only come again at once: no descriptors, a security module that forbids it, or
/// something nobody has thought of.
pub fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    !is_exhaustion(error)
        && matches!(
            error.kind(),
            ConnectionAborted
                | ConnectionReset
                | Interrupted
                | NetworkDown
                | NetworkUnreachable
                | HostUnreachable
                | TimedOut
        )
}
