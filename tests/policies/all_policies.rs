//! What holds for every policy in the registry.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use lbproxy::balance::policy::{self, REGISTRY, Seed};
use lbproxy::balance::{Balancer, MAX_CONNECT_ATTEMPTS, Tried};
use proptest::prelude::*;

use crate::support::*;

#[test]
fn the_registry_names_each_policy_once_and_the_default_first() {
    let names: Vec<_> = policy::names().collect();
    assert_eq!(
        names,
        ["round_robin", "fewest_connections", "two_choices", "peak_ewma", "ip_hashing", "maglev", "random"]
    );
    assert_eq!(policy::keyed().collect::<Vec<_>>(), ["ip_hashing", "maglev"]);
    assert!(policy::build("roundrobin", Seed::default()).is_none());
    for entry in REGISTRY {
        assert_eq!((entry.build)(Seed::default()).name(), entry.name);
        assert!(!entry.summary.is_empty() && !entry.summary.contains('\n'));
        let built = policy::build(entry.name, Seed::default()).expect("it is in the registry");
        assert_eq!(Balancer::new(pool(&[1]), built).policy_name(), entry.name);
    }
}

#[test]
fn one_backend_or_ten_thousand() {
    for name in policy::names() {
        for size in [1, 2, 10_000] {
            let mut balancer = worker(name, &pool(&vec![1; size]), 3);
            let leases: Vec<_> = (0..20)
                .map(|n| balancer.choose(client(n), None, &Tried::default(), base()).expect("available"))
                .collect();
            assert_eq!(connections(balancer.pool()).iter().sum::<u32>(), 20);
            drop(leases);
            assert!(connections(balancer.pool()).iter().all(|&n| n == 0), "{name}, {size}");
        }
    }
}

#[test]
fn nobody_left_is_none() {
    for name in policy::names() {
        let mut balancer = worker(name, &pool(&[1, 5, 0]), 0);
        assert_eq!(
            pick_without(&mut balancer, &[0, 1], base()),
            None,
            "{name}: weight 0 is not a last resort"
        );
        assert!(pick_without(&mut balancer, &[0], base()).is_some());
        assert_eq!(pick_without(&mut worker(name, &pool(&[0, 0]), 2), &[], base()), None);
    }
}

#[test]
fn the_largest_weights_do_not_overflow() {
    for name in policy::names() {
        let mut balancer = worker(name, &pool(&vec![1_000_000; 10_000]), 1);
        let lease = balancer.choose(client(1), None, &Tried::default(), base());
        assert!(lease.is_some() && pick_without(&mut balancer, &[], base()).is_some(), "{name}");
    }
}

/// Whatever the listener, policies see one address per client.
#[test]
fn policies_see_ipv4_clients_as_ipv4() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let mut balancer = asking(&pool(&[1, 1]), move |choice| {
        log.lock().expect("no panic").push(choice.client());
        assert!(choice.is_available(1) && choice.available().count() == 2);
        Some(1)
    });
    let clients: [IpAddr; 3] =
        ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1"].map(|ip| ip.parse().expect("an address"));
    for client in clients {
        assert!(balancer.choose(client, None, &Tried::default(), base()).is_some());
    }
    assert_eq!(*seen.lock().expect("no panic"), [clients[0], clients[0], clients[2]]);
}

/// Four workers, as threads, on one pool: what is counted is released, however they interleave.
#[test]
fn counters_shared_by_threads_end_at_zero() {
    for name in policy::names() {
        let pool = pool(&[3, 1, 1]);
        std::thread::scope(|scope| {
            for n in 0..4 {
                let pool = Arc::clone(&pool);
                scope.spawn(move || {
                    let mut balancer = worker(name, &pool, n);
                    for i in 0..2000 {
                        let held =
                            balancer.choose(client(i), None, &Tried::default(), base()).expect("available");
                        let tried = tried(&balancer, &[position(&balancer, &held)]);
                        assert!(balancer.choose(client(i), None, &tried, base()).is_some());
                    }
                });
            }
        });
        assert_eq!(connections(&pool), [0, 0, 0], "{name}");
    }
}

proptest! {
    #![proptest_config(cases(300))]

    /// A client that fails everywhere is sent to each backend of some weight once, then nowhere.
    #[test]
    fn retries_go_to_each_backend_once(
        weights in prop::collection::vec(0_u32..5, 1..=MAX_CONNECT_ATTEMPTS), who: u32, number in 0_usize..9,
    ) {
        for name in policy::names() {
            let mut balancer = worker(name, &pool(&weights), number);
            let mut tried = Tried::default();
            // Alternately in the open and with everyone penalised: neither may lead back to one that was tried.
            while let Some(lease) = balancer.choose(client(who), None, &tried, base()) {
                prop_assert!(lease.backend().weight() > 0);
                prop_assert!(tried.insert(lease.backend().id), "{} chose {} twice", name, lease.backend().name);
                lease.connect_failed(&"refused", base());
            }
            prop_assert_eq!(tried.len(), weights.iter().filter(|&&weight| weight > 0).count());
        }
    }

    /// While anyone is in good standing, nobody in back-off is chosen.
    #[test]
    fn penalised_backends_are_passed_over(
        penalised in prop::collection::vec(any::<bool>(), 2..=MAX_CONNECT_ATTEMPTS), clients in prop::collection::vec(any::<u32>(), 30),
    ) {
        prop_assume!(penalised.contains(&false));
        for name in policy::names() {
            let pool = pool(&vec![2; penalised.len()]);
            let mut first = first_available(&pool);
            for (i, _) in penalised.iter().enumerate().filter(|&(_, &penalised)| penalised) {
                fail(&mut first, i);
            }
            let mut balancer = worker(name, &pool, 0);
            for &who in &clients {
                let lease = balancer.choose(client(who), None, &Tried::default(), base()).expect("one is available");
                prop_assert!(!penalised[position(&balancer, &lease)], "{}", name);
            }
        }
    }
}

/// Fails a connection to one backend, found by a client who has tried all others.
fn fail(balancer: &mut Balancer, target: usize) {
    let others: Vec<_> = (0..balancer.pool().backends().len()).filter(|&i| i != target).collect();
    let tried = tried(balancer, &others);
    balancer
        .choose(client(0), None, &tried, base())
        .expect("the target is available")
        .connect_failed(&"refused", base());
}
