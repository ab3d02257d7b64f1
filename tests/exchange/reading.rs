//! What a client asked and what backends answered, read by somebody else: tolerant where the proxy may be tolerant, so that
//! it can be asked whether anything came out that nobody put in. Shares no code with the proxy.

const EMPTY_LINES_MAX: usize = 4;

/// A request as it was sent.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// As a backend is to see it.
    pub target: String,
    pub host: String,
    pub content: Vec<u8>,
    pub complete: bool,
    pub is_10: bool,
    /// It asks for another protocol.
    pub upgrade: bool,
    /// Where it ends, in what the client sent.
    pub end: usize,
}

/// A response as it was sent, and what came before it.
#[derive(Clone, Debug)]
pub struct Answered {
    pub status: String,
    pub content: Vec<u8>,
    pub complete: bool,
    /// Where it starts (with interim responses before it) and ends, in what the backend sent.
    pub start: usize,
    pub end: usize,
}

/// Everything that a client asked.
pub struct Asking {
    pub requests: Vec<Asked>,
    /// After them there is something that is no request, or not yet.
    pub more: bool,
}

/// Reads what a client sent.
pub fn asking(bytes: &[u8]) -> Asking {
    let mut requests = Vec::new();
    let mut at = 0;
    loop {
        // A few empty lines are nothing.
        let lines = bytes[at..].chunks(2).take_while(|two| two == b"\r\n").count();
        at += if lines <= EMPTY_LINES_MAX { 2 * lines } else { 0 };
        let Some(mut asked) = Head::read(&bytes[at..]).and_then(|head| request(&head)) else {
            return Asking { more: at < bytes.len(), requests };
        };
        asked.end += at;
        at = asked.end;
        let complete = asked.complete;
        requests.push(asked);
        if !complete {
            return Asking { requests, more: true };
        }
    }
}

/// Reads what a backend sent on a connection, in answer to requests with these methods. What follows them is not looked at,
/// and neither is what follows a change of the protocol.
pub fn answering(bytes: &[u8], methods: &[&str], finished: bool) -> Vec<Answered> {
    let mut answers = Vec::new();
    let mut at = 0;
    for method in methods {
        let start = at;
        let found = loop {
            let Some(head) = Head::read(&bytes[at..]) else { break None };
            let Some(status) = status(&head) else { break None };
            if !status.starts_with('1') || status == "101" {
                break Some((head, status));
            }
            at += head.len;
        };
        let Some((head, status)) = found else { break };
        let bodiless = *method == "HEAD" || ["101", "204", "304"].contains(&&*status);
        let body = match head.framing() {
            None => break,
            _ if bodiless => Some(Body { content: Vec::new(), complete: true, len: 0 }),
            Some(Framing::Length(length)) => Some(with_length(head.rest, length)),
            Some(Framing::Chunked) => Some(chunked(head.rest)),
            Some(Framing::None) => {
                Some(Body { content: head.rest.to_vec(), complete: finished, len: head.rest.len() })
            }
        };
        let Some(body) = body else { break };
        at += head.len + body.len;
        let switches = status == "101";
        answers.push(Answered { status, content: body.content, complete: body.complete, start, end: at });
        if switches {
            break;
        }
    }
    answers
}

struct Head<'b> {
    start: String,
    fields: Vec<(String, String)>,
    len: usize,
    rest: &'b [u8],
}

enum Framing {
    None,
    Length(usize),
    Chunked,
}

struct Body {
    content: Vec<u8>,
    complete: bool,
    len: usize,
}

impl<'b> Head<'b> {
    /// The head at the start of `bytes`, if there is a whole one that all can agree on.
    fn read(bytes: &'b [u8]) -> Option<Head<'b>> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let text: String = bytes[..end].iter().map(|&byte| char::from(byte)).collect();
        let mut lines = text.split("\r\n");
        let start = lines.next()?.to_owned();
        let mut fields = Vec::new();
        for line in lines {
            let (name, value) = line.split_once(':')?;
            let odd = |char: char| char <= ' ' || char == '\x7f';
            if name.is_empty() || name.contains(odd) || value.contains(['\r', '\n', '\0']) {
                return None;
            }
            fields.push((name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()));
        }
        let broken = start.contains(['\r', '\n', '\0']);
        (!broken).then_some(Head { start, fields, len: end + 4, rest: &bytes[end + 4..] })
    }

    fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(other, _)| other == name).map(|(_, value)| &**value).collect()
    }

    fn lists(&self, name: &str, element: &str) -> bool {
        let mut elements = self.all(name).into_iter().flat_map(|value| value.split(','));
        elements.any(|other| other.trim().eq_ignore_ascii_case(element))
    }

    /// `None`: there is more than one way to read it.
    fn framing(&self) -> Option<Framing> {
        let mut lengths = self.all("content-length");
        lengths.dedup();
        match (&lengths[..], &self.all("transfer-encoding")[..]) {
            ([], []) => Some(Framing::None),
            ([length], []) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
                length.parse().ok().map(Framing::Length)
            }
            ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => Some(Framing::Chunked),
            _ => None,
        }
    }
}

fn request(head: &Head<'_>) -> Option<Asked> {
    let words: Vec<&str> = head.start.split(' ').collect();
    let [method, target, version @ ("HTTP/1.0" | "HTTP/1.1")] = words[..] else { return None };
    let (authority, target) = match target.split_once("://") {
        Some((scheme, rest)) if ["http", "https"].contains(&&*scheme.to_ascii_lowercase()) => {
            let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            let path = match path {
                "" if method == "OPTIONS" => "*".to_owned(),
                path if path.starts_with('/') => path.to_owned(),
                path => format!("/{path}"),
            };
            (Some(authority), path)
        }
        _ => (None, target.to_owned()),
    };
    if head.all("host").len() > 1 || head.all("content-length").len() > 1 {
        return None;
    }
    let host = authority.or(head.all("host").first().copied()).unwrap_or_default().to_owned();
    let body = match head.framing()? {
        Framing::None => Body { content: Vec::new(), complete: true, len: 0 },
        Framing::Length(length) => with_length(head.rest, length),
        Framing::Chunked if version == "HTTP/1.0" => return None,
        Framing::Chunked => chunked(head.rest),
    };
    let upgrade = head.lists("connection", "upgrade") && !head.all("upgrade").is_empty();
    Some(Asked {
        method: method.to_owned(),
        target,
        host,
        content: body.content,
        complete: body.complete,
        is_10: version == "HTTP/1.0",
        upgrade: upgrade && version == "HTTP/1.1",
        end: head.len + body.len,
    })
}

fn status(head: &Head<'_>) -> Option<String> {
    let rest = head.start.strip_prefix("HTTP/1.1 ").or(head.start.strip_prefix("HTTP/1.0 "));
    // Some leave out the reason phrase, and the space before it.
    let rest = rest.or(head.start.strip_prefix("HTTP/1.1").or(head.start.strip_prefix("HTTP/1.0")))?;
    let digits = rest.get(..3)?;
    let good = digits.bytes().all(|byte| byte.is_ascii_digit())
        && rest[3..].chars().all(|char| char >= ' ' || char == '\t');
    (good && (rest.len() == 3 || rest[3..].starts_with(' '))).then(|| digits.to_owned())
}

fn with_length(bytes: &[u8], length: usize) -> Body {
    let here = length.min(bytes.len());
    Body { content: bytes[..here].to_vec(), complete: here == length, len: here }
}

/// The content of the chunks up to the first thing that is wrong with them.
fn chunked(bytes: &[u8]) -> Body {
    let mut content = Vec::new();
    let mut at = 0;
    let line = |at: usize| {
        let end = bytes[at..].windows(2).position(|two| two == b"\r\n")?;
        let line = &bytes[at..at + end];
        (!line.contains(&b'\n') && !line.contains(&b'\r')).then_some((line, at + end + 2))
    };
    let mut complete = false;
    while let Some((size, next)) = line(at) {
        let digits = size.split(|byte| *byte == b';').next().unwrap_or_default();
        let hex = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
        let size = std::str::from_utf8(digits).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok());
        let Some(size) = size.filter(|_| hex) else { break };
        at = next;
        if size == 0 {
            while let Some((trailer, next)) = line(at) {
                at = next;
                if trailer.is_empty() {
                    complete = true;
                    break;
                }
            }
            break;
        }
        let here = size.min(bytes.len() - at);
        content.extend_from_slice(&bytes[at..at + here]);
        at += here;
        if !bytes[at..].starts_with(b"\r\n") {
            break;
        }
        at += 2;
    }
    Body { content, complete, len: if complete { at } else { bytes.len() } }
}
