//! Clients that are connected, have asked once, and then do nothing.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::client;

/// Addresses that connections come from, in turn: each has ports of its own to connect from.
const SOURCES: usize = 64;
/// How long a connect, or an answer, may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// A longer answer is not the one to a small request.
const ANSWER_BYTES_MAX: usize = 4096;

/// Connections that stay open until they are dropped.
pub struct Crowd(Vec<TcpStream>);

impl Crowd {
    /// Opens `count` connections. When all are there, each sends one small HTTP request and gets its answer, which must end
    /// with `body`: so many at once, and the next ones when those have theirs.
    ///
    /// # Errors
    /// One of them could not connect, or did not get its answer.
    pub fn gather(server: SocketAddr, count: usize, at_once: usize, body: &str) -> Result<Crowd, String> {
        let failed = |number: usize, error: io::Error| {
            format!("connection {} of {count} that shall stay idle: {error}", number + 1)
        };
        let connect = |number: usize| connect(server, source(number)).map_err(|error| failed(number, error));
        let mut crowd = Crowd((0..count).map(connect).collect::<Result<_, _>>()?);
        let request = format!("GET / HTTP/1.1\r\nHost: {server}\r\n\r\n");
        for (batch, streams) in crowd.0.chunks_mut(at_once.max(1)).enumerate() {
            let first = batch * at_once.max(1);
            for (index, stream) in streams.iter_mut().enumerate() {
                stream.write_all(request.as_bytes()).map_err(|error| failed(first + index, error))?;
            }
            for (index, stream) in streams.iter_mut().enumerate() {
                expect_answer(stream, body).map_err(|error| failed(first + index, error))?;
            }
        }
        Ok(crowd)
    }

    /// How many connections have been closed by the other side meanwhile.
    pub fn lost(&self) -> usize {
        let is_lost = |stream: &&TcpStream| {
            let idle = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0]));
            !idle.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
        };
        self.0.iter().filter(is_lost).count()
    }
}

fn source(number: usize) -> IpAddr {
    Ipv4Addr::new(127, 0, 1, 1 + (number % SOURCES) as u8).into()
}

fn connect(server: SocketAddr, source: IpAddr) -> io::Result<TcpStream> {
    let socket = client::socket(server, Some(source))?;
    socket.connect_timeout(&server.into(), PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket.into())
}

fn expect_answer(stream: &mut TcpStream, body: &str) -> io::Result<()> {
    let mut answer = Vec::new();
    let mut space = [0; ANSWER_BYTES_MAX];
    while !answer.ends_with(body.as_bytes()) {
        let count = stream.read(&mut space).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => io::Error::other(format!("no answer for {} s", PATIENCE.as_secs())),
            _ => error,
        })?;
        answer.extend_from_slice(&space[..count]);
        if count == 0 || answer.len() > ANSWER_BYTES_MAX {
            let text = String::from_utf8_lossy(&answer);
            let start: String = text.chars().take(100).collect();
            return Err(io::Error::other(format!("not the answer it should get: {start:?}")));
        }
    }
    Ok(())
}
