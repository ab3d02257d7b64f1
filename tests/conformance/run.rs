//! Plays a case: peers take their steps, one at a time, and the proxy runs until it waits in between.

use std::fmt;
use std::time::Instant;

use lbproxy::config::ForwardedStyle;

use super::canonical;
use super::case::{COOKIE, Case, Request, Splits, Step};
use super::message::{self, Kind, Message};
use super::scripted::Rig;
use super::scripted::net::{Shared, World};
use super::scripted::wire::Wire;
use super::setup;

/// Waits that a case may be long.
const WAITS_MAX: usize = 1_000;
const ECONNRESET: i32 = 104;

/// Where the bytes of a case are cut in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    Whole,
    /// In two, so many bytes into all that the client sends.
    Client(usize),
    /// In two, so many bytes into all that backends send.
    Backend(usize),
    Bytes,
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Split::Whole => write!(f, "whole"),
            Split::Client(at) => write!(f, "client:{at}"),
            Split::Backend(at) => write!(f, "backend:{at}"),
            Split::Bytes => write!(f, "bytes"),
        }
    }
}

impl Split {
    /// All ways in which a case is cut.
    pub fn all(case: &Case) -> Vec<Split> {
        let sizes = |steps: &[Step]| -> usize { steps.iter().map(sent_bytes).sum() };
        let backends = case.backends.iter().map(|script| sizes(&script.steps)).sum();
        let wanted = |kind| !case.unsplit.iter().any(|(unsplit, _)| *unsplit == kind);
        let client = (1..sizes(&case.client)).filter(|_| wanted(Splits::Client)).map(Split::Client);
        let backend = (1..backends).filter(|_| wanted(Splits::Backend)).map(Split::Backend);
        let bytes = Some(Split::Bytes).filter(|_| wanted(Splits::Bytes));
        [Split::Whole].into_iter().chain(client).chain(backend).chain(bytes).collect()
    }
}

fn sent_bytes(step: &Step) -> usize {
    match step {
        Step::Send(bytes) => bytes.len(),
        _ => 0,
    }
}

/// A peer on its way through its steps.
pub struct Actor {
    steps: Vec<Step>,
    next: usize,
    /// Bytes sent of the current step, and of all before it (of all backends before it).
    sent: usize,
    sent_before: usize,
    /// Bytes of the proxy that were looked at.
    pub seen: usize,
    pub ignores: bool,
    wakes: Option<Instant>,
}

impl Actor {
    fn new(steps: &[Step], sent_before: usize) -> Actor {
        Actor { steps: steps.to_vec(), next: 0, sent: 0, sent_before, seen: 0, ignores: false, wakes: None }
    }

    fn done(&self) -> bool {
        self.next == self.steps.len()
    }

    /// How much of the current step's bytes goes out at once.
    fn piece_end(&self, len: usize, split_at: Option<usize>, byte_by_byte: bool) -> usize {
        let cut = split_at.and_then(|at| at.checked_sub(self.sent_before));
        match cut {
            _ if byte_by_byte => self.sent + 1,
            Some(cut) if cut > self.sent && cut < len => cut,
            _ => len,
        }
    }
}

pub struct Run<'c> {
    pub case: &'c Case,
    split: Split,
    pub world: Shared,
    pub rig: Rig,
    started: Instant,
    client: Actor,
    pub backends: Vec<Actor>,
}

/// The client's wire: the first there is.
pub const CLIENT: usize = 0;

impl<'c> Run<'c> {
    pub fn new(case: &'c Case, split: Split) -> Run<'c> {
        let started = lbproxy::net::os::now();
        let world = World::new(started, case.backends.iter().map(|script| script.refuses).collect());
        world.borrow_mut().arrive((case.address, 4000).into());
        let rig = Rig::new(setup::configuration(case), &world);
        let mut before = 0;
        let backends = case.backends.iter().map(|script| {
            let actor = Actor::new(&script.steps, before);
            before += script.steps.iter().map(sent_bytes).sum::<usize>();
            actor
        });
        let backends = backends.collect();
        Run { case, split, world, rig, started, client: Actor::new(&case.client, 0), backends }
    }

    /// From the first step to the last.
    pub fn play(&mut self) -> Result<(), String> {
        self.rig.settle()?;
        let scripts = self.case.backends.iter().flat_map(|script| &script.steps);
        let bytes: usize = self.case.client.iter().chain(scripts).map(sent_bytes).sum();
        for _ in 0..WAITS_MAX + bytes {
            if self.advance()? {
                self.rig.settle()?;
            } else if self.client.done() && self.backends.iter().all(Actor::done) {
                return self.check_time();
            } else {
                self.pass_time()?;
            }
        }
        Err("no end in sight".to_owned())
    }

    /// Somebody takes a step, if anybody can: the client before the backends.
    fn advance(&mut self) -> Result<bool, String> {
        let mut client = std::mem::replace(&mut self.client, Actor::new(&[], 0));
        let moved = self.advance_client(&mut client);
        self.client = client;
        if moved? {
            return Ok(true);
        }
        for number in 0..self.backends.len() {
            let wire = self.world.borrow().backend_wires.get(number).copied();
            let Some(wire) = wire else { return Ok(false) };
            let mut backend = std::mem::replace(&mut self.backends[number], Actor::new(&[], 0));
            let moved = self.take_step(&mut backend, wire);
            self.backends[number] = backend;
            if moved.map_err(|why| format!("backend connection {number}: {why}"))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn advance_client(&mut self, client: &mut Actor) -> Result<bool, String> {
        let mut simultaneous = false;
        while let Some(Step::Backend(number, step)) = client.steps.get(client.next) {
            let wire = self.world.borrow().backend_wires.get(*number).copied();
            let wire = wire.ok_or_else(|| format!("there is no backend connection {number}"))?;
            let wire = &mut self.world.borrow_mut().wires[wire];
            match &**step {
                Step::Send(bytes) => wire.peer_sends(bytes),
                Step::Finish => wire.peer_finishes(),
                Step::Reset => wire.peer_resets(ECONNRESET),
                other => return Err(format!("no step that is taken at the same time: {other:?}")),
            }
            client.next += 1;
            simultaneous = true;
        }
        Ok(self.take_step(client, CLIENT)? || simultaneous)
    }

    /// Takes the next step of a peer, or a piece of it, if it can be taken.
    fn take_step(&mut self, actor: &mut Actor, wire: usize) -> Result<bool, String> {
        let Some(step) = actor.steps.get(actor.next).cloned() else { return Ok(false) };
        let mut world = self.world.borrow_mut();
        let now = world.now;
        match step {
            Step::Send(bytes) => {
                let bytes = with_cookie(&bytes, &world.wires[CLIENT]);
                let split_at = match self.split {
                    Split::Client(at) if wire == CLIENT => Some(at),
                    Split::Backend(at) if wire != CLIENT => Some(at),
                    _ => None,
                };
                let end = actor.piece_end(bytes.len(), split_at, self.split == Split::Bytes);
                world.wires[wire].peer_sends(&bytes[actor.sent..end]);
                actor.sent = end;
                if end < bytes.len() {
                    return Ok(true);
                }
                actor.sent_before += bytes.len();
                actor.sent = 0;
            }
            Step::Await(bytes) => {
                let Some(at) = message::find(&world.wires[wire].got[actor.seen..], &bytes) else {
                    return Ok(false);
                };
                actor.seen += at + bytes.len();
            }
            Step::AwaitEnd if !world.wires[wire].ended() => return Ok(false),
            Step::AwaitEnd => {}
            Step::Request(request) => {
                drop(world);
                let Some(len) = self.request_came(&request, wire, actor.seen)? else { return Ok(false) };
                actor.seen += len;
            }
            Step::Finish => world.wires[wire].peer_finishes(),
            Step::Reset => world.wires[wire].peer_resets(ECONNRESET),
            Step::Sleep(duration) => {
                if now < *actor.wakes.get_or_insert(now + duration) {
                    return Ok(false);
                }
                actor.wakes = None;
            }
            Step::Take(count) => world.wires[wire].peer_takes(count),
            Step::Ignore => actor.ignores = true,
            Step::Backend(..) => return Err("only the client's steps may name a backend".to_owned()),
        }
        actor.next += 1;
        Ok(true)
    }

    /// The length of the request that a backend waits for, once it is there.
    fn request_came(&self, request: &Request, wire: usize, seen: usize) -> Result<Option<usize>, String> {
        let world = self.world.borrow();
        let bytes = &world.wires[wire].got[seen..];
        let expected = match request {
            Request::Bytes(expected) => {
                let count = expected.len().min(bytes.len());
                if expected[..count] != bytes[..count] {
                    return Err(format!("got {}, not {}", bytes.escape_ascii(), expected.escape_ascii()));
                }
                return Ok((count == expected.len()).then_some(count));
            }
            Request::Exactly(text) | Request::Head(text) => Some(self.expected_request(text, &world)),
            Request::Any => None,
        };
        let Some(mut message) = Message::read(bytes, Kind::Request, world.wires[wire].ended())? else {
            return Ok(None);
        };
        let head_only = matches!(request, Request::Head(_));
        if !head_only && !message.complete {
            return Ok(None);
        }
        if let Some(mut expected) = expected {
            if head_only {
                for message in [&mut message, &mut expected] {
                    (message.complete, message.content, message.trailers) = (true, Vec::new(), Vec::new());
                }
            }
            if let Some(difference) = canonical::difference(&expected, &message, false) {
                return Err(format!("the request {difference}"));
            }
        }
        Ok(Some(if head_only { 0 } else { message.len }))
    }

    fn expected_request(&self, text: &[u8], world: &World) -> Message {
        let text = with_cookie(text, &world.wires[CLIENT]);
        let mut message = expected(&text, Kind::Request);
        let style: ForwardedStyle = self.rig.proxy.ctx().config.frontends[0].forwarded;
        canonical::complete_request(&mut message, self.case.address, style);
        message
    }

    /// Nobody can go on: time passes until somebody can, or the proxy wanted to be woken.
    fn pass_time(&mut self) -> Result<(), String> {
        let (now, waits) = (self.world.borrow().now, self.world.borrow().waits);
        let actors = self.backends.iter().chain([&self.client]);
        let wakes = actors.filter_map(|actor| actor.wakes).min();
        let proxy_wakes = waits.flatten().map(|timeout| now + timeout);
        let wakes = proxy_wakes.into_iter().chain(wakes).min();
        let wakes = wakes.filter(|wakes| wakes.duration_since(self.started) <= *self.case.takes.end());
        let wakes = wakes.ok_or_else(|| self.stuck())?;
        self.rig.pass(wakes - now)
    }

    fn stuck(&self) -> String {
        let waits_for = |actor: &Actor| match actor.steps.get(actor.next) {
            Some(Step::Await(bytes)) => format!("waits for {}", bytes.escape_ascii()),
            Some(Step::Request(Request::Exactly(bytes) | Request::Head(bytes) | Request::Bytes(bytes))) => {
                format!("waits for {}", bytes.escape_ascii())
            }
            Some(step) => format!("waits: {step:?}"),
            None => "is done".to_owned(),
        };
        let mut text = format!("nothing happens any more; the client {}", waits_for(&self.client));
        for (number, backend) in self.backends.iter().enumerate() {
            text += &format!("; backend connection {number} {}", waits_for(backend));
        }
        text
    }

    fn check_time(&self) -> Result<(), String> {
        let took = self.world.borrow().now - self.started;
        let range = &self.case.takes;
        if range.contains(&took) { Ok(()) } else { Err(format!("took {took:?}, not {range:?}")) }
    }
}

/// A message that a case says: a slip in it is nobody's fault but the case's.
pub fn expected(text: &[u8], kind: Kind) -> Message {
    match Message::read(text, kind, true) {
        Ok(Some(message)) => message,
        outcome => panic!("the case expects no message: {} ({outcome:?})", text.escape_ascii()),
    }
}

/// `bytes` with the value of the last cookie that the client was given.
pub fn with_cookie(bytes: &[u8], client: &Wire) -> Vec<u8> {
    let Some(at) = message::find(bytes, COOKIE.as_bytes()) else { return bytes.to_vec() };
    let mark = b"\r\nSet-Cookie: lb=";
    let given = client.got.windows(mark.len()).rposition(|window| window == mark).map(|at| at + mark.len());
    let value = given.and_then(|start| client.got.get(start..start + COOKIE.len()));
    [&bytes[..at], value.unwrap_or(COOKIE.as_bytes()), &bytes[at + COOKIE.len()..]].concat()
}
