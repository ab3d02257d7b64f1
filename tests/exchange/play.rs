//! Plays an input: client and backends say what they have to say, piece by piece, and the proxy runs until it waits in
//! between.

use std::collections::VecDeque;
use std::time::Duration;

use lbproxy::config::{self, Config};

use super::input::{End, Input, Options, Say};
use super::scripted::net::World;
use super::scripted::{self, Rig};
use crate::strict::{Kind, Message};

/// The client's wire: the first there is.
pub const CLIENT: usize = 0;
/// Steps without which an input is over.
const STEPS_MAX: usize = 40_000;
/// Times that only time passes.
const WAITS_MAX: usize = 1_000;
const ECONNRESET: i32 = 104;
/// How many bytes more a peer takes that is slow.
const NARROW_BYTES: usize = 40;

/// A request's head has come to a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The backend's connection, by number, and the request's number on it.
    pub connection: usize,
    pub number: usize,
    /// What the backend had said on that connection before.
    pub said_before: usize,
}

/// An input on its way.
pub struct Play {
    pub rig: Rig,
    pub arrivals: Vec<Arrival>,
    input: Input,
    picks: VecDeque<u8>,
    client: Speaker,
    /// By connection.
    backends: Vec<Backend>,
    /// Answers that nobody has begun to give.
    answers: VecDeque<Vec<Say>>,
}

/// Somebody with something to say.
#[derive(Default)]
struct Speaker {
    says: VecDeque<Say>,
    sent: usize,
    /// The bytes it had heard when it ended the last part: it goes on when there are more.
    heard: Option<usize>,
    over: bool,
}

#[derive(Default)]
struct Backend {
    speaker: Speaker,
    /// Requests of which the head, or everything, has come; and those that got an answer.
    begun: usize,
    complete: usize,
    answered: usize,
    /// A head has come in part.
    in_head: bool,
    read_bytes: usize,
}

fn configuration(options: Options) -> Config {
    let mut config = scripted::configuration();
    let (frontend, pool) = (&mut config.frontends[0], &mut config.pools[0]);
    if options.trusts {
        frontend.trusted_proxies.push("0.0.0.0/0".parse().expect("a range"));
        frontend.forwarded = config::ForwardedStyle::Both;
    }
    if options.sticky {
        pool.sticky = Some(config::Sticky { cookie: "lb".into(), ttl: None, secure: false });
    }
    if options.sticky || options.refuses {
        pool.backends.push(scripted::another_backend(1));
    }
    if options.small_bodies {
        config.limits.body_bytes = Some(50);
    }
    config
}

impl Play {
    pub fn new(input: &Input) -> Play {
        let Options { narrow, refuses, .. } = input.options;
        let refusals = [true].into_iter().filter(|_| refuses).collect();
        let world = World::new(lbproxy::net::os::now(), refusals);
        if narrow {
            world.borrow_mut().window = NARROW_BYTES;
        }
        world.borrow_mut().arrive(([192, 0, 2, 1], 4000).into());
        Play {
            rig: Rig::new(configuration(input.options), &world),
            arrivals: Vec::new(),
            picks: input.picks.iter().copied().collect(),
            client: Speaker { says: input.client.iter().cloned().collect(), ..Speaker::default() },
            backends: Vec::new(),
            answers: input.answers.iter().cloned().collect(),
            input: input.clone(),
        }
    }

    /// Until the proxy has nothing left to wait for.
    pub fn run(&mut self) -> Result<(), String> {
        self.settle()?;
        let mut waits = 0;
        for _ in 0..STEPS_MAX {
            if self.step() || self.insist() {
                self.settle()?;
                continue;
            }
            let Some(timeout) = self.rig.would_wait() else { return Ok(()) };
            waits += 1;
            if waits > WAITS_MAX {
                return Err("it goes on for ever".to_owned());
            }
            self.rig.pass(timeout.max(Duration::from_millis(1)))?;
            self.settle()?;
        }
        Err("no end in sight".to_owned())
    }

    fn settle(&mut self) -> Result<(), String> {
        self.rig.settle()?;
        let world = self.rig.world.borrow();
        for (connection, &wire) in world.backend_wires.iter().enumerate() {
            if connection == self.backends.len() {
                self.backends.push(Backend::default());
            }
            let (backend, wire) = (&mut self.backends[connection], &world.wires[wire]);
            if wire.got.len() == backend.read_bytes {
                continue;
            }
            backend.read_bytes = wire.got.len();
            let (begun, complete, in_head) = requests(&wire.got);
            (backend.complete, backend.in_head) = (complete, in_head);
            for number in backend.begun..begun {
                self.arrivals.push(Arrival { connection, number, said_before: wire.sent.len() });
            }
            backend.begun = backend.begun.max(begun);
        }
        Ok(())
    }

    /// Somebody says something, if anybody can.
    fn step(&mut self) -> bool {
        let pick = self.picks.pop_front().unwrap_or(0);
        let size = match usize::from(pick >> 2) {
            0 => usize::MAX,
            size @ ..=32 => size,
            size => (size - 32) * 50,
        };
        let backends = self.backends.len();
        match pick & 3 {
            1 => (0..backends).any(|number| self.answer(number, size, false)) || self.ask(size, false),
            2 => (0..backends).rev().any(|number| self.answer(number, size, false)) || self.ask(size, false),
            _ => self.ask(size, false) || (0..backends).any(|number| self.answer(number, size, false)),
        }
    }

    /// When all wait for each other: those who are slow take more, and whoever waits to be heard goes on.
    fn insist(&mut self) -> bool {
        let mut world = self.rig.world.borrow_mut();
        let mut took = false;
        for wire in world.wires.iter_mut().filter(|wire| wire.is_full()) {
            wire.peer_takes(wire.window.saturating_add(NARROW_BYTES));
            took = true;
        }
        drop(world);
        took || self.ask(usize::MAX, true)
            || (0..self.backends.len()).any(|number| self.answer(number, usize::MAX, true))
    }

    fn ask(&mut self, size: usize, insists: bool) -> bool {
        self.client.speak(&mut self.rig.world.borrow_mut(), CLIENT, size, insists)
    }

    fn answer(&mut self, number: usize, size: usize, insists: bool) -> bool {
        let mut world = self.rig.world.borrow_mut();
        let backend = &mut self.backends[number];
        let wire = world.backend_wires[number];
        // Nobody could tell what it answers, if it began now and never saw the rest.
        if backend.in_head && backend.speaker.sent == 0 {
            return false;
        }
        let came = if self.input.options.hasty { backend.begun } else { backend.complete };
        if backend.speaker.is_done() && backend.answered < came && !backend.speaker.over {
            let Some(answer) = self.answers.pop_front() else { return false };
            backend.answered += 1;
            // The first part waits for nothing.
            backend.speaker.says = answer.into();
            return backend.speaker.speak(&mut world, wire, size, true);
        }
        backend.speaker.speak(&mut world, wire, size, insists)
    }
}

impl Speaker {
    fn is_done(&self) -> bool {
        self.says.is_empty()
    }

    /// Sends so many bytes, if there is something to say, and if something was heard since the last part.
    fn speak(&mut self, world: &mut World, wire: usize, size: usize, insists: bool) -> bool {
        let wire = &mut world.wires[wire];
        let Some(say) = self.says.front() else { return false };
        let waits = self.sent == 0 && self.heard == Some(wire.got.len()) && !insists;
        if self.over || waits {
            return false;
        }
        let end = self.sent.saturating_add(size.max(1)).min(say.bytes.len());
        if end > self.sent {
            wire.peer_sends(&say.bytes[self.sent..end]);
        }
        self.sent = end;
        if end < say.bytes.len() {
            return true;
        }
        match say.end {
            Some(End::Finish) => wire.peer_finishes(),
            Some(End::Reset) => wire.peer_resets(ECONNRESET),
            None => {}
        }
        self.over = say.end.is_some();
        self.says.pop_front();
        (self.sent, self.heard) = (0, Some(wire.got.len()));
        true
    }
}

/// How many requests begin in `bytes` with a whole head, how many of them are complete, and whether a part of another head
/// follows. What is wrong with them is found out later.
fn requests(mut bytes: &[u8]) -> (usize, usize, bool) {
    let (mut begun, mut complete) = (0, 0);
    while let Ok(Some(message)) = Message::read(bytes, Kind::Request, false) {
        begun += 1;
        if !message.complete {
            break;
        }
        complete += 1;
        bytes = &bytes[message.len..];
    }
    (begun, complete, begun == complete && !bytes.is_empty())
}
