//! An HTTP/1.1 backend that answers everything with a short text naming itself, to browsers as a page.
//!
//! Every answer it can give is made at the start; a request only decides which one is copied out. Connections
//! persist as RFC 9112 says (section 9.3), requests may be pipelined, their bodies are read and dropped.

mod body;
mod request;

use std::time::Instant;

use self::body::Body;
use self::request::{Parsed, Persistence};
use super::connection::{Next, Wire};
use super::server::Service;
use super::service_time::{Desk, ServiceTime};
use super::stats::Counts;

/// The longest body `--body-bytes` may ask for: it is held in memory, once.
pub const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What the backend is to say, and how.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What it calls itself in the body and in the `Server` field. Visible ASCII and spaces.
    pub name: String,
    /// One response for each connection.
    pub close: bool,
    /// The size of the body: the text, repeated or cut, for everybody. `None` for the text once.
    pub body_bytes: Option<usize>,
    /// How long to think about each response.
    pub time: ServiceTime,
    /// What to answer, 200 to 599. `None` for 200.
    pub status: Option<u16>,
}

/// The service: its answers, ready to be sent.
pub struct Http {
    /// By [`Persistence`]: the connection persists because it does in HTTP/1.1, because an HTTP/1.0 client asked, not.
    answers: [Answer; 3],
    /// The same for browsers.
    pages: [Answer; 3],
    close: bool,
    desk: Desk,
    is_error: bool,
    counts: Counts,
}

#[derive(Clone)]
struct Answer {
    bytes: Vec<u8>,
    head_bytes: usize,
}

/// Where one connection stands.
pub struct Session {
    stage: Stage,
    persistence: Persistence,
    /// The answer goes without its body: the request was a HEAD.
    head_only: bool,
    /// The answer is a page.
    page: bool,
    /// A request is counted that has not been answered.
    in_flight: bool,
}

enum Stage {
    Head,
    Body(Body),
    Thinking(Instant),
    /// So many bytes of the answer are out.
    Answering(usize),
    Refusing(&'static str),
    Closing,
}

impl Http {
    /// Prepares the answers.
    ///
    /// # Errors
    /// One line that says which option is out of range.
    pub fn new(options: &Options) -> Result<Self, String> {
        let printable = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
        if options.name.is_empty() || !options.name.bytes().all(printable) {
            return Err(format!("the name {:?} is not made of visible ASCII characters", options.name));
        }
        if options.body_bytes.is_some_and(|bytes| bytes > BODY_BYTES_MAX) {
            return Err(format!("a body can have at most {BODY_BYTES_MAX} bytes"));
        }
        let status = options.status.unwrap_or(200);
        if !(200..=599).contains(&status) {
            return Err(format!("{status} is no status of a final response: 200 to 599"));
        }
        let text = format!("Hello, world! I am {}.\n", options.name);
        let body_bytes = options.body_bytes.unwrap_or(text.len());
        let body: Vec<u8> = text.bytes().cycle().take(body_bytes).collect();
        let plain = answers(status, &options.name, "text/plain", &body);
        let pages = match options.body_bytes {
            None => answers(status, &options.name, "text/html", page(&options.name, &text).as_bytes()),
            Some(_) => plain.clone(),
        };
        Ok(Http {
            answers: plain,
            pages,
            close: options.close,
            // By the name, so that backends differ and a run can be repeated.
            desk: Desk::new(
                options.time,
                options
                    .name
                    .bytes()
                    .fold(0, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(byte.into())),
            ),
            is_error: status >= 500,
            counts: Counts::default(),
        })
    }

    /// A request has come in whole: counts it, and says when it is answered.
    fn begin(&mut self, in_flight: &mut bool, now: Instant) -> Stage {
        *in_flight = true;
        self.counts.requests += 1;
        self.counts.in_flight.change(1, now);
        self.desk.done_at(now).map_or(Stage::Answering(0), Stage::Thinking)
    }

    fn head(&self, session: &mut Session, wire: &mut Wire) -> Result<Stage, Next> {
        let request = match request::parse(wire.input.filled()) {
            Ok(Parsed::Complete(request)) => request,
            Ok(Parsed::Partial) => return Err(Next::Read),
            Err(status) => return Ok(Stage::Refusing(status)),
        };
        if request.expects_continue {
            wire.output.push(CONTINUE);
        }
        wire.input.consumed(request.head_bytes);
        (session.head_only, session.page) = (request.is_head, request.wants_page);
        session.persistence = if self.close { Persistence::Close } else { request.persistence };
        Ok(Stage::Body(request.body))
    }
}

impl Service for Http {
    type Session = Session;

    fn open(&mut self) -> Session {
        Session {
            stage: Stage::Head,
            persistence: Persistence::Default,
            head_only: false,
            page: false,
            in_flight: false,
        }
    }

    fn advance(&mut self, session: &mut Session, wire: &mut Wire) -> Next {
        loop {
            let session_in_flight = &mut session.in_flight;
            session.stage = match &mut session.stage {
                // A head may ask for that much at once; an answer takes whatever room there is.
                Stage::Head if wire.output.room_bytes() < CONTINUE.len() => return Next::Write,
                Stage::Head => match self.head(session, wire) {
                    Ok(stage) => stage,
                    Err(next) => return next,
                },
                Stage::Body(body) => match body.consume(wire.input) {
                    Ok(true) => self.begin(session_in_flight, wire.now),
                    Ok(false) => return Next::Read,
                    Err(status) => Stage::Refusing(status),
                },
                Stage::Thinking(until) if wire.now < *until => return Next::At(*until),
                Stage::Thinking(_) => Stage::Answering(0),
                Stage::Answering(sent_bytes) => {
                    let answers = if session.page { &self.pages } else { &self.answers };
                    let answer = answers[session.persistence as usize].part(session.head_only);
                    *sent_bytes += wire.output.push(&answer[*sent_bytes..]);
                    if *sent_bytes == answer.len() && std::mem::take(session_in_flight) {
                        self.counts.in_flight.change(-1, wire.now);
                        self.counts.errors += u64::from(self.is_error);
                    }
                    match session.persistence {
                        _ if *sent_bytes < answer.len() => return Next::Write,
                        Persistence::Close => Stage::Closing,
                        _ => Stage::Head,
                    }
                }
                Stage::Refusing(status) => {
                    let refusal = refusal(status);
                    if wire.output.room_bytes() < refusal.len() {
                        return Next::Write;
                    }
                    wire.output.push(refusal.as_bytes());
                    Stage::Closing
                }
                Stage::Closing => return Next::Close,
            }
        }
    }

    fn closed(&mut self, session: Session, now: Instant) {
        if session.in_flight {
            self.counts.in_flight.change(-1, now);
            self.counts.errors += 1;
        }
    }

    fn counts(&mut self) -> Option<&mut Counts> {
        Some(&mut self.counts)
    }
}

/// What a status is called, where it matters to a reader.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "As Told",
    }
}

/// The answers by [`Persistence`].
fn answers(status: u16, name: &str, media_type: &str, body: &[u8]) -> [Answer; 3] {
    ["", "Connection: keep-alive\r\n", "Connection: close\r\n"]
        .map(|connection| Answer::new(status, name, connection, media_type, body))
}

/// The text as a page, which has its icon with it: a browser that came back for one would take the turn of the next
/// request, and show the same backend again and again.
fn page(name: &str, text: &str) -> String {
    let [name, text] = [name, text].map(|text| text.replace('&', "&amp;").replace('<', "&lt;"));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<title>{name}</title>\n<link rel=\"icon\" href=\"data:,\">\n\
         <p>{text}</p>\n</html>\n",
        text = text.trim_end()
    )
}

impl Answer {
    fn new(status: u16, name: &str, connection: &str, media_type: &str, body: &[u8]) -> Self {
        let head = format!(
            "HTTP/1.1 {status} {}\r\nServer: {name}\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n{connection}\r\n",
            reason(status),
            body.len()
        );
        Answer { head_bytes: head.len(), bytes: [head.as_bytes(), body].concat() }
    }

    fn part(&self, head_only: bool) -> &[u8] {
        if head_only { &self.bytes[..self.head_bytes] } else { &self.bytes }
    }
}

fn refusal(status: &str) -> String {
    let body_bytes = status.len() + 1;
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {body_bytes}\r\n\
         Connection: close\r\n\r\n{status}\n"
    )
}
