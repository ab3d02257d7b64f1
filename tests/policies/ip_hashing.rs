//! Weighted rendezvous hashing of the client address.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lbproxy::balance::{Balancer, Tried};
use proptest::prelude::*;

use crate::support::*;

type Backends = Vec<(String, u32)>;

fn balancer(backends: &[(String, u32)]) -> Balancer {
    worker("ip_hashing", &named(backends), 0)
}

fn answer(balancer: &mut Balancer, client: IpAddr) -> String {
    let lease = balancer.choose(client, None, &Tried::default(), base()).expect("available");
    lease.backend().name.clone()
}

fn equal(n: u16) -> Backends {
    (0..n).map(|i| (format!("127.0.0.1:{}", 9001 + i), 1)).collect()
}

fn shares(backends: &[(String, u32)], clients: impl Iterator<Item = IpAddr>) -> Vec<u64> {
    let mut balancer = balancer(backends);
    let mut shares: BTreeMap<String, u64> = BTreeMap::new();
    for client in clients {
        *shares.entry(answer(&mut balancer, client)).or_default() += 1;
    }
    backends.iter().map(|(name, _)| shares.get(name).copied().unwrap_or(0)).collect()
}

/// These answers are a promise: a fleet in the middle of an upgrade must agree, whatever version each runs.
/// Computed from the module's description with another implementation of XXH3, in another language.
#[test]
fn answers_are_pinned() {
    let weighted = [("a".to_owned(), 1), ("b".to_owned(), 2), ("c".to_owned(), 3)];
    let v6: IpAddr = "2001:db8::1".parse().expect("an address");
    let clients: Vec<IpAddr> = (1..=12).map(|n| IpAddr::from([10, 0, 0, n])).chain([v6]).collect();
    let (mut weighted, mut plain) = (balancer(&weighted), balancer(&equal(4)));
    let answers: Vec<_> = clients.iter().map(|&c| answer(&mut weighted, c)).collect();
    assert_eq!(answers, ["c", "b", "c", "c", "b", "b", "b", "c", "a", "b", "c", "b", "c"]);
    let answers: Vec<_> = clients.iter().map(|&c| answer(&mut plain, c)[10..].to_owned()).collect();
    assert_eq!(
        answers,
        [
            "9003", "9001", "9004", "9002", "9003", "9001", "9003", "9001", "9003", "9004", "9003", "9004",
            "9002"
        ]
    );
}

#[test]
fn an_ipv4_client_is_the_same_client_over_a_dual_stack_listener() {
    let mut balancer = balancer(&equal(10));
    for n in 0..1000 {
        let IpAddr::V4(v4) = client(n) else { unreachable!("clients are IPv4") };
        assert_eq!(answer(&mut balancer, v4.into()), answer(&mut balancer, v4.to_ipv6_mapped().into()));
    }
}

#[test]
fn equal_backends_get_equal_shares() {
    let neighbours = |n: u32| IpAddr::from((0x0a00_0000 + n).to_be_bytes());
    let v6 = |n: u32| IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, (n >> 16) as u16, n as u16));
    let populations: [&dyn Fn(u32) -> IpAddr; 3] = [&client, &neighbours, &v6];
    for population in populations {
        let shares = shares(&equal(10), (0..100_000).map(population));
        let most = *shares.iter().max().expect("ten backends");
        assert!(most as f64 / 10_000.0 <= 1.03, "{shares:?}");
        assert!(chi_square(&shares, &[1; 10]) < 27.9, "{shares:?}");
    }
}

#[test]
fn weights_are_shares() {
    let weights = [1, 2, 3, 4, 10];
    let backends: Backends = weights.iter().map(|&weight| (format!("w{weight}"), weight)).collect();
    let shares = shares(&backends, (0..100_000).map(client));
    for (&share, weight) in shares.iter().zip(weights) {
        let expected = 100_000.0 * f64::from(weight) / 20.0;
        assert!((share as f64 / expected - 1.0).abs() < 0.04, "{shares:?}");
    }
}

/// A handful of clients on one machine, as in the README.
#[test]
fn loopback_clients_spread_over_two_backends() {
    let shares = shares(&equal(2), (2..=40).map(|n| IpAddr::from(Ipv4Addr::new(127, 0, 0, n))));
    assert!(shares.iter().all(|&share| share >= 10), "{shares:?}");
}

#[test]
fn a_penalised_backend_lends_its_clients_and_gets_them_back() {
    let mut balancer = balancer(&equal(5));
    let before: Vec<_> = (0..500).map(|n| answer(&mut balancer, client(n))).collect();
    let lease = balancer.choose(client(0), None, &Tried::default(), base()).expect("available");
    lease.connect_failed(&"refused", base());
    for n in 0..500 {
        let now = answer(&mut balancer, client(n));
        let its_own = before[n as usize] == before[0];
        assert_eq!(now == before[n as usize], !its_own, "only the clients of {} move", before[0]);
    }
    lease.succeeded(at(0));
    assert!((0..500).all(|n| answer(&mut balancer, client(n)) == before[n as usize]));
}

fn backends() -> impl Strategy<Value = Backends> {
    prop::collection::btree_map("[a-z]{1,12}", 1_u32..20, 2..10).prop_map(|map| map.into_iter().collect())
}

fn answers(backends: &[(String, u32)]) -> Vec<String> {
    let mut balancer = balancer(backends);
    (0..400).map(|n| answer(&mut balancer, client(n))).collect()
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn the_order_of_backends_does_not_matter(
        (backends, shuffled) in backends().prop_flat_map(|b| (Just(b.clone()), Just(b).prop_shuffle())),
    ) {
        prop_assert_eq!(answers(&backends), answers(&shuffled));
    }

    /// Whichever leaves, exactly its own clients move. Read backwards: whichever joins, clients move only to it.
    #[test]
    fn who_leaves_moves_only_its_own_clients(backends in backends(), which: prop::sample::Index) {
        let mut rest = backends.clone();
        let (gone, _) = rest.remove(which.index(backends.len()));
        for (with, without) in answers(&backends).into_iter().zip(answers(&rest)) {
            prop_assert!(with == without || with == gone);
        }
    }

    /// Who gains weight gains clients, from anyone, and nobody else does.
    #[test]
    fn a_larger_weight_only_attracts(backends in backends(), which: prop::sample::Index, more in 1_u32..20) {
        let mut heavier = backends.clone();
        let which = which.index(backends.len());
        heavier[which].1 += more;
        for (before, after) in answers(&backends).into_iter().zip(answers(&heavier)) {
            prop_assert!(before == after || after == backends[which].0);
        }
    }
}
