//! Backends hang up on idle connections whenever they like. Clients must not notice.
//!
//! `HTTP_REQUESTS=1000000 cargo test --release --test http stale -- --nocapture` for as many as that.

use std::collections::HashMap;
use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::access::without_lines;
use crate::crowd::{self, Crowd, Plan, Tally};
use crate::support::{Served, serve};
use crate::wire::Wire;

/// What such backends have seen.
#[derive(Default)]
struct Seen {
    /// How often each request arrived whole, by its number.
    arrivals: Mutex<HashMap<u64, u32>>,
    /// Connections closed on purpose: right after an answer, after a moment of idling, and with a request read.
    closed: [AtomicU64; 3],
    /// What came that was no request.
    faults: Mutex<Vec<String>>,
}

impl Seen {
    fn note_closed(&self, how: usize) {
        self.closed[how].fetch_add(1, Ordering::Relaxed);
    }
}

/// A backend that answers the first request of every connection. Later it may hang up at any moment between two
/// requests, or when it has read one.
fn fickle(seen: Arc<Seen>) -> Served {
    serve(move |stream| {
        let (mut wire, mut rng) = (Wire::new(stream), fastrand::Rng::new());
        for served in 0_u64.. {
            let mood = if served == 0 { u8::MAX } else { rng.u8(..100) };
            if mood < 4 {
                return seen.note_closed(0);
            }
            if (20..40).contains(&mood) && !wire.hears_within(Duration::from_micros(rng.u64(1..800))) {
                return seen.note_closed(1);
            }
            let request = match wire.try_request() {
                Ok(Some(request)) => request,
                Err(error) if error.kind() == ErrorKind::InvalidData => {
                    return seen.faults.lock().unwrap().push(error.to_string());
                }
                Ok(None) | Err(_) => return,
            };
            let number = request.target()[1..].parse().unwrap();
            *seen.arrivals.lock().unwrap().entry(number).or_default() += 1;
            if mood == 4 {
                return seen.note_closed(2);
            }
            let text = number.to_string();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
            if wire.stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    })
}

/// So many requests, or as many as there is time for.
fn plan(request: fn(u64) -> String) -> Plan {
    match std::env::var("HTTP_REQUESTS") {
        Ok(count) => Plan { request, requests: count.parse().expect("a number"), time: None },
        Err(_) => Plan { request, requests: 100_000, time: Some(Duration::from_secs(8)) },
    }
}

fn run(request: fn(u64) -> String, arguments: &str) -> (Tally, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let backends: Vec<Served> = (0..4).map(|_| fickle(seen.clone())).collect();
    let addresses: Vec<_> = backends.iter().map(|backend| backend.address).collect();
    let proxy = without_lines(&addresses, arguments);
    let tally = Crowd::start(proxy.address(), plan(request)).tally();
    let arrivals = seen.arrivals.lock().unwrap();
    let twice = arrivals.values().filter(|count| **count > 1).count();
    println!(
        "{:?} answered, {} errors, {} connections of clients closed; backends closed {:?} connections after an \
         answer, while idle and with a request read; {twice} requests arrived more than once",
        tally.answers,
        tally.errors.len(),
        tally.closed,
        seen.closed,
    );
    drop(arrivals);
    assert_eq!(*seen.faults.lock().unwrap(), [""; 0]);
    assert!(seen.closed.iter().all(|count| count.load(Ordering::Relaxed) > 0));
    (tally, seen)
}

#[test]
fn a_get_never_fails_because_a_backend_hung_up() {
    let (tally, seen) = run(crowd::get, "");
    assert_eq!((&tally.errors, tally.lost, tally.closed, tally.refused), (&Vec::new(), 0, 0, 0));
    assert_eq!(tally.answers.keys().collect::<Vec<_>>(), [&200], "{:?}", tally.answers);
    let arrivals = seen.arrivals.lock().unwrap();
    assert!(arrivals.values().any(|count| *count > 1), "nothing was ever sent again");
    assert_eq!(arrivals.len() as u64, tally.served());
}

fn post(number: u64) -> String {
    let body = "x".repeat(number as usize % 1000);
    format!("POST /{number} HTTP/1.1\r\nHost: crowd\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn a_post_never_arrives_twice() {
    let (tally, seen) = run(post, "--workers 2");
    assert_eq!((&tally.errors, tally.lost, tally.closed, tally.refused), (&Vec::new(), 0, 0, 0));
    let arrivals = seen.arrivals.lock().unwrap();
    let twice: Vec<_> = arrivals.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    assert!(tally.answers.keys().all(|status| [200, 502].contains(status)), "{:?}", tally.answers);
    // Most come to their end all the same.
    assert!(tally.served() > 9 * tally.unserved.len() as u64, "{:?}", tally.answers);
    let unanswered = seen.closed[2].load(Ordering::Relaxed);
    assert_eq!(arrivals.len() as u64, tally.served() + unanswered);
}
