//! What requests and responses have in common.

/// A method, as far as a proxy cares: what it means for the body of the answer, and for sending it twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// HEAD: its answer has no body, whatever its head says.
    Head,
    /// OPTIONS.
    Options,
    /// PUT.
    Put,
    /// DELETE.
    Delete,
    /// TRACE.
    Trace,
    /// POST, PATCH and everything unknown: never sent twice.
    Other,
}

impl Method {
    /// Whether sending it twice means the same as sending it once (RFC 9110, 9.2.2).
    pub fn is_idempotent(self) -> bool {
        self != Method::Other
    }

    /// Whether content in its request means something (RFC 9110, 9.3). Where it does not, there are backends that leave
    /// it unread, and take it for the next request.
    pub fn defines_content(self) -> bool {
        !matches!(self, Method::Get | Method::Head | Method::Delete | Method::Trace)
    }
}

/// The versions spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
}

impl Version {
    /// As it is written on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        }
    }
}

/// How the end of a body is known (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    Empty,
    /// That many bytes; 0 is a body too, and says so on the wire.
    Length(u64),
    /// Chunks, the last of which has no size.
    Chunked,
    /// Everything until the sender closes: responses only.
    UntilClose,
}

/// How big a head may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// The whole head, and as much again for the trailers of a chunked body.
    pub head_bytes: usize,
    /// The request target.
    pub target_bytes: usize,
    /// Header fields, at most [`HeadLimits::MAX_FIELDS`].
    pub fields: usize,
}

impl HeadLimits {
    /// The most fields a head may be allowed.
    pub const MAX_FIELDS: usize = 256;
}

/// Why a message is not accepted: for a request the status of the answer; for a response 502 is the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status the client gets.
    pub status: u16,
    /// For logs and counters: lower case with underscores, such as `bad_content_length`.
    pub why: &'static str,
}

impl Refusal {
    /// A refusal.
    pub const fn new(status: u16, why: &'static str) -> Refusal {
        Refusal { status, why }
    }
}
