//! The loop of a backend: accepts connections and lets a [`Service`] answer on each of them.
//!
//! A connection may stay silent for as long as its peer likes: these are servers to test with. Their number is
//! bounded by the open files the kernel allows; at that bound the rest waits in the listening socket's queue.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use slab::Slab;
use socket2::{Domain, Protocol, Socket, Type};

use super::buffer::Spare;
use super::connection::{After, Connection, Next, Wire};
use super::deadlines::Deadlines;
use crate::net::os;

/// Connections the kernel queues for accepting (it has a bound of its own, `net.core.somaxconn`).
const BACKLOG: i32 = 4096;
/// Connections accepted before those that are open get their turn.
const ACCEPT_BATCH: usize = 64;
/// Events taken from the kernel at once.
const EVENTS_MAX: usize = 1024;
/// How long to leave the listening socket alone when the kernel is out of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long to go on reading after the last answer, so that bytes still on their way do not make the kernel
/// reset the connection and take that answer from the client (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_secs(5);

const LISTENER: Token = Token(usize::MAX);
const STOP: Token = Token(usize::MAX - 1);

/// What a backend says. One value serves all connections; what belongs to one of them lives in its `Session`.
pub trait Service {
    /// What is remembered of one connection.
    type Session;

    /// A connection has been accepted.
    fn open(&mut self) -> Self::Session;

    /// Consumes what it can of the input, writes what it can into the output, and says what it waits for.
    fn advance(&mut self, session: &mut Self::Session, wire: &mut Wire) -> Next;
}

/// A bound listening socket, and the poll that will run its connections.
pub struct Server {
    poll: Poll,
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Listens on `address`; with port 0 the kernel picks one.
    ///
    /// # Errors
    /// The kernel's: the address is in use, not local, or not ours to use.
    pub fn bind(address: SocketAddr) -> io::Result<Server> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let mut listener = TcpListener::from_std(socket.into());
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let address = listener.local_addr()?;
        Ok(Server { poll, listener, address })
    }

    /// Where it listens, with the port that was picked.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves on this thread, until the process ends.
    ///
    /// # Errors
    /// The kernel's, from polling; nothing a connection does ends the loop.
    pub fn run(self, service: impl Service) -> io::Result<()> {
        Loop::new(self, service).run()
    }

    /// Serves on a thread of its own, until the returned handle stops it.
    ///
    /// # Errors
    /// The kernel's, if it grants no thread or no descriptor to wake it with.
    pub fn spawn(self, service: impl Service + Send + 'static) -> io::Result<Running> {
        let address = self.address;
        let waker = Waker::new(self.poll.registry(), STOP)?;
        let thread = std::thread::Builder::new()
            .name(format!("backend {address}"))
            .spawn(move || self.run(service))?;
        Ok(Running { address, waker, thread: Some(thread) })
    }
}

/// A server on its own thread. Dropping it stops it.
pub struct Running {
    address: SocketAddr,
    waker: Waker,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting, closes every connection, and waits for the thread to end.
    ///
    /// # Errors
    /// What ended the loop, if it was not this.
    pub fn stop(mut self) -> io::Result<()> {
        self.join()
    }

    fn join(&mut self) -> io::Result<()> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        self.waker.wake()?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the backend's thread panicked")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.join() {
            log::warn!("backend {}: {error}", self.address);
        }
    }
}

/// A connection and what the service remembers of it.
struct Served<S> {
    connection: Connection,
    session: S,
    /// The service is done: until then, what still comes in is read and dropped.
    linger_until: Option<Instant>,
    /// The one deadline that counts; others in the heap are outdated.
    wake_at: Option<Instant>,
}

struct Loop<S: Service> {
    poll: Poll,
    listener: TcpListener,
    service: S,
    connections: Slab<Served<S::Session>>,
    spare: Spare,
    deadlines: Deadlines,
    /// Connections that spent their budget.
    run_queue: Vec<usize>,
    /// The listening socket may have more, whether or not the kernel says so again.
    acceptable: bool,
    accept_after: Option<Instant>,
}

impl<S: Service> Loop<S> {
    fn new(server: Server, service: S) -> Self {
        Loop {
            poll: server.poll,
            listener: server.listener,
            service,
            connections: Slab::new(),
            spare: Spare::default(),
            deadlines: Deadlines::default(),
            run_queue: Vec::new(),
            acceptable: true,
            accept_after: None,
        }
    }

    fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        loop {
            let timeout = self.timeout(os::now());
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            let now = os::now();
            // Accepting comes last: an event in this batch for a slot freed meanwhile finds it empty, not reused.
            for event in &events {
                match event.token() {
                    STOP => return Ok(()),
                    LISTENER => self.acceptable = true,
                    Token(key) => self.ready(key, event, now),
                }
            }
            self.expire(now);
            for key in std::mem::take(&mut self.run_queue) {
                self.turn(key, now);
            }
            self.accept(now);
        }
    }

    fn timeout(&self, now: Instant) -> Option<Duration> {
        if !self.run_queue.is_empty() {
            return Some(Duration::ZERO);
        }
        let accept = match self.accept_after {
            Some(moment) => Some(moment.saturating_duration_since(now)),
            None => self.acceptable.then_some(Duration::ZERO),
        };
        accept.into_iter().chain(self.deadlines.until_next(now)).min()
    }

    fn ready(&mut self, key: usize, event: &Event, now: Instant) {
        if let Some(served) = self.connections.get_mut(key) {
            served.connection.note(event);
            self.turn(key, now);
        }
    }

    fn expire(&mut self, now: Instant) {
        while let Some((moment, key)) = self.deadlines.expired(now) {
            if self.connections.get(key).is_some_and(|served| served.wake_at == Some(moment)) {
                self.turn(key, now);
            }
        }
    }

    /// Gives a connection its turn and files it by what it waits for then. The only place where one is closed.
    fn turn(&mut self, key: usize, now: Instant) {
        let Some(served) = self.connections.get_mut(key) else { return };
        match served.turn(&mut self.service, &mut self.spare, now) {
            Ok(After::Event) => {}
            Ok(After::Turn) => self.run_queue.push(key),
            Ok(After::At(moment)) if served.wake_at == Some(moment) => {}
            Ok(After::At(moment)) => {
                served.wake_at = Some(moment);
                self.deadlines.arm(moment, key);
            }
            Ok(After::Closed) => drop(self.connections.remove(key)),
            Err(error) => {
                log::debug!("connection lost: {error}");
                self.connections.remove(key);
            }
        }
    }

    fn accept(&mut self, now: Instant) {
        if self.accept_after.is_some_and(|moment| now < moment) {
            return;
        }
        let was_paused = self.accept_after.take().is_some();
        for _ in 0..ACCEPT_BATCH {
            if !self.acceptable {
                return;
            }
            match self.listener.accept() {
                Ok((stream, peer)) => self.open(stream, peer),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.acceptable = false,
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    // The kernel has no new edge for us here, and asking again at once would only spin.
                    if !was_paused {
                        log::warn!("accept: {error}; pausing between attempts");
                    }
                    self.accept_after = Some(now + ACCEPT_PAUSE);
                    return;
                }
            }
        }
    }

    fn open(&mut self, stream: TcpStream, peer: SocketAddr) {
        // Nagle's algorithm would hold back the last part of an answer.
        let _ = stream.set_nodelay(true);
        let entry = self.connections.vacant_entry();
        match Connection::register(stream, self.poll.registry(), Token(entry.key())) {
            Ok(connection) => {
                log::debug!("{peer} connected");
                let session = self.service.open();
                entry.insert(Served { connection, session, linger_until: None, wake_at: None });
            }
            Err(error) => log::warn!("{peer}: {error}"),
        }
    }
}

impl<T> Served<T> {
    fn turn<S>(&mut self, service: &mut S, spare: &mut Spare, now: Instant) -> io::Result<After>
    where
        S: Service<Session = T>,
    {
        if self.linger_until.is_none() {
            let session = &mut self.session;
            let after = self.connection.turn(now, spare, |wire| service.advance(session, wire))?;
            if after != After::Closed {
                return Ok(after);
            }
            self.connection.finish();
        }
        let linger_until = *self.linger_until.get_or_insert(now + LINGER);
        match self.connection.discard(spare)? {
            _ if now >= linger_until => Ok(After::Closed),
            After::Event => Ok(After::At(linger_until)),
            after => Ok(after),
        }
    }
}

/// Whether accepting failed for one client that gave up, and not for want of something here.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted)
}
