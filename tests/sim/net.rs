//! `Net` and `Socket` over a [`World`]: strictly edge-triggered, on a virtual clock.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use lbproxy::net::{Duct, Event, Net, Socket};
use lbproxy::token::Token;

use super::tcp::{Flags, PROXY};
use super::world::World;

/// Calls on sockets that one turn of the proxy may make: more is a loop that waits for what cannot happen in it.
const CALLS_MAX: usize = 1_000_000;

/// What a kernel pipe holds at least.
const DUCT_BYTES: usize = 64 * 1024;

pub type Shared = Rc<RefCell<World>>;

pub struct SimNet {
    pub world: Shared,
    pub epoch: Instant,
}

pub struct SimListener(Shared);

pub struct SimSocket {
    world: Shared,
    wire: usize,
}

impl SimNet {
    pub fn listener(&self) -> SimListener {
        SimListener(self.world.clone())
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        let mut world = self.0.borrow_mut();
        world.listening = false;
        while let Some(wire) = world.queue.pop_front() {
            world.reset_in_queue += 1;
            // It waited for its turn, and not for a session.
            world.wires[wire].moved_at = world.now;
            world.wires[wire].link.reset_on_close(PROXY);
            world.drop_proxy_end(wire);
        }
    }
}

impl Net for SimNet {
    type Socket = SimSocket;
    type Listener = SimListener;

    fn now(&self) -> Instant {
        self.epoch + self.world.borrow().now
    }

    fn poll(&mut self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<()> {
        events.clear();
        let mut world = self.world.borrow_mut();
        world.calls = 0;
        world.looks += 1;
        assert!(world.corked.is_empty(), "written as the last, but no end followed: {:?}", world.corked);
        let waits = timeout != Some(Duration::ZERO);
        assert!(!waits || world.ungreeted.is_empty(), "backends do not know of {:?}", world.ungreeted);
        // Even a turn that waits for nothing takes its time, and the world goes on meanwhile.
        let busy = Duration::from_micros(world.rng.u64(1..=50));
        let until = timeout.map(|timeout| world.now + timeout.max(busy));
        let least = world.now + busy;
        loop {
            let waiting = world.next_at().filter(|at| until.is_none_or(|until| *at <= until));
            let owed = world.anything_to_report();
            if owed && waiting.is_none_or(|at| at > least) {
                break;
            }
            match (waiting, until) {
                (Some(_), _) => world.step(),
                (None, Some(until)) => {
                    world.now = world.now.max(until);
                    break;
                }
                (None, None) => break,
            }
        }
        world.now = world.now.max(least);
        world.report(events);
        Ok(())
    }

    fn register_listener(&mut self, _: &mut SimListener, token: Token) -> io::Result<()> {
        self.world.borrow_mut().listener_token = Some(token);
        Ok(())
    }

    fn accept(&mut self, _: &SimListener) -> io::Result<(SimSocket, SocketAddr)> {
        let mut world = self.world.borrow_mut();
        if world.queue.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if world.now < world.exhausted_until {
            return Err(io::Error::from_raw_os_error([24, 23, 105, 12][world.rng.usize(..4)]));
        }
        let chance = world.knobs.accept_fails;
        if world.roll(chance) {
            world.exhausted_until = world.now + Duration::from_millis(world.rng.u64(0..400));
            return Err(io::Error::from_raw_os_error([103, 4][world.rng.usize(..2)]));
        }
        let wire = world.queue.pop_front().expect("looked above");
        world.note(("accept", wire));
        world.wires[wire].moved_at = world.now;
        world.progress += 1;
        Ok((SimSocket { world: self.world.clone(), wire }, world.wires[wire].address))
    }

    fn connect(&mut self, address: SocketAddr) -> io::Result<SimSocket> {
        let mut world = self.world.borrow_mut();
        world.progress += 1;
        let chance = world.knobs.connect_exhausted;
        if world.roll(chance) {
            return Err(io::Error::from_raw_os_error([24, 105][world.rng.usize(..2)]));
        }
        let wire = world.connect(address)?;
        world.note(("connect", wire));
        Ok(SimSocket { world: self.world.clone(), wire })
    }

    fn watch(&self, socket: &SimSocket) -> io::Result<()> {
        self.world.borrow_mut().wires[socket.wire].watched = true;
        Ok(())
    }

    fn register(&mut self, socket: &mut SimSocket, token: Token) -> io::Result<()> {
        let mut world = self.world.borrow_mut();
        let chance = world.knobs.watch_exhausted;
        if world.roll(chance) {
            return Err(io::Error::from_raw_os_error(28));
        }
        let wire = &mut world.wires[socket.wire];
        assert!(wire.token.is_none(), "registered twice");
        wire.token = Some(token);
        match token {
            Token::Client(id) => wire.session = Some(id),
            Token::Probe { .. } => wire.probe = true,
            _ => {}
        }
        // epoll reports what is ready already.
        wire.link.ends[PROXY].edge = wire.link.level(PROXY);
        Ok(())
    }
}

impl World {
    fn anything_to_report(&self) -> bool {
        let listener = self.listener_edge && self.listening && self.listener_token.is_some();
        listener || self.wires.iter().any(|wire| wire.token.is_some() && wire.link.ends[PROXY].edge.any())
    }

    /// Takes pending edges, in any order, up to the batch's size; adds spurious and stale events.
    fn report(&mut self, events: &mut Vec<Event>) {
        if self.listener_edge && self.listening && self.listener_token.is_some() {
            self.listener_edge = false;
            let readable = Flags { readable: true, ..Flags::default() };
            events.extend(self.listener_token.map(|token| event(token, readable)));
        }
        let mut order: Vec<usize> = (0..self.wires.len()).collect();
        self.rng.shuffle(&mut order);
        for index in order {
            if events.len() >= self.knobs.event_batch {
                break;
            }
            let spurious = self.knobs.spurious;
            let spurious = self.roll(spurious);
            let wire = &mut self.wires[index];
            let Some(token) = wire.token else { continue };
            let edge = std::mem::take(&mut wire.link.ends[PROXY].edge);
            if edge.any() || spurious {
                wire.told_at = self.looks;
                let level = wire.link.level(PROXY);
                events.push(event(token, if self.knobs.bare_edges && edge.any() { edge } else { level }));
            }
        }
        let stale = self.knobs.stale;
        if !self.graveyard.is_empty() && self.roll(stale) {
            let token = self.graveyard[self.rng.usize(..self.graveyard.len())];
            let place = self.rng.usize(..=events.len());
            events.insert(place, event(token, Flags::ALL));
        }
        for event in events.iter() {
            self.note((event.token, event.readable, event.writable, event.read_closed, event.error));
        }
        self.progress += events.len() as u64;
    }
}

fn event(token: Token, flags: Flags) -> Event {
    let Flags { readable, writable, read_closed, error } = flags;
    Event { token, readable, writable, read_closed, error }
}

impl SimSocket {
    /// Does something to the wire and lets the world take note.
    fn call<T>(&self, what: &str, call: impl FnOnce(&mut World) -> io::Result<T>) -> io::Result<T> {
        let mut world = self.world.borrow_mut();
        world.calls += 1;
        assert!(world.calls < CALLS_MAX, "one turn that never ends");
        let chance = world.knobs.interrupted;
        if matches!(what, "read" | "write") && world.roll(chance) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let refused = world.refused(self.wire);
        if matches!(what, "write" | "fin" | "greet") {
            world.ungreeted.retain(|wire| *wire != self.wire);
        }
        let outcome = call(&mut world);
        world.refusals_told += usize::from(refused && !world.refused(self.wire));
        world.progress += u64::from(outcome.is_ok());
        world.note((what, self.wire, outcome.is_ok()));
        world.settle(self.wire);
        outcome
    }

    /// Unless the kernel only said to wait, something has changed.
    fn moved<T>(&self, outcome: &io::Result<T>) {
        use io::ErrorKind::{Interrupted, WouldBlock};
        if !matches!(outcome, Err(error) if matches!(error.kind(), WouldBlock | Interrupted)) {
            let mut world = self.world.borrow_mut();
            world.wires[self.wire].moved_at = world.now;
        }
    }
}

impl Read for SimSocket {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let outcome = self.call("read", |world| world.wires[self.wire].link.read(PROXY, space));
        // Bytes have moved once they are written; until then the proxy only changed the place where they wait.
        if !matches!(outcome, Ok(1..)) {
            self.moved(&outcome);
        }
        outcome
    }
}

impl Write for SimSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let outcome = self.call("write", |world| {
            world.begins(self.wire, bytes);
            let chance = world.knobs.short_write;
            if !world.roll(chance) {
                return world.wires[self.wire].link.write(PROXY, bytes, bytes.len());
            }
            let at_most = world.rng.usize(..=bytes.len());
            world.remind(self.wire);
            world.wires[self.wire].link.write(PROXY, bytes, at_most)
        });
        self.moved(&outcome);
        outcome
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for SimSocket {
    fn shutdown_write(&self) -> io::Result<()> {
        let outcome = self.call("fin", |world| {
            world.wires[self.wire].fin_at = Some(world.now);
            world.corked.retain(|wire| *wire != self.wire);
            world.wires[self.wire].link.shutdown_write(PROXY)
        });
        self.moved(&outcome);
        outcome
    }

    fn write_last(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let outcome = self.write(bytes);
        if outcome.as_ref().is_ok_and(|count| *count == bytes.len()) {
            self.world.borrow_mut().corked.push(self.wire);
        }
        outcome
    }

    /// Into a real one: what is left over in it when it should be empty is found by whoever uses it next.
    fn splice_in(&mut self, duct: &Duct, most_bytes: usize) -> io::Result<usize> {
        let mut space = vec![0; most_bytes.min(DUCT_BYTES)];
        let count = self.read(&mut space)?;
        assert_eq!(rustix::io::write(duct.entry(), &space[..count])?, count);
        self.world.borrow_mut().book.count("spliced");
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
        self.call("greet", |_| Ok(()))
    }

    fn connected(&self, _: SocketAddr, error: bool) -> io::Result<()> {
        if error {
            return self.take_error()?.map_or(Ok(()), Err);
        }
        self.moved(&Ok(()));
        self.world.borrow_mut().ungreeted.push(self.wire);
        Ok(())
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        let take = |world: &mut World| Ok(world.wires[self.wire].link.ends[PROXY].error.take());
        let outcome = self.call("take_error", take);
        self.moved(&outcome);
        outcome.map(|errno| errno.map(io::Error::from_raw_os_error))
    }

    fn unsent_bytes(&self) -> io::Result<usize> {
        self.call("unsent", |world| Ok(world.wires[self.wire].link.unsent(PROXY)))
    }

    fn reset_on_close(&self) -> io::Result<()> {
        self.call("linger", |world| {
            world.wires[self.wire].link.reset_on_close(PROXY);
            Ok(())
        })
    }
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        self.world.borrow_mut().drop_proxy_end(self.wire);
    }
}
