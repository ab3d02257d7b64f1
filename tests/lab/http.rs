//! The HTTP backend.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::{Backend, HTTP_BACKEND, exchange, expect_bytes, rest};

const GET: &str = "GET / HTTP/1.1\r\nHost: lab\r\n\r\n";
const GET_CLOSE: &str = "GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n";

fn start(arguments: &[&str]) -> Backend {
    Backend::start(HTTP_BACKEND, &[&["--name", "one"], arguments].concat())
}

/// The answer of the backend named "one", with this much of a `Connection` field.
fn answer(connection: &str) -> String {
    let body = "Hello, world! I am one.\n";
    format!(
        "HTTP/1.1 200 OK\r\nServer: one\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n{connection}\r\n{body}",
        body.len()
    )
}

fn answer_close() -> String {
    answer("Connection: close\r\n")
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn status(answer: &[u8]) -> &str {
    std::str::from_utf8(answer.get(9..12).unwrap_or_default()).unwrap()
}

fn assert_still_open(stream: &mut TcpStream) {
    stream.write_all(GET.as_bytes()).unwrap();
    expect_bytes(stream, answer("").as_bytes());
}

#[test]
fn a_connection_persists_until_its_client_wants_no_more() {
    let backend = start(&[]);
    let mut stream = backend.connect();
    for _ in 0..3 {
        assert_still_open(&mut stream);
    }
    stream.write_all(GET_CLOSE.as_bytes()).unwrap();
    assert_eq!(text(rest(&mut stream)), answer_close());
}

#[test]
fn pipelined_requests_are_answered_wherever_they_are_split() {
    let backend = start(&[]);
    let requests = [GET, GET, GET_CLOSE].concat();
    let expected = [answer(""), answer(""), answer_close()].concat();
    for split in 0..requests.len() {
        let mut stream = backend.connect();
        stream.set_nodelay(true).unwrap();
        stream.write_all(&requests.as_bytes()[..split]).unwrap();
        // The answers to what is complete so far show that it was read on its own.
        let complete = split / GET.len();
        expect_bytes(&mut stream, answer("").repeat(complete.min(2)).as_bytes());
        stream.write_all(&requests.as_bytes()[split..]).unwrap();
        let before_bytes = answer("").len() * complete.min(2);
        assert_eq!(text(rest(&mut stream)), expected[before_bytes..], "split at {split}");
    }
}

#[test]
fn more_pipelined_requests_than_a_buffer_holds() {
    let backend = start(&[]);
    let count = 5_000;
    let mut stream = backend.connect();
    let mut writer = stream.try_clone().unwrap();
    let writing =
        std::thread::spawn(move || writer.write_all([&GET.repeat(count), GET_CLOSE].concat().as_bytes()));
    assert!(text(rest(&mut stream)) == answer("").repeat(count) + &answer_close());
    writing.join().unwrap().unwrap();
}

#[test]
fn the_answer_to_head_has_no_body() {
    let backend = start(&[]);
    let head = answer("").replace("Hello, world! I am one.\n", "");
    let mut stream = backend.connect();
    stream.write_all(b"HEAD / HTTP/1.1\r\nHost: lab\r\n\r\n").unwrap();
    expect_bytes(&mut stream, head.as_bytes());
    assert_still_open(&mut stream);
}

#[test]
fn request_bodies_are_read_to_their_end() {
    let backend = start(&[]);
    let large = "x".repeat(200_000);
    let bodies = [
        "Content-Length: 0\r\n\r\n".to_owned(),
        "Content-Length: 11\r\n\r\nGET / HTTP/".to_owned(),
        format!("Content-Length: 200000\r\n\r\n{large}"),
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "Transfer-Encoding: Chunked\r\n\r\n5;name=value\r\nGET /\r\nA\r\n0123456789\r\n000\r\nField: value\r\n\r\n".to_owned(),
        format!("Transfer-Encoding: chunked\r\n\r\n30d40\r\n{large}\r\n0\r\n\r\n"),
    ];
    let mut stream = backend.connect();
    for body in bodies {
        stream.write_all(format!("POST /form HTTP/1.1\r\nHost: lab\r\n{body}").as_bytes()).unwrap();
        expect_bytes(&mut stream, answer("").as_bytes());
    }
    assert_still_open(&mut stream);
}

#[test]
fn a_chunked_body_may_come_byte_by_byte() {
    let backend = start(&[]);
    let mut stream = backend.connect();
    stream.set_nodelay(true).unwrap();
    let request =
        "PUT / HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n";
    for byte in request.as_bytes() {
        stream.write_all(&[*byte]).unwrap();
    }
    expect_bytes(&mut stream, answer("").as_bytes());
    assert_still_open(&mut stream);
}

#[test]
fn a_client_that_waits_for_permission_gets_it() {
    let backend = start(&[]);
    let mut stream = backend.connect();
    stream
        .write_all(b"POST / HTTP/1.1\r\nHost: lab\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        .unwrap();
    expect_bytes(&mut stream, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"ok").unwrap();
    expect_bytes(&mut stream, answer("").as_bytes());
}

#[test]
fn http_1_0_connections_end_unless_asked_to_stay() {
    let backend = start(&[]);
    let mut stream = backend.connect();
    stream.write_all(b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").unwrap();
    expect_bytes(&mut stream, answer("Connection: keep-alive\r\n").as_bytes());
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(text(rest(&mut stream)), answer_close());
}

#[test]
fn stateless_it_closes_after_one_response() {
    let backend = start(&["--close"]);
    let mut stream = backend.connect();
    // Most of these are still on their way when the backend is done: that must not cost the client its answer.
    stream.write_all(GET.repeat(100_000).as_bytes()).unwrap();
    assert_eq!(text(rest(&mut stream)), answer_close());
}

#[test]
fn malformed_requests_are_refused_and_the_connection_closed() {
    let backend = start(&[]);
    let many_fields = "A: b\r\n".repeat(200);
    let long_field = format!("A: {}\r\n", "b".repeat(20_000));
    let cases = [
        ("400", "nonsense\r\n\r\n".to_owned()),
        ("400", "GET / HTTP/1.1\r\n\r\n".to_owned()),
        ("400", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned()),
        ("400", "GET / HTTP/1.1\r\nHost: a\r\nBad Field: b\r\n\r\n".to_owned()),
        ("400", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx".to_owned()),
        ("400", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nx".to_owned()),
        ("400", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx".to_owned()),
        (
            "400",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                .to_owned(),
        ),
        ("501", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n".to_owned()),
        ("400", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\r\n".to_owned()),
        ("400", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n".to_owned()),
        (
            "400",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n"
                .to_owned(),
        ),
        ("431", format!("GET / HTTP/1.1\r\nHost: a\r\n{many_fields}\r\n")),
        ("431", format!("GET / HTTP/1.1\r\nHost: a\r\n{long_field}\r\n")),
    ];
    for (expected, request) in cases {
        // The client does not end its side: that the answer is complete, the backend has to show by closing.
        let mut stream = backend.connect();
        stream.write_all(request.as_bytes()).unwrap();
        assert_eq!(status(&rest(&mut stream)), expected, "{request:.80}");
    }
}

#[test]
fn a_request_cut_short_gets_no_answer() {
    let backend = start(&[]);
    assert_eq!(exchange(&backend, b"GET / HT"), b"");
    assert_eq!(exchange(&backend, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc"), b"");
}

#[test]
fn the_body_has_the_size_asked_for() {
    for body_bytes in [0, 5, 300_000] {
        let backend = start(&["--body-bytes", &body_bytes.to_string()]);
        let expected: String = "Hello, world! I am one.\n".chars().cycle().take(body_bytes).collect();
        let answer = text(exchange(&backend, GET.repeat(2).as_bytes()));
        let bodies: Vec<&str> = answer.split("HTTP/1.1 200 OK").skip(1).collect();
        assert_eq!(bodies.len(), 2);
        for body in bodies {
            assert!(body.contains(&format!("Content-Length: {body_bytes}\r\n")));
            assert!(body.split_once("\r\n\r\n").unwrap().1 == expected);
        }
    }
}

#[test]
fn a_delay_holds_up_its_own_connection_only() {
    let backend = start(&["--delay-ms", "150"]);
    let mut streams: Vec<TcpStream> = (0..50).map(|_| backend.connect()).collect();
    // One after the other, this would outlast the deadline: 50 connections, 5 requests each, 150 ms a piece.
    for stream in &mut streams {
        stream.write_all(GET.repeat(5).as_bytes()).unwrap();
    }
    for stream in &mut streams {
        expect_bytes(stream, answer("").repeat(5).as_bytes());
    }
}

#[test]
fn a_delay_lasts() {
    let backend = start(&["--delay-ms", "3600000"]);
    let mut stream = backend.connect();
    stream.write_all(GET.as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_browser_gets_a_page_that_asks_for_nothing_more() {
    let backend = Backend::start(HTTP_BACKEND, &["--name", "<one>"]);
    let mut stream = backend.connect();
    let accept = "Accept: text/html,application/xhtml+xml;q=0.9\r\nConnection: close";
    stream.write_all(GET.replace("Host: lab", &format!("Host: lab\r\n{accept}")).as_bytes()).unwrap();
    let answer = text(rest(&mut stream));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("Content-Type: text/html\r\n"), "{answer}");
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{answer}");
    assert!(body.contains("<p>Hello, world! I am &lt;one>.</p>"), "{answer}");
    assert!(body.contains("<link rel=\"icon\" href=\"data:,\">"), "{answer}");
}
