//! Thousands of connections: at once, and one after the other.

use std::io::{Read, Write};

use lbproxy::net::os;

use crate::support::{
    ECHO_BACKEND, ECHO_CLIENT, Program, Proxy, Scripted, assert_echoed, connect, expect, greeter, letter,
    rest, run, say, serve, skipped,
};

/// Whether this host lets a proxy have so many connections, two descriptors each.
fn allows(connections: u64) -> bool {
    let limit = os::raise_fd_limit();
    let allowed = limit > 2 * connections + 200;
    if !allowed {
        skipped(&format!("{connections} connections are too many for a limit of {limit} open files"));
    }
    allowed
}

#[test]
fn three_thousand_connections_at_once_are_accurate() {
    if !allows(3_000) {
        return;
    }
    let (_one, first) = Program::backend(ECHO_BACKEND, "");
    let (_two, second) = Program::backend(ECHO_BACKEND, "");
    let proxy = Proxy::before(&[first, second], "--policy fewest_connections");
    let ended = run(ECHO_CLIENT, &format!("--connect {} --count 5 --connections 3000", proxy.address()));
    assert_eq!((ended.code, &*ended.stdout[0]), (Some(0), "accurate 15000 of 15000"), "{ended:?}");
    let log = proxy.access_lines(3_000);
    assert_eq!(log.iter().filter(|line| line.backend == first.to_string()).count(), 1_500);
    proxy.wait_until_at_rest();
}

#[test]
fn four_workers_share_the_work_and_lose_nothing() {
    let (_one, first) = Program::backend(ECHO_BACKEND, "");
    let (_two, second) = Program::backend(ECHO_BACKEND, "");
    let proxy = Proxy::before(&[first, second], "--workers 4");
    let before = proxy.threads();
    let ended = run(ECHO_CLIENT, &format!("--connect {} --count 50 --connections 400", proxy.address()));
    assert_eq!((ended.code, &*ended.stdout[0]), (Some(0), "accurate 20000 of 20000"), "{ended:?}");
    proxy.access_lines(400);
    proxy.wait_until_at_rest();
    // The kernel spreads connections by a hash of their addresses: of 400, each of 4 sockets gets some.
    let after = proxy.threads();
    for worker in ["worker-0", "worker-1", "worker-2", "worker-3"] {
        // A thread that has never run has no name yet.
        let before = before.get(worker).copied().unwrap_or_default();
        assert!(before < after[worker], "{worker} did nothing since {before}: {after:?}");
    }
}

#[test]
fn thousands_of_short_connections_leave_nothing_behind() {
    let (_backend, address) = Program::backend(ECHO_BACKEND, "");
    let proxy = Proxy::before(&[address], "");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..1_000).for_each(|_| assert_echoed(&mut proxy.connect(), b"in short")));
        }
    });
    let log = proxy.access_lines(4_000);
    assert!(log.iter().all(|line| (line.up_bytes, line.down_bytes) == (8, 8) && line.cause == "finished"));
    proxy.wait_until_at_rest();
}

#[test]
fn connections_without_a_byte_leave_nothing_behind() {
    let (_backend, address) = Program::backend(ECHO_BACKEND, "");
    let proxy = Proxy::before(&[address], "");
    (0..500).for_each(|_| drop(proxy.connect()));
    let log = proxy.access_lines(500);
    assert!(log.iter().all(|line| (line.up_bytes, line.down_bytes) == (0, 0)), "{log:?}");
    assert!(log.iter().all(|line| line.end() == "client finished"), "{log:?}");
    proxy.wait_until_at_rest();
    assert_echoed(&mut proxy.connect(), b"still here");
}

#[test]
fn a_server_may_speak_first() {
    let server = serve(|mut stream| {
        let _ = stream.write_all(b"220 mail.example ESMTP\r\n");
        let mut command = [0; 6];
        if stream.read_exact(&mut command).is_ok() {
            let _ = stream.write_all(b"221 Bye\r\n");
        }
    });
    let proxy = Proxy::before(&[server.address], "");
    let mut client = proxy.connect();
    expect(&mut client, b"220 mail.example ESMTP\r\n");
    say(&mut client, b"QUIT\r\n");
    assert_eq!(rest(&mut client), b"221 Bye\r\n");
    drop(client);
    let line = proxy.access_line();
    assert_eq!((line.up_bytes, line.down_bytes), (6, 33));
    assert_eq!(line.end(), "backend finished");
}

#[test]
fn a_connection_leaves_one_line_that_says_it_all() {
    let backend = greeter('a');
    let proxy = Proxy::start(&format!("--policy random --backend {},name=one", backend.address));
    let mut client = connect(proxy.address());
    assert_eq!(letter(&mut client), 'a');
    let address = client.local_addr().unwrap();
    drop(client);
    let line = proxy.access_line();
    assert_eq!(line.client, address);
    assert_eq!((&*line.frontend, &*line.backend, &*line.policy), ("default", "one", "random"));
    assert_eq!((line.up_bytes, line.down_bytes, &*line.end()), (0, 1, "client finished"));
    assert!(line.duration_ms > 0.0);
}

#[test]
fn bytes_that_come_one_by_one_are_passed_on_one_by_one() {
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], "");
    let (mut client, mut serving) = proxy.connect_through(&server);
    for byte in b"a little at a time".iter().cycle().take(500) {
        say(&mut client, &[*byte]);
        expect(&mut serving, &[*byte]);
    }
}
