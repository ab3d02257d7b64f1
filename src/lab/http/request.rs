//! Reading one request head: what of it decides how to read the body and how to answer.

use std::mem::MaybeUninit;

use httparse::{Header, Status};

use super::body::Body;

/// The longest request head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// The most fields one head may have.
const FIELDS_MAX: usize = 100;

const BAD_REQUEST: &str = "400 Bad Request";

/// How long the connection is to last after the answer (RFC 9112, section 9.3), and so what the answer says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Persistence {
    /// On, as HTTP/1.1 has it.
    Default = 0,
    /// On, because an HTTP/1.0 client asked for it and is told that it got it.
    KeepAlive = 1,
    /// Until the answer is out.
    Close = 2,
}

pub(super) struct Request {
    pub(super) head_bytes: usize,
    pub(super) is_head: bool,
    pub(super) persistence: Persistence,
    pub(super) expects_continue: bool,
    /// It comes from a browser, or from something that wants what a browser gets.
    pub(super) wants_page: bool,
    pub(super) body: Body,
}

pub(super) enum Parsed {
    Complete(Request),
    Partial,
}

/// Reads the head that `input` starts with. An error is the status line to refuse it with.
pub(super) fn parse(input: &[u8]) -> Result<Parsed, &'static str> {
    let mut headers = [const { MaybeUninit::<Header>::uninit() }; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(input, &mut headers) {
        Ok(Status::Complete(head_bytes)) if head_bytes <= HEAD_BYTES_MAX => {
            interpret(&request, head_bytes).map(Parsed::Complete)
        }
        Ok(Status::Partial) if input.len() <= HEAD_BYTES_MAX => Ok(Parsed::Partial),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => Err("431 Request Header Fields Too Large"),
        Err(_) => Err(BAD_REQUEST),
    }
}

/// What the fields say, gathered before it is judged.
#[derive(Default)]
struct Fields<'a> {
    hosts: usize,
    content_length: Option<&'a [u8]>,
    transfer_encoding: Option<&'a [u8]>,
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
    wants_page: bool,
}

fn interpret(request: &httparse::Request, head_bytes: usize) -> Result<Request, &'static str> {
    let is_http_11 = request.version == Some(1);
    let fields = gather(request.headers)?;
    // RFC 9112, section 3.2.
    if fields.hosts > 1 || (is_http_11 && fields.hosts == 0) {
        return Err(BAD_REQUEST);
    }
    // RFC 9112, section 6.3. Both at once, or a transfer coding in HTTP/1.0, is how requests are smuggled.
    let body = match (fields.transfer_encoding, fields.content_length) {
        (None, None) => Body::Length(0),
        (None, Some(text)) => Body::Length(decimal(text).ok_or(BAD_REQUEST)?),
        (Some(coding), None) if is_http_11 && coding.eq_ignore_ascii_case(b"chunked") => Body::chunked(),
        (Some(_), None) if is_http_11 => return Err("501 Not Implemented"),
        (Some(_), _) => return Err(BAD_REQUEST),
    };
    let persistence = match () {
        () if fields.close => Persistence::Close,
        () if is_http_11 => Persistence::Default,
        () if fields.keep_alive => Persistence::KeepAlive,
        () => Persistence::Close,
    };
    Ok(Request {
        head_bytes,
        is_head: request.method == Some("HEAD"),
        persistence,
        expects_continue: fields.expects_continue && is_http_11 && !matches!(body, Body::Length(0)),
        wants_page: fields.wants_page,
        body,
    })
}

fn gather<'a>(headers: &[Header<'a>]) -> Result<Fields<'a>, &'static str> {
    let mut fields = Fields::default();
    for header in headers {
        let value = header.value.trim_ascii();
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("host") {
            fields.hosts += 1;
        } else if is("content-length") {
            if fields.content_length.is_some_and(|earlier| earlier != value) {
                return Err(BAD_REQUEST);
            }
            fields.content_length = Some(value);
        } else if is("transfer-encoding") {
            if fields.transfer_encoding.is_some() {
                return Err(BAD_REQUEST);
            }
            fields.transfer_encoding = Some(value);
        } else if is("connection") {
            fields.close |= lists(value, b"close");
            fields.keep_alive |= lists(value, b"keep-alive");
        } else if is("expect") {
            fields.expects_continue |= value.eq_ignore_ascii_case(b"100-continue");
        } else if is("accept") {
            fields.wants_page |= lists(value, b"text/html");
        }
    }
    Ok(fields)
}

/// Whether a comma-separated field value has this element.
fn lists(value: &[u8], element: &[u8]) -> bool {
    value.split(|&byte| byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(element))
}

/// Digits and nothing else: no sign, no space, nothing that overflows.
fn decimal(text: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(text).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}
