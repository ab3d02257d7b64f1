//! Those who take their time: they cost little, and only themselves.

use std::net::TcpStream;
use std::time::Duration;

use lbproxy::net::os::now;

use crate::access::Line;
use crate::origin::Origin;
use crate::support::{Pattern, Proxy, Scripted, expect_end, say};
use crate::wire::Wire;

const TOTAL_BYTES: usize = 200 << 20;
/// What the proxy may need beyond what it has at its start, however much is on the way.
const GROWTH_BYTES: u64 = 8 << 20;

/// Nobody reads, so the sender is stopped; the proxy neither hoards nor spins. What was taken comes back.
fn send_until_blocked(proxy: &Proxy, sender: &mut TcpStream) -> Pattern {
    let (at_start, _) = proxy.memory_bytes();
    let mut pattern = Pattern::new(1);
    pattern.send_until_blocked(sender);
    assert!(pattern.position() < TOTAL_BYTES / 4, "nobody reads, and yet it went on");
    proxy.assert_idle();
    let (_, at_most) = proxy.memory_bytes();
    assert!(at_most < at_start + GROWTH_BYTES, "{at_start} bytes at the start, {at_most} at the most");
    pattern
}

fn send_rest(mut pattern: Pattern, mut sender: TcpStream, last: &'static [u8]) {
    std::thread::spawn(move || {
        pattern.send_up_to(TOTAL_BYTES, &mut sender);
        say(&mut sender, last);
    });
}

#[test]
fn a_client_that_does_not_read_stops_its_download() {
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], "--mode http");
    let mut client = Wire::new(proxy.connect());
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut serving = Wire::new(server.accept());
    serving.try_request().unwrap().unwrap();
    // A single chunk, as large as all.
    serving.say(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{TOTAL_BYTES:x}\r\n"));
    let sent = send_until_blocked(&proxy, &mut serving.stream);
    let (at_start, _) = proxy.memory_bytes();
    send_rest(sent, serving.stream, b"\r\n0\r\n\r\n");
    let head = client.try_response_head().unwrap().unwrap();
    assert_eq!(head.field("transfer-encoding"), Some("chunked"));
    let mut received = Pattern::new(1);
    client.chunks(|piece| received.compare(piece)).unwrap();
    assert_eq!(received.position(), TOTAL_BYTES);
    let (_, at_most) = proxy.memory_bytes();
    assert!(at_most < at_start + GROWTH_BYTES, "{at_start} bytes at the start, {at_most} at the most");
}

#[test]
fn a_backend_that_does_not_read_stops_its_upload() {
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], "--mode http");
    let mut client = Wire::new(proxy.connect());
    client.say(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {TOTAL_BYTES}\r\n\r\n"));
    let mut serving = Wire::new(server.accept());
    serving.try_request_head().unwrap().unwrap();
    let sent = send_until_blocked(&proxy, &mut client.stream);
    send_rest(sent, client.stream.try_clone().unwrap(), b"");
    let mut received = Pattern::new(1);
    while received.position() < TOTAL_BYTES {
        received.compare(&serving.take(1 << 20).unwrap());
    }
    serving.say("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(client.response().status(), 204);
    assert_eq!(Line::of(&proxy).request_bytes, TOTAL_BYTES as u64);
}

#[test]
fn five_hundred_dawdlers_hinder_nobody_and_are_told_so() {
    let origin = Origin::named("a");
    let proxy = Proxy::before(&[origin.address], "--mode http --head-timeout-ms 3000");
    let mut dawdlers: Vec<Wire> = (0..500).map(|_| Wire::new(proxy.connect())).collect();
    let mut client = Wire::new(proxy.connect());
    for byte in ["G", "E", "T"] {
        dawdlers.iter_mut().for_each(|dawdler| dawdler.say(byte));
        let next = now() + Duration::from_secs(1);
        while now() < next {
            assert_eq!(client.get("/").text(), "a");
        }
    }
    for dawdler in &mut dawdlers {
        assert_eq!(dawdler.response().status(), 408);
        expect_end(&mut dawdler.stream);
    }
    drop(dawdlers);
    assert_eq!(client.get("/").text(), "a");
    drop(client);
    proxy.wait_for_sockets(1);
}
