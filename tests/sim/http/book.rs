//! What everybody says to everybody: the requests with their bytes, and the answers that backends gave to them.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::knobs::HttpKnobs;

/// Everything that was asked and answered in a run, and how often what happened.
#[derive(Default)]
pub struct Book {
    pub requests: Vec<Request>,
    pub answers: Vec<Answer>,
    pub counts: BTreeMap<&'static str, u64>,
}

/// Why a request must not be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its head is malformed: no backend hears of it.
    Head,
    /// Its body is: no backend takes it for complete.
    Body,
}

/// A request, as its client sends it. Its place in the book is its id.
#[derive(Debug)]
pub struct Request {
    pub method: &'static str,
    /// HTTP/1.0.
    pub old: bool,
    pub content: Vec<u8>,
    pub chunked: bool,
    pub trailer: bool,
    pub expects: bool,
    pub upgrade: bool,
    pub fault: Option<Fault>,
    pub head: Vec<u8>,
    pub body: Vec<u8>,
    /// The client has sent its last byte.
    pub written: bool,
    /// Backends that heard of it, and those that took it for complete.
    pub arrivals: u32,
    /// Backends that were sent at least its start, by number.
    pub sent_to: Vec<usize>,
    pub completions: u32,
    /// Its client has the whole answer: the status, and the length of the content.
    pub answered: Option<(u16, usize)>,
}

/// A final answer of a backend, as far as it got.
#[derive(Debug)]
pub struct Answer {
    pub id: usize,
    pub status: u16,
    pub content: Vec<u8>,
    /// All of it was sent, and its end told as it should be.
    pub complete: bool,
    /// The backend had said something unasked on this connection before: who gets the answer is anybody's guess.
    pub dirty: bool,
}

impl Book {
    pub fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Thinks of a request and enters it.
    pub fn draw_request(&mut self, rng: &mut Rng, knobs: &HttpKnobs, is_last: bool) -> usize {
        let id = self.requests.len();
        let request = Request::draw(id, rng, knobs, is_last);
        self.requests.push(request);
        id
    }
}

/// Bytes that only this `id` has, and that look like nothing else.
pub fn content(id: usize, salt: usize, length: usize) -> Vec<u8> {
    let seed = (id as u64) << 32 | (salt as u64) << 20;
    let byte = |at: u64| b'a' + (((seed + at).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) % 26) as u8;
    (0..length as u64).map(byte).collect()
}

/// The id of the request that starts here, if one does.
pub fn request_id(bytes: &[u8]) -> Option<usize> {
    let space = bytes.iter().take(12).position(|byte| *byte == b' ')?;
    if space < 3 || !bytes[..space].iter().all(u8::is_ascii_uppercase) {
        return None;
    }
    let digits = bytes[space + 1..].strip_prefix(b"/")?;
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

/// What a smuggler would like a backend to take for a request.
const SMUGGLED: &str = "GET /999999999 HTTP/1.1\r\nHost: evil\r\n\r\n";

/// Heads that must be refused: what follows `METHOD `, and what follows the head.
const BAD_HEADS: &[(&str, &str)] = &[
    ("/ID HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n", "0\r\n\r\n"),
    ("/ID HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n", "abcd"),
    ("/ID HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\n", "abcd"),
    ("/ID HTTP/1.1\r\nHost: a\r\nContent_Length: 4\r\n\r\n", "abcd"),
    ("/ID HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n", "0\r\n\r\n"),
    ("/ID HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n", "0\r\n\r\n"),
    ("/ID HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "0\r\n\r\n"),
    ("/ID HTTP/1.1\r\n\r\n", ""),
    ("/ID HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", ""),
    ("/ID HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", ""),
    ("/ID HTTP/1.1\r\nHost: a\r\nX: y\r\n folded\r\n\r\n", ""),
    ("/ID HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "0\r\n\r\n"),
    ("/ID HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: frob\r\n\r\n", "0\r\n\r\n"),
    ("/ID HTTP/2.0\r\nHost: a\r\n\r\n", ""),
    ("/ID  HTTP/1.1\r\nHost: a\r\n\r\n", ""),
    ("/ID HTTP/1.1\r\nHost: a\r\nX: LONG\r\n\r\n", ""),
    ("/ID?LONG HTTP/1.1\r\nHost: a\r\n\r\n", ""),
];

/// Chunked bodies that must be refused.
const BAD_BODIES: &[&str] =
    &["xyz\r\n", "-1\r\n", "3\r\nabcd\r\n", "3\nabc\r\n0\r\n\r\n", "3 \r\nabc\r\n", "0\r\nBad Name: x\r\n"];

impl Request {
    fn draw(id: usize, rng: &mut Rng, knobs: &HttpKnobs, is_last: bool) -> Request {
        let method = ["GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE", "OPTIONS"][rng.usize(..8)];
        let fault = is_last && rng.u32(..1000) < knobs.faults;
        let fault = fault.then(|| if rng.u8(..3) == 0 { Fault::Body } else { Fault::Head });
        let mut request = Request {
            method,
            old: fault.is_none() && rng.u8(..8) == 0,
            content: Vec::new(),
            chunked: false,
            trailer: false,
            expects: false,
            upgrade: false,
            fault,
            head: Vec::new(),
            body: Vec::new(),
            written: false,
            arrivals: 0,
            sent_to: Vec::new(),
            completions: 0,
            answered: None,
        };
        match fault {
            Some(Fault::Head) => request.draw_bad_head(id, rng),
            Some(Fault::Body) => request.chunked = true,
            None => request.draw_body(id, rng, knobs),
        }
        if fault != Some(Fault::Head) {
            request.draw_head(id, rng, knobs, is_last);
        }
        if fault == Some(Fault::Body) {
            let bad = BAD_BODIES[rng.usize(..BAD_BODIES.len())];
            request.body = format!("2\r\nab\r\n{bad}{SMUGGLED}").into_bytes();
        }
        request
    }

    fn draw_bad_head(&mut self, id: usize, rng: &mut Rng) {
        // Of whose head nobody understands a word, nobody knows whether it is a HEAD.
        self.method = ["GET", "POST"][rng.usize(..2)];
        let (head, body) = BAD_HEADS[rng.usize(..BAD_HEADS.len())];
        let head = head.replacen("ID", &id.to_string(), 1).replacen("LONG", &"x".repeat(1_200), 1);
        self.head = format!("{} {head}", self.method).into_bytes();
        self.body = format!("{body}{SMUGGLED}").into_bytes();
    }

    fn draw_body(&mut self, id: usize, rng: &mut Rng, knobs: &HttpKnobs) {
        let often = matches!(self.method, "POST" | "PUT");
        if rng.u8(..8) < if often { 7 } else { 1 } {
            self.content = content(id, 0, rng.usize(0..=knobs.content_bytes));
            self.chunked = !self.old && rng.bool();
            self.expects = !self.old && !self.content.is_empty() && rng.u8(..4) == 0;
        } else {
            self.upgrade = !self.old && self.method == "GET" && rng.u8(..5) == 0;
        }
        self.body = self.content.clone();
        if self.chunked {
            self.trailer = rng.u8(..3) == 0;
            let odd = rng.bool();
            self.body = chunks(&self.content, odd, rng);
            if self.trailer {
                self.body.extend_from_slice(format!("X-Trailer: {id}\r\nHost: evil\r\n").as_bytes());
            }
            self.body.extend_from_slice(b"\r\n");
        }
    }

    fn draw_head(&mut self, id: usize, rng: &mut Rng, knobs: &HttpKnobs, is_last: bool) {
        let version = if self.old { "1.0" } else { "1.1" };
        let mut head = format!("{} /{id} HTTP/{version}\r\nHost: sim\r\n", self.method);
        if self.chunked {
            head += "Transfer-Encoding: chunked\r\n";
        } else if !self.content.is_empty() || matches!(self.method, "POST" | "PUT") {
            head += &format!("Content-Length: {}\r\n", self.content.len());
        }
        if self.expects {
            head += "Expect: 100-continue\r\n";
        }
        let mut options = Vec::new();
        if self.upgrade {
            head += "Upgrade: sim/1\r\n";
            options.push("Upgrade");
        }
        if is_last && rng.u8(..3) == 0 {
            options.push("close");
        } else if self.old && (!is_last || rng.bool()) {
            options.push("keep-alive");
        }
        if rng.u8(..6) == 0 {
            head += "X-Hop: 1\r\n";
            options.push("x-hop");
            // The trailers of such a request are not passed on.
            self.trailer = false;
        }
        if !options.is_empty() {
            head += &format!("Connection: {}\r\n", options.join(", "));
        }
        if rng.u32(..1000) < knobs.padded {
            head += &format!("X-Padding: {}\r\n", "p".repeat(rng.usize(..500)));
        }
        self.head = (head + "\r\n").into_bytes();
    }

    pub fn is_idempotent(&self) -> bool {
        self.method != "POST"
    }

    pub fn has_body(&self) -> bool {
        !self.body.is_empty()
    }

    pub fn wants_close(&self) -> bool {
        let head = String::from_utf8_lossy(&self.head);
        let options = head.lines().find_map(|line| line.strip_prefix("Connection: ")).unwrap_or_default();
        options.contains("close") || self.old && !options.contains("keep-alive")
    }
}

/// `content` in chunks, up to the last one's size line. `odd`: as nobody sensible writes them.
pub fn chunks(content: &[u8], odd: bool, rng: &mut Rng) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = content;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(rng.usize(1..=rest.len()));
        let size = match (odd, rng.u8(..4)) {
            (false, _) => format!("{:x}", chunk.len()),
            (true, 0) => format!("{:X}", chunk.len()),
            (true, 1) => format!("{:06x}", chunk.len()),
            (true, _) => format!("{:x};name=\"a value\";x", chunk.len()),
        };
        out.extend_from_slice(size.as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
        rest = after;
    }
    out.extend_from_slice(if odd { b"000;last\r\n" } else { b"0\r\n" });
    out
}
