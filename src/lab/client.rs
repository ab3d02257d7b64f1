//! The loop of a client: holds many [`Conversation`]s with one server at once, and tallies how they went.
//!
//! What goes wrong on one connection is counted by its cause and concerns no other.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::IpBindAddressNoPort;
use slab::Slab;
use socket2::{Domain, Protocol, Socket, Type};

use super::connection::{After, Connection, Next, SOCKET_OPTIONS, Wire, buffers};
use super::report::{Progress, Tally};
use crate::net::os::{self, OsNet};
use crate::net::{Event, Net, Socket as _};
use crate::relay::BufferPool;
use crate::timers::Timers;
use crate::token::Token;

/// Connections being opened at once: more would only overflow the server's queue, and be sent again a second later.
const CONNECTING_MAX: usize = 256;

/// What a client says and expects on one connection.
pub trait Conversation {
    /// Consumes what it can of the input, writes what it can into the output, counts what that shows, and says what it
    /// waits for: input, room, or nothing more. Not asked again once it has said [`Next::Close`].
    fn advance(&mut self, wire: &mut Wire, tally: &mut Tally) -> Next;
}

/// Where to connect, how often, and for how long to wait.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server.
    pub server: SocketAddr,
    /// Addresses to connect from, in turn; empty to let the kernel choose. Of the server's family.
    pub sources: Vec<IpAddr>,
    /// Connections to hold open at once. One whose conversation is over makes room for the next conversation; when
    /// there is none left, it stays open until all are over.
    pub connections: usize,
    /// How long a connection may make no progress.
    pub timeout: Duration,
}

/// Holds all `conversations` and adds to `tally` what they find.
///
/// # Errors
/// The kernel's, from polling; nothing a connection does ends the run.
pub fn run<C: Conversation>(
    plan: &Plan,
    conversations: impl Iterator<Item = C>,
    tally: &mut Tally,
) -> io::Result<()> {
    let driver = Driver {
        plan,
        conversations,
        tally,
        net: OsNet::new(SOCKET_OPTIONS)?.0,
        lanes: Slab::with_capacity(plan.connections),
        finished: Vec::new(),
        connecting: 0,
        opened: 0,
        buffers: buffers(),
        timers: Timers::default(),
        run_queue: Vec::new(),
    };
    driver.run()
}

/// A connection and the conversation held on it.
struct Lane<C> {
    connection: Connection,
    conversation: C,
    stage: Stage,
    progressed_at: Instant,
    /// In the run queue: at most once.
    queued: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    Talking,
    /// The conversation said so; the connection stays open as long as nobody needs its place.
    Over,
}

struct Driver<'a, C, I> {
    plan: &'a Plan,
    conversations: I,
    tally: &'a mut Tally,
    net: OsNet,
    lanes: Slab<Lane<C>>,
    /// The lanes that are over.
    finished: Vec<usize>,
    connecting: usize,
    /// Conversations begun.
    opened: usize,
    buffers: BufferPool,
    timers: Timers,
    /// Connections that spent their budget.
    run_queue: Vec<usize>,
}

impl<C: Conversation, I: Iterator<Item = C>> Driver<'_, C, I> {
    fn run(mut self) -> io::Result<()> {
        let mut events = Vec::new();
        let mut progress = Progress::new(self.tally.expected(), os::now());
        self.open_more(os::now());
        while self.lanes.len() > self.finished.len() {
            let now = os::now();
            progress.show(self.tally.counted(), now);
            let wake_at = if self.run_queue.is_empty() { self.timers.next() } else { Some(now) };
            self.net.poll(&mut events, wake_at.map(|at| at.saturating_duration_since(now)))?;
            for event in &events {
                if let Token::Client(id) = event.token {
                    self.ready(id.slot as usize, event);
                }
            }
            for key in std::mem::take(&mut self.run_queue) {
                if let Some(lane) = self.lanes.get_mut(key) {
                    lane.queued = false;
                    self.turn(key);
                }
            }
            self.expire(os::now());
            // Opening comes last: an event in this batch for a slot freed meanwhile finds it empty, not reused.
            self.open_more(os::now());
        }
        Ok(())
    }

    /// Begins conversations for as long as there are any and there is room for their connections.
    fn open_more(&mut self, now: Instant) {
        while self.connecting < CONNECTING_MAX {
            if self.lanes.len() == self.plan.connections && self.finished.is_empty() {
                return;
            }
            let Some(conversation) = self.conversations.next() else { return };
            if self.lanes.len() == self.plan.connections
                && let Some(key) = self.finished.pop()
            {
                self.lanes.remove(key).connection.close(&mut self.buffers);
            }
            if let Err(error) = self.open(conversation, now) {
                self.tally.fault(&format!("connect: {error}"));
            }
        }
    }

    fn open(&mut self, conversation: C, now: Instant) -> io::Result<()> {
        let source = match self.plan.sources.len() {
            0 => None,
            count => Some(self.plan.sources[self.opened % count]),
        };
        self.opened += 1;
        let stream = connect(self.plan.server, source)?;
        let entry = self.lanes.vacant_entry();
        let key = entry.key();
        let connection = Connection::register(stream, &mut self.net, key)?;
        let stage = Stage::Connecting;
        entry.insert(Lane { connection, conversation, stage, progressed_at: now, queued: false });
        self.timers.arm(key as u32, now + self.plan.timeout);
        self.connecting += 1;
        Ok(())
    }

    fn ready(&mut self, key: usize, event: &Event) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        lane.connection.note(event);
        if lane.stage == Stage::Connecting {
            if !lane.connection.writable() {
                return;
            }
            if let Err(error) = lane.connection.stream().connected(self.plan.server, event.error) {
                return self.fail(key, &format!("connect: {error}"));
            }
            lane.stage = Stage::Talking;
            lane.progressed_at = os::now();
            self.connecting -= 1;
        }
        if !lane.queued {
            self.turn(key);
        }
    }

    fn turn(&mut self, key: usize) {
        let Some(lane) = self.lanes.get_mut(key).filter(|lane| lane.stage == Stage::Talking) else { return };
        let now = os::now();
        let moved_bytes = lane.connection.moved_bytes();
        let mut over = false;
        let after = lane.connection.turn(now, &mut self.buffers, |wire| {
            let next = if over { Next::Close } else { lane.conversation.advance(wire, self.tally) };
            over |= next == Next::Close;
            next
        });
        if lane.connection.moved_bytes() != moved_bytes {
            lane.progressed_at = now;
        }
        match after {
            _ if over => {
                lane.stage = Stage::Over;
                self.finished.push(key);
            }
            Ok(After::Event | After::At(_)) => {}
            Ok(After::Turn) => {
                lane.queued = true;
                self.run_queue.push(key);
            }
            Ok(After::Closed) => self.fail(key, "the connection was closed early"),
            Err(error) => self.fail(key, &error.to_string()),
        }
    }

    fn expire(&mut self, now: Instant) {
        while let Some(slot) = self.timers.pop_due(now) {
            let key = slot as usize;
            let Some(lane) = self.lanes.get(key).filter(|lane| lane.stage != Stage::Over) else { continue };
            let fails_at = lane.progressed_at + self.plan.timeout;
            if fails_at > now {
                self.timers.arm(slot, fails_at);
            } else {
                self.fail(key, &format!("no progress for {} ms", self.plan.timeout.as_millis()));
            }
        }
    }

    fn fail(&mut self, key: usize, cause: &str) {
        self.tally.fault(cause);
        let lane = self.lanes.remove(key);
        if lane.stage == Stage::Connecting {
            self.connecting -= 1;
        }
        lane.connection.close(&mut self.buffers);
    }
}

/// Begins to connect; an event will tell how that went.
pub(super) fn connect(server: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = socket(server, source)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&server.into()) {
        Err(error) if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {
            Err(error)
        }
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

/// A socket to connect to `server` with, from `source` if there is one.
pub(super) fn socket(server: SocketAddr, source: Option<IpAddr>) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    if let Some(source) = source {
        // The port is chosen by the connect, which may share it among servers: thousands of connections from one address
        // would otherwise search longer and longer for a free one.
        setsockopt(&socket, IpBindAddressNoPort, &true)?;
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    Ok(socket)
}
