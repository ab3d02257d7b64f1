//! One connection of the proxy, as its peer's script and its kernel see it.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use lbproxy::net::Event;
use lbproxy::token::Token;

const ECONNRESET: i32 = 104;
const ECONNREFUSED: i32 = 111;
const EPIPE: i32 = 32;
const ENOTCONN: i32 = 107;

/// What epoll would report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    readable: bool,
    writable: bool,
    read_closed: bool,
    error: bool,
}

impl Flags {
    pub fn any(self) -> bool {
        self != Flags::default()
    }

    pub fn event(self, token: Token) -> Event {
        let Flags { readable, writable, read_closed, error } = self;
        Event { token, readable, writable, read_closed, error }
    }
}

/// How far a connect is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connect {
    /// It will succeed at the next wait.
    Accepts,
    /// It will fail at the next wait.
    Refuses,
    Established,
}

/// A connection. Whatever one side writes is with the other at once; how the bytes come in pieces is up to the scripts.
pub struct Wire {
    /// The peer's.
    pub address: SocketAddr,
    pub token: Option<Token>,
    pub connect: Connect,
    /// For the proxy to read.
    inbox: VecDeque<u8>,
    /// What the script sent, ever.
    pub sent: Vec<u8>,
    /// What the peer got of the proxy, ever.
    pub got: Vec<u8>,
    /// How many bytes the peer takes in all.
    pub window: usize,
    /// The peer finished; the peer reset.
    fin_in: bool,
    reset_in: bool,
    error: Option<i32>,
    /// The peer closed: it answers more bytes with a reset.
    gone: bool,
    /// The proxy finished; let go of its socket; and that made, or makes, a reset.
    pub fin_out: bool,
    pub closed: bool,
    pub reset_out: bool,
    reset_on_close: bool,
    wants_room: bool,
    pub edge: Flags,
}

impl Wire {
    pub fn new(address: SocketAddr, connect: Connect, window: usize) -> Wire {
        Wire {
            address,
            token: None,
            connect,
            inbox: VecDeque::new(),
            sent: Vec::new(),
            got: Vec::new(),
            window,
            fin_in: false,
            reset_in: false,
            error: None,
            gone: false,
            fin_out: false,
            closed: false,
            reset_out: false,
            reset_on_close: false,
            wants_room: false,
            edge: Flags::default(),
        }
    }

    /// What a level-triggered look would find.
    fn level(&self) -> Flags {
        Flags {
            readable: !self.inbox.is_empty() || self.fin_in || self.reset_in,
            writable: self.reset_in || (self.connect == Connect::Established && self.got.len() < self.window),
            read_closed: self.fin_in || self.reset_in,
            error: self.error.is_some(),
        }
    }

    /// Whether the peer knows that nothing more will come.
    pub fn ended(&self) -> bool {
        self.fin_out || self.closed || self.reset_out
    }

    /// Whether the proxy waits until the peer takes more.
    pub fn is_full(&self) -> bool {
        self.wants_room && !self.closed
    }

    /// Whether the peer has said all that it has to say.
    pub fn peer_has_finished(&self) -> bool {
        self.fin_in && !self.reset_in
    }

    // The peer's side.

    pub fn peer_sends(&mut self, bytes: &[u8]) {
        self.sent.extend_from_slice(bytes);
        if self.closed {
            // Nobody is there: the answer is a reset, which destroys what the peer has not read.
            self.reset_out = true;
        } else if !self.reset_in {
            self.inbox.extend(bytes);
            self.edge.readable = true;
        }
    }

    pub fn peer_finishes(&mut self) {
        self.fin_in = true;
        self.edge.readable = true;
        self.edge.read_closed = true;
    }

    pub fn peer_resets(&mut self, errno: i32) {
        self.reset_in = true;
        self.error = Some(errno);
        self.edge = Flags { readable: true, writable: true, read_closed: true, error: true };
    }

    pub fn peer_leaves(&mut self) {
        if !self.gone && !self.reset_in {
            self.gone = true;
            self.window = usize::MAX;
            self.peer_finishes();
            self.edge.writable |= self.wants_room;
        }
    }

    pub fn peer_takes(&mut self, window: usize) {
        self.window = window;
        if self.wants_room && self.got.len() < window {
            self.wants_room = false;
            self.edge.writable = true;
        }
    }

    // The proxy's side.

    pub fn register(&mut self, token: Token) {
        assert!(self.token.is_none(), "registered twice");
        self.token = Some(token);
        // epoll reports what is ready already.
        self.edge = self.level();
    }

    /// The kernel gets on with a connect.
    pub fn settle_connect(&mut self) {
        match self.connect {
            Connect::Established => return,
            Connect::Accepts => self.edge.writable = true,
            Connect::Refuses => self.peer_resets(ECONNREFUSED),
        }
        self.connect = Connect::Established;
    }

    pub fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        if !self.inbox.is_empty() && !space.is_empty() {
            let count = space.len().min(self.inbox.len());
            for (slot, byte) in space.iter_mut().zip(self.inbox.drain(..count)) {
                *slot = byte;
            }
            return Ok(count);
        }
        if self.fin_in {
            return Ok(0);
        }
        match self.error.take() {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None if self.reset_in => Ok(0),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(errno) = self.error.take() {
            return Err(io::Error::from_raw_os_error(errno));
        }
        if self.reset_in || self.fin_out {
            return Err(io::Error::from_raw_os_error(EPIPE));
        }
        assert!(self.connect == Connect::Established, "written before the connect ended");
        let count = bytes.len().min(self.window.saturating_sub(self.got.len()));
        self.wants_room |= count < bytes.len();
        if count == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.got.extend_from_slice(&bytes[..count]);
        if self.gone {
            self.peer_resets(ECONNRESET);
        }
        Ok(count)
    }

    pub fn shutdown_write(&mut self) -> io::Result<()> {
        if self.reset_in {
            return Err(io::Error::from_raw_os_error(ENOTCONN));
        }
        self.fin_out = true;
        Ok(())
    }

    pub fn take_error(&mut self) -> Option<io::Error> {
        self.error.take().map(io::Error::from_raw_os_error)
    }

    pub fn reset_on_close(&mut self) {
        self.reset_on_close = true;
    }

    pub fn close(&mut self) {
        self.closed = true;
        self.edge = Flags::default();
        // A close with unread input is a reset, whatever was meant by it.
        self.reset_out |= self.reset_on_close || !self.inbox.is_empty();
    }
}
