//! Request heads: read strictly, forwarded from parsed parts.

use std::net::IpAddr;

use super::connection::{self, Options};
use super::fields::{self, FieldWriter, Kind};
use super::framing::FramingFields;
use super::message::{Framing, HeadLimits, Method, Refusal, Version};
use super::target::Target;
use super::{forwarding, host, start_line};

pub use super::fields::Fields;
pub use super::forwarding::Forward;

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
    /// Whom it is for: the authority of an absolute-form target, else Host. Empty only on HTTP/1.0.
    pub host: &'b str,
    pub(super) path: Target<'b>,
    head: &'b [u8],
    pub(super) fields: &'h [httparse::Header<'b>],
    pub(super) kinds: &'h [Kind],
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
    // What lies beyond the limit is never looked at, so a head has the same fate however it arrives.
    let bytes = &bytes[..bytes.len().min(limits.head_bytes)];
    let skipped = start_line::empty_lines(bytes)?;
    let head = &bytes[skipped..];
    let Fields { storage, kinds } = fields;
    let room = &mut storage[..limits.fields.min(HeadLimits::MAX_FIELDS)];
    let mut parsed = httparse::Request::new(&mut []);
    let len = match parsed.parse_with_uninit_headers(head, room) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => {
            start_line::check_incomplete_request(head, bytes.len(), limits)?;
            return Ok(None);
        }
        Err(httparse::Error::Version) if start_line::may_become_version(head) => return Ok(None),
        Err(error) => return Err(start_line::explain_request(head, error, limits)),
    };
    let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
        return Err(Refusal::new(400, "bad_request_line"));
    };
    start_line::check_sizes(method.len(), target.len(), limits)?;
    if fields::has_bare_lf(&head[..len]) {
        return Err(Refusal::new(400, "bare_lf"));
    }
    let version = if minor == 0 { Version::Http10 } else { Version::Http11 };
    let known = Method::of(method);
    if method == "CONNECT" {
        return Err(Refusal::new(501, "connect"));
    }
    let path = Target::parse(target, known)?;
    let fields: &'h [httparse::Header<'b>] = parsed.headers;
    let kinds = &mut kinds[..fields.len()];
    let seen = Seen::read(fields, kinds)?;
    let host = path.authority.unwrap_or(seen.checked_host(version)?);
    let facts = seen.facts(known, version)?;
    Ok(Some(Request { len: skipped + len, facts, method, target, host, path, head, fields, kinds }))
}

/// What one pass over the fields finds.
#[derive(Default)]
struct Seen<'b> {
    hosts: usize,
    host: &'b [u8],
    framing: FramingFields,
    options: Options,
    expects: bool,
    expects_something_else: bool,
    offers_protocol: bool,
    wants_json: bool,
}

impl<'b> Seen<'b> {
    fn read(fields: &[httparse::Header<'b>], kinds: &mut [Kind]) -> Result<Seen<'b>, Refusal> {
        let mut seen = Seen::default();
        for (field, kind) in fields.iter().zip(&mut *kinds) {
            *kind = Kind::of(field.name);
            match *kind {
                Kind::Host => {
                    seen.hosts += 1;
                    seen.host = field.value;
                }
                Kind::ContentLength => seen.framing.only_content_length(field.value)?,
                Kind::TransferEncoding => seen.framing.transfer_encoding(field.value),
                Kind::FramingAlias => return Err(Refusal::new(400, "framing_field_with_underscore")),
                Kind::Connection => seen.options.read(field.value)?,
                Kind::Expect if field.value.eq_ignore_ascii_case(b"100-continue") => seen.expects = true,
                Kind::Expect => seen.expects_something_else = true,
                Kind::Upgrade => seen.offers_protocol |= connection::protocols(field.value).next().is_some(),
                Kind::Accept => seen.wants_json |= names_json(field.value),
                _ => {}
            }
        }
        if seen.options.nominates {
            connection::drop_nominated(fields, kinds);
        }
        Ok(seen)
    }

    /// The Host field (RFC 9112, 3.2), which must be right even where the target overrides it.
    fn checked_host(&self, version: Version) -> Result<&'b str, Refusal> {
        match (self.hosts, version) {
            (0, Version::Http10) => Ok(""),
            (0, Version::Http11) => Err(Refusal::new(400, "no_host")),
            (1, _) => host::authority(self.host).ok_or(Refusal::new(400, "bad_host")),
            _ => Err(Refusal::new(400, "several_hosts")),
        }
    }

    fn facts(&self, method: Method, version: Version) -> Result<Facts, Refusal> {
        let framing = self.framing.resolve(version)?.unwrap_or(Framing::Empty);
        let is_current = version == Version::Http11;
        if is_current && self.expects_something_else {
            return Err(Refusal::new(417, "unknown_expectation"));
        }
        let has_body = !matches!(framing, Framing::Empty | Framing::Length(0));
        Ok(Facts {
            method,
            version,
            framing,
            keep_alive: self.options.keeps(version),
            expects_continue: is_current && self.expects && has_body,
            upgrade: is_current && self.options.upgrade && self.offers_protocol && !has_body,
            wants_json: self.wants_json,
            nominates: self.options.nominates,
        })
    }
}

/// Whether `application/json` is in there. What browsers send has no `j` at all, and finding that out is quick.
fn names_json(accept: &[u8]) -> bool {
    let json = b"application/json";
    (accept.contains(&b'j') || accept.contains(&b'J'))
        && accept.windows(json.len()).any(|part| part.eq_ignore_ascii_case(json))
}

impl Method {
    /// The method of this name: upper case, as methods are.
    fn of(name: &str) -> Method {
        match name {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "OPTIONS" => Method::Options,
            "PUT" => Method::Put,
            "DELETE" => Method::Delete,
            "TRACE" => Method::Trace,
            _ => Method::Other,
        }
    }
}

impl<'b> Request<'_, 'b> {
    /// The value of the first field called `name` (any case), if there is one.
    pub fn field(&self, name: &str) -> Option<&'b [u8]> {
        let field = self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
        Some(field.value)
    }

    /// Path and query as they were sent; `*` for the server as a whole, and nothing where an absolute-form target ends after
    /// its authority.
    pub fn path_and_query(&self) -> &'b str {
        self.path.path
    }

    /// The client's address: `peer`, or, as far back as everybody on the way is `trusted`, whom they name in
    /// X-Forwarded-For or (if there is none) Forwarded. An IPv4 address is one however it was written.
    pub fn client(&self, peer: IpAddr, trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
        forwarding::client(self, peer, trusted)
    }

    /// The value of the cookie called `name`, if the client sent one, without the quotes it may have.
    pub fn cookie(&self, name: &str) -> Option<&'b [u8]> {
        let mut pairs = self.values(Kind::Cookie).flat_map(|value| value.split(|byte| *byte == b';'));
        let value = pairs.find_map(|pair| {
            let pair = fields::trim(pair);
            pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
        })?;
        Some(fields::unquote(value))
    }

    /// The values of all fields of a kind, in their order.
    pub(super) fn values(&self, kind: Kind) -> impl DoubleEndedIterator<Item = &'b [u8]> {
        let fields = self.fields.iter().zip(self.kinds);
        fields.filter(move |(_, other)| **other == kind).map(|(field, _)| field.value)
    }

    /// Appends the head that the backend gets.
    pub fn forward(&self, out: &mut Vec<u8>, how: &Forward) {
        // Once, and with room for what is added.
        out.reserve(self.len + ADDED_BYTES + 2 * self.host.len());
        out.extend_from_slice(self.method.as_bytes());
        out.push(b' ');
        self.path.write(out);
        out.extend_from_slice(b" HTTP/1.1\r\n");
        if !self.kinds.contains(&Kind::Host) {
            fields::write_field(out, "Host", self.host.as_bytes());
        }
        self.forward_fields(&mut FieldWriter::new(out, self.head), how);
        if self.facts.upgrade {
            connection::write_upgrade(out, self.fields, self.kinds);
        }
        fields::write_via(out, self.facts.version);
        forwarding::write_new(self, out, how);
        out.extend_from_slice(b"\r\n");
    }

    fn forward_fields(&self, out: &mut FieldWriter<'_>, how: &Forward) {
        let mut owes_framing = true;
        let mut owes_expect = self.facts.expects_continue;
        let keeps_trailer = self.facts.framing == Framing::Chunked && !self.facts.nominates;
        for (index, (field, kind)) in self.fields.iter().zip(self.kinds).enumerate() {
            match kind {
                Kind::Other | Kind::Accept | Kind::Cookie | Kind::Via => out.keep(field),
                Kind::Host if self.path.authority.is_none() => out.keep(field),
                Kind::Host => fields::write_field(out.out(), field.name, self.host.as_bytes()),
                Kind::Trailer if keeps_trailer => out.keep(field),
                Kind::ContentLength | Kind::TransferEncoding if owes_framing => {
                    owes_framing = false;
                    fields::write_framing(out.out(), self.facts.framing);
                }
                Kind::Expect if owes_expect => {
                    owes_expect = false;
                    fields::write_field(out.out(), field.name, b"100-continue");
                }
                kind if kind.tells_about_hops() && how.trusted => {
                    forwarding::write_received(self, index, out.out(), how);
                }
                _ => {}
            }
        }
        out.out();
    }
}

/// Room for Via and what is said about the client, beside the host's name: an IPv6 address takes 39 bytes.
const ADDED_BYTES: usize = 320;
