//! Trailer fields (RFC 9110, 6.5): line by line, each checked, most of those that mean something to HTTP dropped.

use super::super::message::Refusal;
use super::cursor::Cursor;

/// The length of the line that ends the section.
pub(super) const EMPTY_LINE_BYTES: usize = 2;

const BAD_TRAILER: Refusal = Refusal::new(400, "bad_trailer");

/// The length of the line at the start of `bytes`, CRLF included, of which `bytes_max` may be used. `Ok(None)`: it is
/// not complete yet.
///
/// # Errors
/// It does not end in time, or not in CRLF.
pub(super) fn line(bytes: &[u8], bytes_max: usize) -> Result<Option<usize>, Refusal> {
    let within = &bytes[..bytes.len().min(bytes_max)];
    match within.iter().position(|&byte| byte == b'\n') {
        Some(end) if end > 0 && bytes[end - 1] == b'\r' => Ok(Some(end + 1)),
        Some(_) => Err(BAD_TRAILER),
        None if bytes.len() < bytes_max => Ok(None),
        None => Err(Refusal::new(400, "trailers_too_big")),
    }
}

/// The lengths of a field line's parts: `name ":" space value space CRLF`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) name_len: usize,
    space_len: usize,
    value_len: usize,
}

/// Reads a field line, which ends in the only LF in it.
///
/// # Errors
/// It is not a field line, or continues the line before it.
pub(super) fn parse(line: &[u8]) -> Result<Parts, Refusal> {
    // To httparse, a good line by itself is a section that lacks its end.
    if httparse::parse_headers(line, &mut [httparse::EMPTY_HEADER]) != Ok(httparse::Status::Partial) {
        return Err(BAD_TRAILER);
    }
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let name_len = line.iter().position(|&byte| byte == b':').ok_or(BAD_TRAILER)?;
    let value = line[name_len + 1..].strip_suffix(b"\r\n").ok_or(BAD_TRAILER)?;
    let space_len = value.iter().take_while(|byte| is_space(byte)).count();
    let value_len = value[space_len..].iter().rposition(|byte| !is_space(byte)).map_or(0, |last| last + 1);
    Ok(Parts { name_len, space_len, value_len })
}

/// Takes a line and puts it, with the usual space before its value if it has room for one: what is put must not be
/// longer than what was taken.
pub(super) fn keep(cursor: &mut Cursor<'_>, parts: &Parts, line_len: usize) {
    let Parts { name_len, space_len, value_len } = *parts;
    cursor.keep(name_len + 1);
    cursor.replace(space_len, if space_len > 0 && value_len > 0 { b" " } else { b"" });
    cursor.keep(value_len);
    cursor.skip(line_len - (name_len + 1 + space_len + value_len + 2));
    cursor.keep(2);
}

/// Whether a trailer of this name may be forwarded: it frames, routes, authenticates, modifies and controls nothing, and
/// is not about the connection (RFC 9110, 6.5.1). Underscores count as hyphens: to a CGI they are the same.
pub(super) fn is_harmless(name: &[u8]) -> bool {
    !HARMFUL.iter().any(|&harmful| match harmful.strip_suffix('*') {
        Some(prefix) => name.len() >= prefix.len() && is_alias(&name[..prefix.len()], prefix),
        None => is_alias(name, harmful),
    })
}

fn is_alias(name: &[u8], canonical: &str) -> bool {
    let fold = |byte: &u8| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    name.len() == canonical.len() && name.iter().map(fold).eq(canonical.bytes())
}

/// Names, and beginnings of names, of fields that mean nothing good after the content.
const HARMFUL: &[&str] = &[
    // Framing and what the content is.
    "transfer-encoding",
    "content-length",
    "content-encoding",
    "content-type",
    "content-range",
    "trailer",
    "te",
    // The connection.
    "connection",
    "keep-alive",
    "proxy-*",
    "upgrade",
    "http2-settings",
    "sec-websocket-*",
    // Routing, and who is asking.
    "host",
    "via",
    "forwarded",
    "x-forwarded-*",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "x-original-*",
    "x-rewrite-url",
    "max-forwards",
    // Authentication and state.
    "authorization",
    "www-authenticate",
    "cookie*",
    "set-cookie*",
    // Request modifiers.
    "expect",
    "range",
    "if-*",
    "x-http-method*",
    "x-method-override",
    // Response controls.
    "age",
    "cache-control",
    "date",
    "expires",
    "location",
    "pragma",
    "retry-after",
    "vary",
    "warning",
];
