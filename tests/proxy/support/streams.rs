//! The two ends of a connection through the proxy.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use lbproxy::net::Socket as _;
use socket2::{Domain, SockRef, Socket, Type};

use super::{DEADLINE, wait_until};

/// A stream on which nothing takes longer than the deadline.
pub(crate) fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    patient(TcpStream::connect(address).unwrap())
}

pub(crate) fn connect_from(source: IpAddr, address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(source, 0).into()).unwrap();
    socket.connect(&address.into()).unwrap();
    patient(socket.into())
}

/// Sends bytes.
pub(crate) fn say(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).unwrap();
}

/// Sends the end.
pub(crate) fn finish_sending(stream: &TcpStream) {
    stream.shutdown(Shutdown::Write).unwrap();
}

/// The next byte, as a letter.
pub(crate) fn letter(stream: &mut TcpStream) -> char {
    let mut byte = [0];
    stream.read_exact(&mut byte).unwrap();
    char::from(byte[0])
}

/// As many bytes as expected, which must be those.
pub(crate) fn expect(stream: &mut TcpStream, expected: &[u8]) {
    let mut bytes = vec![0; expected.len()];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(expected));
}

/// Everything up to a clean end.
pub(crate) fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Everything up to a reset.
pub(crate) fn rest_until_reset(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes).map(|_| "a clean end").map_err(|error| error.kind());
    assert_eq!(end, Err(ErrorKind::ConnectionReset), "after {} bytes", bytes.len());
    bytes
}

/// What must come next is a clean end.
pub(crate) fn expect_end(stream: &mut TcpStream) {
    assert_eq!(rest(stream), b"");
}

/// What is said on one end is heard on the other, both ways.
pub(crate) fn assert_connected(one: &mut TcpStream, other: &mut TcpStream) {
    say(one, b"ping");
    expect(other, b"ping");
    say(other, b"pong");
    expect(one, b"pong");
}

/// What is said comes back.
pub(crate) fn assert_echoed(stream: &mut TcpStream, bytes: &[u8]) {
    say(stream, bytes);
    expect(stream, bytes);
}

/// What must come next is a reset.
pub(crate) fn expect_reset(stream: &mut TcpStream) {
    assert_eq!(rest_until_reset(stream), b"");
}

/// Closes with a reset.
pub(crate) fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

/// Bytes sent that the next kernel on the way does not have yet.
pub(crate) fn unsent_bytes(stream: &TcpStream) -> usize {
    mio::net::TcpStream::from_std(stream.try_clone().unwrap()).unsent_bytes().unwrap()
}

/// Waits until the next kernel on the way has everything.
pub(crate) fn wait_until_sent(stream: &TcpStream) {
    wait_until("everything to be sent", || unsent_bytes(stream) == 0);
}

/// An endless stream of bytes in which every place looks different: to be sent, or to be compared with what comes.
pub(crate) struct Pattern {
    period: Vec<u8>,
    position: usize,
}

impl Pattern {
    /// The stream with this number, from its start.
    pub(crate) fn new(number: u64) -> Pattern {
        // A prime: no buffer size divides it, so a piece in the wrong place cannot look right.
        let mut period = vec![0; 1_048_583];
        fastrand::Rng::with_seed(number).fill(&mut period);
        Pattern { period, position: 0 }
    }

    /// Bytes sent, or compared, so far.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    fn next(&self, at_most_bytes: usize) -> &[u8] {
        let start = self.position % self.period.len();
        let end = self.period.len().min(start.saturating_add(at_most_bytes));
        &self.period[start..end]
    }

    /// Sends on until so many bytes have been sent in all.
    pub(crate) fn send_up_to(&mut self, total_bytes: usize, stream: &mut TcpStream) {
        while self.position < total_bytes {
            self.position += stream.write(self.next(total_bytes - self.position)).unwrap();
        }
    }

    /// Sends on until there is no more room, nor any for a while.
    pub(crate) fn send_until_blocked(&mut self, stream: &mut TcpStream) {
        stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
        loop {
            match stream.write(self.next(1 << 16)) {
                Ok(count) => self.position += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
    }

    /// Receives until a clean end, in steps of this size.
    pub(crate) fn receive_rest(&mut self, step_bytes: usize, stream: &mut TcpStream) {
        let mut bytes = vec![0; step_bytes];
        loop {
            match stream.read(&mut bytes).unwrap() {
                0 => return,
                count => self.compare(&bytes[..count]),
            }
        }
    }

    /// These bytes must come next.
    pub(crate) fn compare(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let expected = self.next(bytes.len());
            assert!(bytes.starts_with(expected), "wrong bytes after {}", self.position);
            let count = expected.len();
            self.position += count;
            bytes = &bytes[count..];
        }
    }
}
