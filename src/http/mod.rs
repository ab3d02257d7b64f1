//! HTTP/1.1 (RFC 9110, 9112) without a socket in sight: heads, bodies and what follows from them, as functions of bytes.
//!
//! ```text
//! bytes ─▶ request::parse ─▶ Request ─▶ forward ─▶ bytes for the backend     Body::pass: what follows the head,
//! bytes ─▶ response::parse ─▶ Response ─▶ forward ─▶ bytes for the client    checked and re-framed in place
//! ```
//!
//! What leaves is written from parsed parts, never copied from what came in, so it is strictly valid whatever that was.

pub mod body;
mod connection;
pub mod cookie;
pub mod exchange;
mod fields;
mod forwarding;
mod framing;
mod host;
mod message;
pub mod reply;
pub mod request;
pub mod response;
mod start_line;
mod target;
#[cfg(test)]
mod tests;

pub use body::{Body, Passed};
pub use message::{Framing, HeadLimits, Method, Refusal, Version};
pub use request::Request;
pub use response::Response;

/// Classes of responses, and one for none.
pub const CLASSES: usize = 6;

/// The class of a status: its first digit (RFC 9110, 15); 0 where there was none.
pub fn class_of(status: u16) -> usize {
    usize::from(status / 100).min(CLASSES - 1)
}
