//! What was found. Its JSON form is what `--json` prints.

use serde::Serialize;

use super::moved::Moved;

/// What one policy did.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Found {
    pub(super) policy: String,
    pub(super) requests: u64,
    pub(super) answered: u64,
    /// Ended by a backend with an error, at once or because it went down.
    pub(super) errors: u64,
    /// Not accepted by any backend.
    pub(super) unserved: u64,
    /// Connects that were refused; most requests they were for went elsewhere.
    pub(super) refused_connects: u64,
    /// Virtual time from the start to the last request.
    pub(super) seconds: f64,
    /// Of requests that were answered; none if none was.
    pub(super) latency_ms: Option<Latency>,
    pub(super) imbalance: Imbalance,
    pub(super) backends: Vec<Share>,
    /// None if no change of members was asked for, or the policy does not go by the client.
    pub(super) moved: Option<Moved>,
    /// Latency in milliseconds that a fraction of requests does not exceed: fraction, latency.
    pub(super) spectrum: Vec<(f64, f64)>,
    /// Requests that the fullest backend had in flight: seconds, requests.
    pub(super) fullest: Vec<(f64, u32)>,
}

/// From when a client came until it was answered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Latency {
    pub(super) mean: f64,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) p99_9: f64,
    pub(super) max: f64,
}

/// How uneven backends were used.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Imbalance {
    /// The most requests that a backend got for its weight, over the mean.
    pub(super) requests_max_over_mean: f64,
    /// The same as a difference, in requests.
    pub(super) requests_max_minus_mean: f64,
    /// Requests in flight, of one backend on average over time.
    pub(super) in_flight_mean: f64,
    /// What the fullest backend had in flight beyond that mean, on average over time.
    pub(super) in_flight_max_minus_mean: f64,
    /// What the fullest had beyond the emptiest, on average over time.
    pub(super) in_flight_max_minus_min: f64,
    /// What the fullest had beyond the mean when the last request had come.
    pub(super) in_flight_end_max_minus_mean: f64,
}

/// One backend's part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Share {
    pub(super) name: String,
    pub(super) weight: u32,
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) percent: f64,
    /// What its weight asks for.
    pub(super) due_percent: f64,
}
