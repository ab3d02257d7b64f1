//! What clients are told when there is no answer of a backend to pass on, and what the log says then.

use std::net::SocketAddr;

use crate::access::Line;
use crate::curl::Curl;
use crate::origin::{Answer, Origin};
use crate::support::{Proxy, Refusing, Scripted, expect_end, require};
use crate::wire::{Message, Wire};

/// The first answer to these bytes.
fn answer_to(proxy: &Proxy, bytes: &str) -> Message {
    let mut client = Wire::new(proxy.connect());
    client.say(bytes);
    client.response()
}

/// How a request was answered, and what the line about it says.
fn assert_answered(proxy: &Proxy, answer: &Message, status: u16, words: &str, end: &str) {
    assert_eq!(answer.status(), status, "{answer:?}");
    assert!(answer.text().starts_with(&format!("{status} ")) && answer.text().contains(words), "{answer:?}");
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    let line = Line::of(proxy);
    assert_eq!((line.status, &*line.end), (status, end), "{line:?}");
    assert_eq!(line.response_bytes, answer.body.len() as u64);
}

/// In front of a backend that must hear nothing.
fn guarded(arguments: &str) -> (Scripted, Proxy) {
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], &format!("--mode http {arguments}"));
    (server, proxy)
}

#[test]
fn no_backend_is_503_in_the_language_of_the_client() {
    if !require("curl") {
        return;
    }
    let down = Refusing::new();
    let proxy = Proxy::before(&[down.address], "--mode http");
    let said = Curl::new().arguments("-i").url(&proxy, "/x").run().join("\n");
    assert!(said.starts_with("HTTP/1.1 503 Service Unavailable\n"), "{said}");
    assert!(said.contains("\nRetry-After: 1\n") && said.contains("Content-Type: text/plain"), "{said}");
    let arguments = "-HAccept:application/json -w \\n%{http_code}:%{content_type}";
    let said = Curl::new().arguments(arguments).url(&proxy, "/x").run();
    assert_eq!(said.last().unwrap(), "503:application/json");
    let told: serde_json::Value = serde_json::from_str(&said[0]).unwrap();
    assert_eq!((&told["status"], &told["error"]), (&503.into(), &"Service Unavailable".into()));
    for line in Line::of_many(&proxy, 2) {
        assert_eq!((line.status, &*line.request), (503, "GET /x HTTP/1.1"));
        assert_eq!((&*line.backend, &*line.end), ("-", "proxy no_backend"));
    }
}

#[test]
fn nonsense_is_400_and_the_end() {
    for (bytes, end) in [
        ("nonsense\r\n\r\n", "client bad_method"),
        ("GET / HTTP/1.1\r\n\r\n", "client no_host"),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "client content_length_with_transfer_encoding",
        ),
    ] {
        let (server, proxy) = guarded("");
        let mut client = Wire::new(proxy.connect());
        client.say(bytes);
        let answer = client.response();
        assert_eq!(answer.field("connection"), Some("close"));
        assert_answered(&proxy, &answer, 400, "malformed", end);
        expect_end(&mut client.stream);
        assert!(server.try_accept().is_none(), "a backend heard of it");
    }
}

#[test]
fn a_body_too_large_is_413_before_it_is_sent() {
    let (server, proxy) = guarded("--max-body-bytes 1000");
    let answer = answer_to(&proxy, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n");
    assert_answered(&proxy, &answer, 413, "larger", "client body_too_large");
    assert!(server.try_accept().is_none(), "a backend heard of it");
}

#[test]
fn a_body_that_turns_out_too_large_is_413() {
    let (_server, proxy) = guarded("--max-body-bytes 1000");
    let chunk = format!("{:x}\r\n{}\r\n", 600, "x".repeat(600));
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = answer_to(&proxy, &[head, &chunk, &chunk].concat());
    assert_answered(&proxy, &answer, 413, "larger", "client body_too_large");
}

#[test]
fn a_head_too_large_is_431_and_a_target_414() {
    let (_server, proxy) = guarded("");
    let answer =
        answer_to(&proxy, &format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(20_000)));
    assert_answered(&proxy, &answer, 431, "header fields", "client head_too_large");
    let (_server, proxy) = guarded("");
    let fields = "X: y\r\n".repeat(101);
    let answer = answer_to(&proxy, &format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
    assert_answered(&proxy, &answer, 431, "header fields", "client too_many_fields");
    let (_server, proxy) = guarded("");
    let answer = answer_to(&proxy, &format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(9_000)));
    assert_answered(&proxy, &answer, 414, "target", "client target_too_long");
}

#[test]
fn a_head_that_takes_too_long_is_408() {
    let (_server, proxy) = guarded("--head-timeout-ms 200");
    let answer = answer_to(&proxy, "GET / HTTP/1.1\r\nHost: ");
    assert_answered(&proxy, &answer, 408, "too long", "proxy head_timeout");
    assert_eq!(Line::of(&proxy).request, "-");
}

#[test]
fn a_body_that_stops_is_408() {
    let (_server, proxy) = guarded("--body-timeout-ms 200");
    let answer = answer_to(&proxy, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf");
    assert_answered(&proxy, &answer, 408, "too long", "proxy body_timeout");
}

#[test]
fn a_backend_that_keeps_silent_is_504() {
    let (server, proxy) = guarded("--response-timeout-ms 200");
    let answer = answer_to(&proxy, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_answered(&proxy, &answer, 504, "in time", "proxy response_timeout");
    let mut serving = Wire::new(server.accept());
    assert!(serving.try_request().unwrap().is_some() && serving.try_request().unwrap().is_none());
}

#[test]
fn a_backend_that_talks_nonsense_is_502_and_the_client_stays() {
    let origin = Origin::new(|request| match request.target() {
        "/fine" => Answer::text("fine"),
        _ => Answer::raw("SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    });
    let proxy = Proxy::before(&[origin.address], "--mode http");
    let mut client = Wire::new(proxy.connect());
    let answer = client.get("/nonsense");
    assert_answered(&proxy, &answer, 502, "no valid answer", "backend version_not_supported");
    assert_eq!(client.get("/fine").text(), "fine");
    assert_eq!(origin.accepted(), 2, "the connection of the nonsense is not used again");
}

#[test]
fn a_backend_that_ends_without_an_answer_is_502() {
    let origin = Origin::new(|_| Answer::raw("").then_close());
    let proxy = Proxy::before(&[origin.address], "--mode http");
    let answer = answer_to(&proxy, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nonce");
    assert_answered(&proxy, &answer, 502, "no valid answer", "backend incomplete");
    assert_eq!(origin.request().body, b"once");
}

/// Half an answer must not pass for a whole one.
#[test]
fn an_answer_that_breaks_off_breaks_off_for_the_client_too() {
    for head in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let body = if head.starts_with('C') { "half" } else { "4\r\nhalf\r\n" };
        let answer = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}");
        let origin = Origin::new(move |_| Answer::raw(answer.clone()).then_close());
        let proxy = Proxy::before(&[origin.address], "--mode http");
        let mut client = Wire::new(proxy.connect());
        client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(client.try_response(false).is_err());
        let line = Line::of(&proxy);
        assert_eq!((line.status, line.response_bytes, &*line.end), (200, 4, "backend incomplete_body"));
    }
}

/// JSON lines, for those who collect them.
#[test]
fn the_log_can_be_json() {
    let origin = Origin::named("a");
    let address: SocketAddr = origin.address;
    let proxy = Proxy::before(&[address], "--mode http --access-format json");
    Wire::new(proxy.connect()).get("/x?\"y");
    let line = proxy.stderr.wait_for("a line", |line| line.starts_with('{').then(|| line.to_owned()));
    let told: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&told["status"], &told["backend"]), (&200.into(), &address.to_string().into()));
}

/// On a connection that goes on, each line is about its own request.
#[test]
fn every_line_counts_the_bytes_of_its_own_answer() {
    let origin = Origin::new(|request| match request.target() {
        "/long" => Answer::text("x".repeat(1000)),
        _ => Answer::raw("nonsense\r\n\r\n"),
    });
    let proxy = Proxy::before(&[origin.address], "--mode http");
    let mut client = Wire::new(proxy.connect());
    client.get("/long");
    let ours = client.get("/nonsense").body.len() as u64;
    let lines = Line::of_many(&proxy, 2);
    let bytes: Vec<u64> = lines.iter().map(|line| line.response_bytes).collect();
    assert_eq!(bytes, [1000, ours], "{lines:?}");
}
