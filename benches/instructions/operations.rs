//! What is counted.

use std::fmt::{self, Write};
use std::hint::black_box;
use std::net::IpAddr;

use lbproxy::balance::{Tried, policy};
use lbproxy::http::Framing;
use lbproxy::net::os;

use super::memory::{Peer, Rig, balancer, configuration};
use super::messages::{self, LONG_REQUEST, LONG_RESPONSE, SHORT_REQUEST, SHORT_RESPONSE};

/// What a TCP client and its backend send each other.
const MESSAGE: &[u8] = &[7; 100];
/// A choice is made among so many.
const BACKENDS: u16 = 10;

/// One round of an operation, in a state that many rounds have left.
pub type Round = Box<dyn FnMut()>;

/// Something whose cost is known by its name.
pub struct Operation {
    pub name: String,
    prepare: Box<dyn FnOnce() -> Round + Send>,
}

impl Operation {
    /// Sets up what it needs.
    pub fn prepare(self) -> Round {
        (self.prepare)()
    }
}

/// All of them, in the order in which they are shown.
pub fn all() -> Vec<Operation> {
    let mut all = vec![
        operation("request_head_6_fields", || head(SHORT_REQUEST, messages::forward_request)),
        operation("request_head_20_fields", || head(LONG_REQUEST, messages::forward_request)),
        operation("response_head_6_fields", || head(SHORT_RESPONSE, messages::forward_response)),
        operation("response_head_20_fields", || head(LONG_RESPONSE, messages::forward_response)),
        operation("chunked_body", chunked_body),
        operation("http_exchange", || exchange("http", SHORT_REQUEST, SHORT_RESPONSE)),
        operation("http_exchange_logged", logged_exchange),
        operation("tcp_round_trip", || exchange("tcp", MESSAGE, MESSAGE)),
        operation("http_connection", http_connection),
        operation("tcp_connection", || connection("tcp", MESSAGE, Peer::LastWords(MESSAGE))),
    ];
    all.extend(policy::names().map(|name| operation(&format!("pick_{name}"), move || pick(name))));
    all
}

fn operation(name: &str, prepare: impl FnOnce() -> Round + Send + 'static) -> Operation {
    Operation { name: name.to_owned(), prepare: Box::new(prepare) }
}

/// A head is parsed, and the one for the other side written.
fn head(head: &'static [u8], forward: fn(&[u8], &mut Vec<u8>)) -> Round {
    let mut out = Vec::new();
    Box::new(move || forward(black_box(head), &mut out))
}

/// Eight chunks of 512 bytes, in one piece.
fn chunked_body() -> Round {
    let mut body = messages::chunked(8, 512);
    Box::new(move || messages::pass_body(Framing::Chunked, black_box(&mut body)))
}

/// A message each way on connections that exist.
fn exchange(mode: &str, request: &'static [u8], response: &'static [u8]) -> Round {
    let mut rig = Rig::new(mode, Peer::Client(request), Peer::Backend(response));
    rig.connect();
    Box::new(move || {
        let before = rig.world.heard_bytes();
        rig.ask();
        assert!(rig.world.heard_bytes() > before, "no answer");
    })
}

/// The same, and a line for the access log, which nobody keeps.
fn logged_exchange() -> Round {
    log::set_logger(&Forgetful).expect("no other logger");
    log::set_max_level(log::LevelFilter::Info);
    exchange("http", SHORT_REQUEST, SHORT_RESPONSE)
}

/// A client's whole life: accepted, connected to a backend, a message each way, both ends, closed.
fn connection(mode: &str, request: &'static [u8], backend: Peer) -> Round {
    let mut rig = Rig::new(mode, Peer::Client(request), backend);
    Box::new(move || {
        let before = rig.world.heard_bytes();
        rig.connect();
        assert!(rig.proxy.open_sessions() == 0 && rig.world.heard_bytes() > before, "no life");
    })
}

/// A client that wants one answer, which comes over a connection that waited for it.
fn http_connection() -> Round {
    let request = String::from_utf8_lossy(SHORT_REQUEST).replace("keep-alive", "close");
    connection("http", request.into_bytes().leak(), Peer::Backend(SHORT_RESPONSE))
}

/// A backend is chosen, counted, and no longer counted; every time for another client.
fn pick(policy: &str) -> Round {
    let now = os::now();
    let mut balancer = balancer(&configuration("tcp", policy, BACKENDS), now);
    let mut client = 0_u32;
    Box::new(move || {
        client = client.wrapping_add(1);
        let lease = balancer.choose(IpAddr::from(client.to_be_bytes()), None, &Tried::default(), now);
        assert!(black_box(lease).is_some());
    })
}

/// Has lines put into words, and that is all.
struct Forgetful;

impl log::Log for Forgetful {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let _ = write!(Nowhere, "{}", record.args());
    }

    fn flush(&self) {}
}

struct Nowhere;

impl Write for Nowhere {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        black_box(text);
        Ok(())
    }
}
