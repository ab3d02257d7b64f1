//! The backend that is likely to answer soonest: expected time of an answer × (in flight + 1) ÷ weight, the least of
//! two by lot (Finagle's `P2CPeakEwma`). The time is an estimate that a slow answer raises at once, see
//! [`Latency`](crate::balance::latency).
//!
//! Of two, not of all: no two estimates are the same, so the least of all would be one and the same backend for
//! everybody until it slows down, then another, and so on in herds. A backend that looks too good, be it that it is new
//! or that it only answers errors, gets twice its share at most. And a choice costs the same few operations in any pool.
//!
//! A backend that has not answered yet has no estimate. Against such a one only loads are compared, as `two_choices`
//! does: with an estimate of nothing a newcomer would get everything, with one of much it would get nothing.

use std::time::Instant;

use super::load::Load;
use super::{Choice, Entry, Policy, pair};
use crate::balance::{Backend, Sample};

pub(super) const ENTRY: Entry = Entry {
    name: "peak_ewma",
    summary: "Of two backends by lot, the one that is likely to answer sooner. For backends that differ in speed.",
    keyed: false,
    score: "milliseconds an answer will take, times (in flight + 1) / weight: the less of two by lot",
    build: |seed| Box::new(PeakEwma { rng: seed.rng() }),
};

#[derive(Clone)]
struct PeakEwma {
    rng: fastrand::Rng,
}

impl Policy for PeakEwma {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn score(&self, choice: &Choice<'_>, index: usize) -> Option<f64> {
        cost(choice.pool().backends().get(index)?, choice.now_ms()).map(|seconds| seconds * 1000.0)
    }

    fn copy(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }

    fn pick(&mut self, choice: &Choice<'_>) -> Option<usize> {
        let (first, second) = pair::draw(choice, &mut self.rng)?;
        let better = second.filter(|(_, second)| is_better(second, first.1, choice.now_ms()));
        Some(better.unwrap_or(first).0)
    }

    fn observe(&mut self, backend: &Backend, sample: Sample, since: Instant, now: Instant) {
        let time = now.saturating_duration_since(since);
        backend.latency().observe(sample, time, backend.penalty().millis(now));
    }
}

fn is_better(one: &Backend, other: &Backend, now_ms: u64) -> bool {
    match (cost(one, now_ms), cost(other, now_ms)) {
        (Some(one), Some(other)) => one < other,
        _ => Load::of(one).cmp(Load::of(other)).is_lt(),
    }
}

/// `None` for a backend that has not answered yet.
fn cost(backend: &Backend, now_ms: u64) -> Option<f64> {
    let in_flight = backend.connections();
    let seconds = backend.latency().seconds(in_flight, now_ms)?;
    Some(seconds * (f64::from(in_flight) + 1.0) / f64::from(backend.weight()))
}
