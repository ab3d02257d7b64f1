//! Response heads: read strictly, forwarded from parsed parts.

use super::connection::{self, Options};
use super::fields::{self, FieldWriter, Fields, Kind};
use super::framing::FramingFields;
use super::message::{Framing, HeadLimits, Method, Refusal, Version};
use super::start_line;

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
    version: Version,
    reason: &'b [u8],
    /// What Content-Length says, body or not.
    content_length: Option<u64>,
    head: &'b [u8],
    fields: &'h [httparse::Header<'b>],
    kinds: &'h [Kind],
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
    // Whatever is wrong, it is the backend's fault: never a 4xx.
    read(bytes, fields, limits, method).map_err(|refusal| Refusal::new(502, refusal.why))
}

fn read<'h, 'b>(
    bytes: &'b [u8],
    fields: &'h mut Fields<'b>,
    limits: &HeadLimits,
    method: Method,
) -> Result<Option<Response<'h, 'b>>, Refusal> {
    let bytes = &bytes[..bytes.len().min(limits.head_bytes)];
    if let Some(b'\r' | b'\n') = bytes.first() {
        return Err(Refusal::new(502, "empty_line_before_status"));
    }
    let Fields { storage, kinds } = fields;
    let room = &mut storage[..limits.fields.min(HeadLimits::MAX_FIELDS)];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let len = match config.parse_response_with_uninit_headers(&mut parsed, bytes, room) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => {
            start_line::check_incomplete(bytes, bytes.len(), limits)?;
            return Ok(None);
        }
        Err(httparse::Error::Version) => return Err(Refusal::new(502, "version_not_supported")),
        Err(httparse::Error::Status) => return Err(Refusal::new(502, "bad_status_line")),
        Err(error) => return Err(start_line::explain_fields(bytes, error)),
    };
    let (Some(minor), Some(status @ 100..=599)) = (parsed.version, parsed.code) else {
        return Err(Refusal::new(502, "bad_status"));
    };
    if fields::has_bare_lf(&bytes[..len]) {
        return Err(Refusal::new(502, "bare_lf"));
    }
    let version = if minor == 0 { Version::Http10 } else { Version::Http11 };
    let fields: &'h [httparse::Header<'b>] = parsed.headers;
    let kinds = &mut kinds[..fields.len()];
    let seen = Seen::read(fields, kinds)?;
    let facts = seen.facts(status, version, method)?;
    let content_length = seen.framing.length;
    Ok(Some(Response {
        len,
        facts,
        version,
        reason: reason(&bytes[..len]),
        content_length,
        head: bytes,
        fields,
        kinds,
    }))
}

/// The reason phrase of a valid head, possibly empty. (httparse leaves out one with bytes beyond ASCII.)
fn reason(head: &[u8]) -> &[u8] {
    let after_status = head.get("HTTP/1.1 200".len()..).unwrap_or_default();
    let end = after_status.iter().position(|byte| *byte == b'\r').unwrap_or(0);
    fields::trim(&after_status[..end])
}

/// What one pass over the fields finds.
#[derive(Default)]
struct Seen {
    framing: FramingFields,
    options: Options,
}

impl Seen {
    fn read(fields: &[httparse::Header<'_>], kinds: &mut [Kind]) -> Result<Seen, Refusal> {
        let mut seen = Seen::default();
        for (field, kind) in fields.iter().zip(&mut *kinds) {
            *kind = Kind::of(field.name);
            match *kind {
                Kind::ContentLength => seen.framing.content_length(field.value)?,
                Kind::TransferEncoding => seen.framing.transfer_encoding(field.value),
                Kind::FramingAlias => return Err(Refusal::new(502, "framing_field_with_underscore")),
                Kind::Connection => seen.options.read(field.value)?,
                _ => {}
            }
        }
        if seen.options.nominates {
            connection::drop_nominated(fields, kinds);
        }
        Ok(seen)
    }

    /// RFC 9112, 6.3, in its order. Framing fields must be valid even where there is no body.
    fn facts(&self, status: u16, version: Version, method: Method) -> Result<Facts, Refusal> {
        let stated = self.framing.resolve(version)?;
        let has_no_body = method == Method::Head || matches!(status, 100..=199 | 204 | 304);
        let framing = if has_no_body { Framing::Empty } else { stated.unwrap_or(Framing::UntilClose) };
        Ok(Facts {
            status,
            framing,
            keep_alive: framing != Framing::UntilClose && self.options.keeps(version),
            nominates: self.options.nominates,
        })
    }
}

impl Response<'_, '_> {
    /// Appends the head that the client gets.
    pub fn forward(&self, out: &mut Vec<u8>, how: &Forward<'_>) {
        // Once, and with room for what is added.
        out.reserve(self.len + ADDED_BYTES + how.cookie.map_or(0, <[u8]>::len));
        let status = self.facts.status;
        let digits = [status / 100, status / 10 % 10, status % 10].map(|digit| b'0' + digit as u8);
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(&digits);
        out.push(b' ');
        out.extend_from_slice(self.reason);
        out.extend_from_slice(b"\r\n");
        self.forward_fields(&mut FieldWriter::new(out, self.head), how);
        fields::write_via(out, self.version);
        if !self.facts.is_interim() {
            self.write_connection(out, how.connection);
            if let Some(cookie) = how.cookie {
                fields::write_field(out, "Set-Cookie", cookie);
            }
        }
        out.extend_from_slice(b"\r\n");
    }

    fn forward_fields(&self, out: &mut FieldWriter<'_>, how: &Forward<'_>) {
        let mut owes_framing = true;
        let keeps_trailer = how.framing == Framing::Chunked
            && self.facts.framing == Framing::Chunked
            && !self.facts.nominates;
        for (field, kind) in self.fields.iter().zip(self.kinds) {
            match kind {
                Kind::Connection | Kind::Upgrade | Kind::Dropped | Kind::FramingAlias => {}
                Kind::Trailer if !keeps_trailer => {}
                Kind::ContentLength | Kind::TransferEncoding => {
                    if owes_framing {
                        self.write_framing(out.out(), how.framing);
                    }
                    owes_framing = false;
                }
                _ => out.keep(field),
            }
        }
        let out = out.out();
        if owes_framing {
            self.write_framing(out, how.framing);
        }
    }

    fn write_framing(&self, out: &mut Vec<u8>, framing: Framing) {
        match (framing, self.content_length, self.facts.status) {
            // It would be taken for a body's.
            (_, _, 100..=199 | 204) => {}
            // The answer to HEAD, and 304, tell how long the body would have been.
            (Framing::Empty, Some(length), _) => fields::write_content_length(out, length),
            _ => fields::write_framing(out, framing),
        }
    }

    fn write_connection(&self, out: &mut Vec<u8>, connection: Connection) {
        match connection {
            Connection::Implied => {}
            Connection::KeepAlive => out.extend_from_slice(b"Connection: keep-alive\r\n"),
            Connection::Close => out.extend_from_slice(b"Connection: close\r\n"),
            Connection::Upgrade => connection::write_upgrade(out, self.fields, self.kinds),
        }
    }
}

/// Room for Via, Connection and a framing field.
const ADDED_BYTES: usize = 128;
