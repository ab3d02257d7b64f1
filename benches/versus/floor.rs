//! The floor: a relay that does nothing but relay, in the fewest system calls. No limits, no timeouts, no health, no
//! care for resets: what is left is what the kernel takes for moving bytes from one socket to another in this way. It has the
//! proxy's own tricks that save segments, or it would be no floor.

use std::io::{self, ErrorKind, Read};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::OwnedFd;

use lbproxy::net::os;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use slab::Slab;
use socket2::{Domain, SockRef, Socket, Type};

/// The first argument of a process that is to be the floor, and no benchmark.
pub const ARGUMENT: &str = "--floor";
/// The second, if it is to splice.
pub const SPLICE: &str = "splice";

const BUFFER_BYTES: usize = 64 * 1024;
const PIPE_BYTES: usize = 256 * 1024;
const LISTENER: Token = Token(usize::MAX);

/// Client and backend, by index, and the two ways between them: from the one with the way's own index.
struct Pair {
    sides: [TcpStream; 2],
    ways: [Way; 2],
    readable: [bool; 2],
    writable: [bool; 2],
    /// No more will come than what is there.
    closing: [bool; 2],
}

/// What has been read and not yet written.
enum Way {
    Over,
    Bytes(Vec<u8>),
    Pipe { ends: (OwnedFd, OwnedFd), held_bytes: usize },
}

/// Relays until the process is ended. Arguments: `copy` or `splice`, where to listen, and the backends.
pub fn run(arguments: &[String]) -> Result<(), String> {
    let usage = || format!("usage: {ARGUMENT} copy|{SPLICE} LISTEN BACKEND...");
    let (kind, addresses) = arguments.split_first().ok_or_else(usage)?;
    let addresses: Vec<SocketAddr> =
        addresses.iter().map(|text| text.parse().map_err(|_| usage())).collect::<Result<_, _>>()?;
    let (listen, backends) =
        addresses.split_first().filter(|(_, rest)| !rest.is_empty()).ok_or_else(usage)?;
    os::raise_fd_limit();
    relay(*listen, backends, kind == SPLICE).map_err(|error| format!("floor: {error}"))
}

fn relay(listen: SocketAddr, backends: &[SocketAddr], splices: bool) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut listener = TcpListener::bind(listen)?;
    // Those it accepts inherit it. A backend's connection does without: what goes there is one write at a time.
    SockRef::from(&listener).set_tcp_nodelay(true)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut pairs: Slab<Pair> = Slab::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut turn = 0;
    loop {
        if let Err(error) = poll.poll(&mut events, None)
            && error.kind() != ErrorKind::Interrupted
        {
            return Err(error);
        }
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((client, _)) = listener.accept() {
                    turn += 1;
                    open(&poll, &mut pairs, client, backends[turn % backends.len()], splices)?;
                }
                continue;
            }
            let (slot, side) = (event.token().0 / 2, event.token().0 % 2);
            let Some(pair) = pairs.get_mut(slot) else { continue };
            pair.readable[side] |= event.is_readable();
            pair.writable[side] |= event.is_writable();
            pair.closing[side] |= event.is_read_closed();
            if pair.pump(0, &mut buffer).and_then(|()| pair.pump(1, &mut buffer)).is_err() || pair.is_over() {
                pairs.remove(slot);
            }
        }
    }
}

fn open(
    poll: &Poll,
    pairs: &mut Slab<Pair>,
    client: TcpStream,
    backend: SocketAddr,
    splices: bool,
) -> io::Result<()> {
    let mut sides = [client, connect(backend)?];
    let entry = pairs.vacant_entry();
    for (side, stream) in sides.iter_mut().enumerate() {
        let token = Token(entry.key() * 2 + side);
        poll.registry().register(stream, token, Interest::READABLE | Interest::WRITABLE)?;
    }
    let ways = [Way::new(splices)?, Way::new(splices)?];
    entry.insert(Pair { sides, ways, readable: [false; 2], writable: [false; 2], closing: [false; 2] });
    Ok(())
}

/// The acknowledgement that ends the handshake waits for the first bytes, which are about to come.
fn connect(backend: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(backend), Type::STREAM.nonblocking().cloexec(), None)?;
    socket.set_tcp_quickack(false)?;
    match socket.connect(&backend.into()) {
        Err(error) if error.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error()) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

impl Way {
    fn new(splices: bool) -> io::Result<Way> {
        if !splices {
            return Ok(Way::Bytes(Vec::new()));
        }
        let ends = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC)?;
        fcntl_setpipe_size(&ends.1, PIPE_BYTES)?;
        Ok(Way::Pipe { ends, held_bytes: 0 })
    }
}

impl Pair {
    fn is_over(&self) -> bool {
        self.ways.iter().all(|way| matches!(way, Way::Over))
    }

    /// Moves what there is from one side to the other, until one of them has to be waited for.
    fn pump(&mut self, from: usize, buffer: &mut [u8]) -> io::Result<()> {
        let to = 1 - from;
        while self.writable[to] && (self.readable[from] || self.ways[from].holds_any()) {
            let (moved, is_end) = match &mut self.ways[from] {
                Way::Over => return Ok(()),
                Way::Bytes(held) => copy(&mut self.sides, from, held, buffer, self.closing[from]),
                Way::Pipe { ends, held_bytes } => splice_through(&self.sides, from, ends, held_bytes),
            }?;
            match moved {
                Moved::All { drained } => self.readable[from] &= !drained || self.closing[from],
                Moved::Some => self.writable[to] = false,
                Moved::Nothing => self.readable[from] = false,
            }
            if is_end {
                self.ways[from] = Way::Over;
                // Its other side may be gone already, which the next read will tell.
                let _ = self.sides[to].shutdown(Shutdown::Write);
            }
        }
        Ok(())
    }
}

impl Way {
    fn holds_any(&self) -> bool {
        match self {
            Way::Over => false,
            Way::Bytes(held) => !held.is_empty(),
            Way::Pipe { held_bytes, .. } => *held_bytes > 0,
        }
    }
}

enum Moved {
    /// What was read is written. `drained`: it was less than there was room for, so nothing is left for now.
    All { drained: bool },
    /// The sink is full.
    Some,
    /// There was nothing to read.
    Nothing,
}

/// A read, and a write. Also says whether this was the end. The last bytes wait for the end, which goes out with them.
fn copy(
    sides: &mut [TcpStream; 2],
    from: usize,
    held: &mut Vec<u8>,
    buffer: &mut [u8],
    closing: bool,
) -> io::Result<(Moved, bool)> {
    let more = if closing { SendFlags::MORE } else { SendFlags::empty() };
    let write = |sink: &TcpStream, bytes: &[u8]| {
        unless_blocked(send(sink, bytes, SendFlags::NOSIGNAL | more).map_err(io::Error::from))
    };
    if held.is_empty() {
        let Some(count) = unless_blocked(sides[from].read(buffer))? else {
            return Ok((Moved::Nothing, false));
        };
        let sent = if count > 0 { write(&sides[1 - from], &buffer[..count])? } else { Some(0) };
        let sent = sent.unwrap_or(0);
        held.extend_from_slice(&buffer[sent..count]);
        let moved = if sent < count { Moved::Some } else { Moved::All { drained: count < buffer.len() } };
        return Ok((moved, count == 0));
    }
    let sent = write(&sides[1 - from], held)?.unwrap_or(0);
    held.drain(..sent);
    Ok((if held.is_empty() { Moved::All { drained: false } } else { Moved::Some }, false))
}

/// The same, without the bytes coming here.
fn splice_through(
    sides: &[TcpStream; 2],
    from: usize,
    (out, into): &(OwnedFd, OwnedFd),
    held_bytes: &mut usize,
) -> io::Result<(Moved, bool)> {
    let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
    if *held_bytes == 0 {
        let read = splice(&sides[from], None, into, None, PIPE_BYTES, flags);
        match unless_blocked(read.map_err(io::Error::from))? {
            None => return Ok((Moved::Nothing, false)),
            Some(0) => return Ok((Moved::All { drained: false }, true)),
            Some(count) => *held_bytes = count,
        }
    }
    let written = splice(out, None, &sides[1 - from], None, *held_bytes, flags);
    let Some(count) = unless_blocked(written.map_err(io::Error::from))? else {
        return Ok((Moved::Some, false));
    };
    *held_bytes -= count;
    // A short splice says nothing about what is left: pages count, not bytes.
    Ok((Moved::All { drained: false }, false))
}

fn unless_blocked(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
