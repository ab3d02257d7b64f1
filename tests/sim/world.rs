//! The world around the proxy: virtual time, what is under way, and who is told what.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use fastrand::Rng;
use lbproxy::token::{LinkId, SessionId, Token};

use super::http::Party;
use super::http::backend::Backend;
use super::http::book::Book;
use super::http::client::Client;
use super::knobs::{Knobs, Mood};
use super::peer::{Peer, Script};
use super::tcp::{ECONNREFUSED, Flags, Link, PEER, PROXY};

/// Longer than a half-closed session may idle, shorter than an open one.
const LONG_PAUSE: Duration = Duration::from_secs(400);

/// Longer than a connection may be there unwatched.
const UNWATCHED_MAX: Duration = Duration::from_secs(5);

/// Something that will happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum What {
    Arrive(usize),
    Connected(usize),
    Deliver(usize, usize),
    Act(usize),
    Room(usize),
}

/// A connection, who is at its far end, and what the proxy asked to be told about it.
pub struct Wire {
    pub link: Link,
    pub peer: Option<Peer>,
    /// The same, if it speaks HTTP.
    pub party: Option<Party>,
    /// The request that the proxy sent here last.
    pub last_request: Option<usize>,
    /// Bytes that it had heard from here by then.
    pub heard_before: u64,
    /// When the proxy was last told of something here: the number of its look at the events.
    pub told_at: u64,
    /// The index of the backend it leads to; `None` for a client's.
    pub backend: Option<usize>,
    pub address: SocketAddr,
    pub token: Option<Token>,
    /// Whose it is, or was; clients and backends of a session have it in common.
    pub session: Option<SessionId>,
    pub opened_at: Duration,
    /// When the proxy last moved something here, or learnt of an end or a break.
    pub moved_at: Duration,
    pub dropped_at: Duration,
    /// Since when there is a connection.
    up_since: Option<Duration>,
    /// The kernel asks a silent peer whether it is still there.
    pub watched: bool,
    /// It is a check's, and nobody's session.
    pub probe: bool,
    /// When the proxy said its last word.
    pub fin_at: Option<Duration>,
    mood: Mood,
    delivering: [bool; 2],
    acting: bool,
}

impl Wire {
    /// The peer resets before the proxy has looked, in half of the cases with a few bytes said.
    fn quit(&mut self, rng: &mut Rng) {
        if let Some(party) = &mut self.party {
            party.quit(&mut self.link);
            return self.link.deliver(PEER, 1);
        }
        let Some(peer) = &mut self.peer else { return };
        if rng.bool() {
            peer.act(&mut self.link, rng);
            self.link.deliver(PEER, rng.usize(1..=100));
        }
        // The connect itself succeeded: the error belongs to what follows.
        self.link.reset_on_close(PEER);
        self.link.close(PEER);
        self.link.deliver(PEER, 1);
        (peer.done, peer.aborted) = (true, true);
    }
}

pub struct World {
    pub rng: Rng,
    pub knobs: Knobs,
    /// Of those who speak HTTP.
    pub book: Book,
    /// How often the proxy looked at events.
    pub looks: u64,
    pub now: Duration,
    pub wires: Vec<Wire>,
    /// Connections that wait to be accepted.
    pub queue: VecDeque<usize>,
    pub listener_token: Option<Token>,
    pub listener_edge: bool,
    pub listening: bool,
    /// Tokens of sockets that are no more.
    pub graveyard: Vec<Token>,
    /// Refusals that the proxy was told of.
    pub refusals_told: usize,
    schedule: BinaryHeap<Reverse<(Duration, u64, What)>>,
    sequence: u64,
    /// Clients that had connected when the listener was closed, and were not accepted.
    pub reset_in_queue: usize,
    /// Where the proxy has promised an end, and is yet to say it.
    pub corked: Vec<usize>,
    /// Where the proxy has a connection that nobody at the far end knows of yet.
    pub ungreeted: Vec<usize>,
    /// Calls on sockets since the proxy last waited.
    pub calls: usize,
    /// Until when the host has no descriptor for another connection.
    pub exhausted_until: Duration,
    /// Calls of the proxy that achieved something: what separates work from spinning.
    pub progress: u64,
    trace: DefaultHasher,
    talkative: bool,
}

impl World {
    pub fn new(seed: u64, draw: fn(&mut Rng) -> Knobs) -> World {
        let mut rng = Rng::with_seed(seed);
        let knobs = draw(&mut rng);
        let mut world = World {
            rng,
            book: Book::default(),
            looks: 0,
            now: Duration::ZERO,
            wires: Vec::new(),
            queue: VecDeque::new(),
            listener_token: None,
            listener_edge: false,
            listening: true,
            graveyard: Vec::new(),
            schedule: BinaryHeap::new(),
            sequence: 0,
            reset_in_queue: 0,
            corked: Vec::new(),
            ungreeted: Vec::new(),
            calls: 0,
            exhausted_until: Duration::ZERO,
            refusals_told: 0,
            progress: 0,
            trace: DefaultHasher::new(),
            talkative: std::env::var_os("SIM_TRACE").is_some(),
            knobs,
        };
        for client in 0..world.knobs.clients {
            let within = world.knobs.arrivals.as_micros() as u64;
            let at = world.rng.u64(0..=within);
            world.schedule(at, What::Arrive(client));
        }
        world
    }

    /// One chance in a thousand, `chance` times.
    pub fn roll(&mut self, chance: u32) -> bool {
        chance > 0 && self.rng.u32(..1000) < chance
    }

    pub fn note(&mut self, what: impl Hash + Debug) {
        if self.talkative {
            eprintln!("{:>12?} {what:?}", self.now);
        }
        (self.now, what).hash(&mut self.trace);
    }

    pub fn is_talkative(&self) -> bool {
        self.talkative
    }

    pub fn trace(&self) -> u64 {
        self.trace.finish()
    }

    pub fn next_at(&self) -> Option<Duration> {
        self.schedule.peek().map(|Reverse((at, ..))| *at)
    }

    /// In half of the cases, late clients queue in a moment in which the proxy is not looking.
    pub fn latecomers(&mut self) {
        let late = if self.rng.bool() { self.rng.usize(1..=3) } else { 0 };
        (self.knobs.clients..self.knobs.clients + late).for_each(|client| self.arrive(client));
    }

    /// Notes for whom the connections to backends were made.
    pub fn tell_sessions(&mut self, session: impl Fn(LinkId) -> Option<SessionId>) {
        for wire in self.wires.iter_mut().filter(|wire| wire.session.is_none()) {
            if let Some(Token::Backend(link)) = wire.token {
                wire.session = session(link);
            }
        }
    }

    /// Lets everything happen that is still under way.
    pub fn finish(&mut self) {
        while self.next_at().is_some() {
            self.step();
        }
    }

    /// How much was ever scheduled.
    pub fn steps(&self) -> u64 {
        self.sequence
    }

    /// Lets the next thing happen.
    pub fn step(&mut self) {
        let Some(Reverse((at, _, what))) = self.schedule.pop() else { return };
        self.now = self.now.max(at);
        self.note(what);
        match what {
            What::Arrive(client) => self.arrive(client),
            What::Connected(wire) => self.connected(wire),
            What::Deliver(wire, from) => {
                let at_most = self.rng.usize(1..=self.knobs.segment_bytes);
                self.wires[wire].delivering[from] = false;
                self.wires[wire].link.deliver(from, at_most);
                self.settle(wire);
            }
            What::Act(wire) => self.act(wire),
            What::Room(wire) => self.wires[wire].link.offer_room(PROXY),
        }
    }

    fn schedule(&mut self, after_us: u64, what: What) {
        self.sequence += 1;
        self.schedule.push(Reverse((self.now + Duration::from_micros(after_us), self.sequence, what)));
    }

    fn arrive(&mut self, client: usize) {
        if !self.listening {
            return;
        }
        let ip = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2 + (client % 9) as u8));
        let address = SocketAddr::new(ip, 10_000 + client as u16);
        let index = self.add_wire(None, address, Mood::Up, true);
        self.queue.push_back(index);
        self.listener_edge = true;
    }

    fn add_wire(
        &mut self,
        backend: Option<usize>,
        address: SocketAddr,
        mood: Mood,
        established: bool,
    ) -> usize {
        let link = Link::new(self.knobs.send_capacity, self.knobs.receive_capacity, established);
        let index = self.wires.len();
        let wire = Wire {
            link,
            peer: None,
            party: None,
            last_request: None,
            heard_before: 0,
            told_at: 0,
            backend,
            address,
            token: None,
            session: None,
            opened_at: self.now,
            moved_at: self.now,
            dropped_at: Duration::ZERO,
            up_since: established.then_some(self.now),
            watched: established,
            probe: false,
            fin_at: None,
            mood,
            delivering: [false; 2],
            acting: false,
        };
        self.wires.push(wire);
        if established {
            self.add_peer(index);
            self.wake(index);
        }
        index
    }

    /// Somebody is at the far end of the wire.
    fn add_peer(&mut self, index: usize) {
        let World { wires, rng, knobs, book, .. } = self;
        let wire = &mut wires[index];
        if wire.probe {
            // A check only connects: whoever accepted it need not say anything.
            return;
        }
        match (&knobs.http, wire.backend) {
            (None, _) => wire.peer = Some(Peer::new(Script::draw(rng, knobs), index as u16)),
            (Some(http), None) => wire.party = Some(Party::Client(Client::new(rng, http, book))),
            (Some(http), Some(_)) => wire.party = Some(Party::Backend(Backend::new(rng, http))),
        }
    }

    /// The proxy connects to the backend at `address`, whose index is its last octet.
    pub fn connect(&mut self, address: SocketAddr) -> std::io::Result<usize> {
        let IpAddr::V4(ip) = address.ip() else { panic!("a stranger's address: {address}") };
        let backend = ip.octets()[3] as usize;
        let mut mood = self.knobs.moods[backend];
        if mood == Mood::Fickle {
            mood = [Mood::Up, Mood::Up, Mood::Refusing, Mood::Blackhole, Mood::Unreachable, Mood::Quitter]
                [self.rng.usize(..6)];
        }
        if mood == Mood::Unreachable {
            // No route, no host, no address of that family here (or no port left towards it), forbidden.
            let errno = [101, 113, 99, 1][self.rng.usize(..4)];
            return Err(std::io::Error::from_raw_os_error(errno));
        }
        let index = self.add_wire(Some(backend), address, mood, false);
        if mood != Mood::Blackhole {
            let after = self.rng.u64(0..=self.knobs.connect_us);
            self.schedule(after, What::Connected(index));
        }
        Ok(index)
    }

    /// Whether the proxy's end holds a refusal that it has not been told of.
    pub fn refused(&self, index: usize) -> bool {
        self.wires[index].link.ends[PROXY].error == Some(ECONNREFUSED)
    }

    fn connected(&mut self, index: usize) {
        let wire = &mut self.wires[index];
        if wire.link.ends[PROXY].closed {
            return;
        }
        match wire.mood {
            Mood::Refusing => wire.link.break_end(PROXY, ECONNREFUSED),
            mood => {
                wire.link.establish();
                wire.up_since = Some(self.now);
                self.add_peer(index);
                if mood == Mood::Quitter {
                    self.wires[index].quit(&mut self.rng);
                }
            }
        }
        self.settle(index);
    }

    fn act(&mut self, index: usize) {
        let wire = &mut self.wires[index];
        wire.acting = false;
        wire.link.ends[PEER].edge = Flags::default();
        if let Some(party) = &mut wire.party {
            if let Some(within_us) = party.act(&mut wire.link, &mut self.rng, &mut self.book) {
                self.wake_within(index, within_us);
            }
            return self.settle(index);
        }
        let again = wire.peer.as_mut().is_some_and(|peer| peer.act(&mut wire.link, &mut self.rng));
        if again {
            self.wake(index);
        }
        self.settle(index);
    }

    fn wake(&mut self, index: usize) {
        let chance = self.knobs.long_pauses;
        let long = self.roll(chance);
        let within_us = match (&self.wires[index].peer, &self.wires[index].party) {
            (Some(peer), _) if !peer.done && long => LONG_PAUSE.as_micros() as u64,
            (Some(peer), _) if !peer.done => peer.script.pause_us,
            (_, Some(party)) if !party.is_done() => party.pause_us(&mut self.rng),
            _ => return,
        };
        self.wake_within(index, within_us);
    }

    fn wake_within(&mut self, index: usize, within_us: u64) {
        if !self.wires[index].acting {
            self.wires[index].acting = true;
            let after = self.rng.u64(0..=within_us);
            self.schedule(after, What::Act(index));
        }
    }

    /// The kernel took less than it could have: it owes an edge although nothing is under way that would cause one.
    pub fn remind(&mut self, index: usize) {
        let after = self.rng.u64(1..=self.knobs.latency_us);
        self.schedule(after, What::Room(index));
    }

    /// After anything was done to a wire: lets arrive what is under way, and wakes the peer if it has a reason.
    pub fn settle(&mut self, index: usize) {
        for from in [PROXY, PEER] {
            if self.wires[index].link.can_deliver(from) && !self.wires[index].delivering[from] {
                self.wires[index].delivering[from] = true;
                let after = self.rng.u64(0..=self.knobs.latency_us);
                self.schedule(after, What::Deliver(index, from));
            }
        }
        if self.wires[index].link.ends[PEER].edge.any() {
            self.wake(index);
        }
    }

    /// The proxy dropped its end.
    pub fn drop_proxy_end(&mut self, index: usize) {
        self.note(("drop", index));
        self.corked.retain(|wire| *wire != index);
        self.ungreeted.retain(|wire| *wire != index);
        let wire = &mut self.wires[index];
        let is_old = wire.up_since.is_some_and(|since| self.now > since + UNWATCHED_MAX);
        assert!(wire.watched || !is_old, "nobody would have noticed the end of a silent peer");
        wire.link.close(PROXY);
        wire.dropped_at = self.now;
        if let Some(token) = wire.token.take() {
            self.graveyard.push(token);
        }
        self.settle(index);
    }
}
