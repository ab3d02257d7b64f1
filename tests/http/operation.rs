//! Stopping, and losing a backend, under load.

use std::io::{Read, Write};

use rustix::process::Signal;

use crate::access::without_lines;
use crate::crowd::{self, Crowd, ENDLESS, Plan, Tally};
use crate::origin::{Answer, Origin};
use crate::support::{HTTP_BACKEND, Program, Proxy, Scripted, expect_end, reset, wait_until};
use crate::wire::Wire;

fn echo() -> Origin {
    Origin::new(|request| Answer::text(&request.target()[1..]))
}

fn assert_flawless(tally: &Tally) {
    assert_eq!(tally.errors, [""; 0]);
    assert_eq!(tally.answers.keys().collect::<Vec<_>>(), [&200], "{:?}", tally.answers);
}

#[test]
fn a_stop_under_load_harms_nobody() {
    for workers in [1, 2, 4] {
        let [one, two] = [echo(), echo()];
        let mut proxy = without_lines(&[one.address, two.address], &format!("--workers {workers}"));
        let crowd = Crowd::start(proxy.address(), ENDLESS);
        wait_until("the crowd to be busy", || crowd.answered() > 2_000 && crowd.is_complete());
        proxy.signal(Signal::TERM);
        assert_eq!(proxy.exit_code(), Some(0));
        let tally = crowd.tally();
        assert_flawless(&tally);
        assert!(tally.refused > 0, "it went on: {tally:?}");
        // Clients that were told to leave found nothing to go to: no listener closed under a connection they had made.
        assert_eq!((tally.lost, tally.connected), (0, crowd::CLIENTS as u64));
        proxy.stderr.wait_for_text("64 connections served, 0 cut short");
    }
}

#[test]
fn a_stop_closes_what_is_idle_and_finishes_what_is_not() {
    let server = Scripted::new();
    let mut proxy = Proxy::before(&[server.address], "--mode http");
    let mut idle = Wire::new(proxy.connect());
    idle.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut serving = Wire::new(server.accept());
    serving.try_request().unwrap().unwrap();
    serving.say("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(idle.response().field("connection"), None);
    let mut busy = Wire::new(proxy.connect());
    busy.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf");
    let mut head = serving.try_request_head().unwrap().unwrap();
    proxy.signal(Signal::TERM);
    expect_end(&mut idle.stream);
    busy.say("half");
    serving.body(&mut head, false).unwrap();
    assert_eq!(head.body, b"halfhalf");
    serving.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
    let answer = busy.response();
    assert_eq!((answer.text(), answer.field("connection")), ("done", Some("close")));
    expect_end(&mut busy.stream);
    drop((idle, busy));
    assert_eq!(proxy.exit_code(), Some(0));
}

/// The bundled backend does not know numbers: its answers are not looked at here.
fn unread(_: u64) -> String {
    crowd::get(0)
}

#[test]
fn a_backend_that_is_killed_under_load_costs_each_client_one_request_at_most() {
    let names = ["--name one", "--name two", "--name six"];
    let [(one, first), (_two, second), (_six, third)] =
        names.map(|name| Program::backend(HTTP_BACKEND, name));
    let proxy = without_lines(&[first, second, third], "");
    let crowd = Crowd::start(proxy.address(), Plan { request: unread, ..ENDLESS });
    wait_until("the crowd to be busy", || crowd.answered() > 2_000);
    drop(one);
    let before = crowd.answered();
    wait_until("the crowd to go on", || crowd.answered() > before + 2_000);
    crowd.stop();
    let tally = crowd.tally();
    assert!(tally.answers.keys().all(|status| [200, 502, 503].contains(status)), "{:?}", tally.answers);
    assert_eq!((&tally.errors, tally.lost, tally.refused), (&Vec::new(), 0, 0));
    assert!(tally.unserved.len() <= crowd::CLIENTS, "{:?}", tally.answers);
    let after = Crowd::start(proxy.address(), Plan { request: unread, requests: 5_000, time: None }).tally();
    assert_eq!(after.answers.keys().collect::<Vec<_>>(), [&200], "{:?}", after.answers);
}

/// One request by a client that may vanish at any byte of it, or of the answer.
fn vanish(proxy: &Proxy, rng: &mut fastrand::Rng) {
    let body = "x".repeat(rng.usize(..100_000));
    let request = match rng.u8(..3) {
        0 => "GET /0 HTTP/1.1\r\nHost: a\r\n\r\n".repeat(rng.usize(1..5)),
        1 => format!("POST /0 HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
        _ => {
            let head = "POST /0 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
            // Every second time, the chunk is not as long as it says.
            format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len() + rng.usize(..2))
        }
    };
    let mut stream = proxy.connect();
    let sent = rng.usize(..=request.len());
    // A request that is refused may be so before all of it is sent.
    let _ = stream.write_all(&request.as_bytes()[..sent]);
    if rng.bool() && sent == request.len() {
        let _ = stream.read(&mut vec![0; rng.usize(1..200)]);
    }
    if rng.bool() {
        reset(stream);
    }
}

#[test]
fn clients_that_vanish_at_any_moment_leave_nothing_behind_and_harm_nobody() {
    let [one, two] = [echo(), echo()];
    let proxy = without_lines(&[one.address, two.address], "--workers 2 --max-idle 4");
    let at_rest = proxy.fds();
    let crowd = Crowd::start(proxy.address(), ENDLESS);
    std::thread::scope(|scope| {
        for seed in 0..8 {
            let proxy = &proxy;
            scope.spawn(move || {
                let mut rng = fastrand::Rng::with_seed(seed);
                (0..500).for_each(|_| vanish(proxy, &mut rng));
            });
        }
    });
    crowd.stop();
    let tally = crowd.tally();
    assert_flawless(&tally);
    assert_eq!((tally.lost, tally.closed, tally.refused), (0, 0, 0));
    // What waits for reuse may stay: four connections to each of two backends, in each of two workers.
    wait_until("the proxy to be at rest", || proxy.fds() <= at_rest + 16);
    assert!(!proxy.stderr.so_far().iter().any(|line| line.contains("panicked")));
}
