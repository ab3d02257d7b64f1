//! What has to hold for any bytes at all: the fuzz targets call it, tests replay their corpus through it, and properties
//! use the parts. A crate that includes it has `strict` at its root.

#![allow(dead_code, unreachable_pub, reason = "each crate that includes it uses what it needs")]

use std::net::{IpAddr, Ipv4Addr};

use crate::strict;
use lbproxy::http::request::{self, Fields, Request};
use lbproxy::http::response::{self, Connection, Response};
use lbproxy::http::{Body, Framing, HeadLimits, Method, Passed, Refusal, Version};

/// Small, so that they are reached.
pub const LIMITS: HeadLimits = HeadLimits { head_bytes: 2000, target_bytes: 500, fields: 16 };

/// What became of a body: what left, what was not taken, and whether it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub out: Vec<u8>,
    pub left: Vec<u8>,
    pub done: bool,
    pub content_bytes: u64,
}

/// Feeds `pieces` as a relay's buffer would: each is appended to what was left of those before it.
pub fn feed<'p>(mut body: Body, pieces: impl IntoIterator<Item = &'p [u8]>) -> Result<Outcome, Refusal> {
    let (mut out, mut left) = (Vec::new(), Vec::new());
    for piece in pieces {
        left.extend_from_slice(piece);
        let Passed { taken, put } = body.pass(&mut left)?;
        assert!(put <= taken && taken <= left.len());
        out.extend_from_slice(&left[..put]);
        left.drain(..taken);
    }
    Ok(Outcome { out, left, done: body.is_done(), content_bytes: body.content_bytes() })
}

/// A body that comes in chunks.
pub fn chunked(to: Framing) -> Body {
    Body::new(Framing::Chunked, to, true, &LIMITS)
}

/// The pieces in which they come make no difference to `bytes` as a chunked body; and it is refused, or not at its end,
/// or what leaves is one body and nothing else to a strict reader.
pub fn chunked_body(bytes: &[u8]) {
    let whole = feed(chunked(Framing::Chunked), [bytes]);
    let plain = feed(chunked(Framing::UntilClose), [bytes]);
    for size in [1, 2, 3, 7, 64] {
        assert_eq!(feed(chunked(Framing::Chunked), bytes.chunks(size)), whole, "in pieces of {size}");
        assert_eq!(feed(chunked(Framing::UntilClose), bytes.chunks(size)), plain, "in pieces of {size}");
    }
    let (whole, plain) = match (whole, plain) {
        (Err(chunked), Err(plain)) => {
            assert!(chunked == plain && chunked.status == 400 && !chunked.why.is_empty());
            return;
        }
        (whole, plain) => (whole.expect("as without chunks"), plain.expect("as with chunks")),
    };
    assert_eq!((&whole.left, whole.done), (&plain.left, plain.done));
    assert_eq!((whole.content_bytes, plain.content_bytes), (plain.out.len() as u64, plain.out.len() as u64));
    if !whole.done {
        assert!(strict::parse_chunked(&whole.out).is_err(), "an end that was none");
        return;
    }
    let (content, _, length) = strict::parse_chunked(&whole.out).expect("a strict body");
    assert_eq!((content, length), (plain.out, whole.out.len()));
    let again = feed(chunked(Framing::Chunked), [&whole.out[..]]).expect("canonical");
    assert!(again.out == whole.out && again.done, "a second time changes nothing");
}

/// As a head, of a request or of a response to any, `bytes` are refused, or incomplete, or what is forwarded is one valid
/// head that means the same.
pub fn head(bytes: &[u8]) {
    request_head(bytes);
    for method in [Method::Get, Method::Head, Method::Other] {
        response_head(bytes, method);
    }
}

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// For what leaves: what we add counts against nobody's limits.
const GENEROUS: HeadLimits =
    HeadLimits { head_bytes: 1 << 20, target_bytes: 1 << 20, fields: HeadLimits::MAX_FIELDS };
/// What an answer of ours may say.
const STATUSES: [u16; 12] = [400, 408, 413, 414, 417, 431, 500, 501, 502, 503, 504, 505];

fn request_head(bytes: &[u8]) {
    let mut fields = Fields::default();
    let request = match request::parse(bytes, &mut fields, &LIMITS) {
        Ok(None) => return,
        Err(Refusal { status, why }) => {
            assert!(STATUSES.contains(&status) && !why.is_empty(), "{status} {why}");
            return;
        }
        Ok(Some(request)) => request,
    };
    assert!(request.len <= bytes.len() && request.len <= LIMITS.head_bytes);
    assert!(request.facts.framing != Framing::UntilClose);
    for end in places(request.len) {
        let mut fields = Fields::default();
        let early = request::parse(&bytes[..end], &mut fields, &LIMITS).map(|head| head.is_some());
        assert_eq!(early, Ok(end == request.len), "the first {end} bytes of a good head");
    }
    let _ = (request.client(PEER, |_| true), request.cookie("lb"), request.field("accept"));
    for ways in 0..8 {
        let (trusted, x_forwarded, rfc7239) = (ways & 1 != 0, ways & 2 != 0, ways & 4 != 0);
        forwarded_request(&request, &request::Forward { peer: PEER, trusted, x_forwarded, rfc7239 });
    }
}

fn forwarded_request(request: &Request<'_, '_>, how: &request::Forward) {
    let mut out = Vec::new();
    request.forward(&mut out, how);
    // HTTP/1.0 may name no host. Host is empty then (RFC 9112, 3.2), and nobody may send us that.
    if request.facts.version == Version::Http11 || request.field("host").is_some() {
        parses_again(&out, request);
    }
    let Some(out) = with_body(out, request.facts.framing) else { return };
    let message = strict::parse_request(&out).expect("a strict request");
    let chunked = message.framing == strict::Framing::Chunked;
    assert_eq!((message.len, chunked), (out.len(), request.facts.framing == Framing::Chunked));
    assert_eq!(message.words()[0], request.method);
    for name in ["Keep-Alive", "Proxy-Connection", "TE"] {
        assert!(message.all(name).is_empty(), "{name} is for one hop");
    }
    assert_eq!(!message.all("Upgrade").is_empty(), request.facts.upgrade);
}

fn parses_again(out: &[u8], request: &Request<'_, '_>) {
    let mut fields = Fields::default();
    let again = request::parse(out, &mut fields, &GENEROUS).expect("not refused").expect("complete");
    assert_eq!(again.len, out.len());
    assert_eq!(again.facts.framing, request.facts.framing);
    assert_eq!(again.facts.method, request.facts.method);
    assert_eq!(again.method, request.method);
}

fn response_head(bytes: &[u8], method: Method) {
    let mut fields = Fields::default();
    let response = match response::parse(bytes, &mut fields, &LIMITS, method) {
        Ok(None) => return,
        Err(Refusal { status, why }) => {
            assert!(status == 502 && !why.is_empty(), "{status} {why}");
            return;
        }
        Ok(Some(response)) => response,
    };
    assert!(response.len <= bytes.len() && response.len <= LIMITS.head_bytes);
    for end in places(response.len) {
        let mut fields = Fields::default();
        let early = response::parse(&bytes[..end], &mut fields, &LIMITS, method).map(|head| head.is_some());
        assert_eq!(early, Ok(end == response.len), "the first {end} bytes of a good head");
    }
    for version in [Version::Http10, Version::Http11] {
        for cookie in [None, Some(&b"lb=0123456789abcdef; Path=/"[..])] {
            forwarded_response(&response, method, version, cookie);
        }
    }
}

fn forwarded_response(response: &Response<'_, '_>, method: Method, version: Version, cookie: Option<&[u8]>) {
    let framing = response.facts.framing.towards(version);
    let connections: &[Connection] = match framing {
        _ if response.facts.is_switching() => &[Connection::Upgrade],
        Framing::UntilClose => &[Connection::Close],
        _ => &[Connection::Implied, Connection::KeepAlive, Connection::Close],
    };
    for &connection in connections {
        let mut out = Vec::new();
        response.forward(&mut out, &response::Forward { framing, connection, cookie });
        let mut fields = Fields::default();
        let again = response::parse(&out, &mut fields, &GENEROUS, method).expect("not refused");
        let again = again.expect("complete");
        assert_eq!(again.len, out.len());
        assert_eq!((again.facts.status, again.facts.framing), (response.facts.status, framing));
        let Some(out) = with_body(out, framing) else { continue };
        let message = strict::parse_response(&out, method == Method::Head).expect("a strict response");
        assert_eq!(message.len, out.len());
        assert_eq!(message.framing == strict::Framing::Chunked, framing == Framing::Chunked);
        assert_eq!(message.framing == strict::Framing::UntilClose, framing == Framing::UntilClose);
    }
}

/// Where a head of this length is cut short: everywhere, unless that takes too long; and nowhere.
fn places(length: usize) -> impl Iterator<Item = usize> {
    let step = length.div_ceil(256).max(1);
    (0..length).step_by(step).chain([length.saturating_sub(1), length])
}

/// The message with this head and a body that its framing promises, unless that is a long one.
fn with_body(mut head: Vec<u8>, framing: Framing) -> Option<Vec<u8>> {
    match framing {
        Framing::Empty => {}
        Framing::Length(length @ ..=0xffff) => head.extend((0..length).map(|_| b'\n')),
        Framing::Length(_) => return None,
        Framing::Chunked => head.extend_from_slice(b"2\r\n\r\n\r\n0\r\nX: y\r\n\r\n"),
        Framing::UntilClose => head.extend_from_slice(b"\r\n\r\n"),
    }
    Some(head)
}
