//! Backends that are down, or out of reach: a client notices nothing as long as there is one left.

use std::process::Command;

use rustix::process::Signal;

use crate::support::{
    Blackhole, ECHO_BACKEND, ECHO_CLIENT, LBPROXY, Program, Proxy, Refusing, assert_connected, assert_echoed,
    expect_reset, greeter, letter, reset, rest,
};

#[test]
fn a_backend_that_is_down_costs_no_client_anything() {
    let (down, up) = (Refusing::new(), greeter('b'));
    for policy in lbproxy::balance::policy::names() {
        let proxy = Proxy::before(&[down.address, up.address], &format!("--policy {policy}"));
        for _ in 0..20 {
            assert_eq!(letter(&mut proxy.connect()), 'b', "{policy}");
        }
        let log = proxy.access_lines(20);
        assert!(log.iter().all(|line| line.backend == up.address.to_string()), "{log:?}");
    }
}

/// By a reset: a plain close would look like a complete answer of no bytes.
#[test]
fn with_all_backends_down_clients_are_refused_at_once() {
    let down = [Refusing::new(), Refusing::new()];
    let proxy = Proxy::before(&[down[0].address, down[1].address], "");
    for _ in 0..5 {
        expect_reset(&mut proxy.connect());
    }
    for line in proxy.access_lines(5) {
        assert_eq!((&*line.backend, &*line.end()), ("-", "proxy no_backend"));
    }
    proxy.wait_until_at_rest();
}

/// Penalties do not outlive the outage when there is nobody else: waiting for back-off would serve no one.
#[test]
fn the_only_backend_is_used_as_soon_as_it_is_up() {
    let down = Refusing::new();
    let proxy = Proxy::before(&[down.address], "--backoff-ms 60000 --backoff-max-ms 60000");
    (0..3).for_each(|_| expect_reset(&mut proxy.connect()));
    let up = down.listen();
    let (mut client, mut serving) = proxy.connect_through(&up);
    assert_connected(&mut client, &mut serving);
}

#[test]
fn a_backend_that_never_answers_is_given_up_for_another() {
    let (silent, up) = (Blackhole::new(), greeter('b'));
    let proxy = Proxy::before(&[silent.address, up.address], "--connect-timeout-ms 200");
    assert_eq!(letter(&mut proxy.connect()), 'b');
    let line = proxy.access_line();
    assert!(line.duration_ms >= 200.0, "{line:?}");
    // In back-off now: the next client does not wait.
    assert_eq!(letter(&mut proxy.connect()), 'b');
    proxy.stderr.wait_for_text("passed over for 500 ms: connect failed");
}

#[test]
fn with_all_backends_silent_clients_are_refused_after_the_timeout() {
    let silent = [Blackhole::new(), Blackhole::new()];
    let proxy = Proxy::before(&[silent[0].address, silent[1].address], "--connect-timeout-ms 100");
    expect_reset(&mut proxy.connect());
    let line = proxy.access_line();
    assert_eq!(line.end(), "proxy no_backend");
    assert!(line.duration_ms >= 200.0, "two attempts of 100 ms each: {line:?}");
    proxy.wait_until_at_rest();
}

#[test]
fn at_most_so_many_backends_are_tried_for_one_client() {
    let down = [(); 4].map(|()| Refusing::new());
    let mut addresses = down.each_ref().map(|backend| backend.address).to_vec();
    addresses.push(greeter('e').address);
    // Round robin asks in order: the one that works is the fifth.
    let proxy = Proxy::before(&addresses, "--connect-attempts 2");
    expect_reset(&mut proxy.connect());
    expect_reset(&mut proxy.connect());
    assert_eq!(letter(&mut proxy.connect()), 'e');
}

#[test]
fn a_client_that_vanishes_while_its_backend_is_being_connected_is_forgotten() {
    let silent = Blackhole::new();
    let proxy = Proxy::before(&[silent.address], "--connect-timeout-ms 3600000");
    let client = proxy.connect();
    proxy.wait_for_sockets(2);
    reset(client);
    assert_eq!(proxy.access_line().end(), "client reset");
    proxy.wait_until_at_rest();
}

#[test]
fn a_client_that_leaves_politely_while_its_backend_is_being_connected_is_forgotten_in_time() {
    let silent = Blackhole::new();
    let proxy = Proxy::before(&[silent.address], "--connect-timeout-ms 300");
    drop(proxy.connect());
    assert_eq!(proxy.access_line().end(), "proxy no_backend");
    proxy.wait_until_at_rest();
}

#[test]
fn a_killed_backend_takes_only_its_own_connections_along() {
    let (mut one, first) = Program::backend(ECHO_BACKEND, "");
    let (_two, second) = Program::backend(ECHO_BACKEND, "");
    let proxy = Proxy::before(&[first, second], "--policy round_robin");
    let open = |number: usize| {
        let mut client = proxy.connect();
        assert_echoed(&mut client, number.to_string().as_bytes());
        client
    };
    let clients: Vec<_> = (0..60).map(open).collect();
    one.signal(Signal::KILL);
    one.ended();
    for (number, mut client) in clients.into_iter().enumerate() {
        if number % 2 == 0 {
            assert_eq!(rest(&mut client), b"", "its backend is dead");
        } else {
            assert_echoed(&mut client, b"alive");
        }
    }
    (0..20).for_each(|number| drop(open(number)));
    let log = proxy.access_lines(80);
    let on =
        |backend: std::net::SocketAddr| log.iter().filter(|line| line.backend == backend.to_string()).count();
    assert_eq!((on(first), on(second)), (30, 50));
}

/// Here clients are busy when it happens: those on the other backend must not lose a byte.
#[test]
fn a_backend_killed_under_load_costs_only_what_it_was_transmitting() {
    let (one, first) = Program::backend(ECHO_BACKEND, "");
    let (_two, second) = Program::backend(ECHO_BACKEND, "");
    let proxy = Proxy::before(&[first, second], "--policy round_robin");
    let arguments = format!("--connect {} --count 2000 --connections 50", proxy.address());
    let mut command = Command::new(ECHO_CLIENT);
    let mut client = Program::start(command.args(arguments.split_whitespace()));
    proxy.wait_for_sockets(2 * 50);
    proxy.wait_for_work();
    one.signal(Signal::KILL);
    let ended = client.ended();
    let (lost, survived): (Vec<_>, Vec<_>) =
        proxy.access_lines(50).into_iter().partition(|line| line.backend == first.to_string());
    assert!(survived.iter().all(|line| line.end() == "client finished" && line.up_bytes == line.down_bytes));
    assert!(lost.iter().all(|line| line.ended_by == "backend"), "{lost:?}");
    assert_eq!((lost.len(), survived.len()), (25, 25), "{ended:?}");
    let accurate: u32 = ended.stdout[0].split(' ').nth(1).unwrap().parse().unwrap();
    assert!((50_000..100_000).contains(&accurate), "{ended:?}");
}

#[test]
fn an_unusable_address_is_an_outage_like_any_other() {
    // Nobody can be reached at a multicast address by TCP; the kernel says so before a packet is sent.
    let up = greeter('b');
    let backends = format!("--backend 224.0.0.1:9 --backend {}", up.address);
    let proxy = Proxy::spawn(
        Command::new(LBPROXY).args(format!("--listen 127.0.0.1:0 {backends}").split_whitespace()),
        1,
    );
    (0..4).for_each(|_| assert_eq!(letter(&mut proxy.connect()), 'b'));
}
