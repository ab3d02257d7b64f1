//! Time: what happens next, and to whom. One policy, one run.
//!
//! Three things happen: a request comes, one ends, a backend goes down or comes back. Arrivals and outages are known in
//! order; only ends have to be sorted, and only of requests that are being worked on: those that wait are in the queue of
//! their backend. So the heap holds an entry for each place that is taken, and nothing is allocated once it and the queues
//! have grown.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use slab::Slab;

use super::backend::{Backend, Held, Nature};
use super::counts::Counts;
use super::gauge::Gauge;
use super::members::{Fleet, Member, Size};
use super::workload::{FOREVER_NS, Kind, Request};
use crate::balance::{Sample, Tried};

/// Backends tried for one client, as the proxy does unless told otherwise.
const CONNECT_ATTEMPTS: usize = 3;
/// How often others hear how many requests are done.
const TELL_EVERY: u64 = 1 << 16;
/// Points of a curve over time.
const SAMPLES: u64 = 300;

/// What all policies meet alike.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) kind: Kind,
    pub(super) size: Size,
    /// By position.
    pub(super) natures: Vec<Nature>,
    /// Requests that a backend works on at once.
    pub(super) at_once: usize,
    /// Failures are told to the balancer, which passes over who fails.
    pub(super) guard: bool,
    /// How much of its share a backend takes at most, where a policy goes by keys.
    pub(super) max_load_percent: Option<u32>,
}

impl World {
    pub(super) fn members(&self) -> Vec<Member> {
        (1..).zip(&self.natures).map(|(number, nature)| Member { number, weight: nature.weight }).collect()
    }
}

/// Runs it all with one policy. `tell` hears now and then how many more requests have come.
pub(super) fn run(world: &World, policy: &str, base: Instant, tell: impl Fn(u64)) -> Counts {
    let mut engine = Engine::new(world, policy, base);
    let every = (world.kind.requests / SAMPLES).max(1);
    let mut last_ns = 0;
    for (number, request) in (1..).zip(world.kind.workload()) {
        last_ns = request.at_ns;
        engine.pass(last_ns);
        engine.arrive(request);
        if number % every == 0 {
            engine.counts.sample(last_ns, engine.gauge.fullest());
        }
        if number % TELL_EVERY == 0 {
            tell(TELL_EVERY);
        }
    }
    tell(world.kind.requests % TELL_EVERY);
    engine.counts.all_came(last_ns, engine.gauge.read(last_ns));
    engine.pass(u64::MAX);
    engine.counts
}

/// A backend goes down, or comes back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    at_ns: u64,
    position: usize,
    is_down: bool,
}

struct Engine<'a> {
    world: &'a World,
    base: Instant,
    fleet: Fleet,
    backends: Vec<Backend>,
    /// Those that are worked on.
    working: Slab<Held>,
    /// When each of them ends, and its key.
    ends: BinaryHeap<Reverse<(u64, usize)>>,
    /// The next one last.
    turns: Vec<Turn>,
    gauge: Gauge,
    counts: Counts,
}

impl<'a> Engine<'a> {
    fn new(world: &'a World, policy: &str, base: Instant) -> Engine<'a> {
        let mut turns = Vec::new();
        for (position, nature) in world.natures.iter().enumerate() {
            for span in &nature.down {
                turns.push(Turn { at_ns: span.from_ns, position, is_down: true });
                turns.push(Turn { at_ns: span.to_ns, position, is_down: false });
            }
        }
        turns.sort_by(|one, other| other.cmp(one));
        Engine {
            world,
            base,
            fleet: Fleet::new(
                policy,
                &world.members(),
                world.size,
                world.max_load_percent,
                world.kind.seed,
                base,
            ),
            backends: world.natures.iter().map(Backend::new).collect(),
            working: Slab::new(),
            ends: BinaryHeap::new(),
            turns,
            gauge: Gauge::new(world.natures.len()),
            counts: Counts::new(world.natures.len()),
        }
    }

    /// Lets everything happen that is due until then.
    fn pass(&mut self, until_ns: u64) {
        loop {
            let end_ns = self.ends.peek().map_or(u64::MAX, |Reverse(end)| end.0);
            let turn_ns = self.turns.last().map_or(u64::MAX, |turn| turn.at_ns);
            let next_ns = end_ns.min(turn_ns);
            if next_ns > until_ns || next_ns == u64::MAX {
                return;
            }
            if end_ns <= turn_ns {
                if let Some(Reverse((at_ns, key))) = self.ends.pop() {
                    self.end(key, at_ns);
                }
            } else if let Some(turn) = self.turns.pop() {
                self.turn(turn);
            }
        }
    }

    /// Finds a backend for a request, as the proxy does for a client.
    fn arrive(&mut self, request: Request) {
        let now = self.instant(request.at_ns);
        let mut tried = Tried::default();
        while tried.len() < CONNECT_ATTEMPTS {
            let Some(lease) = self.fleet.choose(request.balancer, request.client, &tried, now) else { break };
            tried.insert(lease.backend().id);
            let position = lease.backend().id.index();
            let backend = &self.backends[position];
            if backend.is_down {
                self.counts.refused();
                if self.world.guard {
                    lease.connect_failed(&"refused", now);
                }
                continue;
            }
            self.counts.sent(position);
            if request.lot < backend.fails {
                self.counts.failed(position);
                if self.world.guard {
                    lease.failed_at_once(now);
                    self.fleet.observe(request.balancer, &lease, Sample::Failure, now, now);
                }
                return;
            }
            let takes_ns = if backend.slowness == 1.0 || request.service_ns == FOREVER_NS {
                request.service_ns
            } else {
                (request.service_ns as f64 * backend.slowness) as u64
            };
            let (balancer, came_at_ns) = (request.balancer, request.at_ns);
            return self.accept(Held { position, balancer, came_at_ns, takes_ns, lease }, request.at_ns);
        }
        self.counts.unserved();
    }

    fn accept(&mut self, held: Held, at_ns: u64) {
        self.gauge.enter(held.position, at_ns);
        let backend = &mut self.backends[held.position];
        if backend.busy == self.world.at_once {
            backend.queue.push_back(held);
        } else {
            backend.busy += 1;
            self.work(held, at_ns);
        }
    }

    /// A request has got its place.
    fn work(&mut self, held: Held, at_ns: u64) {
        let end_ns = at_ns.saturating_add(held.takes_ns);
        let key = self.working.insert(held);
        if end_ns != FOREVER_NS {
            self.ends.push(Reverse((end_ns, key)));
        }
    }

    /// A request is over, and the next one gets its place.
    fn end(&mut self, key: usize, at_ns: u64) {
        let held = self.working.remove(key);
        let latency_ns = at_ns - held.came_at_ns;
        self.counts.answered(latency_ns);
        let (since, now) = (self.instant(held.came_at_ns), self.instant(at_ns));
        held.lease.succeeded(now);
        self.fleet.observe(held.balancer, &held.lease, Sample::Answer, since, now);
        self.gauge.leave(held.position, at_ns);
        let backend = &mut self.backends[held.position];
        match backend.queue.pop_front() {
            Some(next) => self.work(next, at_ns),
            None => backend.busy -= 1,
        }
    }

    fn turn(&mut self, turn: Turn) {
        let backend = &mut self.backends[turn.position];
        backend.is_down = turn.is_down;
        if !turn.is_down {
            return;
        }
        // Whatever it had accepted breaks off.
        let waiting = std::mem::take(&mut backend.queue).len();
        backend.busy = 0;
        let before = self.working.len();
        let working = &mut self.working;
        self.ends.retain(|Reverse((_, key))| working[*key].position != turn.position);
        working.retain(|_, held| held.position != turn.position);
        for _ in 0..waiting + before - self.working.len() {
            self.gauge.leave(turn.position, turn.at_ns);
            self.counts.failed(turn.position);
        }
    }

    fn instant(&self, at_ns: u64) -> Instant {
        self.base + Duration::from_nanos(at_ns)
    }
}
