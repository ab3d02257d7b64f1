//! A request and its answer, as bytes: what to send, and whether what comes back is all of it, and right.

use super::target::Speech;
use crate::http::request::Fields;
use crate::http::{Body, HeadLimits, Method, response};

/// What an answer's head may be.
const LIMITS: HeadLimits =
    HeadLimits { head_bytes: 64 * 1024, target_bytes: 0, fields: HeadLimits::MAX_FIELDS };
/// What tells a message from all others, at its start.
const NUMBER_BYTES: usize = 16;

/// One at a time, on one connection.
pub(super) enum Exchange {
    Http(Answer),
    Echo(Message),
}

/// How far an answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// More must come.
    More,
    /// That was all of it; and whether the connection may be used again.
    Whole { status: Option<u16>, keep: bool },
    /// Not what was sent.
    Mismatch,
    /// Not an answer at all.
    Nonsense,
}

impl Exchange {
    pub(super) fn new(speech: &Speech, number: usize) -> Exchange {
        match speech {
            Speech::Http(_) => Exchange::Http(Answer::default()),
            Speech::Echo(bytes) => Exchange::Echo(Message::new(*bytes, number)),
        }
    }

    /// Begins the next one.
    pub(super) fn begin(&mut self) {
        match self {
            Exchange::Http(answer) => *answer = Answer::default(),
            Exchange::Echo(message) => message.next(),
        }
    }

    /// What is to be sent.
    pub(super) fn request<'a>(&'a self, speech: &'a Speech) -> &'a [u8] {
        match (self, speech) {
            (Exchange::Echo(message), _) => &message.bytes,
            (Exchange::Http(_), Speech::Http(request)) => request,
            (Exchange::Http(_), Speech::Echo(_)) => &[],
        }
    }

    /// Takes in what has come, and says how much of it belongs to the answer so far.
    pub(super) fn receive(&mut self, bytes: &mut [u8]) -> (usize, Received) {
        match self {
            Exchange::Http(answer) => answer.receive(bytes),
            Exchange::Echo(message) => message.receive(bytes),
        }
    }

    /// The connection has ended: is the answer whole by that?
    pub(super) fn end(&mut self) -> Option<Received> {
        let Exchange::Http(Answer { status, body: Some(body), .. }) = self else { return None };
        body.end().ok().map(|()| Received::Whole { status: Some(*status), keep: false })
    }
}

/// A response.
#[derive(Default)]
pub(super) struct Answer {
    status: u16,
    keep: bool,
    /// Its body, once the head has been read.
    body: Option<Body>,
}

impl Answer {
    fn receive(&mut self, bytes: &mut [u8]) -> (usize, Received) {
        let mut taken = 0;
        while self.body.is_none() {
            let mut fields = Fields::default();
            match response::parse(&bytes[taken..], &mut fields, &LIMITS, Method::Get) {
                Ok(Some(head)) if head.facts.is_interim() => taken += head.len,
                Ok(Some(head)) => {
                    let framing = head.facts.framing;
                    (self.status, self.keep) = (head.facts.status, head.facts.keep_alive);
                    self.body = Some(Body::new(framing, framing, false, &LIMITS));
                    taken += head.len;
                }
                Ok(None) => return (taken, Received::More),
                Err(_) => return (taken, Received::Nonsense),
            }
        }
        let Some(body) = &mut self.body else { return (taken, Received::More) };
        match body.pass(&mut bytes[taken..]) {
            Err(_) => (taken, Received::Nonsense),
            Ok(passed) => {
                taken += passed.taken;
                let whole = Received::Whole { status: Some(self.status), keep: self.keep };
                (taken, if body.is_done() { whole } else { Received::More })
            }
        }
    }
}

/// A message for an echo backend.
pub(super) struct Message {
    number: u32,
    sequence: u32,
    bytes: Vec<u8>,
    returned_bytes: usize,
}

impl Message {
    fn new(len: usize, number: usize) -> Message {
        let bytes = (0..len).map(|index| b'a' + (index % 26) as u8).collect();
        Message { number: number as u32, sequence: 0, bytes, returned_bytes: 0 }
    }

    fn next(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
        self.returned_bytes = 0;
        let number = format!("{:08x}{:08x}", self.number, self.sequence);
        self.bytes[..NUMBER_BYTES].copy_from_slice(number.as_bytes());
    }

    fn receive(&mut self, bytes: &[u8]) -> (usize, Received) {
        let awaited = &self.bytes[self.returned_bytes..];
        let count = bytes.len().min(awaited.len());
        if bytes[..count] != awaited[..count] {
            return (count, Received::Mismatch);
        }
        self.returned_bytes += count;
        let whole = self.returned_bytes == self.bytes.len();
        (count, if whole { Received::Whole { status: None, keep: true } } else { Received::More })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(status: u16, keep: bool) -> Received {
        Received::Whole { status: Some(status), keep }
    }

    #[test]
    fn answers_are_whole_when_their_framing_says_so() {
        for (text, expected) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", whole(200, true)),
            ("HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", whole(503, false)),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 OK\r\n\r\n", whole(204, true)),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", whole(200, true)),
        ] {
            // However it is cut.
            for cut in 0..text.len() {
                let mut exchange = Exchange::Http(Answer::default());
                let mut bytes = text.as_bytes()[..cut].to_vec();
                let (taken, received) = exchange.receive(&mut bytes);
                assert_eq!(received, Received::More, "{text:?} at {cut}");
                let mut rest = text.as_bytes()[taken..].to_vec();
                assert_eq!(exchange.receive(&mut rest), (rest.len(), expected), "{text:?} at {cut}");
            }
        }
        let mut exchange = Exchange::Http(Answer::default());
        assert_eq!(exchange.receive(&mut b"HTTP/1.1 200 OK\r\n\r\nabc".to_vec()).1, Received::More);
        assert_eq!(exchange.end(), Some(whole(200, false)));
        let mut exchange = Exchange::Http(Answer::default());
        assert_eq!(exchange.receive(&mut b"220 ready\r\n".to_vec()).1, Received::Nonsense);
        assert_eq!(exchange.end(), None);
    }

    #[test]
    fn messages_differ_and_must_come_back_as_they_were() {
        let speech = Speech::Echo(40);
        let mut exchange = Exchange::new(&speech, 7);
        exchange.begin();
        let mut first = exchange.request(&speech).to_vec();
        assert_eq!(exchange.receive(&mut first[..30].to_vec()), (30, Received::More));
        let done = Received::Whole { status: None, keep: true };
        assert_eq!(exchange.receive(&mut first[30..]), (10, done));
        exchange.begin();
        assert_ne!(exchange.request(&speech), first);
        assert_eq!(exchange.receive(&mut first).1, Received::Mismatch);
    }
}
