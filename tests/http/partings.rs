//! One side answers early, leaves early, or is not there at all.

use std::process::Command;

use crate::access::Line;
use crate::curl::Curl;
use crate::origin::{Answer, Origin};
use crate::support::{
    HTTP_BACKEND, Program, Proxy, Refusing, Scripted, expect_end, finish, require, reset, serve,
};
use crate::wire::Wire;

const UPLOAD_BYTES: usize = 20_000_000;

/// Nobody needs to send what will not be read. Closing with unread bytes makes the backend's kernel send a reset.
#[test]
fn an_answer_in_the_middle_of_an_upload_arrives() {
    if !require("curl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large");
    std::fs::write(&file, vec![b'x'; UPLOAD_BYTES]).unwrap();
    let refusing = serve(|stream| {
        let mut wire = Wire::new(stream);
        wire.try_request_head().unwrap().unwrap();
        wire.take(100_000).unwrap();
        wire.say("HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n");
    });
    let proxy = Proxy::before(&[refusing.address], "--mode http");
    for chunked in [false, true] {
        let curl = Curl::new().argument("-HExpect:").argument("-T").argument(&file);
        let curl = if chunked { curl.argument("-HTransfer-Encoding: chunked") } else { curl };
        let said = curl.arguments("-w %{http_code}").url(&proxy, "/").ended();
        assert_eq!(said.stdout, ["no", "403"], "{said:?}");
    }
    for line in Line::of_many(&proxy, 2) {
        assert_eq!((line.status, line.response_bytes), (403, 3));
        assert!(line.request_bytes < UPLOAD_BYTES as u64, "{line:?}");
    }
    proxy.wait_until_at_rest();
}

#[test]
fn a_download_that_breaks_off_is_not_taken_for_whole() {
    if !require("curl") {
        return;
    }
    for (fields, arguments, code) in [
        // CURLE_PARTIAL_FILE, and where closing means the end, CURLE_RECV_ERROR.
        ("Content-Length: 1000\r\n", "", 18),
        ("Transfer-Encoding: chunked\r\n", "", 18),
        ("Content-Length: 1000\r\n", "--http1.0", 18),
        ("Transfer-Encoding: chunked\r\n", "--http1.0", 56),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\n4\r\nhalf\r\n");
        let origin = Origin::new(move |_| Answer::raw(answer.clone()).then_close());
        let proxy = Proxy::before(&[origin.address], "--mode http");
        let ended = Curl::new().arguments(arguments).url(&proxy, "/").ended();
        assert_eq!(ended.code, Some(code), "{fields}{arguments} {ended:?}");
        assert_eq!(Line::of(&proxy).end, "backend incomplete_body");
    }
}

#[test]
fn a_client_that_leaves_takes_its_backend_connection_along() {
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], "--mode http");
    let mut client = Wire::new(proxy.connect());
    client.say("GET /long HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut serving = Wire::new(server.accept());
    serving.try_request().unwrap().unwrap();
    reset(client.stream);
    expect_end(&mut serving.stream);
    let line = Line::of(&proxy);
    assert_eq!((line.status, &*line.end), (499, "client reset"));
    proxy.wait_until_at_rest();
}

#[test]
fn a_backend_that_is_down_costs_no_request_not_even_a_post() {
    let (down, origin) = (Refusing::new(), Origin::named("up"));
    let proxy = Proxy::before(&[down.address, origin.address], "--mode http");
    let mut client = Wire::new(proxy.connect());
    for _ in 0..10 {
        client.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
        assert_eq!(client.response().text(), "up");
    }
    assert_eq!(origin.count(), 10);
}

/// What is said is heard before more is said: nothing is held back to be sent with the next piece.
#[test]
fn events_arrive_one_by_one() {
    for (fields, chunked) in [("Transfer-Encoding: chunked\r\n", true), ("Connection: close\r\n", false)] {
        let server = Scripted::new();
        let proxy = Proxy::before(&[server.address], "--mode http");
        let mut client = Wire::new(proxy.connect());
        client.say("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut serving = Wire::new(server.accept());
        serving.try_request().unwrap().unwrap();
        serving.say(format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{fields}\r\n"));
        let head = client.try_response_head().unwrap().unwrap();
        assert_eq!(head.field("transfer-encoding"), Some("chunked"));
        for number in 0..100 {
            let event = format!("data: {number:03}\n\n");
            let as_chunk = format!("{:x}\r\n{event}\r\n", event.len());
            serving.say(if chunked { &as_chunk } else { &event });
            assert_eq!(client.take(as_chunk.len()).unwrap(), as_chunk.as_bytes());
        }
        if chunked {
            serving.say("0\r\n\r\n");
        }
        drop(serving);
        assert_eq!(client.take(5).unwrap(), b"0\r\n\r\n");
    }
}

/// Backends that allow no reuse, and a proxy that does not want any.
#[test]
fn without_reuse_it_works_as_well() {
    if !require("ab") {
        return;
    }
    for (backend, proxy) in [("--close", ""), ("", "--max-idle 0"), ("--close", "--workers 2")] {
        let (_one, first) = Program::backend(HTTP_BACKEND, &format!("--name one {backend}"));
        let (_two, second) = Program::backend(HTTP_BACKEND, &format!("--name two {backend}"));
        let proxy = crate::access::without_lines(&[first, second], proxy);
        let mut command = Command::new("ab");
        command.args(["-q", "-k", "-n", "5000", "-c", "50"]).arg(format!("http://{}/", proxy.address()));
        let report = finish(&mut command).stdout.join("\n");
        assert!(report.contains("Complete requests:      5000"), "{report}");
        assert!(report.contains("Failed requests:        0"), "{report}");
        assert!(!report.contains("Non-2xx"), "{report}");
        proxy.wait_until_at_rest();
    }
}

/// What counts is requests under way, not connections that wait for reuse.
#[test]
fn the_slow_backend_gets_few_requests_under_fewest_connections() {
    if !require("ab") {
        return;
    }
    let (_slow, slow) = Program::backend(HTTP_BACKEND, "--name slow --delay-ms 20");
    let quick = Origin::new(|_| Answer::text("quick"));
    let proxy = crate::access::without_lines(&[slow, quick.address], "--policy fewest_connections");
    let mut command = Command::new("ab");
    // The backends' answers differ in length, which it would take for failures.
    command.args(["-q", "-l", "-k", "-n", "5000", "-c", "20"]).arg(format!("http://{}/", proxy.address()));
    let report = finish(&mut command).stdout.join("\n");
    assert!(report.contains("Failed requests:        0"), "{report}");
    assert!(quick.count() > 4_000, "{} of 5000", quick.count());
}
