//! Fewest connections for its weight.

use std::collections::BinaryHeap;

use lbproxy::balance::{Lease, Tried};
use proptest::prelude::*;

use crate::support::*;

#[test]
fn ties_spread_evenly_over_an_idle_pool() {
    let mut balancer = worker("fewest_connections", &pool(&[1; 10]), 0);
    let counts = counts(&mut balancer, &[], 10_000);
    // 9 degrees of freedom: exceeded once in a thousand seeds.
    assert!(chi_square(&counts, &[1; 10]) < 27.9, "{counts:?}");
}

#[test]
fn ties_spread_by_weight() {
    let weights = [11, 10, 10, 1];
    let mut balancer = worker("fewest_connections", &pool(&weights), 0);
    let counts = counts(&mut balancer, &[], 10_000);
    assert!(chi_square(&counts, &weights) < 16.3, "{counts:?}");
}

/// Two workers that see the same counters do not draw the same lots.
#[test]
fn workers_do_not_move_in_step() {
    let draws = |number| {
        let mut balancer = worker("fewest_connections", &pool(&[1; 10]), number);
        (0..50).map(|_| pick_without(&mut balancer, &[], base())).collect::<Vec<_>>()
    };
    assert_eq!(draws(0), draws(0), "same seed, same run");
    assert_ne!(draws(0), draws(1));
}

/// One backend of ten is 10 × slower. What matters is that its queue does not grow: in flight stays level.
#[test]
fn a_slow_backend_gets_fewer_clients_not_more_connections() {
    let mut balancer = worker("fewest_connections", &pool(&[1; 10]), 0);
    let mut served = [0; 10];
    simulate(&mut balancer, 20_000, |i| {
        served[i] += 1;
        if i == 0 { 1000 } else { 100 }
    });
    let mean = served[1..].iter().sum::<u32>() / 9;
    assert!(served[0] * 8 < mean, "the slow one served {}, the others {mean} each", served[0]);
}

/// A client per millisecond, each holding its connection for as long as `service_ms` says; in the end all are gone.
fn simulate(
    balancer: &mut lbproxy::balance::Balancer,
    clients: u64,
    mut service_ms: impl FnMut(usize) -> u64,
) {
    let mut ends = BinaryHeap::new();
    let mut leases: Vec<Option<Lease>> = Vec::new();
    for now_ms in 0..clients {
        while ends.peek().is_some_and(|&(std::cmp::Reverse(end_ms), _)| end_ms <= now_ms) {
            let (_, ended) = ends.pop().expect("just seen");
            leases[ended] = None;
        }
        let lease =
            balancer.choose(client(now_ms as u32), None, &Tried::default(), at(now_ms)).expect("available");
        let in_flight = connections(balancer.pool());
        let (most, least) = (in_flight.iter().max(), in_flight.iter().min());
        assert!(most.expect("backends") - least.expect("backends") <= 4, "{in_flight:?}");
        ends.push((std::cmp::Reverse(now_ms + service_ms(position(balancer, &lease))), leases.len()));
        leases.push(Some(lease));
    }
    drop(leases);
    assert!(connections(balancer.pool()).iter().all(|&n| n == 0));
}

proptest! {
    #![proptest_config(cases(200))]

    /// Long-lived connections of equal weight stay within one of each other, whichever worker took them: counted from
    /// the choice, and by all workers together.
    #[test]
    fn long_lived_connections_stay_within_one(
        backends in 1_usize..12, arrivals in prop::collection::vec(0_usize..4, 1..100),
    ) {
        let pool = pool(&vec![1; backends]);
        let mut workers: Vec<_> = (0..4).map(|n| worker("fewest_connections", &pool, n)).collect();
        let mut leases = Vec::new();
        for (n, who) in arrivals.into_iter().enumerate() {
            leases.push(workers[who].choose(client(n as u32), None, &Tried::default(), base()).expect("available"));
            let now = connections(&pool);
            prop_assert_eq!(now.iter().sum::<u32>() as usize, leases.len());
            prop_assert!(now.iter().max().unwrap() - now.iter().min().unwrap() <= 1, "{:?}", now);
        }
    }

    /// Long-lived connections as many as weights, or a multiple: each has exactly its weight.
    #[test]
    fn long_lived_connections_follow_weights(weights in prop::collection::vec(0_u32..20, 1..10), times in 1_u32..4) {
        let mut balancer = worker("fewest_connections", &pool(&weights), 0);
        let clients = times * weights.iter().sum::<u32>();
        let leases: Vec<_> = (0..clients).map(|n| balancer.choose(client(n), None, &Tried::default(), base())).collect();
        prop_assert!(leases.iter().all(Option::is_some));
        prop_assert_eq!(connections(balancer.pool()), weights.iter().map(|w| w * times).collect::<Vec<_>>());
    }

    /// Connections come and go at will: the choice is always a least loaded one, and the counters are always the
    /// number of leases held, back to zero in the end.
    #[test]
    fn the_choice_is_the_least_loaded(
        weights in prop::collection::vec(1_u32..10, 1..8),
        steps in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 1..200),
    ) {
        let pool = pool(&weights);
        let mut workers = [worker("fewest_connections", &pool, 0), worker("fewest_connections", &pool, 1)];
        let mut leases: Vec<Lease> = Vec::new();
        let mut model = vec![0_u32; weights.len()];
        for (arrives, which) in steps {
            if !arrives && !leases.is_empty() {
                let gone = leases.swap_remove(which.index(leases.len()));
                model[position(&workers[0], &gone)] -= 1;
            } else {
                let balancer = &mut workers[which.index(2)];
                let lease = balancer.choose(client(0), None, &Tried::default(), base()).expect("available");
                let chosen = position(balancer, &lease);
                let load = |i: usize| f64::from(model[i]) / f64::from(weights[i]);
                prop_assert!((0..weights.len()).all(|i| load(chosen) <= load(i)), "{:?}", model);
                model[chosen] += 1;
                leases.push(lease);
            }
            prop_assert_eq!(connections(&pool), &model[..]);
        }
        drop(leases);
        prop_assert!(connections(&pool).iter().all(|&n| n == 0));
    }
}
