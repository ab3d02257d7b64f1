//! One connection to the admin endpoint.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::talk::{Asked, Then, VisitorId, reply};
use crate::http::request::{self, Fields};
use crate::http::{Framing, HeadLimits, Refusal};
use crate::net::{Event, Socket};
use crate::relay::Conn;

/// The largest request.
const LIMITS: HeadLimits = HeadLimits { head_bytes: 8 * 1024, target_bytes: 2 * 1024, fields: 64 };
const BODY_BYTES_MOST: u64 = 4 * 1024;
const READ_BYTES: usize = 2 * 1024;
/// From the first byte of a request to its last.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two requests.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// An answer of which nothing is taken.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// From the end of the last answer to the other side's end.
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// Who asks.
pub(super) struct Visitor<S> {
    conn: Conn<S>,
    phase: Phase,
    /// What of a request is there, and perhaps of the next one.
    input: Vec<u8>,
    /// When the phase began, or last got on.
    since: Instant,
    /// It has had an answer.
    is_served: bool,
}

enum Phase {
    /// A request is to come, or to be completed.
    Reading,
    /// It is being answered.
    Waiting,
    /// The answer goes out.
    Writing { bytes: Vec<u8>, sent: usize, then: Then },
    /// The last answer is out. What still comes is read and dropped: left unread, it would make a reset of the end, which
    /// overtakes the answer.
    Lingering,
    /// Events go out.
    Streaming { event: Option<Arc<[u8]>>, sent: usize },
}

/// How a turn ended.
pub(super) enum Step {
    /// Nothing to do until an event, an answer or the deadline.
    Wait,
    /// To be answered, and another turn.
    Ask(Box<Asked>),
    /// It is over.
    Close,
}

impl<S: Socket> Visitor<S> {
    pub(super) fn new(socket: S, now: Instant) -> Visitor<S> {
        Visitor {
            conn: Conn::new(socket),
            phase: Phase::Reading,
            input: Vec::new(),
            since: now,
            is_served: false,
        }
    }

    pub(super) fn note(&mut self, event: &Event) {
        self.conn.note(event);
    }

    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// Whether it waits for something that it has asked for.
    pub(super) fn is_busy(&self) -> bool {
        !matches!(self.phase, Phase::Reading | Phase::Lingering)
    }

    pub(super) fn is_streaming(&self) -> bool {
        matches!(self.phase, Phase::Streaming { .. })
    }

    /// Whether it would be cut off if this ended now. `is_last`: nobody else is let in, so one who has just come may have
    /// asked already.
    pub(super) fn is_owed(&self, is_last: bool) -> bool {
        match self.phase {
            Phase::Waiting | Phase::Writing { .. } => true,
            Phase::Reading => is_last && !self.is_served,
            Phase::Lingering | Phase::Streaming { .. } => false,
        }
    }

    /// When it has had its time.
    pub(super) fn deadline(&self, is_last: bool) -> Option<Instant> {
        let patience = match &self.phase {
            Phase::Reading if is_last && !self.is_served => LINGER_TIMEOUT,
            Phase::Reading if self.input.is_empty() => IDLE_TIMEOUT,
            Phase::Reading => REQUEST_TIMEOUT,
            Phase::Lingering => LINGER_TIMEOUT,
            Phase::Waiting | Phase::Streaming { event: None, .. } => return None,
            Phase::Writing { .. } | Phase::Streaming { .. } => WRITE_TIMEOUT,
        };
        Some(self.since + patience)
    }

    /// Here is the answer.
    pub(super) fn answer(&mut self, bytes: Vec<u8>, then: Then, now: Instant) {
        self.is_served = true;
        self.since = now;
        self.phase = Phase::Writing { bytes, sent: 0, then };
    }

    /// Another event. False if the last one is still on its way, so that this one is left out.
    pub(super) fn stream(&mut self, new: &Arc<[u8]>, now: Instant) -> bool {
        match &mut self.phase {
            Phase::Streaming { event: event @ None, sent } => {
                (*event, *sent) = (Some(Arc::clone(new)), 0);
                self.since = now;
                true
            }
            _ => false,
        }
    }

    /// Goes on as far as it can.
    pub(super) fn turn(&mut self, id: VisitorId, now: Instant) -> Step {
        self.advance(id, now).unwrap_or(Step::Close)
    }

    fn advance(&mut self, id: VisitorId, now: Instant) -> io::Result<Step> {
        loop {
            match &mut self.phase {
                Phase::Reading => match self.read_request(id) {
                    Ok(Some(asked)) => {
                        self.phase = Phase::Waiting;
                        return Ok(Step::Ask(Box::new(asked)));
                    }
                    Ok(None) => {
                        if !self.fill(now)? {
                            return Ok(Step::Wait);
                        }
                    }
                    Err((status, why)) => {
                        let bytes = reply(
                            status,
                            "text/plain",
                            "",
                            format!("{status} {why}\n").as_bytes(),
                            Then::Close,
                        );
                        self.answer(bytes, Then::Close, now);
                    }
                },
                // What it says meanwhile is its next request, and has its turn after the answer.
                Phase::Waiting => return Ok(Step::Wait),
                Phase::Writing { bytes, sent, then } => {
                    if !write(&mut self.conn, bytes, sent, &mut self.since, now)? {
                        return Ok(Step::Wait);
                    }
                    match then {
                        Then::Close => {
                            self.conn.socket.shutdown_write()?;
                            self.phase = Phase::Lingering;
                        }
                        Then::Next => self.phase = Phase::Reading,
                        Then::Stream => self.phase = Phase::Streaming { event: None, sent: 0 },
                    }
                }
                Phase::Lingering => return if self.has_gone()? { Ok(Step::Close) } else { Ok(Step::Wait) },
                Phase::Streaming { event, sent } => {
                    if let Some(bytes) = event {
                        if !write(&mut self.conn, bytes, sent, &mut self.since, now)? {
                            return Ok(Step::Wait);
                        }
                        *event = None;
                    }
                    return if self.has_gone()? { Ok(Step::Close) } else { Ok(Step::Wait) };
                }
            }
        }
    }

    /// Whether the other end has hung up. What it says meanwhile belongs to nothing.
    fn has_gone(&mut self) -> io::Result<bool> {
        while self.conn.readable() {
            match self.conn.read(&mut [0; READ_BYTES])? {
                Some(0) => return Ok(true),
                Some(_) => {}
                None => break,
            }
        }
        Ok(false)
    }

    /// Reads what has come. False if nothing has.
    fn fill(&mut self, now: Instant) -> io::Result<bool> {
        let mut space = [0; READ_BYTES];
        if !self.conn.readable() {
            return Ok(false);
        }
        match self.conn.read(&mut space)? {
            Some(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            None => Ok(false),
            Some(count) => {
                if self.input.is_empty() {
                    self.since = now;
                }
                self.input.extend_from_slice(&space[..count]);
                Ok(true)
            }
        }
    }

    /// The request, once it is complete.
    fn read_request(&mut self, visitor: VisitorId) -> Result<Option<Asked>, (u16, &'static str)> {
        if self.input.is_empty() {
            return Ok(None);
        }
        let mut fields = Fields::default();
        let parsed = request::parse(&self.input, &mut fields, &LIMITS);
        let refused = |refusal: Refusal| (refusal.status, refusal.why);
        let Some(request) = parsed.map_err(refused)? else { return Ok(None) };
        let body_bytes = match request.facts.framing {
            Framing::Empty => 0,
            Framing::Length(bytes) if bytes <= BODY_BYTES_MOST => bytes as usize,
            Framing::Length(_) => return Err((413, "the body is too large")),
            _ => return Err((411, "say how long the body is")),
        };
        let end = request.len + body_bytes;
        let Some(body) = self.input.get(request.len..end) else { return Ok(None) };
        let field = |name: &str| request.field(name).map(|value| String::from_utf8_lossy(value).into_owned());
        let asked = Asked {
            visitor,
            method: request.method.to_owned(),
            target: request.path_and_query().to_owned(),
            host: request.host.to_owned(),
            origin: field("origin"),
            fetch_site: field("sec-fetch-site"),
            authorization: field("authorization"),
            body: body.to_vec(),
            keep_alive: request.facts.keep_alive,
        };
        self.input.drain(..end);
        Ok(Some(asked))
    }
}

/// Writes what is left of `bytes`, and notes when it has got on. True if that was all.
fn write<S: Socket>(
    conn: &mut Conn<S>,
    bytes: &[u8],
    sent: &mut usize,
    since: &mut Instant,
    now: Instant,
) -> io::Result<bool> {
    let before = *sent;
    let is_all = conn.write_on(bytes, sent)?;
    if *sent > before {
        *since = now;
    }
    Ok(is_all)
}
