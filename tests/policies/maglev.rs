//! The table of Maglev.

use lbproxy::balance::{Balancer, Tried};
use proptest::prelude::*;

use crate::support::*;

type Backends = Vec<(String, u32)>;

const CLIENTS: u32 = 100_000;

fn balancer(backends: &[(String, u32)]) -> Balancer {
    worker("maglev", &named(backends), 0)
}

fn equal(n: u16) -> Backends {
    (0..n).map(|i| (format!("127.0.0.1:{}", 9001 + i), 1)).collect()
}

/// The names of the backends of so many clients.
fn answers(balancer: &mut Balancer, clients: u32) -> Vec<String> {
    let answer = |n| {
        let lease = balancer.choose(client(n), None, &Tried::default(), base()).expect("available");
        lease.backend().name.clone()
    };
    (0..clients).map(answer).collect()
}

fn share(answers: &[String], name: &str) -> f64 {
    answers.iter().filter(|answer| *answer == name).count() as f64 / answers.len() as f64
}

/// Within 1 % of the table (a unit test counts slots), and what chance adds with so many clients.
#[test]
fn shares_are_the_weights() {
    for weights in [vec![1; 10], vec![1, 2, 3, 4, 10]] {
        let backends: Backends =
            weights.iter().enumerate().map(|(i, &weight)| (format!("b{i}"), weight)).collect();
        let answers = answers(&mut balancer(&backends), CLIENTS);
        let total: u32 = weights.iter().sum();
        for (name, weight) in &backends {
            let expected = f64::from(*weight) / f64::from(total);
            let chance = 4.0 * (expected / f64::from(CLIENTS)).sqrt();
            let share = share(&answers, name);
            assert!((share - expected).abs() < 0.01 * expected + chance, "{name}: {share}, not {expected}");
        }
    }
}

/// The known result, for ten backends of which one is taken away: its own tenth moves, and some 0.2 % besides.
#[test]
fn few_clients_move_that_need_not() {
    let all = answers(&mut balancer(&equal(10)), CLIENTS);
    for gone in 0..10 {
        let mut rest = equal(10);
        let (gone, _) = rest.remove(gone);
        let moved = all.iter().zip(answers(&mut balancer(&rest), CLIENTS));
        let needless = moved.filter(|(before, after)| **before != gone && *before != after).count();
        let percent = needless as f64 * 100.0 / f64::from(CLIENTS);
        assert!((0.1..0.4).contains(&percent), "{percent} % moved besides those of {gone}");
    }
}

#[test]
fn an_ipv4_client_is_the_same_client_over_a_dual_stack_listener() {
    let mut balancer = balancer(&equal(10));
    for n in 0..1000 {
        let std::net::IpAddr::V4(v4) = client(n) else { unreachable!("clients are IPv4") };
        let [a, b] = [v4.into(), v4.to_ipv6_mapped().into()].map(|address| {
            let lease = balancer.choose(address, None, &Tried::default(), base()).expect("available");
            position(&balancer, &lease)
        });
        assert_eq!(a, b);
    }
}

/// In back-off a backend lends its clients to all others, by weight; nobody else moves; and it gets them back.
#[test]
fn a_penalised_backend_lends_its_clients_to_all_others() {
    let mut balancer = balancer(&equal(5));
    let before = answers(&mut balancer, 20_000);
    let lease = balancer.choose(client(0), None, &Tried::default(), base()).expect("available");
    lease.connect_failed(&"refused", base());
    let gone = before[0].clone();
    let during = answers(&mut balancer, 20_000);
    assert!(before.iter().zip(&during).all(|(before, during)| (*before == gone) != (before == during)));
    let guests: Vec<String> = before
        .iter()
        .zip(&during)
        .filter(|(before, _)| **before == gone)
        .map(|(_, during)| during.clone())
        .collect();
    for (name, _) in equal(5).iter().filter(|(name, _)| *name != gone) {
        assert!((share(&guests, name) - 0.25).abs() < 0.03, "{name} takes {}", share(&guests, name));
    }
    lease.succeeded(at(0));
    assert_eq!(answers(&mut balancer, 20_000), before);
}

fn backends() -> impl Strategy<Value = Backends> {
    prop::collection::btree_map("[a-z]{1,12}", 0_u32..20, 2..10)
        .prop_map(|map| map.into_iter().collect::<Backends>())
        .prop_filter("somebody has weight", |backends| backends.iter().any(|(_, weight)| *weight > 0))
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn the_order_of_backends_does_not_matter(
        (backends, shuffled) in backends().prop_flat_map(|b| (Just(b.clone()), Just(b).prop_shuffle())),
    ) {
        prop_assert_eq!(answers(&mut balancer(&backends), 400), answers(&mut balancer(&shuffled), 400));
    }

    /// Every worker and every instance has the same answer, and has it again.
    #[test]
    fn nothing_but_the_client_decides(backends in backends(), number in 1_usize..9) {
        let pool = named(&backends);
        let (mut one, mut other) = (worker("maglev", &pool, 0), worker("maglev", &pool, number));
        let first = answers(&mut one, 400);
        prop_assert_eq!(&first, &answers(&mut other, 400));
        prop_assert_eq!(&first, &answers(&mut one, 400));
    }
}
