//! WebSocket and its kind: once the backend has agreed, bytes.

use crate::access::Line;
use crate::curl::Curl;
use crate::support::{
    Proxy, Scripted, assert_connected, expect, expect_end, finish_sending, require, rest, say,
};
use crate::wire::Wire;

const HANDSHAKE: &str = "GET /chat HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const ACCEPTED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Client and backend, past a handshake.
fn switched(proxy: &Proxy, server: &Scripted) -> (Wire, Wire) {
    let mut client = Wire::new(proxy.connect());
    // Not the first request of its connection.
    client.say("GET /page HTTP/1.1\r\nHost: test\r\n\r\n");
    let mut serving = Wire::new(server.accept());
    serving.try_request().unwrap().unwrap();
    serving.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage");
    assert_eq!(client.response().text(), "page");
    client.say(HANDSHAKE);
    let request = serving.try_request_head().unwrap().unwrap();
    assert_eq!((request.method(), request.target()), ("GET", "/chat"));
    assert_eq!((request.field("upgrade"), request.field("connection")), (Some("websocket"), Some("upgrade")));
    assert_eq!(request.field("sec-websocket-key"), Some("dGhlIHNhbXBsZSBub25jZQ=="));
    // The first words may come with the head.
    serving.say([ACCEPTED, "welcome"].concat());
    let response = client.response();
    assert_eq!(response.status(), 101);
    assert_eq!(response.field("upgrade"), Some("websocket"));
    assert_eq!(response.field("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(client.take(7).unwrap(), b"welcome");
    (client, serving)
}

#[test]
fn bytes_go_both_ways_until_both_have_finished() {
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], "--mode http");
    let (mut client, mut serving) = switched(&proxy, &server);
    assert_connected(&mut client.stream, &mut serving.stream);
    finish_sending(&client.stream);
    expect_end(&mut serving.stream);
    say(&mut serving.stream, b"goodbye");
    drop(serving);
    assert_eq!(rest(&mut client.stream), b"goodbye");
    let line = Line::of_many(&proxy, 2).remove(1);
    assert_eq!((line.status, &*line.request), (101, "GET /chat HTTP/1.1"));
    assert_eq!((line.response_bytes, &*line.end), (18, "client finished"));
    proxy.wait_until_at_rest();
}

#[test]
fn curl_switches_and_hears_what_comes_after() {
    if !require("curl") {
        return;
    }
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], "--mode http");
    let serving = std::thread::spawn(move || {
        let mut serving = Wire::new(server.accept());
        let request = serving.try_request_head().unwrap().unwrap();
        assert_eq!(request.field("upgrade"), Some("websocket"));
        serving.say([ACCEPTED, "welcome"].concat());
    });
    let curl = Curl::new()
        .arguments(
            "--include --http1.1 -H Upgrade:websocket -H Connection:Upgrade -H Sec-WebSocket-Version:13",
        )
        .arguments("-H Sec-WebSocket-Key:dGhlIHNhbXBsZSBub25jZQ==");
    let heard = curl.url(&proxy, "/chat").ended().stdout;
    serving.join().expect("a handshake");
    assert_eq!(heard[0].trim_end(), "HTTP/1.1 101 Switching Protocols", "{heard:?}");
    assert!(heard.iter().any(|line| line.ends_with("welcome")), "{heard:?}");
}

#[test]
fn a_backend_that_declines_leaves_it_at_http() {
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], "--mode http");
    let mut client = Wire::new(proxy.connect());
    client.say(HANDSHAKE);
    let mut serving = Wire::new(server.accept());
    serving.try_request().unwrap().unwrap();
    serving.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
    assert_eq!(client.response().text(), "no");
    client.say("GET /next HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(serving.try_request().unwrap().unwrap().target(), "/next");
    serving.say("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(client.response().status(), 204);
}

#[test]
fn a_switch_that_nobody_asked_for_is_a_bad_answer() {
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], "--mode http");
    let mut client = Wire::new(proxy.connect());
    client.say("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    let mut serving = Wire::new(server.accept());
    serving.try_request().unwrap().unwrap();
    serving.say(ACCEPTED);
    assert_eq!(client.response().status(), 502);
    assert_eq!(Line::of(&proxy).end, "backend unasked_upgrade");
    expect(&mut serving.stream, b"");
}
