//! `--demo`: what somebody sees who has just downloaded this.

use std::net::SocketAddr;

use rustix::process::Signal;

use crate::support::{Proxy, connect, rest, say};

/// The body of the page at this address.
fn page(address: SocketAddr) -> String {
    let mut client = connect(address);
    say(&mut client, b"GET / HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n");
    let answer = String::from_utf8(rest(&mut client)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn the_demo_shows_two_backends_taking_turns() {
    let mut proxy = Proxy::start_anywhere("--demo --port 0");
    proxy.stdout.wait_for_text("one connection: one backend");
    proxy.stdout.wait_for_text("Each connection leaves a line below.");
    let url = proxy
        .stdout
        .wait_for("a command to try", |line| Some(line.trim().strip_prefix("curl http://")?.to_owned()));
    let address = url.split_once('/').unwrap().0.parse().unwrap();
    assert_eq!(proxy.address(), address);
    let pages = [page(address), page(address), page(address)];
    assert!(
        pages[0].contains("alpha") && pages[1].contains("beta") && pages[2].contains("alpha"),
        "{pages:?}"
    );
    proxy.signal(Signal::INT);
    assert_eq!(proxy.exit_code(), Some(0));
}
