//! HTTP/1.1 as the tests speak it: one message after the other, blocking, and nothing forgiven.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::{DEADLINE, patient};

/// No head here is nearly as long.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// No more of a chunk is held at once.
const PIECE_BYTES: usize = 1 << 20;

/// A connection, from either end.
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    /// Received, and not yet taken.
    received: Vec<u8>,
}

/// A request or a response, its body without what framed it.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// The request line or the status line.
    pub(crate) start: String,
    fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// Of a request.
    pub(crate) fn method(&self) -> &str {
        self.start.split(' ').next().unwrap()
    }

    /// Of a request.
    pub(crate) fn target(&self) -> &str {
        self.start.split(' ').nth(1).unwrap()
    }

    /// Of a response.
    pub(crate) fn status(&self) -> u16 {
        self.start.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// The value of this field, if there is exactly one.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|field| field.0.eq_ignore_ascii_case(name));
        let value = values.next()?;
        assert!(values.next().is_none(), "{name} more than once: {self:?}");
        Some(&value.1)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn says(&self, name: &str, word: &str) -> bool {
        self.field(name).is_some_and(|value| value.eq_ignore_ascii_case(word))
    }

    /// Nothing follows on this connection.
    pub(crate) fn is_last(&self) -> bool {
        let is_old = self.start.contains("HTTP/1.0");
        self.says("connection", "close") || is_old && !self.says("connection", "keep-alive")
    }
}

fn refused(why: &str, what: &[u8]) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("{why}: {:?}", String::from_utf8_lossy(what)))
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Wire {
        Wire { stream: patient(stream), received: Vec::new() }
    }

    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Whether something is there that was not taken.
    pub(crate) fn has_received(&self) -> bool {
        !self.received.is_empty()
    }

    /// Whether something comes in this time, if only the end.
    pub(crate) fn hears_within(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).unwrap();
        let heard = self.stream.peek(&mut [0]);
        self.stream.set_read_timeout(Some(DEADLINE)).unwrap();
        !heard.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// Sends a request without a body, and takes its response.
    pub(crate) fn get(&mut self, target: &str) -> Message {
        self.say(format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n"));
        self.response()
    }

    /// The next response, of a client that expects one.
    pub(crate) fn response(&mut self) -> Message {
        self.try_response(false).unwrap().expect("an answer")
    }

    /// The next response, or `None` for an end in its place.
    pub(crate) fn try_response(&mut self, to_head: bool) -> io::Result<Option<Message>> {
        let Some(mut message) = self.try_response_head()? else { return Ok(None) };
        let status = message.status();
        if !(to_head || status < 200 || status == 204 || status == 304) {
            self.body(&mut message, true)?;
        }
        Ok(Some(message))
    }

    /// The same without its body, which is still to come.
    pub(crate) fn try_response_head(&mut self) -> io::Result<Option<Message>> {
        let Some(message) = self.head()? else { return Ok(None) };
        let start = message.start.as_bytes();
        let is_status_line = start.len() >= 13
            && start.starts_with(b"HTTP/1.1 ")
            && start[9..12].iter().all(u8::is_ascii_digit)
            && start[12] == b' ';
        if !is_status_line {
            return Err(refused("no status line", start));
        }
        Ok(Some(message))
    }

    /// The next request, or `None` for an end in its place.
    pub(crate) fn try_request(&mut self) -> io::Result<Option<Message>> {
        let Some(mut message) = self.try_request_head()? else { return Ok(None) };
        self.body(&mut message, false)?;
        Ok(Some(message))
    }

    /// The same without its body, which is still to come.
    pub(crate) fn try_request_head(&mut self) -> io::Result<Option<Message>> {
        let Some(message) = self.head()? else { return Ok(None) };
        let parts: Vec<&str> = message.start.split(' ').collect();
        if parts.len() != 3 || parts[2] != "HTTP/1.1" || message.field("host").is_none() {
            return Err(refused("no request line", message.start.as_bytes()));
        }
        Ok(Some(message))
    }

    /// Reads the body that the head of `message` announces.
    pub(crate) fn body(&mut self, message: &mut Message, until_close: bool) -> io::Result<()> {
        let codings = message.field("transfer-encoding").map(str::to_owned);
        message.body = match (codings, message.field("content-length")) {
            (Some(codings), None) if codings == "chunked" => {
                let mut body = Vec::new();
                self.chunks(|piece| body.extend_from_slice(piece))?;
                body
            }
            (None, Some(length)) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
                let length = length.parse().map_err(|_| refused("too long", length.as_bytes()))?;
                self.take(length)?
            }
            (None, None) if until_close => {
                self.stream.read_to_end(&mut self.received)?;
                std::mem::take(&mut self.received)
            }
            (None, None) => Vec::new(),
            _ => return Err(refused("unclear framing", message.start.as_bytes())),
        };
        Ok(())
    }

    /// Reads a chunked body, and shows it to `each` piece by piece.
    pub(crate) fn chunks(&mut self, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        loop {
            let line = self.line()?;
            let size = usize::from_str_radix(&line, 16).map_err(|_| refused("no size", line.as_bytes()))?;
            if size == 0 {
                break;
            }
            let mut left = size;
            while left > 0 {
                let piece = self.take(left.min(PIECE_BYTES))?;
                each(&piece);
                left -= piece.len();
            }
            if !self.line()?.is_empty() {
                return Err(refused("no line end after a chunk of size", line.as_bytes()));
            }
        }
        // Trailers, which nobody here asks for.
        while !self.line()?.is_empty() {}
        Ok(())
    }

    fn head(&mut self) -> io::Result<Option<Message>> {
        let len = loop {
            if let Some(at) = find(&self.received, b"\r\n\r\n") {
                break at + 4;
            }
            match self.fill() {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof && self.received.is_empty() => {
                    return Ok(None);
                }
                filled => filled?,
            }
            assert!(self.received.len() < HEAD_BYTES_MAX, "an endless head");
        };
        let head = self.take(len)?;
        let text = std::str::from_utf8(&head).map_err(|_| refused("not ASCII", &head))?;
        let mut lines = text.trim_end_matches("\r\n").split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let field = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            let is_value = |byte: u8| matches!(byte, b' '..=b'~');
            let holds = !name.is_empty() && name.bytes().all(is_name) && value.bytes().all(is_value);
            holds.then(|| (name.to_owned(), value.to_owned()))
        };
        let fields = lines.map(|line| field(line).ok_or_else(|| refused("no field", line.as_bytes())));
        Ok(Some(Message { start, fields: fields.collect::<io::Result<_>>()?, body: Vec::new() }))
    }

    fn line(&mut self) -> io::Result<String> {
        let len = loop {
            match find(&self.received, b"\r\n") {
                Some(at) => break at + 2,
                None => self.fill()?,
            }
        };
        let line = self.take(len)?;
        String::from_utf8(line[..len - 2].to_vec()).map_err(|_| refused("not ASCII", &line))
    }

    /// Exactly so many bytes.
    pub(crate) fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut taken = std::mem::take(&mut self.received);
        if taken.len() >= count {
            self.received = taken.split_off(count);
        } else {
            let already = taken.len();
            taken.resize(count, 0);
            self.stream.read_exact(&mut taken[already..])?;
        }
        Ok(taken)
    }

    /// More, or an error for the end.
    fn fill(&mut self) -> io::Result<()> {
        let mut piece = [0; 16 * 1024];
        match self.stream.read(&mut piece)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            count => {
                self.received.extend_from_slice(&piece[..count]);
                Ok(())
            }
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
