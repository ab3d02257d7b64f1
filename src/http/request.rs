//! Request heads: read strictly, forwarded from parsed parts.

use std::mem::MaybeUninit;
use std::net::IpAddr;

use super::message::{Framing, HeadLimits, Method, Refusal, Version};

/// Room for parsed fields, on the caller's stack.
pub struct Fields<'b> {
    pub(super) storage: [MaybeUninit<httparse::Header<'b>>; HeadLimits::MAX_FIELDS],
}

impl<'b> Fields<'b> {
    /// Uninitialised room.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Fields<'b> {
        Fields { storage: [const { MaybeUninit::uninit() }; HeadLimits::MAX_FIELDS] }
    }
}

/// What a session remembers of a request once its head is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The method.
    pub method: Method,
    /// The client's version: what it can be answered with.
    pub version: Version,
    /// How its body is framed. Never `UntilClose`.
    pub framing: Framing,
    /// Whether the client wants its connection kept (RFC 9112, 9.3), before anything else is considered.
    pub keep_alive: bool,
    /// `Expect: 100-continue` on 1.1 with a body: forwarded.
    pub expects_continue: bool,
    /// Asks for another protocol (1.1, `Connection: upgrade`, no body, not h2c): forwarded.
    pub upgrade: bool,
    /// The client would rather have errors as JSON than as plain text (`Accept`).
    pub wants_json: bool,
    /// `Connection` nominates fields of the client's own choice, so its trailers are dropped rather than filtered.
    pub nominates: bool,
}

/// A request head: valid, complete, borrowed from the bytes it was read from.
pub struct Request<'h, 'b> {
    /// Bytes it takes, the empty line included (and empty lines before the request line, which are ignored).
    pub len: usize,
    /// The parts that outlive it.
    pub facts: Facts,
    /// The method as it was spelled.
    pub method: &'b str,
    /// The target as it was spelled.
    pub target: &'b str,
    pub(super) fields: &'h [httparse::Header<'b>],
}

/// How a request is to be forwarded.
#[derive(Clone, Copy, Debug)]
pub struct Forward {
    /// The peer of the connection the request came on.
    pub peer: IpAddr,
    /// What the peer says about earlier hops is believed and extended; otherwise it is dropped and we say it anew.
    pub trusted: bool,
    /// Write X-Forwarded-For, -Proto and -Host.
    pub x_forwarded: bool,
    /// Write Forwarded (RFC 7239).
    pub rfc7239: bool,
}

/// Reads the request head at the start of `bytes`. `Ok(None)`: it is not complete yet.
///
/// # Errors
/// It is not a request this proxy forwards; nothing after it on this connection can be trusted to be a request either.
pub fn parse<'h, 'b>(
    bytes: &'b [u8],
    fields: &'h mut Fields<'b>,
    limits: &HeadLimits,
) -> Result<Option<Request<'h, 'b>>, Refusal> {
    let _ = (bytes, fields, limits);
    todo!()
}

impl<'b> Request<'_, 'b> {
    /// The value of the first field called `name` (any case), if there is one.
    pub fn field(&self, name: &str) -> Option<&'b [u8]> {
        let _ = name;
        todo!()
    }

    /// The client's address: `peer`, or, as far back as everybody on the way is `trusted`, whom they name in
    /// X-Forwarded-For or (if there is none) Forwarded.
    pub fn client(&self, peer: IpAddr, trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
        let _ = (peer, trusted);
        todo!()
    }

    /// The value of the cookie called `name`, if the client sent one.
    pub fn cookie(&self, name: &str) -> Option<&'b [u8]> {
        let _ = name;
        todo!()
    }

    /// Appends the head that the backend gets.
    pub fn forward(&self, out: &mut Vec<u8>, how: &Forward) {
        let _ = (out, how);
        todo!()
    }
}
