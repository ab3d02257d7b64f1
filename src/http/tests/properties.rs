//! What holds for every head, valid or not.

use proptest::prelude::*;

use super::*;
use crate::http::fields::has_bare_lf;
use crate::http::message::Framing;
use crate::http::response::Connection;

const REQUEST_LINES: &[&str] = &[
    "GET / HTTP/1.1",
    "GET /a?b=c HTTP/1.0",
    "POST http://b.example:80?x HTTP/1.1",
    "OPTIONS * HTTP/1.1",
    "OPTIONS http://b HTTP/1.1",
    "HEAD https://[::1]/ HTTP/1.0",
    "brew /pot HTTP/1.1",
];

const STATUS_LINES: &[&str] = &[
    "HTTP/1.1 200 OK",
    "HTTP/1.0 200",
    "HTTP/1.1 304 Not Modified",
    "HTTP/1.1 204 ",
    "HTTP/1.1 101 Switching Protocols",
    "HTTP/1.1 103 Early Hints",
];

const FIELDS: &[&str] = &[
    "Host: a.example",
    "Host: [2001:db8::1]:80",
    "Content-Length: 5",
    "Content-Length: 005",
    "content-length: 0",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip",
    "Connection: close",
    "Connection: keep-alive, x-a, host, content-length",
    "Connection: Upgrade",
    "Upgrade: websocket, h2c",
    "Expect: 100-continue",
    "TE: trailers",
    "Trailer: x",
    "Cookie: a=b; c=\"d\"",
    "X-A: 1",
    "x-a:",
    "X-B: \u{e9}\t b  ",
    "X-Forwarded-For: 1.2.3.4, [::1]:5",
    "X-Forwarded-Host: b",
    "x_forwarded_for: 1.2.3.4",
    "Forwarded: for=\"[::1]\";by=a",
    "Via: 1.0 b",
    "Accept: application/json",
    " folded",
    "content_length: 5",
];

/// A head of such lines, a few of its bytes replaced, removed or added.
fn heads(starts: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let lines = prop::collection::vec(prop::sample::select(FIELDS), 0..6);
    let bytes = prop::sample::select(&b"\r\n\t\0 :,;@#/*%-_015aHT\"\x7f\x80"[..]);
    let mutations = prop::collection::vec((any::<prop::sample::Index>(), 0..3, bytes), 0..3);
    (prop::sample::select(starts), any::<bool>(), lines, mutations).prop_map(
        |(start, host, lines, mutations)| {
            let host = if host { "\r\nHost: h" } else { "" };
            let mut head = format!("{start}{host}\r\n{}\r\n\r\n", lines.join("\r\n")).into_bytes();
            if lines.is_empty() {
                head.truncate(head.len() - 2);
            }
            for (index, how, byte) in mutations {
                let index = index.index(head.len());
                match how {
                    0 => head[index] = byte,
                    1 => head.insert(index, byte),
                    _ => drop(head.remove(index)),
                }
            }
            head
        },
    )
}

fn assert_clean(head: &[u8]) {
    let text = String::from_utf8_lossy(head);
    assert!(!has_bare_lf(head) && text.ends_with("\r\n\r\n"), "{text:?}");
    assert!(!text.replace("\r\n", "").contains(['\r', '\n', '\0']), "{text:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_accepted_goes_out_valid_and_the_same(
        head in heads(REQUEST_LINES),
        (trusted, x_forwarded, rfc7239) in any::<(bool, bool, bool)>(),
    ) {
        let mut fields = Fields::default();
        let Ok(Some(request)) = request::parse(&head, &mut fields, &LIMITS) else { return Ok(()) };
        assert_clean(&head[..request.len]);
        let mut out = Vec::new();
        request.forward(&mut out, &Forward { peer: ip("2001:db8::7"), trusted, x_forwarded, rfc7239 });
        assert_clean(&out);
        if request.host.is_empty() {
            // HTTP/1.0 without Host: the only thing we write that we would not read.
            return Ok(());
        }
        let mut fields = Fields::default();
        let again = request::parse(&out, &mut fields, &LIMITS).expect("valid").expect("complete");
        prop_assert_eq!(again.len, out.len());
        prop_assert_eq!((again.method, again.host), (request.method, request.host));
        let mut path = Vec::new();
        request.path.write(&mut path);
        prop_assert_eq!(again.target.as_bytes(), path);
        let (before, after) = (request.facts, again.facts);
        prop_assert_eq!((after.method, after.framing), (before.method, before.framing));
        prop_assert_eq!(after.expects_continue, before.expects_continue);
        prop_assert_eq!(after.upgrade, before.upgrade);
        prop_assert!(after.keep_alive && !after.nominates);
    }

    #[test]
    fn what_a_backend_says_goes_out_valid_and_the_same(
        head in heads(STATUS_LINES),
        method in prop::sample::select(&[Method::Get, Method::Head][..]),
    ) {
        let mut fields = Fields::default();
        let Ok(Some(response)) = response::parse(&head, &mut fields, &LIMITS, method) else { return Ok(()) };
        assert_clean(&head[..response.len]);
        let facts = response.facts;
        let connection = if facts.is_switching() { Connection::Upgrade } else { Connection::Implied };
        let how = response::Forward { framing: facts.framing, connection, cookie: Some(b"a=b") };
        let mut out = Vec::new();
        response.forward(&mut out, &how);
        assert_clean(&out);
        let mut fields = Fields::default();
        let again = response::parse(&out, &mut fields, &LIMITS, method).expect("valid").expect("complete");
        prop_assert_eq!(again.len, out.len());
        prop_assert_eq!((again.facts.status, again.facts.framing), (facts.status, facts.framing));
        prop_assert!(again.facts.keep_alive || facts.framing == Framing::UntilClose);
    }

    #[test]
    fn the_start_of_something_valid_is_never_an_error(head in heads(REQUEST_LINES), answer in heads(STATUS_LINES)) {
        let mut fields = Fields::default();
        if let Ok(Some(request)) = request::parse(&head, &mut fields, &LIMITS) {
            for end in 0..request.len {
                let mut fields = Fields::default();
                let start = request::parse(&head[..end], &mut fields, &LIMITS);
                prop_assert!(matches!(start, Ok(None)), "{}", end);
            }
        }
        let mut fields = Fields::default();
        if let Ok(Some(response)) = response::parse(&answer, &mut fields, &LIMITS, Method::Get) {
            for end in 0..response.len {
                let mut fields = Fields::default();
                let start = response::parse(&answer[..end], &mut fields, &LIMITS, Method::Get);
                prop_assert!(matches!(start, Ok(None)), "{}", end);
            }
        }
    }

    #[test]
    fn garbage_is_refused_or_waited_for(start in any::<prop::sample::Index>(), garbage in prop::collection::vec(any::<u8>(), 0..80)) {
        let valid = "GET http://a:80/b HTTP/1.1\r\nHost: [::1]\r\nConnection: x\r\n\r\n";
        let head = [&valid.as_bytes()[..start.index(valid.len())], &garbage].concat();
        let mut fields = Fields::default();
        if let Ok(Some(request)) = request::parse(&head, &mut fields, &LIMITS) {
            assert_clean(&head[..request.len]);
        }
        let mut fields = Fields::default();
        if let Ok(Some(response)) = response::parse(&garbage, &mut fields, &LIMITS, Method::Get) {
            assert_clean(&garbage[..response.len]);
        }
    }
}
