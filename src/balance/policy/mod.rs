//! The policies: a trait, one file for each, and a registry by name that `--help`, the configuration and errors read.
//!
//! To add one: a file like its neighbours, with an `ENTRY`; its `mod` line; its line in [`REGISTRY`].

mod client;
mod fewest_connections;
mod ip_hashing;
mod load;
mod maglev;
mod pair;
mod peak_ewma;
mod random;
mod round_robin;
mod two_choices;

use std::time::Instant;

pub(super) use client::client_key;

use super::backend::Backend;
use super::choice::Choice;
use super::latency::Sample;
use super::pool::Pool;

/// How one worker chooses backends for one pool. State is the worker's own; what workers share is in the pool.
pub trait Policy: Send {
    /// Its name in the registry.
    fn name(&self) -> &'static str;

    /// The position in the pool of one backend that [`Choice::available`] yields, `None` if it yields none.
    ///
    /// Runs for every connection: no allocation. Another worker may change loads, and even availability, meanwhile.
    fn pick(&mut self, choice: &Choice<'_>) -> Option<usize>;

    /// What it goes by when it chooses, for the backend at this position: see [`Entry::score`]. `None` if it knows nothing
    /// yet.
    fn score(&self, choice: &Choice<'_>, index: usize) -> Option<f64>;

    /// Another that would choose the same from here on.
    fn copy(&self) -> Box<dyn Policy>;

    /// Hears what came, by `now`, of what a backend was asked at `since`. For those that go by it: runs for every answer,
    /// as `pick` does for every connection.
    fn observe(&mut self, _backend: &Backend, _sample: Sample, _since: Instant, _now: Instant) {}

    /// Fits the policy to a pool: called before the first pick, and whenever membership has changed since.
    fn rebuild(&mut self, _pool: &Pool) {}
}

/// What is known about a policy before one is built.
pub struct Entry {
    /// Its name in flags, configuration and logs.
    pub name: &'static str,
    /// One line: what it does, and when to use it.
    pub summary: &'static str,
    /// The client decides: the same one gets the same backend whenever it can. The load of such a policy may be bounded
    /// (`max_load_percent`), and it asks [`Choice::has_room`]; one that goes by load itself needs no bound.
    pub keyed: bool,
    /// What [`Policy::score`] says, and which backend is chosen for it.
    pub score: &'static str,
    /// Makes a fresh one.
    pub build: fn(Seed) -> Box<dyn Policy>,
}

/// All policies, in the order in which they are shown. The first is the default.
pub const REGISTRY: &[Entry] = &[
    round_robin::ENTRY,
    fewest_connections::ENTRY,
    two_choices::ENTRY,
    peak_ewma::ENTRY,
    ip_hashing::ENTRY,
    maglev::ENTRY,
    random::ENTRY,
];

/// The names in the registry, in order.
pub fn names() -> impl Iterator<Item = &'static str> {
    REGISTRY.iter().map(|entry| entry.name)
}

/// The names of those whose choice is the client's, in order.
pub fn keyed() -> impl Iterator<Item = &'static str> {
    REGISTRY.iter().filter(|entry| entry.keyed).map(|entry| entry.name)
}

/// A fresh policy by its name, `None` if the registry has no such name.
pub fn build(name: &str, seed: Seed) -> Option<Box<dyn Policy>> {
    let entry = REGISTRY.iter().find(|entry| entry.name == name)?;
    Some((entry.build)(seed))
}

/// What makes the workers' policies differ from each other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seed {
    /// The worker's number, from 0.
    pub worker: usize,
    /// For those that draw lots. May be the same for all workers.
    pub random: u64,
}

impl Seed {
    /// A generator of this worker's own.
    fn rng(self) -> fastrand::Rng {
        const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
        fastrand::Rng::with_seed(self.random.wrapping_add((self.worker as u64).wrapping_mul(GOLDEN_RATIO)))
    }
}

/// A weighted draw among candidates that come one at a time, in one pass and no memory of them (reservoir sampling):
/// whoever won last is the winner, each with probability weight ÷ total.
#[derive(Default)]
struct Lottery {
    total: u64,
}

impl Lottery {
    /// Whether the candidate with this weight, greater than 0, takes the lead.
    fn wins(&mut self, weight: u32, rng: &mut fastrand::Rng) -> bool {
        let weight = u64::from(weight);
        self.total += weight;
        // The first of a draw has no one to beat, and is usually alone: spare it the random number.
        self.total == weight || rng.u64(..self.total) < weight
    }
}
