//! `--demo`: what somebody sees who has just downloaded this.

use std::net::SocketAddr;

use rustix::process::Signal;

use crate::support::{Proxy, connect, rest, say, wait_until};

/// The body of the page at this address.
fn page(address: SocketAddr) -> String {
    let mut client = connect(address);
    say(&mut client, b"GET / HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n");
    let answer = String::from_utf8(rest(&mut client)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn a_backend_of_the_demo_can_be_killed() {
    let proxy = Proxy::start_anywhere("--demo --port 0");
    let kill = proxy.stdout.wait_for("how to kill one", |line| {
        let rest = line.trim().strip_prefix("curl -X POST http://")?;
        Some(rest.split_once("/kill ")?.0.to_owned())
    });
    let mut killer = connect(kill.parse().unwrap());
    say(&mut killer, b"POST /kill HTTP/1.1\r\nHost: demo\r\nContent-Length: 0\r\n\r\n");
    proxy.stderr.wait_for_text("alpha is dead");
    proxy.stderr.wait_for_text("backend alpha");
    for _ in 0..4 {
        let page = page(proxy.address());
        assert!(page.contains("beta") || page.contains("gamma"), "{page}");
    }
    proxy.stderr.wait_for_text("alpha is back");
    proxy.stderr.wait_for_text(" is up");
    wait_until("alpha to serve", || page(proxy.address()).contains("alpha"));
}

#[test]
fn the_demo_shows_three_backends_taking_turns() {
    let mut proxy = Proxy::start_anywhere("--demo --port 0");
    proxy.stdout.wait_for_text("one connection: one backend");
    proxy.stdout.wait_for_text("Each connection leaves a line below.");
    let url = proxy
        .stdout
        .wait_for("a command to try", |line| Some(line.trim().strip_prefix("curl http://")?.to_owned()));
    let address = url.split_once('/').unwrap().0.parse().unwrap();
    assert_eq!(proxy.address(), address);
    for name in ["alpha", "beta", "gamma", "alpha"] {
        let page = page(address);
        assert!(page.contains(name), "{page}");
    }
    proxy.stdout.wait_for_text("alpha dies, and is back after");
    proxy.signal(Signal::INT);
    assert_eq!(proxy.exit_code(), Some(0));
}
