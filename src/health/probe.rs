//! One check of one backend: a connection, and, where it is asked something, the head of its answer.

use std::fmt::Write;
use std::io;
use std::net::SocketAddr;

use crate::config::{Check, HttpCheck};
use crate::http::request::Fields;
use crate::http::{HeadLimits, Method, response};
use crate::net::{Event, Socket};
use crate::relay::Conn;

/// The head of an answer: what a client could be sent, and more than any backend says to a check.
const LIMITS: HeadLimits = HeadLimits { head_bytes: 16 * 1024, target_bytes: 1024, fields: 100 };
/// Bytes asked for at a time.
const READ_BYTES: usize = 2048;

/// A check under way.
pub(super) struct Probe<S> {
    conn: Conn<S>,
    connected: bool,
    /// Bytes of the request that are out.
    sent: usize,
    answer: Vec<u8>,
}

/// How a check stands.
#[derive(Debug)]
pub(super) enum Outcome {
    /// An event will follow, or none will.
    Pending,
    /// The backend is well.
    Well,
    /// It is not, and why.
    Ill(String),
}

impl<S: Socket> Probe<S> {
    /// The check over a socket that has begun to connect.
    pub(super) fn new(socket: S) -> Probe<S> {
        Probe { conn: Conn::new(socket), connected: false, sent: 0, answer: Vec::new() }
    }

    /// Takes in an event; nothing is done about it before the next turn.
    pub(super) fn note(&mut self, event: &Event) {
        self.conn.note(event);
    }

    /// Goes on as far as it can. `request` is what [`request`] gave for this `check`.
    pub(super) fn turn(&mut self, check: &Check, request: &[u8], target: SocketAddr) -> Outcome {
        match self.advance(check, request, target) {
            Ok(Some(None)) => Outcome::Well,
            Ok(Some(Some(why))) => Outcome::Ill(why),
            Ok(None) => Outcome::Pending,
            Err(error) if self.connected => Outcome::Ill(format!("the connection broke: {error}")),
            Err(error) => Outcome::Ill(format!("connect failed: {error}")),
        }
    }

    /// What it waits for, when its time is up.
    pub(super) fn awaits(&self) -> &'static str {
        if self.connected { "no answer" } else { "no connection" }
    }

    /// `Ok(None)`: wait. Otherwise the verdict, which is `None` when there is nothing to say against the backend.
    fn advance(
        &mut self,
        check: &Check,
        request: &[u8],
        target: SocketAddr,
    ) -> io::Result<Option<Option<String>>> {
        if !self.connected {
            // Writable is not connected.
            if !self.conn.writable() {
                return Ok(None);
            }
            self.conn.socket.connected(target, self.conn.has_error())?;
            self.connected = true;
        }
        let Check::Http(http) = check else { return Ok(Some(None)) };
        if !self.conn.write_on(request, &mut self.sent)? {
            return Ok(None);
        }
        self.read_answer(http)
    }

    fn read_answer(&mut self, http: &HttpCheck) -> io::Result<Option<Option<String>>> {
        let mut space = [0; READ_BYTES];
        while self.conn.readable() {
            match self.conn.read(&mut space)? {
                None => break,
                Some(0) => return Ok(Some(Some("it closed before its answer was complete".into()))),
                Some(count) => self.answer.extend_from_slice(&space[..count]),
            }
            if let Some(verdict) = self.judge(http) {
                return Ok(Some(verdict));
            }
        }
        Ok(None)
    }

    /// What the answer says, once its head is complete.
    fn judge(&mut self, http: &HttpCheck) -> Option<Option<String>> {
        loop {
            let mut fields = Fields::default();
            let (len, facts) = match response::parse(&self.answer, &mut fields, &LIMITS, Method::Get) {
                Ok(None) if self.answer.len() > LIMITS.head_bytes => {
                    return Some(Some("the head of its answer has no end".into()));
                }
                Ok(None) => return None,
                Ok(Some(response)) => (response.len, response.facts),
                Err(refusal) => return Some(Some(format!("what it answers is not HTTP: {}", refusal.why))),
            };
            if facts.is_interim() {
                self.answer.drain(..len);
                continue;
            }
            let well = http.expects(facts.status);
            return Some((!well).then(|| format!("it answers {} with status {}", http.path, facts.status)));
        }
    }
}

/// What a backend is asked.
pub(super) fn request(check: &Check, backend: SocketAddr) -> Vec<u8> {
    let Check::Http(http) = check else { return Vec::new() };
    let host = http.host.clone().unwrap_or_else(|| backend.to_string());
    let mut text = String::new();
    let written = write!(
        text,
        "GET {} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: lbproxy/{} (health check)\r\nConnection: close\r\n\r\n",
        http.path,
        env!("CARGO_PKG_VERSION"),
    );
    debug_assert!(written.is_ok(), "a String takes everything");
    text.into_bytes()
}
