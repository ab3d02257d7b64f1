//! `max_load_percent`: no backend above its bound, and nobody moved who need not be.

use std::net::IpAddr;

use lbproxy::balance::policy::keyed;
use lbproxy::balance::{Balancer, Lease, Tried};
use proptest::prelude::*;

use crate::support::*;

type Backends = Vec<(String, u32)>;

fn bounded(policy: &str, backends: &[(String, u32)], percent: Option<u32>) -> Balancer {
    let mut balancer = worker(policy, &named(backends), 0);
    balancer.set_max_load(percent);
    balancer
}

fn choose(balancer: &mut Balancer, client: IpAddr) -> Lease {
    balancer.choose(client, None, &Tried::default(), base()).expect("available")
}

/// Where a client goes whom nothing hinders.
fn home(balancer: &mut Balancer, client: IpAddr) -> String {
    choose(balancer, client).backend().name.clone()
}

/// ⌈percent ÷ 100 × share of one connection more⌉, in whole numbers.
fn bound(percent: u32, weight: u32, weights: u32, connections: u32) -> u32 {
    let (share, whole) =
        (u64::from(percent) * u64::from(weight) * u64::from(connections + 1), 100 * u64::from(weights));
    share.div_ceil(whole) as u32
}

fn equal(n: usize) -> Backends {
    (0..n).map(|i| (format!("b{i}"), 1)).collect()
}

/// One client, who alone would fill one backend, fills all of them instead.
#[test]
fn one_busy_client_is_spread_over_as_many_as_it_takes() {
    for policy in keyed() {
        let mut balancer = bounded(policy, &equal(4), Some(125));
        let leases: Vec<_> = (0..100).map(|_| choose(&mut balancer, client(1))).collect();
        let mut counts = connections(balancer.pool());
        counts.sort_unstable();
        assert!(
            counts[0] > 0 && counts[3] <= 32,
            "{policy}: at most a quarter of 100, and a quarter of that more"
        );
        drop(leases);
        let plain = home(&mut bounded(policy, &equal(4), None), client(1));
        assert_eq!(home(&mut balancer, client(1)), plain, "{policy}: and it comes home when there is room");
    }
}

/// Where the share comes out even there is nothing to round: twice a quarter of two connections is one.
#[test]
fn a_bound_that_needs_no_rounding_is_not_rounded() {
    for policy in keyed() {
        let mut balancer = bounded(policy, &equal(4), Some(200));
        let leases: Vec<_> = (0..2).map(|_| choose(&mut balancer, client(1))).collect();
        let counts = connections(balancer.pool());
        assert!(counts.iter().all(|&count| count <= 1), "{policy}: {counts:?}");
        drop(leases);
    }
}

/// With everybody held at the bound by others, somebody serves all the same.
#[test]
fn a_bound_sends_nobody_away() {
    for policy in keyed() {
        for percent in [101, 1000] {
            let mut balancer = bounded(policy, &[("a".into(), 1), ("b".into(), 0)], Some(percent));
            let leases: Vec<_> = (0..50).map(|n| choose(&mut balancer, client(n))).collect();
            assert_eq!(connections(balancer.pool()), [50, 0]);
            drop(leases);
        }
    }
}

/// A cookie goes before the bound: what a backend keeps for a client is worth more than even load.
#[test]
fn who_has_a_cookie_is_let_in_beyond_the_bound() {
    for policy in keyed() {
        let mut balancer = bounded(policy, &equal(4), Some(101));
        let key = balancer.pool().backends()[2].key;
        let leases: Vec<_> =
            (0..40).map(|n| balancer.choose(client(n), Some(key), &Tried::default(), base())).collect();
        assert_eq!(connections(balancer.pool()), [0, 0, 40, 0]);
        drop(leases);
    }
}

/// The bound counts those that are there: a backend in back-off leaves its share to the others.
#[test]
fn the_share_of_a_backend_in_back_off_falls_to_the_others() {
    for policy in keyed() {
        let mut balancer = bounded(policy, &equal(3), Some(101));
        let failed = choose(&mut balancer, client(0));
        failed.connect_failed(&"refused", base());
        let gone = position(&balancer, &failed);
        drop(failed);
        let leases: Vec<_> = (0..60).map(|_| choose(&mut balancer, client(7))).collect();
        let mut counts = connections(balancer.pool());
        assert_eq!(counts.remove(gone), 0);
        counts.sort_unstable();
        assert!(counts[1] <= 31 && counts[0] >= 29, "{policy}: {counts:?}");
        drop(leases);
    }
}

fn backends() -> impl Strategy<Value = Backends> {
    prop::collection::btree_map("[a-z]{1,12}", 0_u32..20, 2..8)
        .prop_map(|map| map.into_iter().collect::<Backends>())
        .prop_filter("somebody has weight", |backends| backends.iter().any(|(_, weight)| *weight > 0))
}

/// Often one with which shares come out even.
fn percent() -> impl Strategy<Value = u32> {
    prop_oneof![prop::sample::select(vec![125, 150, 200, 400]), 101_u32..=1000]
}

/// Clients that come and go, few of whom there are: true for one who comes.
fn history() -> impl Strategy<Value = Vec<(bool, u32)>> {
    prop::collection::vec((prop::bool::weighted(0.7), 0_u32..12), 1..150)
}

proptest! {
    #![proptest_config(cases(60))]

    /// At every step of any history, no backend takes more than its bound; and whoever's own backend has room goes there.
    #[test]
    fn nobody_takes_more_than_its_bound_and_whoever_has_room_keeps_its_clients(
        backends in backends(), percent in percent(), history in history(),
    ) {
        let weights = backends.iter().map(|(_, weight)| weight).sum();
        for policy in keyed() {
            let (mut balancer, mut plain) = (bounded(policy, &backends, Some(percent)), bounded(policy, &backends, None));
            let mut held: Vec<Lease> = Vec::new();
            for &(comes, who) in &history {
                if !comes {
                    if !held.is_empty() {
                        drop(held.swap_remove(who as usize % held.len()));
                    }
                    continue;
                }
                let home = home(&mut plain, client(who));
                let before = connections(balancer.pool());
                let most = |i: usize| bound(percent, backends[i].1, weights, held.len() as u32);
                let lease = choose(&mut balancer, client(who));
                let chosen = position(&balancer, &lease);
                prop_assert!(before[chosen] < most(chosen), "{}: {:?} took one more", policy, before);
                let at_home = backends.iter().position(|(name, _)| *name == home).expect("one of them");
                if before[at_home] < most(at_home) {
                    prop_assert_eq!(&lease.backend().name, &home, "{}", policy);
                }
                held.push(lease);
            }
        }
    }

    /// Without a bound, and with one that nobody reaches, it is the plain hash.
    #[test]
    fn no_bound_is_the_plain_hash(backends in backends(), clients in prop::collection::vec(any::<u32>(), 50)) {
        for policy in keyed() {
            let mut plain = worker(policy, &named(&backends), 0);
            for percent in [None, Some(101)] {
                let mut balancer = bounded(policy, &backends, percent);
                for &who in &clients {
                    // They leave at once, so the first of a backend is never one too many.
                    prop_assert_eq!(home(&mut balancer, client(who)), home(&mut plain, client(who)));
                }
            }
        }
    }

    /// The order of backends decides nothing.
    #[test]
    fn all_orders_answer_alike(
        (backends, shuffled) in backends().prop_flat_map(|b| (Just(b.clone()), Just(b).prop_shuffle())),
        percent in 101_u32..=200, clients in prop::collection::vec(0_u32..10, 60),
    ) {
        for policy in keyed() {
            let (mut one, mut other) = (bounded(policy, &backends, Some(percent)), bounded(policy, &shuffled, Some(percent)));
            let mut held = Vec::new();
            for &who in &clients {
                let (one, other) = (choose(&mut one, client(who)), choose(&mut other, client(who)));
                prop_assert_eq!(&one.backend().name, &other.backend().name, "{}", policy);
                held.push((one, other));
            }
        }
    }
}
