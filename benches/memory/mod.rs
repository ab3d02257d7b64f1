//! A network in memory: no kernel, no clock, nothing that differs between two runs. As lean as it can be, so that what
//! is measured on it is the proxy.
//!
//! One client is connected at a time. It says what it has to say when it is told to; a backend answers whatever is
//! written to it. Time stands still until it is told to pass, and then passes in whole seconds: where in its second the
//! clock started is never seen.

#![allow(dead_code, reason = "each benchmark that includes it uses what it needs")]

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lbproxy::balance::policy::{self, Seed};
use lbproxy::balance::{Balancer, Pool};
use lbproxy::config::{self, Config, Overrides};
use lbproxy::ctx::Ctx;
use lbproxy::net::{Duct, Event, Net, Socket, os};
use lbproxy::proxy::Proxy;
use lbproxy::token::Token;

/// The same lots in every run.
const SEED: Seed = Seed { worker: 0, random: 1 };
const LISTENER: Token = Token::Listener(0);

/// Who is at the other end of a socket.
#[derive(Clone, Copy)]
pub enum Peer {
    /// Says this, all at once: as soon as it is connected, and whenever it is told to. It finishes when it hears the
    /// proxy's end.
    Client(&'static [u8]),
    /// Answers this to whatever is written to it, taken for all that will come.
    Backend(&'static [u8]),
    /// The same, and finishes with its answer.
    LastWords(&'static [u8]),
}

impl Peer {
    fn message(self) -> &'static [u8] {
        match self {
            Peer::Client(message) | Peer::Backend(message) | Peer::LastWords(message) => message,
        }
    }
}

/// What the proxy's sockets have in common, and the benchmark sees.
pub struct World {
    now: Cell<Instant>,
    /// Clients that have not been accepted yet.
    arrivals: Cell<usize>,
    /// The client that is connected.
    client: Cell<Option<Token>>,
    /// It was told to say its message once more.
    asked: Cell<bool>,
    heard_bytes: Cell<u64>,
    pending: RefCell<Vec<Event>>,
}

impl World {
    pub fn new() -> Rc<World> {
        Rc::new(World {
            now: Cell::new(os::now()),
            arrivals: Cell::new(0),
            client: Cell::new(None),
            asked: Cell::new(false),
            heard_bytes: Cell::new(0),
            pending: RefCell::default(),
        })
    }

    /// Bytes that clients got, ever.
    pub fn heard_bytes(&self) -> u64 {
        self.heard_bytes.get()
    }

    fn report(&self, event: Event) {
        self.pending.borrow_mut().push(event);
    }

    fn is_quiet(&self) -> bool {
        self.pending.borrow().is_empty()
    }
}

/// An event that says that anything may be possible.
pub fn ready(token: Token) -> Event {
    Event { token, readable: true, writable: true, read_closed: false, error: false }
}

/// The proxy's end of a connection.
pub struct MemorySocket {
    world: Rc<World>,
    peer: Peer,
    unread: Cell<&'static [u8]>,
    /// The peer has finished.
    ended: Cell<bool>,
    token: Cell<Option<Token>>,
}

impl MemorySocket {
    /// Connected to a peer that has yet to say something.
    pub fn new(peer: Peer, world: &Rc<World>) -> MemorySocket {
        let (unread, ended, token) = (Cell::default(), Cell::default(), Cell::default());
        MemorySocket { world: world.clone(), peer, unread, ended, token }
    }

    /// The peer says what it has to say.
    pub fn say(&self) {
        self.unread.set(self.peer.message());
    }

    fn finish(&self) {
        self.ended.set(true);
    }

    /// What has changed, if anybody wants to hear of it.
    fn report(&self) {
        if let Some(token) = self.token.get() {
            // The end is announced along with what comes before it, as the kernel would.
            self.world.report(Event { read_closed: self.ended.get(), ..ready(token) });
        }
    }
}

impl Read for MemorySocket {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        if matches!(self.peer, Peer::Client(_)) && self.world.asked.take() {
            self.say();
        }
        let unread = self.unread.get();
        let (now, later) = unread.split_at(space.len().min(unread.len()));
        if now.is_empty() && !self.ended.get() {
            return Err(ErrorKind::WouldBlock.into());
        }
        space[..now.len()].copy_from_slice(now);
        self.unread.set(later);
        Ok(now.len())
    }
}

impl Write for MemorySocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = black_box(bytes).len();
        match self.peer {
            Peer::Client(_) => self.world.heard_bytes.set(self.world.heard_bytes.get() + count as u64),
            Peer::Backend(_) => {
                self.say();
                self.report();
            }
            Peer::LastWords(_) => {
                self.say();
                self.finish();
                self.report();
            }
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for MemorySocket {
    fn connected(&self, _target: SocketAddr, _error: bool) -> io::Result<()> {
        Ok(())
    }

    fn complete_handshake(&self) -> io::Result<()> {
        Ok(())
    }

    fn write_last(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write(bytes)
    }

    fn splice_in(&mut self, _: &Duct, _: usize) -> io::Result<usize> {
        Err(ErrorKind::Unsupported.into())
    }

    fn splice_out(&mut self, _: &Duct, _: usize) -> io::Result<usize> {
        Err(ErrorKind::Unsupported.into())
    }

    fn shutdown_write(&self) -> io::Result<()> {
        if matches!(self.peer, Peer::Client(_)) {
            self.finish();
            self.report();
        }
        Ok(())
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(None)
    }

    fn unsent_bytes(&self) -> io::Result<usize> {
        Ok(0)
    }

    fn reset_on_close(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Where clients of one kind arrive, and backends of one kind are found.
pub struct MemoryNet {
    world: Rc<World>,
    client: Peer,
    backend: Peer,
}

impl Net for MemoryNet {
    type Socket = MemorySocket;
    type Listener = ();

    fn now(&self) -> Instant {
        self.world.now.get()
    }

    fn poll(&mut self, events: &mut Vec<Event>, _timeout: Option<Duration>) -> io::Result<()> {
        events.clear();
        std::mem::swap(events, &mut *self.world.pending.borrow_mut());
        Ok(())
    }

    fn register_listener(&mut self, (): &mut (), _token: Token) -> io::Result<()> {
        Ok(())
    }

    fn accept(&mut self, (): &()) -> io::Result<(MemorySocket, SocketAddr)> {
        let left = self.world.arrivals.get().checked_sub(1).ok_or(ErrorKind::WouldBlock)?;
        self.world.arrivals.set(left);
        let socket = MemorySocket::new(self.client, &self.world);
        socket.say();
        Ok((socket, (Ipv4Addr::LOCALHOST, 4000).into()))
    }

    fn connect(&mut self, _address: SocketAddr) -> io::Result<MemorySocket> {
        Ok(MemorySocket::new(self.backend, &self.world))
    }

    fn watch(&self, _: &MemorySocket) -> io::Result<()> {
        Ok(())
    }

    fn register(&mut self, socket: &mut MemorySocket, token: Token) -> io::Result<()> {
        socket.token.set(Some(token));
        if let Peer::Client(_) = socket.peer {
            self.world.client.set(Some(token));
        }
        // To a backend, that is the end of the connect.
        socket.report();
        Ok(())
    }
}

/// A proxy on a network in memory.
pub struct Rig {
    pub world: Rc<World>,
    pub proxy: Proxy<MemoryNet>,
}

impl Rig {
    /// In this `mode` (`tcp` or `http`), with two backends and nobody connected.
    pub fn new(mode: &str, client: Peer, backend: Peer) -> Rig {
        let config = configuration(mode, "round_robin", 2);
        let world = World::new();
        let balancer = balancer(&config, world.now.get());
        let net = MemoryNet { world: world.clone(), client, backend };
        let max_connections = config.limits.max_connections;
        let ctx = Ctx::new(net, vec![balancer], Arc::new(config));
        let proxy = Proxy::new(ctx, vec![((), 0)], max_connections).expect("nothing to fail");
        Rig { world, proxy }
    }

    /// A client connects and says its message. Returns when everybody waits.
    pub fn connect(&mut self) {
        // As many timers fall due as in a life where time passes.
        self.world.now.set(self.world.now.get() + Duration::from_secs(1));
        self.world.arrivals.set(1);
        self.world.report(ready(LISTENER));
        self.settle();
    }

    /// The client says its message once more. Returns when everybody waits.
    pub fn ask(&mut self) {
        self.world.asked.set(true);
        self.world.report(ready(self.world.client.get().expect("a client that is connected")));
        self.settle();
    }

    fn settle(&mut self) {
        while !self.world.is_quiet() {
            self.proxy.turn().expect("nothing to fail");
        }
    }
}

/// What flags alone would configure: one frontend, and a pool of backends of equal weight.
pub fn configuration(mode: &str, policy: &str, backends: u16) -> Config {
    let overrides = Overrides {
        port: Some(8080),
        backends: (0..backends).map(|number| format!("127.0.0.1:{}", 9001 + number)).collect(),
        policy: Some(policy.to_owned()),
        mode: Some(mode.to_owned()),
        ..Overrides::default()
    };
    let policies: Vec<&str> = policy::names().collect();
    let keyed: Vec<&str> = policy::keyed().collect();
    let (fd_limit, somaxconn, lookup) = (u64::MAX, u32::MAX, &config::system_lookup);
    let host = config::Host { policies: &policies, keyed: &keyed, fd_limit, somaxconn, lookup };
    config::load(None, &overrides, &host).expect("a valid configuration").config
}

/// A worker's way into the pool of a [`configuration`].
pub fn balancer(config: &Config, now: Instant) -> Balancer {
    let pool = Arc::new(Pool::new(&config.pools[0], &config.timeouts, now));
    let policy = policy::build(config.pools[0].policy, SEED).expect("a registered policy");
    Balancer::new(pool, policy)
}
