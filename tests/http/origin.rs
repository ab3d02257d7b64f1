//! Backends that say exactly what a test wants said.

use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::support::{Served, on_one_port, serve_on};
use crate::wire::{Message, Wire};

/// What a request is answered with.
pub(crate) struct Answer {
    bytes: Vec<u8>,
    closes: bool,
}

impl Answer {
    /// These bytes, and further requests are welcome.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Answer {
        Answer { bytes: bytes.into(), closes: false }
    }

    /// A plain 200 with this body.
    pub(crate) fn text(body: impl AsRef<[u8]>) -> Answer {
        Answer::of("text/plain", body)
    }

    pub(crate) fn of(media_type: &str, body: impl AsRef<[u8]>) -> Answer {
        let body = body.as_ref();
        let length = body.len();
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n\r\n");
        Answer::raw([head.as_bytes(), body].concat())
    }

    /// The connection is closed after it, whatever it says of that.
    pub(crate) fn then_close(self) -> Answer {
        Answer { closes: true, ..self }
    }
}

/// A backend that reads requests strictly, remembers the first of them and answers all as it is told.
pub(crate) struct Origin {
    served: Served,
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Message>>>,
    count: Arc<AtomicUsize>,
    /// What came that was no request.
    faults: Arc<Mutex<Vec<String>>>,
}

impl Drop for Origin {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(*self.faults.lock().unwrap(), [""; 0], "the proxy sent what is no request");
        }
    }
}

/// Requests that are remembered.
const MEMORY: usize = 200;

impl Origin {
    pub(crate) fn new(answer: impl Fn(&Message) -> Answer + Clone + Send + 'static) -> Origin {
        let [listener] = on_one_port([[127, 0, 0, 1]]);
        Origin::on(listener, answer)
    }

    /// The same, where these clients come in.
    pub(crate) fn on(
        listener: TcpListener,
        answer: impl Fn(&Message) -> Answer + Clone + Send + 'static,
    ) -> Origin {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let count = Arc::new(AtomicUsize::new(0));
        let (seen, counted) = (requests.clone(), count.clone());
        let faults = Arc::new(Mutex::new(Vec::new()));
        let found = faults.clone();
        let served = serve_on(listener, move |stream| {
            let mut wire = Wire::new(stream);
            loop {
                let request = match wire.try_request() {
                    Ok(Some(request)) => request,
                    Err(error) if error.kind() == ErrorKind::InvalidData => {
                        return found.lock().unwrap().push(error.to_string());
                    }
                    // A proxy whose client has left may leave too, wherever it is.
                    Ok(None) | Err(_) => return,
                };
                let answer = answer(&request);
                if counted.fetch_add(1, Ordering::SeqCst) < MEMORY {
                    seen.lock().unwrap().push(request);
                }
                if wire.stream.write_all(&answer.bytes).is_err() || answer.closes {
                    return;
                }
            }
        });
        Origin { address: served.address, served, requests, count, faults }
    }

    /// One that answers with its name.
    pub(crate) fn named(name: &'static str) -> Origin {
        Origin::new(move |_| Answer::text(name))
    }

    /// The requests so far, if there were few.
    pub(crate) fn requests(&self) -> Vec<Message> {
        self.requests.lock().unwrap().clone()
    }

    /// The only request so far.
    pub(crate) fn request(&self) -> Message {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }

    /// How many requests there were.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Connections so far.
    pub(crate) fn accepted(&self) -> usize {
        self.served.accepted()
    }
}
