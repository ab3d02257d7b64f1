//! ip_hashing: the same client always to the same backend, on every proxy of a fleet.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::support::{ECHO_BACKEND, ECHO_CLIENT, Program, Proxy, Refusing, Served, greeter, letter, run};

fn clients() -> impl Iterator<Item = IpAddr> {
    (2..=40).map(|last| IpAddr::from([127, 0, 0, last]))
}

/// Which backend each client meets.
fn met(proxy: &Proxy) -> HashMap<IpAddr, char> {
    clients().map(|client| (client, letter(&mut proxy.connect_from(client)))).collect()
}

fn backends() -> [Served; 4] {
    ['a', 'b', 'c', 'd'].map(greeter)
}

fn hashing(backends: &[SocketAddr]) -> Proxy {
    Proxy::before(backends, "--policy ip_hashing")
}

#[test]
fn a_client_meets_the_same_backend_every_time() {
    let (_one, first) = Program::backend(ECHO_BACKEND, "");
    let (_two, second) = Program::backend(ECHO_BACKEND, "");
    let proxy = hashing(&[first, second]);
    let sources: String = clients().map(|client| format!(" --source {client}")).collect();
    let ended =
        run(ECHO_CLIENT, &format!("--connect {} --count 2 --connections 195{sources}", proxy.address()));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let mut backend_of = HashMap::new();
    for line in proxy.access_lines(195) {
        let backend = backend_of.entry(line.client.ip()).or_insert_with(|| line.backend.clone());
        assert_eq!(*backend, line.backend, "{line:?}");
    }
    assert_eq!(backend_of.len(), 39);
    assert!(
        [first, second].iter().all(|backend| backend_of.values().any(|name| *name == backend.to_string()))
    );
}

#[test]
fn the_order_of_backends_does_not_matter_nor_does_the_instance() {
    let mut addresses = backends().map(|backend| backend.address);
    let before = met(&hashing(&addresses));
    addresses.reverse();
    assert_eq!(met(&hashing(&addresses)), before);
}

#[test]
fn one_backend_fewer_moves_only_its_own_clients() {
    let backends = backends();
    let before = met(&hashing(&backends.each_ref().map(|backend| backend.address)));
    let without_c: Vec<SocketAddr> = [0, 1, 3].map(|index: usize| backends[index].address).into();
    let after = met(&hashing(&without_c));
    for client in clients() {
        let (before, after) = (before[&client], after[&client]);
        assert!(
            before == after || (before == 'c' && after != 'c'),
            "{client} moved from {before} to {after}"
        );
    }
}

#[test]
fn a_backend_that_is_down_moves_only_its_own_clients() {
    let backends = backends();
    let down = Refusing::new();
    let [a, b, c, _] = backends.each_ref().map(|backend| backend.address);
    // Names decide, not addresses: with the same name, this one stands where d stood.
    let named = |d: SocketAddr| {
        let flags =
            format!("--backend {a},name=a --backend {b},name=b --backend {c},name=c --backend {d},name=d");
        met(&Proxy::start(&format!("--policy ip_hashing {flags}")))
    };
    let (before, after) = (named(backends[3].address), named(down.address));
    for client in clients() {
        let (before, after) = (before[&client], after[&client]);
        assert!(
            before == after || (before == 'd' && after != 'd'),
            "{client} moved from {before} to {after}"
        );
    }
}

#[test]
fn ipv4_clients_are_the_same_on_a_listener_for_both_families() {
    let addresses = backends().map(|backend| backend.address);
    let flags: String = addresses.iter().map(|address| format!(" --backend {address}")).collect();
    let both = Proxy::start_anywhere(&format!("--port 0 --policy ip_hashing{flags}"));
    assert_eq!(met(&both), met(&hashing(&addresses)));
    let log = both.access_lines(39);
    assert!(
        log.iter().all(|line| line.client.is_ipv4() && line.client.ip() != Ipv4Addr::LOCALHOST),
        "{log:?}"
    );
}
