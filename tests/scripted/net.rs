//! A network that does what a script says: deterministic, strictly edge-triggered, on a clock that stands still until
//! it is told to move.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use lbproxy::net::{Duct, Event, Net, Socket};
use lbproxy::token::Token;

use super::wire::{Connect, Wire};

/// Calls on sockets that the proxy may make before it waits: more is a loop that waits for what cannot happen in it.
const CALLS_MAX: usize = 5_000;

/// What a kernel pipe holds at least.
const DUCT_BYTES: usize = 64 * 1024;

/// Everything there is: connections, the clients that wait to be accepted, and what the proxy is up to.
pub struct World {
    /// The clients', in the order they came, and the backends', in the order the proxy made them.
    pub wires: Vec<Wire>,
    pub backend_wires: Vec<usize>,
    /// Whether the next connects are refused, in order; those beyond are accepted.
    pub refusals: VecDeque<bool>,
    /// How many bytes new peers take in all.
    pub window: usize,
    arrivals: VecDeque<usize>,
    listener: Option<Token>,
    listener_edge: bool,
    pub now: Instant,
    /// The last wait of the proxy found nothing to do, and would have taken so long.
    pub waits: Option<Option<Duration>>,
    calls: usize,
}

pub type Shared = Rc<RefCell<World>>;

impl World {
    pub fn new(now: Instant, refusals: VecDeque<bool>) -> Shared {
        Rc::new(RefCell::new(World {
            wires: Vec::new(),
            backend_wires: Vec::new(),
            refusals,
            window: usize::MAX,
            arrivals: VecDeque::new(),
            listener: None,
            listener_edge: false,
            now,
            waits: None,
            calls: 0,
        }))
    }

    /// A client connects. Returns its wire.
    pub fn arrive(&mut self, address: SocketAddr) -> usize {
        self.wires.push(Wire::new(address, Connect::Established, self.window));
        self.arrivals.push_back(self.wires.len() - 1);
        self.listener_edge = true;
        self.wires.len() - 1
    }
}

pub struct ScriptNet(pub Shared);

impl Net for ScriptNet {
    type Socket = ScriptSocket;
    type Listener = ();

    fn now(&self) -> Instant {
        self.0.borrow().now
    }

    /// Reports every edge since the last time. With none, and no work left, this returns at once like an interrupted
    /// wait: the script goes on, and decides whether time passes.
    fn poll(&mut self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<()> {
        events.clear();
        let mut world = self.0.borrow_mut();
        if let Some(token) = world.listener
            && std::mem::take(&mut world.listener_edge)
        {
            events.push(Event { token, readable: true, writable: false, read_closed: false, error: false });
        }
        for wire in &mut world.wires {
            let Some(token) = wire.token.filter(|_| !wire.closed) else { continue };
            wire.settle_connect();
            let edge = std::mem::take(&mut wire.edge);
            if edge.any() {
                events.push(edge.event(token));
            }
        }
        world.waits = (events.is_empty() && timeout != Some(Duration::ZERO)).then_some(timeout);
        if world.waits.is_some() {
            world.calls = 0;
        }
        Ok(())
    }

    fn register_listener(&mut self, (): &mut (), token: Token) -> io::Result<()> {
        self.0.borrow_mut().listener = Some(token);
        Ok(())
    }

    fn accept(&mut self, (): &()) -> io::Result<(ScriptSocket, SocketAddr)> {
        let mut world = self.0.borrow_mut();
        let wire = world.arrivals.pop_front().ok_or(io::ErrorKind::WouldBlock)?;
        Ok((ScriptSocket { world: self.0.clone(), wire }, world.wires[wire].address))
    }

    fn connect(&mut self, address: SocketAddr) -> io::Result<ScriptSocket> {
        let mut world = self.0.borrow_mut();
        let refused = world.refusals.pop_front().unwrap_or(false);
        let connect = if refused { Connect::Refuses } else { Connect::Accepts };
        let window = world.window;
        world.wires.push(Wire::new(address, connect, window));
        let wire = world.wires.len() - 1;
        world.backend_wires.push(wire);
        Ok(ScriptSocket { world: self.0.clone(), wire })
    }

    fn watch(&self, _: &ScriptSocket) -> io::Result<()> {
        Ok(())
    }

    fn register(&mut self, socket: &mut ScriptSocket, token: Token) -> io::Result<()> {
        socket.call(|wire| wire.register(token));
        Ok(())
    }
}

pub struct ScriptSocket {
    world: Shared,
    wire: usize,
}

impl ScriptSocket {
    fn call<T>(&self, call: impl FnOnce(&mut Wire) -> T) -> T {
        let mut world = self.world.borrow_mut();
        world.calls += 1;
        assert!(world.calls < CALLS_MAX, "{CALLS_MAX} calls on sockets without a wait");
        call(&mut world.wires[self.wire])
    }
}

impl Read for ScriptSocket {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.call(|wire| wire.read(space))
    }
}

impl Write for ScriptSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.call(|wire| wire.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for ScriptSocket {
    fn shutdown_write(&self) -> io::Result<()> {
        self.call(Wire::shutdown_write)
    }

    fn write_last(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write(bytes)
    }

    fn splice_in(&mut self, duct: &Duct, most_bytes: usize) -> io::Result<usize> {
        let mut space = vec![0; most_bytes.min(DUCT_BYTES)];
        let count = self.read(&mut space)?;
        assert_eq!(rustix::io::write(duct.entry(), &space[..count])?, count);
        Ok(count)
    }

    fn splice_out(&mut self, duct: &Duct, count: usize) -> io::Result<usize> {
        let mut bytes = vec![0; count];
        assert_eq!(
            rustix::io::read(duct.exit(), &mut bytes)?,
            count,
            "a duct holds what is not known to be in it"
        );
        let outcome = self.write(&bytes);
        let rest = &bytes[*outcome.as_ref().unwrap_or(&0)..];
        assert_eq!(rustix::io::write(duct.entry(), rest)?, rest.len());
        outcome
    }

    fn complete_handshake(&self) -> io::Result<()> {
        Ok(())
    }

    fn connected(&self, _: SocketAddr, error: bool) -> io::Result<()> {
        if error { self.call(Wire::take_error).map_or(Ok(()), Err) } else { Ok(()) }
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.call(Wire::take_error))
    }

    fn unsent_bytes(&self) -> io::Result<usize> {
        Ok(self.call(|_| 0))
    }

    fn reset_on_close(&self) -> io::Result<()> {
        self.call(Wire::reset_on_close);
        Ok(())
    }
}

impl Drop for ScriptSocket {
    fn drop(&mut self) {
        let mut world = self.world.borrow_mut();
        world.wires[self.wire].close();
    }
}
