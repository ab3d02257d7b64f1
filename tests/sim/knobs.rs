//! Everything that differs from seed to seed.

use std::time::Duration;

use fastrand::Rng;
use lbproxy::balance::policy;

use super::http::knobs::HttpKnobs;
use super::operation::Operation;

/// How a backend treats those who connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Accepts.
    Up,
    /// Answers with a reset.
    Refusing,
    /// Does not answer.
    Blackhole,
    /// The host has no route to it.
    Unreachable,
    /// Accepts, and resets before the proxy has looked.
    Quitter,
    /// Any of the above, drawn for each connection.
    Fickle,
}

/// Those of the registry.
const POLICIES: [&str; 7] =
    ["round_robin", "fewest_connections", "ip_hashing", "random", "two_choices", "maglev", "peak_ewma"];

/// The nature of the simulated network, proxy and peers.
#[derive(Debug)]
pub struct Knobs {
    pub clients: usize,
    pub moods: Vec<Mood>,
    pub weights: Vec<u32>,
    pub policy: &'static str,
    /// Where the policy can be bounded.
    pub max_load_percent: Option<u32>,
    /// Arrivals are spread over this time.
    pub arrivals: Duration,
    pub latency_us: u64,
    pub connect_us: u64,
    pub send_capacity: usize,
    pub receive_capacity: usize,
    pub segment_bytes: usize,
    pub buffer_bytes: usize,
    pub turn_bytes: usize,
    pub max_pipes: usize,
    pub stream_bytes: u64,
    pub max_connections: usize,
    pub connect_attempts: u8,
    pub event_batch: usize,
    /// Chances out of 1000.
    pub spurious: u32,
    pub stale: u32,
    pub interrupted: u32,
    pub short_write: u32,
    pub accept_fails: u32,
    pub connect_exhausted: u32,
    pub watch_exhausted: u32,
    pub abort: u32,
    pub long_pauses: u32,
    /// Report only what changed, not all that is ready: masks nothing.
    pub bare_edges: bool,
    pub drain_at: Option<Duration>,
    /// Where the peers speak HTTP.
    pub http: Option<HttpKnobs>,
    /// What operators do and want.
    pub operation: Option<Operation>,
}

impl Knobs {
    pub fn draw(rng: &mut Rng) -> Knobs {
        let backends = rng.usize(1..=4);
        let buffer_bytes = log_uniform(rng, 16, 4096);
        let send_capacity = log_uniform(rng, 1, 16_384);
        let receive_capacity = log_uniform(rng, 1, 16_384);
        let segment_bytes = log_uniform(rng, 1, 8_192);
        // A stream worth up to some hundred steps at the narrowest place: long enough for trouble, short enough for CI.
        let narrowest = send_capacity.min(receive_capacity).min(segment_bytes).min(buffer_bytes);
        let policy = POLICIES[rng.usize(..POLICIES.len())];
        let is_bounded = policy::keyed().any(|name| name == policy) && rng.bool();
        let mut knobs = Knobs {
            clients: rng.usize(1..=24),
            moods: (0..backends).map(|_| draw_mood(rng)).collect(),
            weights: (0..backends).map(|_| rng.u32(1..=5)).collect(),
            policy,
            max_load_percent: is_bounded.then(|| rng.u32(101..=300)),
            arrivals: Duration::from_millis(rng.u64(0..=2_000)),
            latency_us: log_uniform(rng, 1, 20_000) as u64,
            connect_us: log_uniform(rng, 1, 500_000) as u64,
            send_capacity,
            receive_capacity,
            segment_bytes,
            buffer_bytes,
            turn_bytes: buffer_bytes * rng.usize(1..=4),
            max_pipes: rng.usize(..=3),
            stream_bytes: log_uniform(rng, 4, 128 * narrowest.max(4)) as u64,
            max_connections: if rng.bool() { 1_000 } else { rng.usize(1..=8) },
            connect_attempts: rng.u8(1..=4),
            event_batch: log_uniform(rng, 1, 64),
            // Spurious events mask lost wake-ups: off in half of the seeds.
            spurious: sometimes(rng, 200),
            stale: sometimes(rng, 300),
            interrupted: sometimes(rng, 100),
            short_write: sometimes(rng, 400),
            accept_fails: sometimes(rng, 300),
            connect_exhausted: if rng.u8(..4) == 0 { rng.u32(1..200) } else { 0 },
            watch_exhausted: if rng.u8(..8) == 0 { rng.u32(1..100) } else { 0 },
            abort: sometimes(rng, 500),
            long_pauses: if rng.u8(..4) == 0 { rng.u32(1..50) } else { 0 },
            bare_edges: rng.bool(),
            drain_at: (rng.u8(..4) == 0).then(|| Duration::from_millis(rng.u64(0..3_000))),
            http: None,
            operation: None,
        };
        knobs.operation = Operation::draw(rng, &knobs);
        knobs
    }
}

fn draw_mood(rng: &mut Rng) -> Mood {
    match rng.u8(..10) {
        0..=4 => Mood::Up,
        5 => Mood::Refusing,
        6 => Mood::Blackhole,
        7 => Mood::Unreachable,
        8 => Mood::Quitter,
        _ => Mood::Fickle,
    }
}

pub fn sometimes(rng: &mut Rng, most: u32) -> u32 {
    if rng.bool() { 0 } else { rng.u32(1..=most) }
}

/// Small values are where the trouble is, large ones must occur all the same.
pub fn log_uniform(rng: &mut Rng, least: usize, most: usize) -> usize {
    let ratio = most as f64 / least as f64;
    ((least as f64 * ratio.powf(rng.f64())) as usize).clamp(least, most)
}
