//! The parser that other tests trust, tested itself: what it must not accept.

#[path = "strict/mod.rs"]
mod strict;

use strict::{Field, Framing, Kind, Message, parse_chunked, parse_request, parse_response};

#[test]
fn requests() {
    let message =
        parse_request(b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nabGET").expect("good");
    assert_eq!((message.words(), message.len), (vec!["PUT", "/a", "HTTP/1.1"], 49));
    assert_eq!((message.content, message.framing), (b"ab".into(), Framing::Length(2)));
    let message = parse_request(
        b"PUT * HTTP/1.1\r\nHost:\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX:y\r\n\r\n",
    )
    .expect("good");
    let trailer = Field { name: "X".to_owned(), value: "y".to_owned() };
    assert_eq!((message.framing, message.trailers), (Framing::Chunked, vec![trailer]));
    for bad in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\nb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\r b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n x: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\t HTTP/1.1\r\nHost: a\r\n\r\n",
        "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 01\r\n\r\na",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:  a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: y \r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\n\r\n",
    ] {
        assert!(parse_request(bad.as_bytes()).is_err(), "{bad:?}");
    }
}

#[test]
fn responses() {
    let good = |bytes: &[u8], to_head| {
        let message = parse_response(bytes, to_head).expect("good");
        (message.content.len(), message.framing == Framing::UntilClose, bytes.len() - message.len)
    };
    assert_eq!(good(b"HTTP/1.1 200 OK\r\n\r\nabc", false), (3, true, 0));
    assert_eq!(good(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc", false), (2, false, 1));
    assert_eq!(good(b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n", true), (0, false, 0));
    assert_eq!(good(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nHTTP", false), (0, false, 4));
    assert_eq!(good(b"HTTP/1.1 100 Continue\r\n\r\nHTTP", false), (0, false, 4));
    for bad in [
        "HTTP/1.1 200\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 600 OK\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 O\x07K\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        assert!(parse_response(bad.as_bytes(), false).is_err(), "{bad:?}");
    }
}

#[test]
fn chunks() {
    let good = parse_chunked(b"a\r\n0123456789\r\n0\r\n\r\nx").expect("good");
    assert_eq!(good, (b"0123456789".to_vec(), Vec::new(), 20));
    let bad = "1\r\na\r\n|01\r\na\r\n0\r\n\r\n|+1\r\na\r\n0\r\n\r\n|A\r\n0123456789\r\n0\r\n\r\n|1;x\r\na\r\n0\r\n\r\n|\
        1\na\n0\n\n|1\r\nab\r\n0\r\n\r\n|00\r\n\r\n|0\r\nHost: a\r\n\r\n|0\r\n|0\r\nX: y\r\n|0\r\nX: y\n\r\n|";
    for bad in bad.split('|') {
        assert!(parse_chunked(bad.as_bytes()).is_err(), "{bad:?}");
    }
}

fn request(text: &str) -> Result<Option<Message>, String> {
    Message::read(text.as_bytes(), Kind::Request, false)
}

#[test]
fn a_message_is_read_to_its_end_and_no_further() {
    for (text, content, trailers, complete, rest) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET", "", 0, true, 3),
        ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhix", "hi", 0, true, 1),
        ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nhi", "hi", 0, false, 0),
        (
            "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\nx",
            "hi",
            0,
            true,
            1,
        ),
        (
            "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: b\r\n\r\n",
            "hi",
            1,
            true,
            0,
        ),
        (
            "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: b\r\n",
            "hi",
            0,
            false,
            0,
        ),
        ("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nh", "h", 0, false, 0),
    ] {
        let message = request(text).expect("good").expect("a head");
        assert_eq!(String::from_utf8_lossy(&message.content), content, "{text:?}");
        assert_eq!((message.trailers.len(), message.complete), (trailers, complete), "{text:?}");
        assert_eq!(text.len() - message.len, rest, "{text:?}");
    }
}

#[test]
fn what_is_not_canonical_is_refused() {
    for text in [
        "GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nhi",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nhi\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n02\r\nhi\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhiX",
    ] {
        assert!(request(text).is_err(), "{text:?}");
    }
}
