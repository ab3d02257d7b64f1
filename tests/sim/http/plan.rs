//! How a backend means to answer a request.

use fastrand::Rng;

use super::book::{Answer, Request, chunks, content};
use super::knobs::HttpKnobs;

/// How a connection ends that ends too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Close,
    Reset,
}

/// How the end of an answer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Length,
    Chunked,
    UntilClose,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub interims: u32,
    /// Says 100 to those who expect it.
    pub continues: bool,
    /// Answers before it has the whole request.
    pub early: bool,
    /// Steps before it says something.
    pub thinking: u32,
    pub dies: Option<Ending>,
    pub dies_before: bool,
    pub garbage: Option<&'static [u8]>,
    pub switches: bool,
    /// Says more than was asked for.
    pub extra: bool,
    /// Closes without waiting for the proxy to do so.
    pub abrupt: bool,
    form: Form,
    status: u16,
    content_bytes: usize,
    /// HTTP/1.0, with or without `Connection: keep-alive`.
    old: bool,
    keeps: bool,
    /// Closes without having said that it would.
    silent: bool,
    odd: bool,
}

/// What backends answer: nothing that the proxy would say by itself.
pub const STATUSES: [u16; 7] = [200, 200, 200, 404, 500, 204, 304];
/// What no proxy may take for an answer.
const GARBAGE: &[&[u8]] = &[
    b"nonsense\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX-Stray: 1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    b"HTTP/1.1 200 OK\r\nX-Stray: 1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX-Stray: 1\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX-Stray: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n",
    b"\r\nHTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: y",
];

impl Plan {
    pub fn draw(rng: &mut Rng, knobs: &HttpKnobs, request: &Request) -> Plan {
        let mut misdeed = || rng.u32(..1000) < knobs.misdeeds;
        let (dies, dies_before, garbage) = (misdeed(), misdeed(), misdeed());
        let (extra, silent, early) = (misdeed(), misdeed(), misdeed());
        let garbage = (garbage && !request.upgrade).then(|| GARBAGE[rng.usize(..GARBAGE.len())]);
        let old = rng.u8(..8) == 0;
        let forms = [Form::Length, Form::Length, Form::Chunked, Form::Chunked, Form::UntilClose];
        let form = forms[rng.usize(..forms.len())];
        Plan {
            interims: if rng.u8(..4) == 0 { rng.u32(1..=2) } else { 0 },
            continues: rng.u8(..4) != 0,
            early: early && request.has_body(),
            thinking: if rng.bool() { 0 } else { rng.u32(..6) },
            dies: (dies || dies_before).then(|| if rng.bool() { Ending::Close } else { Ending::Reset }),
            dies_before,
            garbage,
            switches: rng.u8(..4) != 0,
            extra: extra && rng.bool(),
            abrupt: rng.bool(),
            form: if old && form == Form::Chunked { Form::UntilClose } else { form },
            status: STATUSES[rng.usize(..STATUSES.len())],
            content_bytes: rng.usize(0..=knobs.content_bytes),
            old,
            keeps: rng.u8(..8) != 0,
            silent,
            odd: rng.bool(),
        }
    }

    pub fn is_until_close(&self) -> bool {
        self.form == Form::UntilClose
    }

    /// Whether it closes its connection after this answer, announced or not.
    pub fn ends_connection(&self) -> bool {
        self.announces_close() || self.silent
    }

    pub fn announces_close(&self) -> bool {
        self.is_until_close() || !self.keeps
    }

    /// The answer and its bytes.
    pub fn answer(&self, id: usize, serial: usize, request: &Request, rng: &mut Rng) -> (Answer, Vec<u8>) {
        let bodyless = request.method == "HEAD" || [204, 304].contains(&self.status);
        let content = content(id, 3 + serial % 1000, self.content_bytes);
        let version = if self.old { "1.0" } else { "1.1" };
        let mut head = format!("HTTP/{version} {} Reason\r\nX-Answer: {serial}\r\n", self.status);
        match self.form {
            _ if self.status == 204 => {}
            // It would tell of the length that it is the one of what is not sent.
            _ if bodyless && self.odd => {}
            Form::Length => head += &format!("Content-Length: {}\r\n", content.len()),
            Form::Chunked => head += "Transfer-Encoding: chunked\r\n",
            Form::UntilClose => {}
        }
        let mut options = vec!["x-hop"];
        if self.announces_close() && (!self.old || self.odd) {
            options.push("close");
        } else if self.old && !self.announces_close() {
            options.push("keep-alive");
        }
        head += &format!("X-Hop: 1\r\nConnection: {}\r\n", options.join(", "));
        if self.odd {
            head += &format!("X-Padding: {}\r\n", "p".repeat(self.content_bytes % 400));
        }
        let mut bytes = (head + "\r\n").into_bytes();
        if !bodyless {
            match self.form {
                Form::Chunked => {
                    bytes.extend(chunks(&content, self.odd, rng));
                    bytes.extend_from_slice(if self.odd { b"X-Trailer: 1\r\n\r\n" } else { b"\r\n" });
                }
                _ => bytes.extend_from_slice(&content),
            }
        }
        let answer = Answer { id, status: self.status, content, complete: false, dirty: false };
        (answer, bytes)
    }
}
