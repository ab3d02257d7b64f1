//! Backends that the test plays itself: what a well-behaved program would never do can be had here only.

use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::{patient, wait_for};

/// Longer than any crowd in these tests: a connection that finds the queue full waits a second for its next try.
const LONG_QUEUE: i32 = 4096;

/// A socket bound to a free port, and its address.
fn bound() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

/// A backend whose side of every connection is played by the test.
pub(crate) struct Scripted {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Scripted {
    pub(crate) fn new() -> Scripted {
        Refusing::new().listen()
    }

    /// The next connection that the proxy opens.
    pub(crate) fn accept(&self) -> TcpStream {
        wait_for("a connection to the backend", || self.try_accept())
    }

    /// A connection that the proxy has opened already, if there is one.
    pub(crate) fn try_accept(&self) -> Option<TcpStream> {
        match self.listener.accept() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            accepted => Some(patient(accepted.unwrap().0)),
        }
    }
}

/// A backend that is down: its port refuses connections, and is nobody else's meanwhile.
pub(crate) struct Refusing {
    socket: Socket,
    pub(crate) address: SocketAddr,
}

impl Refusing {
    pub(crate) fn new() -> Refusing {
        let (socket, address) = bound();
        Refusing { socket, address }
    }

    /// It comes up.
    pub(crate) fn listen(self) -> Scripted {
        self.socket.listen(LONG_QUEUE).unwrap();
        self.socket.set_nonblocking(true).unwrap();
        Scripted { listener: self.socket.into(), address: self.address }
    }
}

/// A backend that never answers: its queue is full, so the kernel drops what asks for a connection.
pub(crate) struct Blackhole {
    _listener: Socket,
    _queued: Vec<TcpStream>,
    pub(crate) address: SocketAddr,
}

impl Blackhole {
    pub(crate) fn new() -> Blackhole {
        let (listener, address) = bound();
        listener.listen(0).unwrap();
        let mut queued = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            queued.push(stream);
        }
        Blackhole { _listener: listener, _queued: queued, address }
    }
}

/// A backend that does the same to every connection, each in a thread of its own, for as long as the tests run.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
}

impl Served {
    /// Connections so far.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

pub(crate) fn serve(handle: impl Fn(TcpStream) + Clone + Send + 'static) -> Served {
    let (socket, _) = bound();
    socket.listen(LONG_QUEUE).unwrap();
    serve_on(socket.into(), handle)
}

/// Listeners on one port of each of these addresses, as a name of several has them.
pub(crate) fn on_one_port<const N: usize>(addresses: [[u8; 4]; N]) -> [TcpListener; N] {
    wait_for("a port that is free everywhere", || {
        let first = TcpListener::bind(SocketAddr::from((addresses[0], 0))).ok()?;
        let port = first.local_addr().ok()?.port();
        let others =
            addresses[1..].iter().map(|address| TcpListener::bind(SocketAddr::from((*address, port))).ok());
        let all: Option<Vec<_>> = std::iter::once(Some(first)).chain(others).collect();
        all?.try_into().ok()
    })
}

/// The same as [`serve`], where these clients come in.
pub(crate) fn serve_on(listener: TcpListener, handle: impl Fn(TcpStream) + Clone + Send + 'static) -> Served {
    let address = listener.local_addr().unwrap();
    let accepted = Arc::new(AtomicUsize::new(0));
    let counter = accepted.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            counter.fetch_add(1, Ordering::SeqCst);
            let handle = handle.clone();
            std::thread::spawn(move || handle(stream));
        }
    });
    Served { address, accepted }
}

/// A backend that says its name, a letter, and stays until the client leaves.
pub(crate) fn greeter(name: char) -> Served {
    serve(greet(name))
}

/// The same, where these clients come in.
pub(crate) fn greeter_on(listener: TcpListener, name: char) -> Served {
    serve_on(listener, greet(name))
}

fn greet(name: char) -> impl Fn(TcpStream) + Clone + Send + 'static {
    move |mut stream| {
        // A client may be gone before it is greeted, and need not leave politely.
        if stream.write_all(&[name as u8]).is_ok() {
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    }
}
