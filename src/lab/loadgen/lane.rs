//! One connection, one request at a time.

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::exchange::{Exchange, Received};
use super::found::Failure;
use super::schedule::Schedule;
use super::target::Target;

/// Where what arrives is read to, by all lanes of a thread in turn.
pub(super) const BUFFER_BYTES: usize = 64 * 1024;

/// A connection to the target, made when it is needed.
pub(super) struct Lane {
    number: usize,
    pub(super) schedule: Schedule,
    exchange: Exchange,
    stream: Option<TcpStream>,
    stage: Stage,
    /// When the request under way was begun.
    begun: Instant,
    /// What has come of an answer and does not make sense without more.
    kept: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// No request is under way.
    Idle,
    Connecting,
    /// So many bytes of the request are out.
    Sending(usize),
    Receiving,
}

/// What came of looking at a lane.
pub(super) enum Turn {
    /// Nothing so far.
    Wait,
    /// Its request was answered.
    Answered { status: Option<u16>, uncorrected: Duration },
    /// Its request failed, or if there was none, nothing happened.
    Failed(Failure),
}

/// What an event says.
#[derive(Clone, Copy)]
pub(super) struct Noted {
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// The server sends no more than what may be read.
    pub(super) closed: bool,
}

/// What a lane needs besides itself.
pub(super) struct Ground<'a> {
    pub(super) target: &'a Target,
    pub(super) registry: &'a Registry,
    pub(super) buffer: &'a mut [u8],
    pub(super) bytes: &'a mut u64,
    pub(super) now: Instant,
}

impl Lane {
    pub(super) fn new(number: usize, schedule: Schedule, target: &Target, now: Instant) -> Lane {
        Lane {
            number,
            schedule,
            exchange: Exchange::new(&target.speech, number),
            stream: None,
            stage: Stage::Idle,
            begun: now,
            kept: Vec::new(),
        }
    }

    /// Since when a request has been under way, if one is.
    pub(super) fn begun(&self) -> Option<Instant> {
        (self.stage != Stage::Idle).then_some(self.begun)
    }

    /// Begins the next request. `token` is this lane's among its thread's.
    pub(super) fn begin(&mut self, token: usize, ground: &mut Ground<'_>) -> Turn {
        self.begun = ground.now;
        self.exchange.begin();
        if self.stream.is_some() {
            self.stage = Stage::Sending(0);
            return self.send(ground);
        }
        let both = Interest::READABLE | Interest::WRITABLE;
        let connected = ground.target.connect(self.number).and_then(|mut stream| {
            ground.registry.register(&mut stream, Token(token), both).map(|()| stream)
        });
        match connected {
            Ok(stream) => {
                self.stream = Some(stream);
                self.stage = Stage::Connecting;
                Turn::Wait
            }
            Err(_) => self.fail(Failure::Connect),
        }
    }

    /// Something happened to the connection.
    pub(super) fn note(&mut self, event: Noted, ground: &mut Ground<'_>) -> Turn {
        let Noted { readable, writable, closed } = event;
        if self.stage == Stage::Connecting {
            if !writable && !readable {
                return Turn::Wait;
            }
            match self.stream.as_ref().map(TcpStream::take_error) {
                Some(Ok(None)) => self.stage = Stage::Sending(0),
                _ => return self.fail(Failure::Connect),
            }
        }
        if matches!(self.stage, Stage::Sending(_)) && writable {
            match self.send(ground) {
                Turn::Wait => {}
                turn => return turn,
            }
        }
        if readable || closed { self.receive(closed, ground) } else { Turn::Wait }
    }

    /// The request under way is given up, and its connection with it.
    pub(super) fn fail(&mut self, failure: Failure) -> Turn {
        self.stream = None;
        self.stage = Stage::Idle;
        self.kept.clear();
        Turn::Failed(failure)
    }

    fn send(&mut self, ground: &mut Ground<'_>) -> Turn {
        let Some(stream) = &mut self.stream else { return Turn::Wait };
        let request = self.exchange.request(&ground.target.speech);
        while let Stage::Sending(sent) = self.stage {
            match stream.write(&request[sent..]) {
                Ok(count) if sent + count == request.len() => self.stage = Stage::Receiving,
                Ok(count) => self.stage = Stage::Sending(sent + count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.fail(Failure::Write),
            }
        }
        Turn::Wait
    }

    fn receive(&mut self, closed: bool, ground: &mut Ground<'_>) -> Turn {
        loop {
            let Some(stream) = &mut self.stream else { return Turn::Wait };
            let kept = self.kept.len();
            if kept == ground.buffer.len() {
                return self.fail(Failure::Read);
            }
            ground.buffer[..kept].copy_from_slice(&self.kept);
            match stream.read(&mut ground.buffer[kept..]) {
                Ok(0) => return self.ended(ground.now),
                Ok(count) => {
                    *ground.bytes += count as u64;
                    match self.take(kept, count, ground) {
                        // What comes later announces itself; an end that came with it does not.
                        Turn::Wait if kept + count < ground.buffer.len() && !closed => return Turn::Wait,
                        Turn::Wait => {}
                        turn => return turn,
                    }
                }
                Err(error) => match self.broken(&error) {
                    Some(turn) => return turn,
                    None if error.kind() == ErrorKind::WouldBlock => return Turn::Wait,
                    None => {}
                },
            }
        }
    }

    /// What `count` further bytes mean, after the `kept` ones of before.
    fn take(&mut self, kept: usize, count: usize, ground: &mut Ground<'_>) -> Turn {
        let bytes = &mut ground.buffer[..kept + count];
        if !matches!(self.stage, Stage::Sending(_) | Stage::Receiving) {
            // Nobody asked for it.
            return self.hang_up();
        }
        let (taken, received) = self.exchange.receive(bytes);
        match received {
            Received::More => {
                self.kept.clear();
                self.kept.extend_from_slice(&bytes[taken..]);
                Turn::Wait
            }
            Received::Whole { status, keep } if taken == bytes.len() => {
                self.finish(status, keep && self.stage == Stage::Receiving, ground.now)
            }
            Received::Mismatch => self.fail(Failure::Mismatch),
            Received::Whole { .. } | Received::Nonsense => self.fail(Failure::Read),
        }
    }

    fn finish(&mut self, status: Option<u16>, keep: bool, now: Instant) -> Turn {
        self.stage = Stage::Idle;
        self.kept.clear();
        if !keep {
            self.stream = None;
        }
        Turn::Answered { status, uncorrected: now.saturating_duration_since(self.begun) }
    }

    /// The server has closed.
    fn ended(&mut self, now: Instant) -> Turn {
        if self.stage == Stage::Idle {
            return self.hang_up();
        }
        match self.exchange.end() {
            Some(Received::Whole { status, .. }) if self.kept.is_empty() => self.finish(status, false, now),
            _ => self.fail(Failure::Read),
        }
    }

    fn broken(&mut self, error: &io::Error) -> Option<Turn> {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::Interrupted => None,
            _ if self.stage == Stage::Idle => Some(self.hang_up()),
            _ => Some(self.fail(Failure::Read)),
        }
    }

    /// Between two requests: the next one makes a connection of its own.
    fn hang_up(&mut self) -> Turn {
        self.stream = None;
        self.kept.clear();
        self.stage = Stage::Idle;
        Turn::Wait
    }
}
