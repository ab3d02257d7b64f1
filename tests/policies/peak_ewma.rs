//! Least latency: peaks felt at once and forgotten in time, and nobody who looks good for a bad reason wins.

use std::collections::BTreeMap;

use lbproxy::balance::Sample::{Answer, Failure};
use lbproxy::balance::{Balancer, Lease, Sample, Tried};
use proptest::prelude::*;

use crate::support::*;

/// What a backend makes of a client that comes at a millisecond: what, and after how many of them.
type Serve<'a> = &'a dyn Fn(usize, u64) -> (Sample, u64);

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

/// A client every so many microseconds; each leaves when it is served.
fn crowd(balancer: &mut Balancer, clients: u64, every_us: u64, serve: Serve<'_>) -> Crowd {
    let mut in_flight: BTreeMap<(u64, u64), (Lease, Sample, u64)> = BTreeMap::new();
    let mut crowd = Crowd { served: vec![0; balancer.pool().backends().len()], times_ms: Vec::new() };
    for n in 0..clients {
        let now_ms = n * every_us / 1000;
        let waiting = in_flight.split_off(&(now_ms + 1, 0));
        for ((ends_ms, _), (lease, sample, since_ms)) in std::mem::replace(&mut in_flight, waiting) {
            balancer.observe(lease.backend(), sample, at(since_ms), at(ends_ms));
        }
        let lease =
            balancer.choose(client(n as u32), None, &Tried::default(), at(now_ms)).expect("available");
        let backend = position(balancer, &lease);
        let (sample, time_ms) = serve(backend, now_ms);
        crowd.served[backend] += 1;
        crowd.times_ms.push(time_ms);
        in_flight.insert((now_ms + time_ms, n), (lease, sample, now_ms));
    }
    crowd.times_ms.sort_unstable();
    crowd
}

fn balancer(weights: &[u32]) -> Balancer {
    worker("peak_ewma", &pool(weights), 0)
}

/// Lets a backend answer, or not, at `now_ms`, what it was asked so many milliseconds ago.
fn tell(balancer: &mut Balancer, position: usize, sample: Sample, time_ms: u64, now_ms: u64) {
    let backend = balancer.pool().backends()[position].clone();
    balancer.observe(&backend, sample, at(now_ms - time_ms), at(now_ms));
}

/// Two backends that answer within 10 ms.
fn pair(weights: &[u32; 2]) -> Balancer {
    let mut balancer = balancer(weights);
    (0..2).for_each(|position| tell(&mut balancer, position, Answer, 10, 1000));
    balancer
}

/// The backend of one client, who leaves at once.
fn pick(balancer: &mut Balancer, ms: u64) -> usize {
    pick_without(balancer, &[], at(ms)).expect("available")
}

/// One backend of ten is 10 × slower. It gets less than a tenth of what it would for load alone, where it has a tenth of
/// a share, and so the slowest hundredth of the clients are no slower than the others.
#[test]
fn hardly_anyone_waits_for_a_slow_backend() {
    let slow = |backend, _| (Answer, if backend == 0 { 1000 } else { 100 });
    for every_us in [100_000, 10_000, 2_000, 200] {
        let mut fresh = balancer(&[1; 10]);
        let crowd = crowd(&mut fresh, 50_000, every_us, &slow);
        assert!(crowd.share(0) < 0.01, "every {every_us} µs: {}", crowd.share(0));
        assert_eq!(crowd.p99_ms(), 100, "every {every_us} µs");
        assert!(crowd.served[0] > 1, "it was tried again");
    }
    let fewest = crowd(&mut worker("fewest_connections", &pool(&[1; 10]), 0), 50_000, 2_000, &slow);
    assert_eq!(fewest.p99_ms(), 1000, "where only load counts");
}

/// A backend that answers errors, and at once, has nothing to do: that is no reason to send everybody there. Whether it
/// has always done so, or has answered well before.
#[test]
fn a_sinkhole_does_not_win() {
    for good_ms in [0, 5_000] {
        let sink = |backend, now_ms| {
            if backend == 0 && now_ms >= good_ms { (Failure, 1) } else { (Answer, 100) }
        };
        for every_us in [10_000, 2_000, 200] {
            let clients = 60_000_000 / every_us;
            let crowd = crowd(&mut balancer(&[1; 10]), clients, every_us, &sink);
            let failed = crowd.times_ms.iter().filter(|&&ms| ms == 1).count() as f64 / clients as f64;
            assert!(failed < 0.01, "every {every_us} µs, good for {good_ms} ms: {failed} of all");
        }
        let fewest = crowd(&mut worker("fewest_connections", &pool(&[1; 10]), 0), 30_000, 2_000, &sink);
        assert!(fewest.share(0) > 0.5, "where only load counts, it wins: {}", fewest.share(0));
    }
}

/// One request in a hundred fails, whoever serves it: that is the requests' fault, and nobody is left out for it.
#[test]
fn errors_that_all_have_change_nothing() {
    let lots = std::cell::Cell::new(1_u64);
    let flaky = |_, _| {
        lots.set(lots.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        if lots.get() >> 33 & 127 == 0 { (Failure, 1) } else { (Answer, 100) }
    };
    let crowd = crowd(&mut balancer(&[1; 10]), 100_000, 1_000, &flaky);
    assert!((0..10).all(|backend| (crowd.share(backend) - 0.1).abs() < 0.03), "{:?}", crowd.served);
}

#[test]
fn a_peak_is_felt_at_once_and_forgotten_in_time() {
    let mut balancer = pair(&[1, 1]);
    tell(&mut balancer, 0, Answer, 1000, 2000);
    assert!((0..1000).all(|n| pick(&mut balancer, 2000 + n) == 1), "one slow answer is enough");
    // ln(1000 ÷ 10) × 10 s = 46 s, while the other one goes on to answer.
    let tried_again = (2_000..100_000).step_by(10).find(|&ms| {
        tell(&mut balancer, 1, Answer, 10, ms);
        pick(&mut balancer, ms) == 0
    });
    assert!(tried_again.is_some_and(|ms| (47_000..50_000).contains(&ms)), "{tried_again:?}");
}

/// Nobody is sent there any more, and what it owes does not come: that it says nothing does not speak for it.
#[test]
fn a_backend_that_hangs_does_not_look_better_with_time() {
    let mut balancer = balancer(&[1; 10]);
    let stuck = |backend, now_ms| (Answer, if backend == 0 && now_ms > 2_000 { 1_000_000 } else { 100 });
    let crowd = crowd(&mut balancer, 60_000, 1_000, &stuck);
    let held = crowd.times_ms.iter().filter(|&&ms| ms > 100).count();
    assert!(held < 200, "{held} of 58,000 wait in vain");
}

/// It gets what two_choices would give it, until it has answered.
#[test]
fn a_newcomer_neither_takes_everything_nor_is_left_out() {
    let pool = pool(&[1; 10]);
    let mut balancer = worker("peak_ewma", &pool, 0);
    (1..10).for_each(|position| tell(&mut balancer, position, Answer, 100, 100));
    let mut leases = Vec::new();
    for n in 0..1000 {
        leases.push(balancer.choose(client(n), None, &Tried::default(), at(100)).expect("available"));
    }
    let newcomer = connections(&pool)[0];
    assert!((90..=110).contains(&newcomer), "{newcomer} of 1000");
}

/// Held connections and equal times: loads are as the weights are.
#[test]
fn connections_that_stay_follow_weights() {
    let weights = [1, 2, 3, 10];
    let pool = pool(&weights);
    let mut balancer = worker("peak_ewma", &pool, 0);
    (0..4).for_each(|position| tell(&mut balancer, position, Answer, 100, 100));
    let leases: Vec<_> =
        (0..1600).map(|n| balancer.choose(client(n), None, &Tried::default(), at(100))).collect();
    for (&count, weight) in connections(&pool).iter().zip(weights) {
        assert!((f64::from(count) / f64::from(weight) - 100.0).abs() < 5.0, "{:?}", connections(&pool));
    }
    drop(leases);
}

/// One worker's bad news is everybody's.
#[test]
fn workers_share_what_they_learn() {
    let mut one = pair(&[1, 1]);
    let mut other = worker("peak_ewma", &one.pool().clone(), 1);
    tell(&mut one, 1, Answer, 500, 2000);
    assert!((0..100).all(|n| pick(&mut other, 2000 + n) == 0));
}

proptest! {
    #![proptest_config(cases(200))]

    /// Of two, the one with the lower time × (in flight + 1) ÷ weight is chosen.
    #[test]
    fn the_choice_is_the_cheaper_one(
        times_ms in prop::array::uniform2(1_u64..1000),
        in_flight in prop::array::uniform2(0_u32..20),
        weights in prop::array::uniform2(1_u32..10),
    ) {
        let mut balancer = balancer(&weights);
        let mut leases = Vec::new();
        for position in 0..2 {
            tell(&mut balancer, position, Answer, times_ms[position], 1000);
            let tried = tried(&balancer, &[1 - position]);
            for n in 0..in_flight[position] {
                leases.push(balancer.choose(client(n), None, &tried, at(1000)).expect("available"));
            }
        }
        let cost = |i: usize| times_ms[i] as f64 * f64::from(in_flight[i] + 1) / f64::from(weights[i]);
        prop_assume!((cost(0) - cost(1)).abs() > 1e-3 * cost(0));
        prop_assert_eq!(pick(&mut balancer, 1000), usize::from(cost(1) < cost(0)));
    }

    /// Whatever else comes than an answer, nobody is thought better of.
    #[test]
    fn only_answers_improve_a_standing(samples in prop::collection::vec((any::<bool>(), 0_u64..1000), 1..20)) {
        let mut balancer = pair(&[1, 1]);
        // By a hair, the other one is better.
        tell(&mut balancer, 0, Answer, 11, 1000);
        for (fails, time_ms) in samples {
            tell(&mut balancer, 0, if fails { Failure } else { Sample::Wait }, time_ms, 1000);
            prop_assert_eq!(pick(&mut balancer, 1000), 1);
        }
    }
}
