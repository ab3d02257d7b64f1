//! HTTP/1.1 messages, parsed slowly and without mercy (RFC 9112): what leaves the proxy is held against this, by every test
//! that looks at it. It shares no code with the proxy and none of its dependencies, and accepts no more than the grammar
//! that senders must follow, with every freedom that the proxy does not need taken away.

#![allow(dead_code, unreachable_pub, reason = "each test crate that includes it uses what it needs")]

use std::fmt;

/// A message, or what there is of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The request line or status line.
    pub start: String,
    pub fields: Vec<Field>,
    pub framing: Framing,
    /// The body without its framing.
    pub content: Vec<u8>,
    pub trailers: Vec<Field>,
    /// The body came to its end.
    pub complete: bool,
    /// Bytes it takes.
    pub len: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    None,
    Length(usize),
    Chunked,
    UntilClose,
}

/// What a message is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Request,
    Response,
    /// Has no body, whatever its head says.
    ResponseToHead,
}

/// Reads the whole request at the start of `bytes`.
pub fn parse_request(bytes: &[u8]) -> Result<Message, String> {
    whole(Message::read(bytes, Kind::Request, true)?)
}

/// Reads the whole response at the start of `bytes`, after which nothing comes. `to_head`: it answers a HEAD.
pub fn parse_response(bytes: &[u8], to_head: bool) -> Result<Message, String> {
    let kind = if to_head { Kind::ResponseToHead } else { Kind::Response };
    whole(Message::read(bytes, kind, true)?)
}

fn whole(message: Option<Message>) -> Result<Message, String> {
    message.filter(|message| message.complete).ok_or_else(|| "no end".to_owned())
}

/// Reads the chunked body at the start of `bytes`: content, trailers and length.
pub fn parse_chunked(bytes: &[u8]) -> Result<(Vec<u8>, Vec<Field>, usize), String> {
    let mut message = Message {
        start: String::new(),
        fields: Vec::new(),
        framing: Framing::Chunked,
        content: Vec::new(),
        trailers: Vec::new(),
        complete: true,
        len: 0,
    };
    message.read_body(bytes, true)?;
    let Message { content, trailers, len, .. } = whole(Some(message))?;
    Ok((content, trailers, len))
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.value)
    }
}

impl Message {
    /// Reads the message at the start of `bytes`; `ended` says that no more will come. `Ok(None)`: not even its head is
    /// complete.
    pub fn read(bytes: &[u8], kind: Kind, ended: bool) -> Result<Option<Message>, String> {
        let Some(head_len) = find(bytes, b"\r\n\r\n").map(|at| at + 4) else {
            return check_lines(bytes, true).map(|()| None);
        };
        check_lines(&bytes[..head_len], false)?;
        let text = latin1(&bytes[..head_len - 4]);
        let mut lines = text.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        match kind {
            Kind::Request => check_request_line(&start)?,
            Kind::Response | Kind::ResponseToHead => check_status_line(&start)?,
        }
        let fields = lines.map(|line| field(line, true)).collect::<Result<Vec<Field>, String>>()?;
        if kind == Kind::Request {
            check_host(&fields)?;
        }
        let framing = framing(&start, &fields, kind)?;
        let mut message = Message {
            start,
            fields,
            framing,
            content: Vec::new(),
            trailers: Vec::new(),
            complete: true,
            len: head_len,
        };
        message.read_body(&bytes[head_len..], ended)?;
        Ok(Some(message))
    }

    fn read_body(&mut self, bytes: &[u8], ended: bool) -> Result<(), String> {
        match self.framing {
            Framing::None => {}
            Framing::Length(length) => {
                self.content = bytes[..length.min(bytes.len())].to_vec();
                self.complete = self.content.len() == length;
                self.len += self.content.len();
            }
            Framing::UntilClose => {
                self.content = bytes.to_vec();
                self.complete = ended;
                self.len += bytes.len();
            }
            Framing::Chunked => {
                self.complete = false;
                self.read_chunks(bytes)?;
            }
        }
        Ok(())
    }

    fn read_chunks(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        let whole = bytes.len();
        while let Some(at) = find(bytes, b"\r\n") {
            let size = chunk_size(&bytes[..at])?;
            bytes = &bytes[at + 2..];
            if size == 0 {
                return self.read_trailers(bytes, whole);
            }
            let count = size.min(bytes.len());
            self.content.extend_from_slice(&bytes[..count]);
            bytes = &bytes[count..];
            let end = &bytes[..bytes.len().min(2)];
            if !b"\r\n".starts_with(end) {
                return Err(format!("chunk data ends with {}", end.escape_ascii()));
            }
            bytes = &bytes[end.len()..];
        }
        if !bytes.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'\r') {
            return Err(format!("no size line of a chunk: {}", bytes.escape_ascii()));
        }
        self.len += whole;
        Ok(())
    }

    fn read_trailers(&mut self, bytes: &[u8], whole: usize) -> Result<(), String> {
        let end =
            if bytes.starts_with(b"\r\n") { Some(0) } else { find(bytes, b"\r\n\r\n").map(|at| at + 2) };
        self.len += whole;
        if let Some(end) = end {
            check_lines(&bytes[..end], false)?;
            let text = latin1(&bytes[..end]);
            let lines = text.split("\r\n").filter(|line| !line.is_empty());
            self.trailers = lines.map(|line| field(line, false)).collect::<Result<Vec<Field>, String>>()?;
            check_trailers(&self.trailers)?;
            self.complete = true;
            self.len -= bytes.len() - end - 2;
        }
        Ok(())
    }

    /// Method, target and version, or version, status and reason phrase.
    pub fn words(&self) -> Vec<&str> {
        self.start.splitn(3, ' ').collect()
    }

    /// The values of all fields of this name, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        values(&self.fields, name)
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| &*field.value)
    }

    /// The status of a response.
    pub fn status(&self) -> u16 {
        self.start.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }
}

pub fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// Every byte a character, so that nothing is lost.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// CR and LF come in pairs, and nothing else below SP but tabs. An `unfinished` head may end in CR.
fn check_lines(bytes: &[u8], unfinished: bool) -> Result<(), String> {
    for (index, &byte) in bytes.iter().enumerate() {
        let good = match byte {
            b'\r' => bytes.get(index + 1).map_or(unfinished, |next| *next == b'\n'),
            b'\n' => index > 0 && bytes[index - 1] == b'\r',
            b'\t' => true,
            byte => byte >= b' ' && byte != 0x7f,
        };
        if !good {
            return Err(format!("{} in a head: {}", [byte].escape_ascii(), bytes.escape_ascii()));
        }
    }
    Ok(())
}

fn check_request_line(line: &str) -> Result<(), String> {
    let parts: Vec<&str> = line.split(' ').collect();
    match parts[..] {
        [method, target, "HTTP/1.1"]
            if is_token(method)
                && !target.is_empty()
                && target.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            Ok(())
        }
        _ => Err(format!("not a request line: {line:?}")),
    }
}

fn check_status_line(line: &str) -> Result<(), String> {
    let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.split_once(' '));
    match status {
        Some((digits, _))
            if digits.len() == 3
                && digits.bytes().all(|byte| byte.is_ascii_digit())
                && digits.starts_with(['1', '2', '3', '4', '5']) =>
        {
            Ok(())
        }
        _ => Err(format!("not a status line: {line:?}")),
    }
}

/// Trailers are passed on in place, and there is not always room for a space.
fn field(line: &str, canonical: bool) -> Result<Field, String> {
    let wrong = || format!("not a canonical field: {line:?}");
    let (name, value) = line.split_once(':').ok_or_else(wrong)?;
    let value = match value.strip_prefix(' ') {
        Some(value) => value,
        None if value.is_empty() || !canonical => value,
        None => return Err(wrong()),
    };
    if !is_token(name) || value.trim_matches([' ', '\t']) != value {
        return Err(wrong());
    }
    Ok(Field { name: name.to_owned(), value: value.to_owned() })
}

fn is_token(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(good)
}

/// One Host, with what one host could be called in it; or nothing, where HTTP/1.0 named none.
fn check_host(fields: &[Field]) -> Result<(), String> {
    match values(fields, "Host")[..] {
        [host] if host.contains([' ', '\t', ',', '/', '@', '\\']) => Err(format!("Host {host:?}")),
        [_] => Ok(()),
        ref hosts => Err(format!("{} Host fields", hosts.len())),
    }
}

fn check_trailers(trailers: &[Field]) -> Result<(), String> {
    let forbidden = ["Transfer-Encoding", "Content-Length", "Host", "Trailer", "TE", "Connection", "Cookie"];
    match forbidden.iter().find(|name| !values(trailers, name).is_empty()) {
        Some(name) => Err(format!("{name} is no trailer")),
        None => Ok(()),
    }
}

fn values<'f>(fields: &'f [Field], name: &str) -> Vec<&'f str> {
    let named = fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
    named.map(|field| &*field.value).collect()
}

/// What the fields say about the body, if they say anything: exactly one of them, once, and plainly.
fn framing(start: &str, fields: &[Field], kind: Kind) -> Result<Framing, String> {
    let lookalike = |field: &&Field| {
        let name = field.name.to_ascii_lowercase();
        name.contains('_') && ["content-length", "transfer-encoding"].contains(&&*name.replace('_', "-"))
    };
    if let Some(field) = fields.iter().find(lookalike) {
        return Err(format!("{} looks like framing", field.name));
    }
    let framing = match (&values(fields, "Transfer-Encoding")[..], &values(fields, "Content-Length")[..]) {
        ([], []) => None,
        (["chunked"], []) => Some(Framing::Chunked),
        ([], [length]) => match length.parse::<usize>() {
            Ok(number) if number.to_string() == *length => Some(Framing::Length(number)),
            _ => return Err(format!("Content-Length {length:?} is not canonical")),
        },
        (coding, length) => {
            return Err(format!("framing: Transfer-Encoding {coding:?}, Content-Length {length:?}"));
        }
    };
    let status = start.split(' ').nth(1).unwrap_or_default();
    let bodiless = matches!(status, "204" | "304") || status.starts_with('1');
    Ok(match (kind, framing) {
        (Kind::Request, framing) => framing.unwrap_or(Framing::None),
        (_, Some(_)) if bodiless && status != "304" => {
            return Err(format!("{status} with a framing field"));
        }
        (Kind::ResponseToHead, _) => Framing::None,
        (Kind::Response, _) if bodiless => Framing::None,
        (Kind::Response, framing) => framing.unwrap_or(Framing::UntilClose),
    })
}

fn chunk_size(line: &[u8]) -> Result<usize, String> {
    let text = latin1(line);
    match usize::from_str_radix(&text, 16) {
        Ok(size) if format!("{size:x}") == text => Ok(size),
        _ => Err(format!("not a canonical size of a chunk: {text:?}")),
    }
}
