//! The picture, as `/stats` gives it.

use serde::{Deserialize, Serialize};

use crate::http::CLASSES;

/// A proxy at one moment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Of the program.
    pub version: String,
    /// Process id.
    pub pid: u32,
    /// Milliseconds since 1970.
    pub at_unix_ms: u64,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// `serving` or `draining`.
    pub state: String,
    /// What is short, in words; first of all what is shortest.
    pub saturation: Vec<String>,
    /// In a sentence, how much there is to spare.
    pub headroom: String,
    /// Whether changes need a token here.
    pub token_needed: bool,
    /// File descriptors open.
    pub open_fds: usize,
    /// And how many may be.
    pub max_fds: u64,
    /// The loops.
    pub workers: Vec<Worker>,
    /// Where clients come in.
    pub frontends: Vec<Frontend>,
    /// Where they are sent.
    pub pools: Vec<Pool>,
    /// How connections ended.
    pub connections_ended: Vec<Ended>,
    /// How requests ended.
    pub requests_ended: Vec<Ended>,
    /// Everything else that is counted.
    pub totals: Totals,
}

/// One loop.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Worker {
    /// Its number.
    pub worker: usize,
    /// Clients connected.
    pub sessions: usize,
    /// How many may be.
    pub max_connections: usize,
    /// Sessions that wait for another turn.
    pub run_queue: usize,
    /// Relay buffers that hold something.
    pub buffers: usize,
    /// Connections to backends.
    pub links: usize,
    /// Turns of the loop so far.
    pub turns: u64,
    /// The part of the last second that it spent on a CPU.
    pub busy: f64,
    /// The part that it waited for one.
    pub starved: f64,
    /// How long 99 of 100 turns took at the most, in milliseconds, in the last second.
    pub lag_p99_ms: Option<f64>,
}

/// Where clients come in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Frontend {
    /// Its name.
    pub name: String,
    /// `tcp` or `http`.
    pub mode: String,
    /// Where it listens.
    pub listen: Vec<String>,
    /// Its pool.
    pub pool: String,
    /// Clients connected.
    pub open: u64,
    /// Clients so far.
    pub accepted: u64,
    /// Responses by the first digit of their status; first those who got none.
    pub responses: [u64; CLASSES],
    /// Connections in the kernel's queue, and how many may be.
    pub queue: u32,
    /// And how many may be.
    pub queue_most: u32,
    /// Clients in the last second.
    pub connections_per_s: f64,
    /// Responses in the last second.
    pub responses_per_s: f64,
}

/// Backends that serve the same thing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// Its policy.
    pub policy: String,
    /// Clients, or requests, that wait for room.
    pub waiting: usize,
    /// Its backends.
    pub backends: Vec<Backend>,
}

/// One server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Backend {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub address: String,
    /// `up`, `starting`, `passed over`, `down`, `drained` or `leaving`.
    pub state: String,
    /// Why it is not up.
    pub why: Option<String>,
    /// Its weight now.
    pub weight: u32,
    /// An operator has drained it.
    pub drained: bool,
    /// An operator has given it this weight.
    pub weight_set: Option<u32>,
    /// Serves when the others are gone.
    pub backup: bool,
    /// Connections now; in HTTP mode, requests in flight.
    pub in_flight: u32,
    /// And how many may be.
    pub max_connections: Option<u32>,
    /// Part of what the pool got in the last ten seconds.
    pub share: Option<f64>,
    /// Part that its weight gives it among those that are up.
    pub fair_share: f64,
    /// Connections or requests given to it so far.
    pub chosen: u64,
    /// The same in the last second.
    pub per_s: f64,
    /// Failed connects and 5xx in the last second.
    pub errors_per_s: f64,
    /// Connects that failed so far.
    pub connects_failed: u64,
    /// Responses so far by the first digit of their status.
    pub responses: [u64; CLASSES],
    /// Bytes to it so far.
    pub up_bytes: u64,
    /// Bytes from it so far.
    pub down_bytes: u64,
    /// Both in the last second.
    pub bytes_per_s: f64,
    /// The answers of the last second: half of them took no longer, in milliseconds.
    pub p50_ms: Option<f64>,
    /// 99 of 100 took no longer.
    pub p99_ms: Option<f64>,
    /// What became of it, the oldest first.
    pub changes: Vec<Change>,
    /// The last minute, a second each, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Second>,
}

impl Backend {
    /// Whether new clients go there.
    pub fn is_available(&self) -> bool {
        is_available(&self.state)
    }
}

/// Whether new clients go to a backend in this state.
pub(super) fn is_available(state: &str) -> bool {
    matches!(state, "up" | "starting")
}

/// Something is different from what it was.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Change {
    /// Milliseconds since 1970.
    pub at_unix_ms: u64,
    /// What it is now.
    pub what: String,
    /// Why.
    pub why: String,
}

/// A backend's second.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Second {
    /// Connections or requests given to it.
    pub per_s: f64,
    /// See [`Backend::p50_ms`].
    pub p50_ms: Option<f64>,
    /// See [`Backend::p99_ms`].
    pub p99_ms: Option<f64>,
}

/// How often something ended like this.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Ended {
    /// Who ended it: `client`, `backend` or `proxy`.
    pub side: String,
    /// The word that the log has for it.
    pub cause: String,
    /// How often.
    pub count: u64,
}

/// Counters of all workers together.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Clients accepted.
    pub accepted: u64,
    /// Those that are gone.
    pub closed: u64,
    /// Requests.
    pub requests: u64,
    /// Requests refused as malformed or too large.
    pub refused: u64,
    /// Requests on a backend's connection that had served before.
    pub reused: u64,
    /// Requests sent once more.
    pub retries: u64,
    /// Connects that failed.
    pub connects_failed: u64,
    /// Checks that failed.
    pub checks_failed: u64,
    /// Those who found no backend.
    pub unserved: u64,
    /// Those who had to wait for room.
    pub queued: u64,
    /// Those who did not get it.
    pub queue_refused: u64,
    /// Those whose client had enough.
    pub client_limited: u64,
    /// Times accepting paused for want of descriptors.
    pub accept_pauses: u64,
    /// Times `max_connections` was reached.
    pub limit_reached: u64,
    /// Sessions cut when draining took too long.
    pub cut: u64,
    /// Requests to the admin endpoint.
    pub admin_requests: u64,
    /// Events that somebody there was too slow for.
    pub events_dropped: u64,
}
