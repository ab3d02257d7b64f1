//! Who says what, and in which pieces: as tests build it, and as a fuzzer writes it.

use std::fmt;

/// One client's connection and everything that backends answer on theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    pub options: Options,
    /// Who goes on, and with how many bytes: see [`Input::decode`]. When they are used up, everybody says all that he has
    /// to say, the client first.
    pub picks: Vec<u8>,
    /// What the client says. It goes on with the next when it has heard something after the last.
    pub client: Vec<Say>,
    /// What backends answer, in the order in which requests come to them, each in parts like those of the client.
    pub answers: Vec<Vec<Say>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Backends answer when they have a head, and not only when they have the request.
    pub hasty: bool,
    /// Everybody takes few bytes at a time.
    pub narrow: bool,
    /// Request bodies are limited.
    pub small_bodies: bool,
    /// The client is trusted to tell about earlier hops.
    pub trusts: bool,
    /// Clients are tied to backends by a cookie.
    pub sticky: bool,
    /// The first connection is refused.
    pub refuses: bool,
}

/// Bytes, and perhaps the end of the connection.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Say {
    pub bytes: Vec<u8>,
    pub end: Option<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Finish,
    Reset,
}

const FINISH: u8 = 0x04;
const RESET: u8 = 0x18;
const NEXT_PART: u8 = 0x1d;
const NEXT: u8 = 0x1e;
const BACKENDS: u8 = 0x1f;

/// More than this of what a side says is left out.
const SIDE_BYTES_MAX: usize = 6_000;
const ANSWERS_MAX: usize = 40;

impl Input {
    /// `picks LF client 1F answers`. The client's bytes are separated by 1E, and so are the answers; parts of an answer are
    /// separated by 1D. 04 at the end of any of them ends the connection, 18 resets it. The bits of the first pick are the
    /// options; of the others, the lowest two say who goes on, and the rest with how many bytes.
    pub fn decode(bytes: &[u8]) -> Input {
        let (picks, rest) = split_once(bytes, b'\n');
        let (client, answers) = split_once(rest, BACKENDS);
        let client = &client[..client.len().min(SIDE_BYTES_MAX)];
        let answers = &answers[..answers.len().min(SIDE_BYTES_MAX)];
        let says = |bytes: &[u8], mark: u8| bytes.split(|byte| *byte == mark).map(Say::decode).collect();
        let answers = answers.split(|byte| *byte == NEXT).take(ANSWERS_MAX);
        Input {
            options: picks.first().map_or_else(Options::default, |bits| Options::decode(*bits)),
            picks: picks.get(1..).unwrap_or_default().to_vec(),
            client: says(client, NEXT),
            answers: answers.map(|answer| says(answer, NEXT_PART)).collect(),
        }
    }
}

impl Options {
    /// No options are `@` (or a space).
    fn decode(bits: u8) -> Options {
        let bit = |number: u8| bits & 1 << number != 0;
        Options {
            hasty: bit(0),
            narrow: bit(1),
            small_bodies: bit(2),
            trusts: bit(3),
            sticky: bit(4),
            refuses: bit(7),
        }
    }
}

impl fmt::Debug for Say {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\" {:?}", self.bytes.escape_ascii(), self.end)
    }
}

impl Say {
    pub fn new(bytes: impl Into<Vec<u8>>) -> Say {
        Say { bytes: bytes.into(), end: None }
    }

    fn decode(bytes: &[u8]) -> Say {
        match bytes {
            [rest @ .., FINISH] => Say { bytes: rest.to_vec(), end: Some(End::Finish) },
            [rest @ .., RESET] => Say { bytes: rest.to_vec(), end: Some(End::Reset) },
            bytes => Say::new(bytes),
        }
    }
}

/// What is before the first `mark`, and what is after it.
fn split_once(bytes: &[u8], mark: u8) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == mark) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[]),
    }
}
