//! What is accepted as a response, and what a client is told.

use super::*;
use crate::http::message::{Framing, Version};
use crate::http::response::{Connection, Forward};

fn ok(lines: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{lines}\r\n")
}

fn forwarded(head: &[u8], method: Method, client: Version, connection: Connection) -> String {
    let mut fields = Fields::default();
    let response = response::parse(head, &mut fields, &LIMITS, method);
    let response = response.unwrap_or_else(|refusal| panic!("{refusal:?}")).expect("complete");
    let framing = response.facts.framing.towards(client);
    let mut out = Vec::new();
    response.forward(&mut out, &Forward { framing, connection, cookie: Some(b"lb=1") });
    let head = String::from_utf8_lossy(&out).into_owned();
    head.replace("Via: 1.1 lbproxy\r\n", "").replace("Set-Cookie: lb=1\r\n", "")
}

#[test]
fn refused_lines() {
    let cases = [
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", "empty_line_before_status"),
        ("\nHTTP/1.1 200 OK\r\n\r\n", "empty_line_before_status"),
        ("HTTP/1.1 200 OK\n\r\n", "bare_lf"),
        ("HTTP/1.1 200 OK\r\nX: y\n\r\n", "bare_lf"),
        ("HTTP/1.1 200\n\r\n", "bare_lf"),
        ("HTTP/1.1 200 OK\rX: y\r\n\r\n", "bad_status_line"),
        ("HTTP/1.1 200 O\0K\r\n\r\n", "bad_status_line"),
        ("HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n", "folded_line"),
        ("HTTP/1.1 200 OK\r\n X: y\r\n\r\n", "folded_line"),
        ("HTTP/1.1 200 OK\r\nX : y\r\n\r\n", "bad_field_name"),
        ("HTTP/1.1 200 OK\r\nX: y\0\r\n\r\n", "bad_field_value"),
        ("HTTP/2.0 200 OK\r\n\r\n", "version_not_supported"),
        ("HTTP/1.2 200 OK\r\n\r\n", "version_not_supported"),
        ("ICY 200 OK\r\n\r\n", "version_not_supported"),
        ("HTTP/1.1  200 OK\r\n\r\n", "bad_status_line"),
        ("HTTP/1.1 20 OK\r\n\r\n", "bad_status_line"),
        ("HTTP/1.1 2000 OK\r\n\r\n", "bad_status_line"),
        ("HTTP/1.1 +20 OK\r\n\r\n", "bad_status_line"),
        ("HTTP/1.1 099 OK\r\n\r\n", "bad_status"),
        ("HTTP/1.1 600 OK\r\n\r\n", "bad_status"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "content_length_with_transfer_encoding",
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "transfer_encoding_not_ending_in_chunked"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: foo\r\n\r\n", "unknown_transfer_coding"),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "transfer_encoding_on_http_1_0"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "differing_content_lengths"),
        ("HTTP/1.1 304 OK\r\nContent-Length: x\r\n\r\n", "bad_content_length"),
        ("HTTP/1.1 200 OK\r\nConnection: a b\r\n\r\n", "bad_connection_option"),
        ("HTTP/1.1 200 OK\r\ncontent_length: 5\r\n\r\n", "framing_field_with_underscore"),
    ];
    for (head, why) in cases {
        assert_eq!(response_facts(head, Method::Get), Err(why), "{head:?}");
    }
}

#[test]
fn limits() {
    let limits = HeadLimits { head_bytes: 40, fields: 1, ..LIMITS };
    let parse = |head: &str| {
        let mut fields = Fields::default();
        let parsed = response::parse(head.as_bytes(), &mut fields, &limits, Method::Get);
        parsed.map(|response| response.map(|response| response.len))
    };
    let head = |length: usize| format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(length - 24));
    assert_eq!(parse(&format!("{}body", head(40))), Ok(Some(40)));
    assert_eq!(parse(&head(40)[..39]), Ok(None));
    assert_eq!(parse(&head(41)).map_err(|refusal| refusal.status), Err(502));
    assert_eq!(parse(&head(41)[..40]).map_err(|refusal| refusal.status), Err(502));
    assert_eq!(parse(&ok("X: y\r\nX: y\r\n")).map_err(|refusal| refusal.status), Err(502));
}

#[test]
fn framing_and_what_the_client_sees_of_it() {
    let length = "Content-Length: 05\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n";
    let seen_length = "Content-Length: 5\r\n";
    let cases = [
        (200, length, Method::Get, Framing::Length(5), seen_length),
        (200, chunked, Method::Get, Framing::Chunked, chunked),
        (200, "", Method::Get, Framing::UntilClose, chunked),
        (200, length, Method::Head, Framing::Empty, seen_length),
        (200, chunked, Method::Head, Framing::Empty, ""),
        (200, "", Method::Head, Framing::Empty, ""),
        (304, length, Method::Get, Framing::Empty, seen_length),
        (304, "", Method::Get, Framing::Empty, ""),
        (204, length, Method::Get, Framing::Empty, ""),
        (204, chunked, Method::Get, Framing::Empty, ""),
        (103, length, Method::Get, Framing::Empty, ""),
        (101, length, Method::Get, Framing::Empty, ""),
    ];
    for (status, lines, method, framing, seen) in cases {
        let head = format!("HTTP/1.1 {status} X\r\n{lines}\r\n");
        assert_eq!(response_facts(&head, method).map(|facts| facts.framing), Ok(framing), "{head:?}");
        let out = forwarded(head.as_bytes(), method, Version::Http11, Connection::Implied);
        assert_eq!(out, format!("HTTP/1.1 {status} X\r\n{seen}\r\n"), "{head:?}");
    }
    let old = forwarded(ok(chunked).as_bytes(), Method::Get, Version::Http10, Connection::Close);
    assert_eq!(old, ok("Connection: close\r\n"));
}

#[test]
fn connections_kept() {
    let cases = [
        ("HTTP/1.1", "Content-Length: 1\r\n", true),
        ("HTTP/1.1", "Content-Length: 1\r\nConnection: close\r\n", false),
        ("HTTP/1.1", "", false),
        ("HTTP/1.0", "Content-Length: 1\r\n", false),
        ("HTTP/1.0", "Content-Length: 1\r\nConnection: Keep-Alive\r\n", true),
    ];
    for (version, lines, keep_alive) in cases {
        let head = format!("{version} 200 OK\r\n{lines}\r\n");
        assert_eq!(
            response_facts(&head, Method::Get).map(|facts| facts.keep_alive),
            Ok(keep_alive),
            "{head:?}"
        );
    }
}

#[test]
fn reason_phrases() {
    let cases: [(&[u8], &str); 5] = [
        (b"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n"),
        (b"HTTP/1.1 200 \r\n\r\n", "HTTP/1.1 200 \r\n"),
        (b"HTTP/1.1 200\r\n\r\n", "HTTP/1.1 200 \r\n"),
        (b"HTTP/1.1 299 All \"very\"\twell\r\n\r\n", "HTTP/1.1 299 All \"very\"\twell\r\n"),
        ("HTTP/1.1 404 passé\r\n\r\n".as_bytes(), "HTTP/1.1 404 passé\r\n"),
    ];
    for (head, line) in cases {
        let out = forwarded(head, Method::Head, Version::Http11, Connection::Implied);
        assert_eq!(out, format!("{line}\r\n"));
    }
}

#[test]
fn hop_by_hop_fields_end_here() {
    let cases = [
        (
            "Connection: X, close\r\nx: 1\r\nKeep-Alive: 2\r\nProxy-Connection: 3\r\nUpgrade: 4\r\nY: 5\r\n",
            "Y: 5\r\n",
        ),
        ("Trailer: x\r\n", ""),
        (
            "Set-Cookie: a\r\nset-cookie: b\r\nX-Forwarded-For: c\r\nProxy-Authenticate: d\r\n",
            "Set-Cookie: a\r\nset-cookie: b\r\nX-Forwarded-For: c\r\nProxy-Authenticate: d\r\n",
        ),
    ];
    for (lines, expected) in cases {
        let head = ok(&format!("Content-Length: 1\r\n{lines}"));
        let out = forwarded(head.as_bytes(), Method::Get, Version::Http11, Connection::Implied);
        assert_eq!(out, ok(&format!("Content-Length: 1\r\n{expected}")), "{lines:?}");
    }
    let chunked = "Transfer-Encoding: chunked\r\nTrailer: x\r\n";
    let out = forwarded(ok(chunked).as_bytes(), Method::Get, Version::Http11, Connection::Implied);
    assert_eq!(out, ok(chunked));
    let nominating = ok(&format!("{chunked}Connection: y, content-length\r\n"));
    let out = forwarded(nominating.as_bytes(), Method::Get, Version::Http11, Connection::Implied);
    assert_eq!(out, ok("Transfer-Encoding: chunked\r\n"));
}

#[test]
fn what_the_client_is_told_about_its_connection() {
    let tell = |head: &str, connection| forwarded(head.as_bytes(), Method::Get, Version::Http11, connection);
    let head = ok("Content-Length: 1\r\n");
    assert_eq!(tell(&head, Connection::KeepAlive), ok("Content-Length: 1\r\nConnection: keep-alive\r\n"));
    assert_eq!(tell(&head, Connection::Close), ok("Content-Length: 1\r\nConnection: close\r\n"));
    let switching = "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nupgrade: websocket\r\nX: y\r\n\r\n";
    let expected = "HTTP/1.1 101 X\r\nX: y\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(tell(switching, Connection::Upgrade), expected);
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n";
    assert_eq!(tell(hints, Connection::Close), hints);
}

#[test]
fn our_cookie_and_via_come_last() {
    let head = b"HTTP/1.0 200 OK\r\nVia: 1.0 b\r\nContent-Length: 1\r\n\r\n";
    let mut fields = Fields::default();
    let response =
        response::parse(head, &mut fields, &LIMITS, Method::Get).expect("valid").expect("complete");
    let how = Forward { framing: Framing::Length(1), connection: Connection::Implied, cookie: Some(b"lb=1") };
    let mut out = Vec::new();
    response.forward(&mut out, &how);
    let expected =
        "HTTP/1.1 200 OK\r\nVia: 1.0 b\r\nContent-Length: 1\r\nVia: 1.0 lbproxy\r\nSet-Cookie: lb=1\r\n\r\n";
    assert_eq!(String::from_utf8_lossy(&out), expected);
}
