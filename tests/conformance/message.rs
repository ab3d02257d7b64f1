//! A second opinion: reads what the proxy writes, and accepts nothing that is not canonical and strictly valid.

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
            self.complete = true;
            self.len -= bytes.len() - end - 2;
        }
        Ok(())
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
        [method, target, "HTTP/1.1"] if is_token(method) && !target.is_empty() && target.is_ascii() => Ok(()),
        _ => Err(format!("not a request line: {line:?}")),
    }
}

fn check_status_line(line: &str) -> Result<(), String> {
    let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.split_once(' '));
    match status {
        Some((digits, _)) if digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit()) => Ok(()),
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

fn framing(start: &str, fields: &[Field], kind: Kind) -> Result<Framing, String> {
    let all = |name: &str| -> Vec<&str> {
        let named = fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        named.map(|field| &*field.value).collect()
    };
    let framing = match (&all("Transfer-Encoding")[..], &all("Content-Length")[..]) {
        ([], []) => None,
        (["chunked"], []) => Some(Framing::Chunked),
        ([], [length]) if length.bytes().all(|byte| byte.is_ascii_digit()) => Some(Framing::Length(
            length.parse().map_err(|error| format!("Content-Length {length}: {error}"))?,
        )),
        (coding, length) => {
            return Err(format!("framing: Transfer-Encoding {coding:?}, Content-Length {length:?}"));
        }
    };
    let status = start.split(' ').nth(1).unwrap_or_default();
    let bodiless = matches!(status, "204" | "304") || status.starts_with('1');
    Ok(match (kind, framing) {
        (Kind::Request, framing) => framing.unwrap_or(Framing::None),
        (Kind::ResponseToHead, _) => Framing::None,
        (Kind::Response, Some(_)) if bodiless && status != "304" => {
            return Err(format!("{status} with a framing field"));
        }
        (Kind::Response, _) if bodiless => Framing::None,
        (Kind::Response, framing) => framing.unwrap_or(Framing::UntilClose),
    })
}

fn chunk_size(line: &[u8]) -> Result<usize, String> {
    let text = latin1(line);
    let canonical =
        text == "0" || (!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    match usize::from_str_radix(&text, 16) {
        Ok(size) if canonical => Ok(size),
        _ => Err(format!("not a canonical size of a chunk: {text:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Result<Option<Message>, String> {
        Message::read(text.as_bytes(), Kind::Request, false)
    }

    #[test]
    fn a_message_is_read_to_its_end_and_no_further() {
        for (text, content, trailers, complete, rest) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET", "", 0, true, 3),
            ("PUT / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhix", "hi", 0, true, 1),
            ("PUT / HTTP/1.1\r\nContent-Length: 3\r\n\r\nhi", "hi", 0, false, 0),
            ("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\nx", "hi", 0, true, 1),
            (
                "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: b\r\n\r\n",
                "hi",
                1,
                true,
                0,
            ),
            (
                "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: b\r\n",
                "hi",
                0,
                false,
                0,
            ),
            ("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nh", "h", 0, false, 0),
        ] {
            let message = request(text).unwrap().unwrap();
            assert_eq!(latin1(&message.content), content, "{text:?}");
            assert_eq!((message.trailers.len(), message.complete), (trailers, complete), "{text:?}");
            assert_eq!(text.len() - message.len, rest, "{text:?}");
        }
    }

    #[test]
    fn what_is_not_canonical_is_refused() {
        for text in [
            "GET /  HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.0\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost:a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
            "GET / HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nhi",
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nhi\r\n",
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n02\r\nhi\r\n",
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhiX",
        ] {
            assert!(request(text).is_err(), "{text:?}");
        }
    }
}
