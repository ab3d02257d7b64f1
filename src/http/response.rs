//! Response heads: read strictly, forwarded from parsed parts.

use super::message::{Framing, HeadLimits, Method, Refusal, Version};
use super::request::Fields;

/// What a session remembers of a response once its head is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The status: 100 to 599.
    pub status: u16,
    /// How its body is framed, with what it answers taken into account: `Empty` for HEAD, 1xx, 204 and 304.
    pub framing: Framing,
    /// Whether the backend keeps the connection, before anything else is considered.
    pub keep_alive: bool,
    /// `Connection` nominates fields of the backend's own choice, so its trailers are dropped rather than filtered.
    pub nominates: bool,
}

impl Facts {
    /// 1xx, except 101: the final response is still to come.
    pub fn is_interim(&self) -> bool {
        self.status < 200 && self.status != 101
    }

    /// 101: the connection changes its protocol.
    pub fn is_switching(&self) -> bool {
        self.status == 101
    }
}

/// A response head: valid, complete, borrowed from the bytes it was read from.
pub struct Response<'h, 'b> {
    /// Bytes it takes, the empty line included.
    pub len: usize,
    /// The parts that outlive it.
    pub facts: Facts,
    pub(super) reason: &'b str,
    pub(super) fields: &'h [httparse::Header<'b>],
}

/// What the `Connection` field of a response tells the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Nothing: HTTP/1.1 keeps connections.
    Implied,
    /// `keep-alive`: what a client of HTTP/1.0 that asked for it must be told.
    KeepAlive,
    /// `close`.
    Close,
    /// `upgrade`, with the backend's `Upgrade`: for 101.
    Upgrade,
}

/// How a response is to be forwarded.
#[derive(Clone, Copy, Debug)]
pub struct Forward<'a> {
    /// How the body is framed towards the client: see [`Framing::towards`].
    pub framing: Framing,
    /// What the client is told about its connection.
    pub connection: Connection,
    /// The value of a `Set-Cookie` of ours.
    pub cookie: Option<&'a [u8]>,
}

/// Reads the response head at the start of `bytes`, the answer to a request of this `method`. `Ok(None)`: it is not
/// complete yet.
///
/// # Errors
/// It is not a response this proxy forwards (the status is always 502), and nothing on this connection can be trusted.
pub fn parse<'h, 'b>(
    bytes: &'b [u8],
    fields: &'h mut Fields<'b>,
    limits: &HeadLimits,
    method: Method,
) -> Result<Option<Response<'h, 'b>>, Refusal> {
    let _ = (bytes, fields, limits, method, Version::Http11);
    todo!()
}

impl Response<'_, '_> {
    /// Appends the head that the client gets.
    pub fn forward(&self, out: &mut Vec<u8>, how: &Forward<'_>) {
        let _ = (out, how, self.reason, self.fields);
        todo!()
    }
}
