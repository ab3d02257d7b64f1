//! Least latency: peaks felt at once and forgotten in time, and nobody who looks good wins.

use std::collections::BTreeMap;
use std::time::Duration;

use lbproxy::balance::{Balancer, Lease, Sample, Tried};
use proptest::prelude::*;

use crate::support::*;

/// What a backend makes of a client that comes at `at_ms`.
type Serve<'a> = &'a dyn Fn(usize, u64) -> Sample;

/// An answer after so many milliseconds.
fn answer(ms: u64) -> Sample {
    Sample::Answer(Duration::from_millis(ms))
}

/// How a crowd of clients fared.
struct Crowd {
    /// How many each backend got.
    served: Vec<u64>,
    /// How long they waited, in order.
    times_ms: Vec<u64>,
}

impl Crowd {
    fn share(&self, backend: usize) -> f64 {
        self.served[backend] as f64 / self.served.iter().sum::<u64>() as f64
    }

    fn p99_ms(&self) -> u64 {
        self.times_ms[self.times_ms.len() * 99 / 100]
    }
}

/// Clients come from `from_ms` on, one every `every_us` microseconds, and leave when they are served.
fn crowd(balancer: &mut Balancer, from_ms: u64, clients: u64, every_us: u64, serve: Serve<'_>) -> Crowd {
    let mut in_flight: BTreeMap<(u64, u64), (Lease, Sample)> = BTreeMap::new();
    let mut crowd = Crowd { served: vec![0; balancer.pool().backends().len()], times_ms: Vec::new() };
    for n in 0..clients {
        let now_ms = from_ms + n * every_us / 1000;
        let waiting = in_flight.split_off(&(now_ms + 1, 0));
        finish(balancer, std::mem::replace(&mut in_flight, waiting));
        let lease =
            balancer.choose(client(n as u32), None, &Tried::default(), at(now_ms)).expect("available");
        let backend = position(balancer, &lease);
        let sample = serve(backend, now_ms);
        let (Sample::Answer(time) | Sample::Failure(time) | Sample::Wait(time)) = sample;
        let time_ms = time.as_millis() as u64;
        crowd.served[backend] += 1;
        crowd.times_ms.push(time_ms);
        in_flight.insert((now_ms + time_ms, n), (lease, sample));
    }
    finish(balancer, in_flight);
    crowd.times_ms.sort_unstable();
    crowd
}

fn finish(balancer: &mut Balancer, served: BTreeMap<(u64, u64), (Lease, Sample)>) {
    for ((ends_ms, _), (lease, sample)) in served {
        balancer.observe(lease.backend(), sample, at(ends_ms));
    }
}

/// Gives every backend an estimate: what `serve` says for each, once.
fn introduce(balancer: &mut Balancer, now_ms: u64, serve: Serve<'_>) {
    for position in 0..balancer.pool().backends().len() {
        observe(balancer, position, serve(position, now_ms), now_ms);
    }
}

fn observe(balancer: &mut Balancer, position: usize, sample: Sample, now_ms: u64) {
    let pool = balancer.pool().clone();
    balancer.observe(&pool.backends()[position], sample, at(now_ms));
}

fn balancer(weights: &[u32]) -> Balancer {
    worker("peak_ewma", &pool(weights), 0)
}

#[test]
fn probe() {
    for policy in ["peak_ewma", "two_choices", "fewest_connections"] {
        for every_us in [100_000, 10_000, 2_000, 1_000, 200] {
            let mut b = worker(policy, &pool(&[1; 10]), 0);
            let c = crowd(&mut b, 0, 100_000, every_us, &|i, _| answer(if i == 0 { 1000 } else { 100 }));
            println!("{policy} slow every {every_us}us: share {:.4} p99 {}", c.share(0), c.p99_ms());
            let mut b = worker(policy, &pool(&[1; 10]), 0);
            let c = crowd(&mut b, 0, 100_000, every_us, &|i, _| {
                if i == 0 { Sample::Failure(Duration::from_millis(1)) } else { answer(100) }
            });
            println!("{policy} sink every {every_us}us: share {:.4}", c.share(0));
        }
    }
}
