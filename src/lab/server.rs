//! The loop of a backend: accepts connections and lets a [`Service`] answer on each of them.
//!
//! A connection may stay silent for as long as its peer likes: these are servers to test with. Their number is
//! bounded by the open files the kernel allows; at that bound the rest waits in the listening socket's queue.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::Waker;
use mio::net::{TcpListener, TcpStream};
use slab::Slab;

use super::connection::{After, Connection, Next, SOCKET_OPTIONS, Wire, buffers};
use super::stats::{Counts, Journal};
use crate::config::Listen;
use crate::net::os::{self, OsNet};
use crate::net::{Event, Net, concerns_one_connection};
use crate::relay::BufferPool;
use crate::timers::Timers;
use crate::token::Token;

/// Connections the kernel queues for accepting (it has a bound of its own, `net.core.somaxconn`).
const BACKLOG: u32 = 4096;
/// Connections accepted before those that are open get their turn.
const ACCEPT_BATCH: usize = 64;
/// How long to leave the listening socket alone when the kernel is out of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long to go on reading after the last answer, so that bytes still on their way do not make the kernel
/// reset the connection and take that answer from the client (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_secs(5);

/// What a backend says. One value serves all connections; what belongs to one of them lives in its `Session`.
pub trait Service {
    /// What is remembered of one connection.
    type Session;

    /// A connection has been accepted.
    fn open(&mut self) -> Self::Session;

    /// Consumes what it can of the input, writes what it can into the output, and says what it waits for.
    fn advance(&mut self, session: &mut Self::Session, wire: &mut Wire) -> Next;

    /// The connection is gone, whether or not the service was done with it.
    fn closed(&mut self, _session: Self::Session, _now: Instant) {}

    /// What it counts, if it does: for a [`Journal`]. Of a service that does not, connections are told.
    fn counts(&mut self) -> Option<&mut Counts> {
        None
    }
}

/// A bound listening socket, and the event queue that will run its connections.
pub struct Server {
    net: OsNet,
    waker: Waker,
    listener: TcpListener,
    address: SocketAddr,
    journal: Option<Journal>,
}

impl Server {
    /// Listens on `address`; with port 0 the kernel picks one.
    ///
    /// # Errors
    /// The kernel's: the address is in use, not local, or not ours to use.
    pub fn bind(address: SocketAddr) -> io::Result<Server> {
        let listen = Listen { address, dual_stack: address.is_ipv6() && address.ip().is_unspecified() };
        let mut listener = os::listen(listen, BACKLOG, 1, &SOCKET_OPTIONS)?.remove(0);
        let (mut net, waker) = OsNet::new(SOCKET_OPTIONS)?;
        net.register_listener(&mut listener, Token::Listener(0))?;
        let address = listener.local_addr()?;
        Ok(Server { net, waker, listener, address, journal: None })
    }

    /// Where it listens, with the port that was picked.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Tells of itself in a journal.
    pub fn with_journal(self, journal: Journal) -> Server {
        Server { journal: Some(journal), ..self }
    }

    /// Serves on this thread, until the process ends.
    ///
    /// # Errors
    /// The kernel's, from polling; nothing a connection does ends the loop.
    pub fn run(self, service: impl Service) -> io::Result<()> {
        // Nobody holds the waker: this ends with the process.
        Loop::new(self.net, self.listener, service, self.journal).run()
    }

    /// Serves on a thread of its own, until the returned handle stops it.
    ///
    /// # Errors
    /// The kernel's, if it grants no thread.
    pub fn spawn(self, service: impl Service + Send + 'static) -> io::Result<Running> {
        let Server { net, waker, listener, address, journal } = self;
        let thread = std::thread::Builder::new()
            .name(format!("backend {address}"))
            .spawn(move || Loop::new(net, listener, service, journal).run())?;
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
    /// In the run queue: at most once.
    queued: bool,
}

struct Loop<S: Service> {
    net: OsNet,
    listener: TcpListener,
    service: S,
    connections: Slab<Served<S::Session>>,
    buffers: BufferPool,
    timers: Timers,
    /// Connections that spent their budget.
    run_queue: Vec<usize>,
    /// The listening socket may have more, whether or not the kernel says so again.
    acceptable: bool,
    accept_after: Option<Instant>,
    journal: Option<Journal>,
    /// Connections accepted so far.
    accepted: u64,
    /// What is told of a service that counts nothing itself: its connections.
    connection_counts: Counts,
}

impl<S: Service> Loop<S> {
    fn new(net: OsNet, listener: TcpListener, service: S, journal: Option<Journal>) -> Self {
        Loop {
            net,
            listener,
            service,
            connections: Slab::new(),
            buffers: buffers(),
            timers: Timers::default(),
            run_queue: Vec::new(),
            acceptable: true,
            accept_after: None,
            journal,
            accepted: 0,
            connection_counts: Counts::default(),
        }
    }

    fn run(mut self) -> io::Result<()> {
        let mut events = Vec::new();
        loop {
            let timeout = self.timeout(os::now());
            self.net.poll(&mut events, timeout)?;
            let now = os::now();
            // Accepting comes last: an event in this batch for a slot freed meanwhile finds it empty, not reused.
            for event in &events {
                match event.token {
                    Token::Waker => return Ok(()),
                    Token::Listener(_) => self.acceptable = true,
                    Token::Client(id) => self.ready(id.slot as usize, event, now),
                    // A server connects to nobody.
                    Token::Backend(_) | Token::Probe { .. } | Token::Desk { .. } => {}
                }
            }
            self.expire(now);
            for key in std::mem::take(&mut self.run_queue) {
                if let Some(served) = self.connections.get_mut(key) {
                    served.queued = false;
                    self.turn(key, now);
                }
            }
            self.accept(now);
            self.tell(now);
        }
    }

    /// Writes a line of the journal, if there is one and it is due.
    fn tell(&mut self, now: Instant) {
        let Some(journal) = self.journal.as_mut().filter(|journal| journal.due_at() <= now) else { return };
        let counts = match self.service.counts() {
            Some(counts) => counts,
            None => &mut self.connection_counts,
        };
        journal.write(self.accepted, self.connections.len(), counts, now);
    }

    fn timeout(&self, now: Instant) -> Option<Duration> {
        if !self.run_queue.is_empty() {
            return Some(Duration::ZERO);
        }
        let accept = self.accept_after.or(self.acceptable.then_some(now));
        let journal = self.journal.as_ref().map(Journal::due_at);
        let next = accept.into_iter().chain(self.timers.next()).chain(journal).min()?;
        Some(next.saturating_duration_since(now))
    }

    fn ready(&mut self, key: usize, event: &Event, now: Instant) {
        if let Some(served) = self.connections.get_mut(key) {
            served.connection.note(event);
            if !served.queued {
                self.turn(key, now);
            }
        }
    }

    fn expire(&mut self, now: Instant) {
        // A turn that comes too early, for an entry of the slot's last tenant, asks for its moment again.
        while let Some(slot) = self.timers.pop_due(now) {
            self.turn(slot as usize, now);
        }
    }

    /// Gives a connection its turn and files it by what it waits for then. The only place where one is closed.
    fn turn(&mut self, key: usize, now: Instant) {
        let Some(served) = self.connections.get_mut(key) else { return };
        match served.turn(&mut self.service, &mut self.buffers, now) {
            Ok(After::Event) => return,
            Ok(After::Turn) if served.queued => return,
            Ok(After::Turn) => {
                served.queued = true;
                return self.run_queue.push(key);
            }
            Ok(After::At(moment)) => return self.timers.arm(key as u32, moment),
            Ok(After::Closed) => {}
            Err(error) => log::debug!("connection lost: {error}"),
        }
        let served = self.connections.remove(key);
        served.connection.close(&mut self.buffers);
        self.service.closed(served.session, now);
        self.connection_counts.in_flight.change(-1, now);
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
                Ok((stream, peer)) => self.open(stream, peer, now),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.acceptable = false,
                Err(error) if concerns_one_connection(&error) => {}
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

    fn open(&mut self, stream: TcpStream, peer: SocketAddr, now: Instant) {
        let entry = self.connections.vacant_entry();
        match Connection::register(stream, &mut self.net, entry.key()) {
            Ok(connection) => {
                log::debug!("{peer} connected");
                let session = self.service.open();
                entry.insert(Served { connection, session, linger_until: None, queued: false });
                self.accepted += 1;
                self.connection_counts.requests += 1;
                self.connection_counts.in_flight.change(1, now);
            }
            Err(error) => log::warn!("{peer}: {error}"),
        }
    }
}

impl<T> Served<T> {
    fn turn<S>(&mut self, service: &mut S, buffers: &mut BufferPool, now: Instant) -> io::Result<After>
    where
        S: Service<Session = T>,
    {
        if self.linger_until.is_none() {
            let session = &mut self.session;
            let after = self.connection.turn(now, buffers, |wire| service.advance(session, wire))?;
            if after != After::Closed {
                return Ok(after);
            }
            self.connection.finish();
        }
        let linger_until = *self.linger_until.get_or_insert(now + LINGER);
        match self.connection.discard(buffers)? {
            _ if now >= linger_until => Ok(After::Closed),
            After::Event => Ok(After::At(linger_until)),
            after => Ok(after),
        }
    }
}
