//! HTTP/1.1 messages, parsed slowly and without mercy (RFC 9112): what leaves the proxy is held against this. It shares
//! no code with the proxy and none of its dependencies, and accepts no more than the grammar that senders must follow,
//! with every freedom that the proxy does not need taken away.

#![allow(dead_code, unreachable_pub, reason = "each test crate that includes it uses what it needs")]

/// A whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Method, target and version, or version, status and reason phrase.
    pub start: [String; 3],
    /// Names as they were spelled, values without the whitespace around them.
    pub fields: Fields,
    /// The content.
    pub body: Vec<u8>,
    pub trailers: Fields,
    /// The body came in chunks.
    pub chunked: bool,
    /// The body was everything that was there.
    pub until_close: bool,
}

pub type Fields = Vec<(String, Vec<u8>)>;

impl Message {
    /// The values of all fields of this name, in order.
    pub fn all(&self, name: &str) -> Vec<&[u8]> {
        values(&self.fields, name)
    }
}

/// Reads the request at the start of `bytes`, and says how long it is.
pub fn parse_request(bytes: &[u8]) -> Result<(Message, usize), String> {
    let mut reader = Reader { bytes, at: 0 };
    let start = request_line(reader.line()?)?;
    let fields = reader.fields()?;
    let hosts = values(&fields, "Host");
    let is_11 = start[2] == "HTTP/1.1";
    if hosts.len() > 1 || is_11 && hosts.is_empty() {
        return Err(format!("{} Host fields", hosts.len()));
    }
    if hosts.iter().any(|host| host.iter().any(|byte| b" \t,/@\\".contains(byte))) {
        return Err("Host is not one host".into());
    }
    let framing = framing(&fields, is_11)?;
    reader.message(start, fields, framing.unwrap_or(Framing::Length(0)))
}

/// Reads the response at the start of `bytes`, and says how long it is. `to_head`: it answers a HEAD.
pub fn parse_response(bytes: &[u8], to_head: bool) -> Result<(Message, usize), String> {
    let mut reader = Reader { bytes, at: 0 };
    let start = status_line(reader.line()?)?;
    let fields = reader.fields()?;
    let framing = framing(&fields, start[0] == "HTTP/1.1")?;
    let status = start[1].as_str();
    if status.starts_with('1') || status == "204" {
        if framing.is_some() {
            return Err(format!("a {status} with a body"));
        }
        return reader.message(start, fields, Framing::Length(0));
    }
    if to_head || status == "304" {
        return reader.message(start, fields, Framing::Length(0));
    }
    reader.message(start, fields, framing.unwrap_or(Framing::UntilClose))
}

/// Reads the chunked body at the start of `bytes`: content, trailers and length.
pub fn parse_chunked(bytes: &[u8]) -> Result<(Vec<u8>, Fields, usize), String> {
    let mut reader = Reader { bytes, at: 0 };
    let (content, trailers) = reader.chunks()?;
    Ok((content, trailers, reader.at))
}

enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8], String> {
        let rest = &self.bytes[self.at..];
        if rest.len() < count {
            return Err(format!("{count} bytes expected, {} there", rest.len()));
        }
        self.at += count;
        Ok(&rest[..count])
    }

    /// The next line, which ends in the first CRLF and has no other CR or LF; without that end.
    fn line(&mut self) -> Result<&'b [u8], String> {
        let rest = &self.bytes[self.at..];
        let end = rest.windows(2).position(|two| two == b"\r\n").ok_or("no end of line")?;
        let line = self.take(end)?;
        if line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(format!("CR, LF or NUL in {:?}", lossy(line)));
        }
        self.take(2)?;
        Ok(line)
    }

    fn fields(&mut self) -> Result<Fields, String> {
        let mut fields = Vec::new();
        loop {
            match self.line()? {
                b"" => return Ok(fields),
                line => fields.push(field(line)?),
            }
        }
    }

    fn chunks(&mut self) -> Result<(Vec<u8>, Fields), String> {
        let mut content = Vec::new();
        loop {
            let line = self.line()?;
            let digits = std::str::from_utf8(line).map_err(|_| "a chunk size that is no text")?;
            let size = usize::from_str_radix(digits, 16).map_err(|_| format!("chunk size {digits:?}"))?;
            if format!("{size:x}") != digits {
                return Err(format!("chunk size {digits:?} is not canonical"));
            }
            if size == 0 {
                break;
            }
            content.extend_from_slice(self.take(size)?);
            if self.take(2)? != b"\r\n" {
                return Err("no CRLF after a chunk".into());
            }
        }
        let trailers = self.fields()?;
        let forbidden =
            ["Transfer-Encoding", "Content-Length", "Host", "Trailer", "TE", "Connection", "Cookie"];
        match forbidden.iter().find(|name| !values(&trailers, name).is_empty()) {
            Some(name) => Err(format!("{name} is no trailer")),
            None => Ok((content, trailers)),
        }
    }

    fn message(
        mut self,
        start: [String; 3],
        fields: Fields,
        framing: Framing,
    ) -> Result<(Message, usize), String> {
        let (chunked, until_close) =
            (matches!(framing, Framing::Chunked), matches!(framing, Framing::UntilClose));
        let (body, trailers) = match framing {
            Framing::Length(length) => (self.take(length)?.to_vec(), Vec::new()),
            Framing::Chunked => self.chunks()?,
            Framing::UntilClose => (self.take(self.bytes.len() - self.at)?.to_vec(), Vec::new()),
        };
        Ok((Message { start, fields, body, trailers, chunked, until_close }, self.at))
    }
}

fn request_line(line: &[u8]) -> Result<[String; 3], String> {
    let parts: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    let [method, target, version] = parts[..] else {
        return Err(format!("not three words: {:?}", lossy(line)));
    };
    if !is_token(method) {
        return Err(format!("method {:?}", lossy(method)));
    }
    if target.is_empty() || !target.iter().all(u8::is_ascii_graphic) {
        return Err(format!("target {:?}", lossy(target)));
    }
    Ok([lossy(method), lossy(target), http_version(version)?])
}

fn status_line(line: &[u8]) -> Result<[String; 3], String> {
    let parts: Vec<&[u8]> = line.splitn(3, |&byte| byte == b' ').collect();
    let [version, status, reason] = parts[..] else {
        return Err(format!("not a status line: {:?}", lossy(line)));
    };
    if status.len() != 3 || !status.iter().all(u8::is_ascii_digit) || !(b'1'..=b'5').contains(&status[0]) {
        return Err(format!("status {:?}", lossy(status)));
    }
    if !reason.iter().all(is_text) {
        return Err(format!("reason {:?}", lossy(reason)));
    }
    Ok([http_version(version)?, lossy(status), lossy(reason)])
}

fn http_version(version: &[u8]) -> Result<String, String> {
    match version {
        b"HTTP/1.0" | b"HTTP/1.1" => Ok(lossy(version)),
        _ => Err(format!("version {:?}", lossy(version))),
    }
}

fn field(line: &[u8]) -> Result<(String, Vec<u8>), String> {
    let colon = line.iter().position(|&byte| byte == b':').ok_or(format!("no colon: {:?}", lossy(line)))?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if !is_token(name) {
        return Err(format!("field name {:?}", lossy(name)));
    }
    if !value.iter().all(is_text) {
        return Err(format!("value of {}: {:?}", lossy(name), lossy(value)));
    }
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !is_space(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    Ok((lossy(name), value[start..end].to_vec()))
}

/// What the fields say about the body, if they say anything: exactly one of them, once, and plainly.
fn framing(fields: &Fields, is_11: bool) -> Result<Option<Framing>, String> {
    let lookalike = |(name, _): &&(String, Vec<u8>)| {
        let name = name.to_ascii_lowercase();
        name.contains('_')
            && ["content-length", "transfer-encoding"].contains(&name.replace('_', "-").as_str())
    };
    if let Some((name, _)) = fields.iter().find(lookalike) {
        return Err(format!("{name} looks like framing"));
    }
    match (&values(fields, "Content-Length")[..], &values(fields, "Transfer-Encoding")[..]) {
        ([], []) => Ok(None),
        ([length], []) => {
            let text = lossy(length);
            let number: usize = text.parse().map_err(|_| format!("Content-Length {text:?}"))?;
            if number.to_string() != text {
                return Err(format!("Content-Length {text:?} is not canonical"));
            }
            Ok(Some(Framing::Length(number)))
        }
        ([], [coding]) if is_11 && coding.eq_ignore_ascii_case(b"chunked") => Ok(Some(Framing::Chunked)),
        (lengths, codings) => Err(format!("framed by {lengths:?} and {codings:?}")),
    }
}

fn values<'f>(fields: &'f Fields, name: &str) -> Vec<&'f [u8]> {
    let of_that_name = fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
    of_that_name.map(|(_, value)| value.as_slice()).collect()
}

fn is_token(name: &[u8]) -> bool {
    !name.is_empty()
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

fn is_text(byte: &u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
