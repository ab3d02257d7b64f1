//! The slow path of reading heads: why one is not complete, or not accepted.

use super::fields::{has_bare_lf, is_token_byte};
use super::message::{HeadLimits, Refusal};

/// The longest method: longer than any registered one.
const METHOD_BYTES_MAX: usize = 32;
/// Empty lines that may come before a request (RFC 9112, 2.2): what some clients put after a body.
const EMPTY_LINES_MAX: usize = 4;

/// The bytes of empty lines before the request line.
pub(super) fn empty_lines(bytes: &[u8]) -> Result<usize, Refusal> {
    let lines = bytes.chunks(2).take_while(|line| line == b"\r\n").take(EMPTY_LINES_MAX + 1).count();
    if lines > EMPTY_LINES_MAX { Err(Refusal::new(400, "too_many_empty_lines")) } else { Ok(2 * lines) }
}

/// Whether a request line is within its limits.
pub(super) fn check_sizes(method: usize, target: usize, limits: &HeadLimits) -> Result<(), Refusal> {
    if method > METHOD_BYTES_MAX {
        return Err(Refusal::new(501, "method_too_long"));
    }
    if target > limits.target_bytes {
        return Err(Refusal::new(414, "target_too_long"));
    }
    Ok(())
}

/// Whether a request head that is not complete yet can still become a valid one: `head` is what there is of it, `len`
/// the same with empty lines counted.
pub(super) fn check_incomplete_request(head: &[u8], len: usize, limits: &HeadLimits) -> Result<(), Refusal> {
    let (method, rest) = split(head, |byte| byte != b' ');
    let (target, _) = split(rest.get(1..).unwrap_or_default(), |byte| byte > b' ');
    check_sizes(method.len(), target.len(), limits)?;
    check_incomplete(head, len, limits)
}

/// The same, for what requests and responses have in common.
pub(super) fn check_incomplete(head: &[u8], len: usize, limits: &HeadLimits) -> Result<(), Refusal> {
    if has_bare_lf(head) {
        return Err(Refusal::new(400, "bare_lf"));
    }
    // At least one more byte is needed.
    if len >= limits.head_bytes {
        return Err(Refusal::new(431, "head_too_large"));
    }
    Ok(())
}

/// Why httparse did not accept a request.
pub(super) fn explain_request(head: &[u8], error: httparse::Error, limits: &HeadLimits) -> Refusal {
    match check_request_line(head, limits) {
        Err(refusal) => refusal,
        Ok(()) => explain_fields(head, error),
    }
}

/// Whether the request line breaks off in a version that httparse does not know, and has yet to be told from garbage.
pub(super) fn may_become_version(head: &[u8]) -> bool {
    const LONGEST: usize = 16;
    let mut parts = head.splitn(3, |byte| *byte == b' ').skip(2);
    parts.next().and_then(|version| version.strip_prefix(b"HTTP/")).is_some_and(|numbers| {
        numbers.len() < LONGEST && numbers.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
    })
}

fn check_request_line(head: &[u8], limits: &HeadLimits) -> Result<(), Refusal> {
    let (method, rest) = split(head, is_token_byte);
    check_sizes(method.len(), 0, limits)?;
    let (false, [b' ', rest @ ..]) = (method.is_empty(), rest) else {
        return Err(Refusal::new(400, "bad_method"));
    };
    let (target, rest) = split(rest, |byte| byte > b' ' && byte != 0x7f);
    check_sizes(0, target.len(), limits)?;
    let (false, [b' ', rest @ ..]) = (target.is_empty(), rest) else {
        return Err(Refusal::new(400, "bad_request_line"));
    };
    let (version, _) = split(rest, |byte| byte != b'\r' && byte != b'\n');
    match version {
        b"HTTP/1.0" | b"HTTP/1.1" => Ok(()),
        version if is_version(version) => Err(Refusal::new(505, "version_not_supported")),
        _ => Err(Refusal::new(400, "bad_version")),
    }
}

/// Whether it is `HTTP/` and one number or two.
fn is_version(version: &[u8]) -> bool {
    let Some(numbers) = version.strip_prefix(b"HTTP/") else { return false };
    let is_number = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    numbers.split(|byte| *byte == b'.').all(is_number) && numbers.split(|byte| *byte == b'.').count() <= 2
}

/// Why httparse did not accept a head whose first line is not to blame.
pub(super) fn explain_fields(head: &[u8], error: httparse::Error) -> Refusal {
    match error {
        httparse::Error::TooManyHeaders => Refusal::new(431, "too_many_fields"),
        httparse::Error::HeaderName if has_folded_line(head) => Refusal::new(400, "folded_line"),
        httparse::Error::HeaderName => Refusal::new(400, "bad_field_name"),
        httparse::Error::HeaderValue => Refusal::new(400, "bad_field_value"),
        _ => Refusal::new(400, "bad_line_end"),
    }
}

/// Whether a line starts with whitespace.
fn has_folded_line(head: &[u8]) -> bool {
    head.windows(2).any(|pair| matches!(pair, [b'\n', b' ' | b'\t']))
}

/// The longest start of which all bytes are such, and the rest.
fn split(bytes: &[u8], such: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.iter().position(|byte| !such(*byte)).unwrap_or(bytes.len()))
}
