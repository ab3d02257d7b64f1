//! What the loop and who answers say to each other.

use std::sync::Arc;

use crate::http::reply::reason_phrase;

/// A visitor, for as long as it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VisitorId {
    pub(super) slot: u16,
    pub(super) turn: u16,
}

/// A request: what of it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Who asks.
    pub visitor: VisitorId,
    /// GET, POST …
    pub method: String,
    /// Path and query, as they were sent.
    pub target: String,
    /// Whom it is for.
    pub host: String,
    /// The page it comes from, if a browser says so.
    pub origin: Option<String>,
    /// How that page is related to this host, in the browser's words.
    pub fetch_site: Option<String>,
    /// The token it brings.
    pub authorization: Option<String>,
    /// What came with it.
    pub body: Vec<u8>,
    /// The connection may serve another request.
    pub keep_alive: bool,
}

/// What follows an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The end of the connection.
    Close,
    /// Another request.
    Next,
    /// Events, until the visitor goes.
    Stream,
}

/// What is told.
pub enum Told {
    /// The answer to a request.
    Reply {
        /// Who asked.
        to: VisitorId,
        /// Head and content.
        bytes: Vec<u8>,
        /// What follows.
        then: Then,
    },
    /// To everybody whose answer was the beginning of a stream. Who has not taken the last one yet does without.
    Event(Arc<[u8]>),
}

/// An answer with its head.
pub fn reply(status: u16, kind: &str, more: &str, content: &[u8], then: Then) -> Vec<u8> {
    let mut head = format!(
        "HTTP/1.1 {status} {}\r\nContent-Type: {kind}\r\nCache-Control: no-store\r\n{more}",
        phrase(status)
    );
    match then {
        Then::Stream => head.push_str("Connection: close\r\n"),
        Then::Close => head.push_str(&format!("Content-Length: {}\r\nConnection: close\r\n", content.len())),
        Then::Next => head.push_str(&format!("Content-Length: {}\r\n", content.len())),
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(content);
    bytes
}

/// The reason phrase, for those too that the proxy never answers a client with.
fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        411 => "Length Required",
        421 => "Misdirected Request",
        _ => reason_phrase(status),
    }
}
