//! Backends with `max_connections`, and clients that wait until there is room.

use crate::support::{
    Proxy, Scripted, assert_connected, expect_reset, greeter, letter, reset, say, wait_until,
};

/// A proxy in front of one backend with room for one.
fn narrow(server: &Scripted, pool: &str, workers: usize) -> Proxy {
    Proxy::configured(
        &format!(
            "workers = {workers}\n[[frontend]]\nlisten = ['127.0.0.1:0']\n[pool.p]\n{pool}\n\
             backends = [{{ address = '{}', max_connections = 1 }}]",
            server.address
        ),
        1,
    )
}

#[test]
fn who_finds_everybody_full_waits_for_its_turn_and_loses_nothing() {
    for workers in [1, 2] {
        let server = Scripted::new();
        let proxy = narrow(&server, "queue_timeout_ms = 60000", workers);
        let (mut first, mut serving) = proxy.connect_through(&server);
        assert_connected(&mut first, &mut serving);
        let mut others: Vec<_> = (0..8).map(|_| proxy.connect()).collect();
        // They may speak while they wait.
        (0..).zip(&mut others).for_each(|(n, other)| say(other, &[b'a' + n]));
        proxy.wait_for_sockets(2 + others.len());
        assert!(server.try_accept().is_none(), "one at a time");
        drop((first, serving));
        let mut letters = Vec::new();
        for _ in 0..others.len() {
            let mut serving = server.accept();
            assert!(server.try_accept().is_none(), "one at a time");
            letters.push(letter(&mut serving));
            // A plain close would leave the other direction open.
            reset(serving);
        }
        if workers == 1 {
            assert_eq!(letters.iter().collect::<String>(), "abcdefgh", "first come, first served");
        }
        letters.sort_unstable();
        assert_eq!(letters.iter().collect::<String>(), "abcdefgh");
        drop(others);
        proxy.wait_until_at_rest();
    }
}

#[test]
fn who_waits_too_long_is_told_and_so_is_who_finds_too_many_waiting() {
    let server = Scripted::new();
    let proxy = narrow(&server, "queue = 1\nqueue_timeout_ms = 300", 1);
    let (mut first, mut serving) = proxy.connect_through(&server);
    assert_connected(&mut first, &mut serving);
    let mut second = proxy.connect();
    proxy.wait_for_sockets(3);
    let mut third = proxy.connect();
    expect_reset(&mut third);
    expect_reset(&mut second);
    let lines = proxy.access_lines(2);
    assert_eq!(
        lines.iter().map(|line| line.end()).collect::<Vec<_>>(),
        ["proxy queue_full", "proxy queue_timeout"]
    );
    assert!(lines[1].duration_ms >= 300.0, "{lines:?}");
    // Nobody waits any more, so there is a place again.
    let mut fourth = proxy.connect();
    proxy.wait_for_sockets(3);
    drop((first, serving));
    assert_connected(&mut fourth, &mut server.accept());
}

#[test]
fn nobody_waits_in_a_queue_of_none() {
    let server = Scripted::new();
    let proxy = narrow(&server, "queue = 0", 1);
    let (mut first, mut serving) = proxy.connect_through(&server);
    assert_connected(&mut first, &mut serving);
    expect_reset(&mut proxy.connect());
    assert_eq!(proxy.access_line().end(), "proxy queue_full");
}

#[test]
fn who_leaves_the_queue_makes_room_in_it() {
    let server = Scripted::new();
    let proxy = narrow(&server, "queue = 1\nqueue_timeout_ms = 60000", 1);
    let (mut first, mut serving) = proxy.connect_through(&server);
    assert_connected(&mut first, &mut serving);
    let second = proxy.connect();
    proxy.wait_for_sockets(3);
    reset(second);
    assert_eq!(proxy.access_line().end(), "client reset");
    let mut third = proxy.connect();
    proxy.wait_for_sockets(3);
    drop((first, serving));
    assert_connected(&mut third, &mut server.accept());
}

#[test]
fn a_cap_is_for_all_workers_together() {
    let server = greeter('a');
    let proxy = Proxy::configured(
        &format!(
            "workers = 4\n[[frontend]]\nlisten = ['127.0.0.1:0']\n[pool.p]\nqueue_timeout_ms = 60000\n\
             backends = [{{ address = '{}', max_connections = 5 }}]",
            server.address
        ),
        1,
    );
    let mut clients: Vec<_> = (0..40).map(|_| proxy.connect()).collect();
    proxy.wait_for_sockets(40 + 5);
    assert_eq!(server.accepted(), 5);
    while !clients.is_empty() {
        let before = clients.len();
        clients.retain_mut(|client| {
            client.set_nonblocking(true).unwrap();
            let greeted = client.peek(&mut [0]).is_ok();
            client.set_nonblocking(false).unwrap();
            !greeted
        });
        if clients.len() == before {
            wait_until("somebody to be greeted", || {
                clients.iter().any(|client| {
                    client.set_nonblocking(true).unwrap();
                    client.peek(&mut [0]).is_ok()
                })
            });
        }
    }
    assert_eq!(server.accepted(), 40);
    proxy.wait_until_at_rest();
}
