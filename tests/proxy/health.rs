//! Checks of backends, and what follows from them for connections.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use rustix::process::Signal;

use crate::support::{
    ECHO_BACKEND, Program, Proxy, Refusing, Served, assert_echoed, expect_reset, letter, say, serve,
    wait_until,
};

/// A backend that answers checks as it feels, and says its name to whoever says anything else.
struct Moody {
    served: Served,
    well: Arc<AtomicBool>,
    checks: Arc<AtomicUsize>,
}

impl Moody {
    fn new(name: char) -> Moody {
        let (well, checks) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
        let (feels, counted) = (well.clone(), checks.clone());
        let served = serve(move |mut stream| {
            let mut first = [0];
            while stream.read(&mut first).is_ok_and(|count| count == 1) {
                if first == *b"G" {
                    counted.fetch_add(1, SeqCst);
                    let status = if feels.load(SeqCst) { "204 Well" } else { "503 Ill" };
                    let _ = stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes());
                    return;
                }
                let _ = stream.write_all(&[name as u8]);
            }
        });
        Moody { served, well, checks }
    }

    fn feels(&self, well: bool) {
        self.well.store(well, SeqCst);
    }

    fn wait_for_checks(&self, count: usize) {
        let enough = self.checks.load(SeqCst) + count;
        wait_until("checks", || self.checks.load(SeqCst) >= enough);
    }
}

const OFTEN: &str = "interval_ms = 20\ndown_interval_ms = 20\nslow_start_ms = 0\n";

/// A proxy with HTTP checks in front of these.
fn before(backends: &[&Moody], workers: usize, health: &str) -> Proxy {
    let list: String =
        backends.iter().map(|backend| format!("{{ address = '{}' }},", backend.served.address)).collect();
    Proxy::configured(
        &format!(
            "workers = {workers}\n[[frontend]]\nlisten = ['127.0.0.1:0']\n[pool.p]\nbackends = [{list}]\n\
             [pool.p.health]\ncheck = 'http'\n{OFTEN}{health}"
        ),
        1,
    )
}

/// Who serves a client that comes now; the connection goes on.
fn ask(stream: &mut TcpStream) -> char {
    say(stream, b"?");
    letter(stream)
}

#[test]
fn a_backend_that_fails_its_checks_gets_no_more_clients_and_is_back_when_it_is_well() {
    let (a, b) = (Moody::new('a'), Moody::new('b'));
    let proxy = before(&[&a, &b], 2, "");
    a.wait_for_checks(1);
    let asked = |count: usize| (0..count).map(|_| ask(&mut proxy.connect())).collect::<String>();
    let met = asked(20);
    assert!(met.contains('a') && met.contains('b'), "{met}");
    a.feels(false);
    proxy.stderr.wait_for_text("is down: it answers / with status 503");
    assert_eq!(asked(20), "b".repeat(20));
    a.feels(true);
    proxy.stderr.wait_for_text("is up again");
    let met = asked(20);
    assert!(met.contains('a') && met.contains('b'), "{met}");
}

#[test]
fn it_takes_as_many_failures_in_a_row_as_fall_says() {
    let a = Moody::new('a');
    let proxy = before(&[&a], 1, "fall = 1000\n");
    a.wait_for_checks(2);
    a.feels(false);
    a.wait_for_checks(20);
    assert!(!proxy.stderr.so_far().iter().any(|line| line.contains("is down")), "not yet");
}

#[test]
fn the_first_check_decides_alone_and_asks_for_what_it_is_told() {
    let a = Moody::new('a');
    a.feels(false);
    let proxy = before(&[&a], 1, "fall = 1000\npath = '/status?x=1'\nstatus = '204'\n");
    proxy.stderr.wait_for_text("is down: it answers /status?x=1 with status 503");
}

#[test]
fn connections_to_a_backend_that_goes_down_are_left_or_closed_as_the_pool_says() {
    for (word, left) in [("leave", true), ("close", false)] {
        let (a, b) = (Moody::new('a'), Moody::new('b'));
        let proxy = before(&[&a, &b], 2, &format!("on_down = '{word}'\n"));
        let mut clients: Vec<_> = (0..20).map(|_| proxy.connect()).collect();
        let met: Vec<char> = clients.iter_mut().map(ask).collect();
        assert!(met.contains(&'a') && met.contains(&'b'), "{met:?}");
        a.feels(false);
        proxy.stderr.wait_for_text("is down");
        for (met, client) in met.into_iter().zip(&mut clients) {
            if left || met == 'b' {
                assert_eq!(ask(client), met);
            } else {
                expect_reset(client);
            }
        }
        if !left {
            for line in proxy.access_lines(1) {
                assert_eq!(line.end(), "proxy backend_down");
            }
        }
    }
}

#[test]
fn with_all_down_clients_are_served_all_the_same_or_refused_as_the_pool_says() {
    for (word, served) in [("try", true), ("refuse", false)] {
        let a = Moody::new('a');
        a.feels(false);
        let proxy = before(&[&a], 1, &format!("on_all_down = '{word}'\n"));
        proxy.stderr.wait_for_text("is down");
        let mut client = proxy.connect();
        if served {
            assert_eq!(ask(&mut client), 'a');
        } else {
            expect_reset(&mut client);
            assert_eq!(proxy.access_line().end(), "proxy no_backend");
        }
    }
}

#[test]
fn a_tcp_check_finds_out_a_killed_backend_without_a_client() {
    let (one, first) = Program::backend(ECHO_BACKEND, "");
    let (_two, second) = Program::backend(ECHO_BACKEND, "");
    let proxy = Proxy::configured(
        &format!(
            "[[frontend]]\nlisten = ['127.0.0.1:0']\n[pool.p]\n\
             backends = [{{ address = '{first}' }}, {{ address = '{second}' }}]\n\
             [pool.p.health]\ncheck = 'tcp'\n{OFTEN}"
        ),
        1,
    );
    one.signal(Signal::KILL);
    proxy.stderr.wait_for_text(&format!("backend {first} of pool p is down: connect failed"));
    for _ in 0..10 {
        assert_echoed(&mut proxy.connect(), b"hello");
    }
    proxy.access_lines(10).iter().for_each(|line| assert_eq!(line.backend, second.to_string()));
}

#[test]
fn a_check_that_gets_no_answer_fails_after_its_timeout() {
    let silent = serve(|mut stream| _ = std::io::copy(&mut stream, &mut std::io::sink()));
    let proxy = Proxy::configured(
        &format!(
            "[[frontend]]\nlisten = ['127.0.0.1:0']\n[pool.p]\nbackends = [{{ address = '{}' }}]\n\
             [pool.p.health]\ncheck = 'http'\n{OFTEN}timeout_ms = 50",
            silent.address
        ),
        1,
    );
    proxy.stderr.wait_for_text("is down: no answer within 50 ms");
}

#[test]
fn the_flags_turn_checks_on() {
    let down = Refusing::new();
    let (_up, address) = Program::backend(ECHO_BACKEND, "");
    let proxy = Proxy::before(&[down.address, address], "--health-check tcp");
    proxy.stderr.wait_for_text(&format!("backend {} of pool default is down: connect failed", down.address));
    assert_echoed(&mut proxy.connect(), b"hello");
}

#[test]
fn a_backup_serves_when_the_others_are_down_and_no_longer() {
    let (a, b) = (Moody::new('a'), Moody::new('b'));
    let proxy = Proxy::configured(
        &format!(
            "[[frontend]]\nlisten = ['127.0.0.1:0']\n[pool.p]\n\
             backends = [{{ address = '{}' }}, {{ address = '{}', backup = true }}]\n\
             [pool.p.health]\ncheck = 'http'\n{OFTEN}",
            a.served.address, b.served.address
        ),
        1,
    );
    assert_eq!(ask(&mut proxy.connect()), 'a');
    a.feels(false);
    proxy.stderr.wait_for_text("is down");
    assert_eq!(ask(&mut proxy.connect()), 'b');
    a.feels(true);
    proxy.stderr.wait_for_text("is up again");
    assert_eq!(ask(&mut proxy.connect()), 'a');
}
