//! A client: sends its script of requests, and holds every answer against what it asked and what was answered.

use std::collections::VecDeque;

use fastrand::Rng;

use super::super::strict::{Framing, Kind, Message};
use super::super::tcp::{Link, PEER};
use super::book::{Book, Fault, content};
use super::knobs::HttpKnobs;
use super::stream::{Parsed, Reading, Stream, parse};
use super::tunnel::Tunnel;

/// How a client leaves before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Vanish {
    Reset,
    Close,
    /// It sends no more, but goes on reading.
    Fin,
}

/// What it does when it has all it wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Farewell {
    Close,
    Fin,
    /// Lets the proxy close.
    Wait,
}

#[derive(Debug)]
pub struct Client {
    pub script: Vec<usize>,
    pipelined: bool,
    /// Never reads.
    pub deaf: bool,
    vanish: Option<(u64, Vanish)>,
    farewell: Farewell,
    pub stream: Stream,
    /// The next request to be sent.
    next: usize,
    /// Where, in what is sent, requests begin and end.
    begun: usize,
    starts: Vec<u64>,
    ends: VecDeque<(u64, usize)>,
    /// The body that waits for a 100, and for how many more steps.
    held_back: Option<(usize, u32)>,
    /// Requests that have their final answer.
    pub answered: usize,
    /// The last answer said that no other follows.
    pub told_close: bool,
    /// What follows may be a body that it did not ask for.
    hears_no_more: bool,
    pub tunnel: Option<Tunnel>,
    pub vanished: bool,
}

impl Client {
    pub fn new(rng: &mut Rng, knobs: &HttpKnobs, book: &mut Book) -> Client {
        let count = rng.usize(1..=6);
        let mut script: Vec<usize> = Vec::new();
        for place in 1..=count {
            script.push(book.draw_request(rng, knobs, place == count));
            let request = &book.requests[script[script.len() - 1]];
            // What follows would be taken for bytes of the other protocol.
            if request.upgrade || request.wants_close() {
                break;
            }
        }
        let rolls = |rng: &mut Rng, chance| rng.u32(..1000) < chance;
        let vanish = [Vanish::Reset, Vanish::Close, Vanish::Fin][rng.usize(..3)];
        let pipelined = rng.u8(..3) == 0;
        if pipelined {
            book.count("pipelined");
        }
        let most = (knobs.content_bytes as u64 + 400) * count as u64;
        Client {
            script,
            pipelined,
            deaf: !knobs.calm && rng.u8(..20) == 0,
            vanish: rolls(rng, knobs.vanish).then(|| (rng.u64(..=most), vanish)),
            farewell: [Farewell::Close, Farewell::Fin, Farewell::Wait][rng.usize(..3)],
            stream: Stream::new(rng, knobs),
            next: 0,
            begun: 0,
            starts: Vec::new(),
            ends: VecDeque::new(),
            held_back: None,
            answered: 0,
            told_close: false,
            hears_no_more: false,
            tunnel: None,
            vanished: false,
        }
    }

    /// Where, in what it sends, the request at this place of its script starts, if it got there.
    pub fn start_of(&self, place: usize) -> Option<u64> {
        self.starts.get(place).copied()
    }

    /// One step. If another one gets further without anything happening: after how long at most.
    pub fn act(&mut self, link: &mut Link, rng: &mut Rng, book: &mut Book) -> Option<u64> {
        let before = (self.stream.sent, self.stream.received);
        if !self.deaf {
            self.stream.read(link, rng);
            self.take_answers(book);
        }
        self.speak(book);
        self.stream.write(link, rng);
        self.note_sent(book);
        if let Some((after, how)) = self.vanish
            && self.stream.sent + self.stream.received >= after
        {
            self.vanish(how, link);
        }
        self.end(link, book);
        let waits = self.held_back.is_some() && !self.stream.has_more();
        let moved = (self.stream.sent, self.stream.received) != before;
        (!self.stream.done && (moved || waits)).then(|| self.stream.pause_us(rng))
    }

    fn vanish(&mut self, how: Vanish, link: &mut Link) {
        self.vanish = None;
        self.vanished = true;
        self.stream.stop();
        match how {
            Vanish::Fin => self.stream.finish(link),
            Vanish::Close => self.stream.close(link),
            Vanish::Reset => {
                link.reset_on_close(PEER);
                self.stream.close(link);
            }
        }
    }

    /// Puts what it wants to send next into its stream.
    fn speak(&mut self, book: &Book) {
        if let Some(tunnel) = &mut self.tunnel {
            return tunnel.speak(&mut self.stream);
        }
        if let Some((id, patience)) = &mut self.held_back {
            match patience.checked_sub(1) {
                Some(left) => *patience = left,
                None => {
                    let id = *id;
                    self.send_body(id, book);
                }
            }
            return;
        }
        while self.next < self.script.len() && (self.pipelined || self.answered == self.next) {
            // Nobody will read it.
            if self.told_close || self.vanished || self.stream.is_over() {
                return;
            }
            let id = self.script[self.next];
            self.next += 1;
            self.starts.push(self.stream.said);
            self.stream.say(&book.requests[id].head);
            if book.requests[id].expects && !self.pipelined {
                self.held_back = Some((id, (id % 7 * 3) as u32));
                return;
            }
            self.send_body(id, book);
        }
    }

    fn send_body(&mut self, id: usize, book: &Book) {
        self.held_back = None;
        self.stream.say(&book.requests[id].body);
        self.ends.push_back((self.stream.said, id));
    }

    fn note_sent(&mut self, book: &mut Book) {
        while let Some((end, id)) = self.ends.front().copied()
            && end <= self.stream.sent
        {
            self.ends.pop_front();
            book.requests[id].written = true;
        }
        self.begun = self.starts.iter().filter(|start| **start < self.stream.sent).count();
    }

    fn take_answers(&mut self, book: &mut Book) {
        while let Some(bytes) = self.stream.unparsed() {
            if self.hears_no_more {
                return self.stream.ignore();
            }
            if let Some(tunnel) = &mut self.tunnel {
                return tunnel.hear(&mut self.stream);
            }
            let Some(&id) = self.script.get(self.answered).filter(|_| self.answered < self.begun) else {
                panic!("an answer to nothing: {:?}", String::from_utf8_lossy(bytes));
            };
            match parse(bytes, answer_to(book.requests[id].method), false) {
                Ok(Parsed::Whole(message)) => self.take_answer(id, &message, book),
                Ok(Parsed::Unfinished { missing }) => return self.stream.wait_for(missing),
                Ok(Parsed::UntilClose) => return self.stream.wait_for_end(),
                Err(why) => panic!("request {id} got what is no answer: {why}"),
            }
        }
    }

    fn take_answer(&mut self, id: usize, message: &Message, book: &mut Book) {
        let request = &book.requests[id];
        assert_eq!(message.words()[0], "HTTP/1.1", "of request {id}");
        assert!(!(request.old && message.framing == Framing::Chunked), "chunks for HTTP/1.0, request {id}");
        if message.status() == 101 {
            assert!(request.upgrade, "request {id} got an upgrade that it did not ask for");
            book.count("upgrade");
            self.stream.took(message.len);
            self.answered += 1;
            book.requests[id].answered = Some((101, 0));
            self.tunnel = Some(Tunnel::new(content(id, 1, id % 50), content(id, 2, 3 * id % 70)));
            return;
        }
        if message.status() < 200 {
            assert!(!request.old, "an interim response to HTTP/1.0, request {id}");
            book.count("interim");
            self.stream.took(message.len);
            if self.held_back.is_some() && message.status() == 100 {
                self.send_body(id, book);
            }
            return;
        }
        let closes = message.all("Connection").contains(&"close") || message.framing == Framing::UntilClose;
        let keeps = message.all("Connection").contains(&"keep-alive");
        self.check_answer(id, message, closes, book);
        if !book.requests[id].written {
            book.count("early answer");
            assert!(closes, "an early answer that does not say close, request {id}");
        }
        assert!(closes || !book.requests[id].wants_close(), "request {id} was not told of the end it wanted");
        self.stream.took(message.len);
        self.answered += 1;
        self.told_close |= closes || book.requests[id].old && !keeps;
        book.requests[id].answered = Some((message.status(), message.content.len()));
        if self.told_close {
            self.held_back = None;
            if self.hears_no_more {
                return self.stream.ignore();
            }
            let more = String::from_utf8_lossy(self.stream.unparsed().unwrap_or_default());
            assert!(more.is_empty(), "more after the last answer, request {id}: {message:?}, then {more:?}");
        }
    }

    /// Whether it is the answer to this request, whole.
    fn check_answer(&mut self, id: usize, message: &Message, closes: bool, book: &mut Book) {
        let request = &book.requests[id];
        let number = |name| Some(message.value(name)?.parse::<usize>().unwrap());
        if number("X-Stray").is_some() {
            // Nobody could tell it from an answer: `World::begins` has seen to that.
            return book.count("stray taken for an answer");
        }
        let Some(answer) = number("X-Answer").map(|serial| &book.answers[serial]) else {
            return self.check_canned(id, message, closes, book);
        };
        // One whose body is malformed may be answered before that shows.
        assert_ne!(request.fault, Some(Fault::Head), "request {id} was answered by a backend");
        if answer.dirty {
            return book.count("answer of a backend out of step");
        }
        assert_eq!(answer.id, id, "request {id} got another one's answer");
        assert!(answer.complete, "the answer to {id} looks complete and is not: {answer:?}");
        assert_eq!(message.status(), answer.status, "of request {id}");
        let bodyless = request.method == "HEAD" || [204, 304].contains(&answer.status);
        let content: &[u8] = if bodyless { b"" } else { &answer.content };
        assert!(message.content == content, "other content than answered, request {id}");
        assert!(message.all("Transfer-Encoding").is_empty() || !request.old, "request {id}");
        assert!(message.all("X-Hop").is_empty(), "of request {id}");
        book.count("answered");
    }

    fn check_canned(&mut self, id: usize, message: &Message, closes: bool, book: &mut Book) {
        assert_eq!(message.all("Cache-Control"), ["no-store"], "of request {id}: {message:?}");
        let status = message.words()[1];
        let name = ["400", "408", "413", "414", "431", "501", "502", "503", "504", "505"];
        let name = name.into_iter().find(|name| *name == status).expect("a status of the proxy's own");
        book.count(name);
        let request = &book.requests[id];
        match (request.fault, name) {
            (Some(Fault::Head), "400" | "408" | "414" | "431" | "501" | "505") => {}
            (Some(Fault::Body), _) => {}
            (Some(Fault::Head), _) => panic!("request {id} is malformed, and got a {name}"),
            (None, "400") => assert!(self.vanished, "request {id} is well, and got a 400"),
            (None, "408" | "413" | "502" | "503" | "504") => {}
            (None, _) => panic!("request {id} is well, and got a {name}"),
        }
        assert!(closes || request.fault.is_none(), "a connection that goes on after malformed request {id}");
        // Of a head that never came, nobody knows that it was a HEAD's.
        self.hears_no_more = request.method == "HEAD" && matches!(name, "400" | "408");
    }

    /// The end of the stream, and what becomes of a client that has all it wanted.
    fn end(&mut self, link: &mut Link, book: &mut Book) {
        let stream = &mut self.stream;
        if stream.done {
            return;
        }
        if stream.reading != Reading::Open {
            if let Some(&id) = self.script.get(self.answered)
                && self.stream.has_unparsed()
                && self.tunnel.is_none()
            {
                self.take_last_words(id, book);
            }
            if let Some(tunnel) = &mut self.tunnel {
                tunnel.end(self.stream.reading == Reading::Ended);
            }
            return self.stream.close(link);
        }
        let has_all = self.answered == self.script.len() && !self.told_close && self.tunnel.is_none();
        if has_all || self.tunnel.as_ref().is_some_and(|tunnel| tunnel.is_sent(&self.stream)) {
            match self.farewell {
                Farewell::Close if self.tunnel.is_none() => self.stream.close(link),
                Farewell::Wait if self.tunnel.is_none() => {}
                _ => self.stream.finish(link),
            }
        }
    }

    /// What came before the end, if it is less than an answer, or an answer that is told by the end.
    fn take_last_words(&mut self, id: usize, book: &mut Book) {
        let bytes = self.stream.unparsed_at_end();
        let has_ended = self.stream.reading == Reading::Ended;
        match parse(&bytes, answer_to(book.requests[id].method), has_ended) {
            Ok(Parsed::Whole(message)) if message.framing == Framing::UntilClose => {
                book.count("until close");
                self.take_answer(id, &message, book);
            }
            Ok(Parsed::Whole(_)) => panic!("overlooked the answer to {id}"),
            Ok(_) => book.count("truncated"),
            Err(why) => panic!("request {id}: {why}"),
        }
    }
}

fn answer_to(method: &str) -> Kind {
    if method == "HEAD" { Kind::ResponseToHead } else { Kind::Response }
}
