//! Many clients on persistent connections, who read every answer strictly.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lbproxy::net::os::now;

use crate::wire::{Message, Wire};

pub(crate) const CLIENTS: usize = 64;

/// What to ask for, and when that is enough.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// The bytes of the request with this number.
    pub(crate) request: fn(u64) -> String,
    pub(crate) requests: u64,
    pub(crate) time: Option<Duration>,
}

/// GETs without end: for crowds that are told when to stop.
pub(crate) const ENDLESS: Plan = Plan { request: get, requests: u64::MAX, time: None };

pub(crate) fn get(number: u64) -> String {
    format!("GET /{number} HTTP/1.1\r\nHost: crowd\r\n\r\n")
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Whole answers by status.
    pub(crate) answers: BTreeMap<u16, u64>,
    /// The numbers of those that were not answered with 200.
    pub(crate) unserved: Vec<u64>,
    /// Answers that were neither the request's number nor a bundled backend's greeting, or broke off.
    pub(crate) errors: Vec<String>,
    /// Connections that ended where another answer was awaited: the request went out again on a new one.
    pub(crate) closed: u64,
    /// Connections made, and not made.
    pub(crate) connected: u64,
    pub(crate) refused: u64,
    /// New connections that ended without a byte of an answer.
    pub(crate) lost: u64,
}

impl Tally {
    pub(crate) fn served(&self) -> u64 {
        self.answers.get(&200).copied().unwrap_or(0)
    }

    fn add(&mut self, other: Tally) {
        other.answers.iter().for_each(|(status, count)| *self.answers.entry(*status).or_default() += count);
        self.unserved.extend(other.unserved);
        self.errors.extend(other.errors);
        self.closed += other.closed;
        self.connected += other.connected;
        self.refused += other.refused;
        self.lost += other.lost;
    }
}

/// The clients at work.
pub(crate) struct Crowd {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

struct Shared {
    address: SocketAddr,
    plan: Plan,
    until: Option<Instant>,
    next: AtomicU64,
    answered: AtomicU64,
    connected: AtomicU64,
    stopped: AtomicBool,
    tally: Mutex<Tally>,
}

impl Crowd {
    pub(crate) fn start(address: SocketAddr, plan: Plan) -> Crowd {
        let shared = Arc::new(Shared {
            address,
            plan,
            until: plan.time.map(|time| now() + time),
            next: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            connected: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            tally: Mutex::default(),
        });
        let clients = (0..CLIENTS).map(|_| {
            let shared = shared.clone();
            std::thread::spawn(move || {
                let tally = shared.ask();
                shared.tally.lock().unwrap().add(tally);
            })
        });
        Crowd { clients: clients.collect(), shared }
    }

    /// Whole answers so far.
    pub(crate) fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::Relaxed)
    }

    /// Whether every client has made a connection.
    pub(crate) fn is_complete(&self) -> bool {
        self.shared.connected.load(Ordering::Relaxed) >= CLIENTS as u64
    }

    /// No further requests.
    pub(crate) fn stop(&self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
    }

    /// Waits until all have what they wanted.
    pub(crate) fn tally(self) -> Tally {
        self.clients.into_iter().for_each(|client| client.join().unwrap());
        std::mem::take(&mut self.shared.tally.lock().unwrap())
    }
}

/// How a request went.
enum Outcome {
    Answered(Message),
    /// The connection had ended, or ended, without a byte.
    Closed,
    Broken(String),
}

impl Shared {
    /// One client, from its first request to its last.
    fn ask(&self) -> Tally {
        let (mut tally, mut connection) = (Tally::default(), None::<Wire>);
        'requests: while let Some(number) = self.number() {
            let request = (self.plan.request)(number);
            loop {
                let reused = connection.is_some();
                let Some(mut wire) = connection.take().or_else(|| self.connect(&mut tally)) else {
                    break 'requests;
                };
                match exchange(&mut wire, &request) {
                    Outcome::Answered(answer) => {
                        tally.note(number, &answer);
                        self.answered.fetch_add(1, Ordering::Relaxed);
                        connection = (!answer.is_last()).then_some(wire);
                        break;
                    }
                    Outcome::Closed if reused => tally.closed += 1,
                    Outcome::Closed => {
                        tally.lost += 1;
                        break 'requests;
                    }
                    Outcome::Broken(how) => {
                        tally.errors.push(format!("{number}: {how}"));
                        break;
                    }
                }
            }
        }
        tally
    }

    fn number(&self) -> Option<u64> {
        let is_late = self.until.is_some_and(|until| now() >= until);
        if is_late || self.stopped.load(Ordering::Relaxed) {
            return None;
        }
        Some(self.next.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < self.plan.requests)
    }

    fn connect(&self, tally: &mut Tally) -> Option<Wire> {
        let stream = TcpStream::connect(self.address).ok();
        self.connected.fetch_add(u64::from(stream.is_some()), Ordering::Relaxed);
        *if stream.is_some() { &mut tally.connected } else { &mut tally.refused } += 1;
        stream.map(Wire::new)
    }
}

impl Tally {
    fn note(&mut self, number: u64, answer: &Message) {
        *self.answers.entry(answer.status()).or_default() += 1;
        if answer.status() != 200 {
            self.unserved.push(number);
        } else if answer.text() != number.to_string() && !answer.text().starts_with("Hello, world!") {
            self.errors.push(format!("{number}: answered with {:?}", answer.text()));
        }
    }
}

fn exchange(wire: &mut Wire, request: &str) -> Outcome {
    // A write that fails leaves an end to be read, or an answer that came before.
    let _ = wire.stream.write_all(request.as_bytes());
    match wire.try_response(false) {
        Ok(Some(answer)) => Outcome::Answered(answer),
        Ok(None) => Outcome::Closed,
        Err(error) if !wire.has_received() && error.kind() != std::io::ErrorKind::WouldBlock => {
            Outcome::Closed
        }
        Err(error) => Outcome::Broken(error.to_string()),
    }
}
