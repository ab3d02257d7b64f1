//! A backend's end of one connection: takes nothing but strictly valid requests, and answers them well, or badly.

use fastrand::Rng;

use super::super::strict::{Framing, Kind, Message};
use super::super::tcp::{Link, PEER, PROXY};
use super::book::{Book, Fault, content, request_id};
use super::knobs::HttpKnobs;
use super::plan::{Ending, Plan};
use super::stream::{Parsed, Reading, Stream, parse};
use super::tunnel::Tunnel;

#[derive(Debug)]
pub struct Backend {
    knobs: HttpKnobs,
    pub stream: Stream,
    work: Option<Work>,
    /// Requests answered.
    pub served: u32,
    /// What it said from here on, nobody asked for.
    pub stray_from: Option<u64>,
    /// A request crossed with that, so that it may be taken for an answer, and nobody could tell.
    pub crossed: bool,
    /// Where the answer ends that is the last one: it said so, or it has not read all of the request.
    pub ends_at: Option<u64>,
    /// It will not serve again, and closes when there is nothing left to say.
    closing: bool,
    /// While it waits: closes, or says something unasked, at the next step.
    restless: Option<Whim>,
    pub tunnel: Option<Tunnel>,
}

#[derive(Clone, Copy, Debug)]
enum Whim {
    Close,
    Reset,
    Speak,
}

/// The request it is busy with.
#[derive(Debug)]
struct Work {
    id: usize,
    plan: Plan,
    has_head: bool,
    is_read: bool,
    /// The number of the answer, once it is begun, and where it ends in the stream.
    answer: Option<(usize, u64)>,
    dies_at: Option<u64>,
    interims: u32,
    thinking: u32,
}

impl Backend {
    pub fn new(rng: &mut Rng, knobs: &HttpKnobs) -> Backend {
        Backend {
            knobs: knobs.clone(),
            stream: Stream::new(rng, knobs),
            work: None,
            served: 0,
            stray_from: None,
            crossed: false,
            ends_at: None,
            closing: false,
            restless: None,
            tunnel: None,
        }
    }

    /// One step. If another one gets further without anything happening: after how long at most.
    pub fn act(&mut self, link: &mut Link, rng: &mut Rng, book: &mut Book) -> Option<u64> {
        let before = (self.stream.sent, self.stream.received);
        self.stream.read(link, rng);
        self.take_requests(rng, book);
        self.speak(rng, book);
        let most = match &self.work {
            Some(Work { dies_at: Some(at), .. }) => at.saturating_sub(self.stream.sent) as usize,
            _ => usize::MAX,
        };
        self.stream.write_up_to(most, link, rng);
        self.die_or_finish(link, rng, book);
        let pause_us = self.rest(link, rng, book);
        self.end(link);
        if self.stream.done {
            return None;
        }
        let moved = (self.stream.sent, self.stream.received) != before;
        let busy = !self.stream.has_more() && self.work.as_ref().is_some_and(|work| work.is_busy());
        pause_us.or((moved || busy).then(|| self.stream.pause_us(rng)))
    }

    fn take_requests(&mut self, rng: &mut Rng, book: &mut Book) {
        if self.closing {
            return self.stream.ignore();
        }
        let Some(bytes) = self.stream.unparsed() else { return };
        if let Some(tunnel) = &mut self.tunnel {
            if self.stray_from.is_some() && request_id(bytes).is_some() {
                // What was said unasked passed for the answer to the request for this tunnel, and nobody could tell.
                self.closing = true;
                return;
            }
            return tunnel.hear(&mut self.stream);
        }
        let Some(line_end) = bytes.windows(2).position(|two| two == b"\r\n") else { return };
        let busy = self.work.as_ref().is_some_and(|work| work.is_read);
        if busy && self.stray_from.is_some() {
            // What was said unasked passed for the answer to this request, and nobody could tell.
            self.closing = true;
            return;
        }
        assert!(!busy, "bytes after a request: {:?}", String::from_utf8_lossy(bytes));
        if self.work.is_none() {
            let line = String::from_utf8_lossy(&bytes[..line_end]).into_owned();
            let id = request_id(bytes).filter(|id| *id < book.requests.len());
            self.begin(id.unwrap_or_else(|| panic!("nobody asked for {line:?}")), rng, book);
        }
        let bytes = self.stream.unparsed().expect("looked above");
        let Some(work) = &mut self.work else { return };
        work.has_head |= bytes.windows(4).any(|four| four == b"\r\n\r\n");
        match parse(bytes, Kind::Request, false) {
            Ok(Parsed::Whole(message)) => {
                work.is_read = true;
                check_request(work.id, &message, book);
                self.stream.took(message.len);
            }
            // While only the head is awaited, every line counts.
            Ok(Parsed::Unfinished { missing }) if work.has_head => self.stream.wait_for(missing),
            Ok(_) => {}
            Err(why) => panic!("request {} is not valid: {why}", work.id),
        }
    }

    fn begin(&mut self, id: usize, rng: &mut Rng, book: &mut Book) {
        let request = &mut book.requests[id];
        assert_ne!(request.fault, Some(Fault::Head), "malformed request {id} reached a backend");
        request.arrivals += 1;
        let most = if request.is_idempotent() { 2 } else { 1 };
        assert!(request.arrivals <= most, "{} {id} was sent {} times", request.method, request.arrivals);
        let plan = Plan::draw(rng, &self.knobs, request);
        if request.arrivals > 1 {
            book.count("repeated");
        }
        if self.served > 0 {
            book.count("reused");
        }
        let interims = plan.interims + u32::from(book.requests[id].expects && plan.continues);
        let thinking = plan.thinking;
        self.work = Some(Work {
            id,
            plan,
            has_head: false,
            is_read: false,
            answer: None,
            dies_at: None,
            interims,
            thinking,
        });
    }

    /// Puts what it wants to say next into its stream.
    fn speak(&mut self, rng: &mut Rng, book: &mut Book) {
        if let Some(tunnel) = &mut self.tunnel {
            return tunnel.speak(&mut self.stream);
        }
        let Some(work) = &mut self.work else { return };
        if !work.is_ready() || self.stream.has_more() {
            return;
        }
        if let Some(left) = work.thinking.checked_sub(1) {
            work.thinking = left;
            return;
        }
        if let Some(left) = work.interims.checked_sub(1) {
            work.interims = left;
            let expects = book.requests[work.id].expects && left == 0 && work.plan.continues;
            self.stream.say(if expects {
                b"HTTP/1.1 100 Continue\r\n\r\n"
            } else {
                b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
            });
            return;
        }
        if !(work.is_read || work.plan.early) {
            return;
        }
        let request = &book.requests[work.id];
        if let Some(garbage) = work.plan.garbage {
            self.stream.say(garbage);
            (work.answer, self.closing) = (Some((usize::MAX, self.stream.said)), true);
            return;
        }
        if work.plan.switches && request.upgrade {
            let id = work.id;
            self.stream
                .say(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: sim/1\r\n\r\n");
            self.tunnel = Some(Tunnel::new(content(id, 2, 3 * id % 70), content(id, 1, id % 50)));
            self.work = None;
            return;
        }
        let serial = book.answers.len();
        let (mut answer, bytes) = work.plan.answer(work.id, serial, request, rng);
        answer.dirty = self.stray_from.is_some();
        book.answers.push(answer);
        let start = self.stream.said;
        self.stream.say(&bytes);
        work.answer = Some((serial, self.stream.said));
        work.dies_at = work.plan.dies.map(|_| start + rng.u64(..bytes.len() as u64));
    }

    /// After it said something: the answer may be complete, or never will be.
    fn die_or_finish(&mut self, link: &mut Link, rng: &mut Rng, book: &mut Book) {
        let Some(work) = &mut self.work else { return };
        if let Some(at) = work.dies_at
            && at <= self.stream.sent
        {
            book.count("died in midst of an answer");
            // A close would look like the end of an answer that ends with its connection.
            let reset = work.plan.dies == Some(Ending::Reset) || work.plan.is_until_close();
            return self.die(link, reset);
        }
        if work.answer.is_none() && work.plan.dies_before && work.is_ready() && work.interims == 0 {
            book.count("died before an answer");
            let reset = work.plan.dies == Some(Ending::Reset);
            return self.die(link, reset);
        }
        let Some((serial, end)) = work.answer else { return };
        if self.stream.sent < end || self.stream.is_over() {
            return;
        }
        if let Some(answer) = book.answers.get_mut(serial) {
            answer.complete = true;
        }
        let (early, plan) = (!work.is_read, work.plan.clone());
        self.served += 1;
        self.work = None;
        self.closing |= early || plan.ends_connection();
        if early || plan.announces_close() {
            self.ends_at = Some(end);
        }
        if self.closing {
            self.stream.finish(link);
            if plan.abrupt {
                self.stream.close(link);
            }
        } else if plan.extra {
            self.speak_unasked(link, rng, book);
        }
    }

    fn die(&mut self, link: &mut Link, reset: bool) {
        if reset {
            link.reset_on_close(PEER);
        }
        self.stream.close(link);
    }

    fn speak_unasked(&mut self, link: &Link, rng: &mut Rng, book: &mut Book) {
        self.crossed |= !link.ends[PROXY].send.is_empty() || !link.ends[PEER].receive.is_empty();
        book.count("unasked");
        self.stray_from.get_or_insert(self.stream.said);
        let strays: [&[u8]; 3] = [
            b"HTTP/1.1 200 OK\r\nX-Stray: 1\r\nContent-Length: 5\r\n\r\nstray",
            b"nonsense",
            b"HTTP/1.1 408 Request Timeout\r\nX-Stray: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        ];
        self.stream.say(strays[rng.usize(..3)]);
    }

    /// Between two requests: some do not wait for long.
    fn rest(&mut self, link: &mut Link, rng: &mut Rng, book: &mut Book) -> Option<u64> {
        let idle =
            self.work.is_none() && self.tunnel.is_none() && !self.closing && !self.stream.has_unparsed();
        if !idle || self.served == 0 || self.stream.has_more() || self.stream.done {
            self.restless = None;
            return None;
        }
        match self.restless.take() {
            Some(Whim::Speak) => self.speak_unasked(link, rng, book),
            Some(whim) => {
                book.count("closed while idle");
                self.die(link, matches!(whim, Whim::Reset));
                return None;
            }
            None if rng.u32(..1000) < self.knobs.idle_closes => {
                self.restless = Some([Whim::Close, Whim::Close, Whim::Reset, Whim::Speak][rng.usize(..4)]);
            }
            None => return None,
        }
        Some(if rng.bool() { self.stream.pause_us(rng) } else { self.knobs.long_pause_us })
    }

    fn end(&mut self, link: &mut Link) {
        if let Some(tunnel) = &mut self.tunnel
            && !self.stream.done
        {
            if tunnel.is_sent(&self.stream) {
                self.stream.finish(link);
            }
            if self.stream.reading != Reading::Open && (self.stream.finished || self.stream.is_over()) {
                tunnel.end(self.stream.reading == Reading::Ended);
                self.stream.close(link);
            }
            return;
        }
        let nothing_left = !self.stream.has_more() && self.work.as_ref().is_none_or(|work| !work.is_read);
        if self.stream.reading == Reading::Broken || self.stream.reading == Reading::Ended && nothing_left {
            self.stream.close(link);
        }
    }
}

impl Work {
    fn is_ready(&self) -> bool {
        self.is_read || self.has_head && (self.plan.early || self.interims > 0 || self.plan.dies_before)
    }

    fn is_busy(&self) -> bool {
        self.answer.is_none() && self.is_ready()
    }
}

/// Whether it is, to the last byte, what its client meant.
fn check_request(id: usize, message: &Message, book: &mut Book) {
    let request = &mut book.requests[id];
    assert!(request.written, "request {id} looks complete, and its client has not sent all of it");
    assert_eq!(request.fault, None, "malformed request {id} looks complete");
    assert_eq!((message.words()[0], message.words()[2]), (request.method, "HTTP/1.1"), "request {id}");
    assert!(message.content == request.content, "other content than was sent, request {id}");
    assert_eq!(message.framing == Framing::Chunked, request.chunked, "request {id}");
    assert_eq!(!message.trailers.is_empty(), request.trailer, "trailers of request {id}");
    assert_eq!(!message.all("Expect").is_empty(), request.expects, "request {id}");
    assert_eq!(!message.all("Upgrade").is_empty(), request.upgrade, "request {id}");
    assert!(message.all("X-Hop").is_empty(), "a field for one hop only, request {id}");
    request.completions += 1;
}
