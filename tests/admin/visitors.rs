//! Who comes to the admin endpoint: the wrong ones, the slow ones, too many of them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;

use lbproxy::admin::VISITORS_MOST;
use lbproxy::view::Stats;
use socket2::{Domain, Socket, Type};

use crate::endpoint::Admin;
use crate::support::{Proxy, connect, greeter, letter, patient, wait_until};
use crate::wire::Wire;

fn open(arguments: &str) -> (crate::support::Served, Proxy, Admin) {
    let backend = greeter('a');
    let proxy =
        Proxy::start(&format!("--admin 127.0.0.1:0 {arguments} --backend {},name=a", backend.address));
    let admin = Admin::of(&proxy);
    (backend, proxy, admin)
}

#[test]
fn pages_of_other_origins_change_nothing() {
    let (_backend, _proxy, admin) = open("");
    let own = format!("http://{}", admin.0);
    let drain = "/backends/a/drain";
    for fields in [
        [("Origin", "http://evil.example"), ("X", "")],
        [("Origin", "null"), ("X", "")],
        [("Origin", "http://127.0.0.1:1"), ("X", "")],
        [("Sec-Fetch-Site", "cross-site"), ("X", "")],
        [("Sec-Fetch-Site", "same-site"), ("Origin", &own)],
    ] {
        let answer = admin.ask("POST", drain, &fields);
        assert_eq!(answer.status(), 403, "{fields:?}");
        assert!(answer.text().contains("other origins"), "{}", answer.text());
    }
    assert_eq!(admin.backend("a").state, "up");
    let answer = admin.ask("POST", drain, &[("Origin", &own), ("Sec-Fetch-Site", "same-origin")]);
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert_eq!(admin.backend("a").state, "drained");
}

#[test]
fn a_name_that_is_not_this_hosts_gets_nothing() {
    let (_backend, _proxy, admin) = open("");
    for host in ["evil.example", "evil.example:9901", "127.0.0.1.evil.example", "10.0.0.1"] {
        for target in ["/", "/stats", "/metrics", "/events"] {
            let answer = admin.ask("GET", target, &[("Host", host)]);
            assert_eq!(answer.status(), 421, "{host} {target}: {answer:?}");
        }
        assert_eq!(admin.ask("POST", "/backends/a/drain", &[("Host", host)]).status(), 421);
    }
    for host in ["localhost", "LOCALHOST:1", "127.0.0.1", "127.9.9.9:80", "[::1]:80"] {
        assert_eq!(admin.ask("GET", "/healthz", &[("Host", host)]).status(), 200, "{host}");
    }
}

#[test]
fn with_a_token_changes_need_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "open sesame\n").unwrap();
    let (_backend, _proxy, admin) = open(&format!("--admin-token-file {}", file.display()));
    let drain = "/backends/a/drain";
    let wrong =
        ["", "Bearer", "Bearer ", "Bearer open", "Bearer open sesam", "Bearer open sesamee", "open sesame"];
    for field in wrong {
        let answer = admin.ask("POST", drain, &[("Authorization", field)]);
        assert_eq!((answer.status(), answer.field("WWW-Authenticate")), (401, Some("Bearer")), "{field}");
    }
    assert_eq!(admin.post(drain).status(), 401);
    assert_eq!(admin.backend("a").state, "up", "to look is free");
    assert!(admin.stats().token_needed);
    assert_eq!(admin.ask("POST", drain, &[("Authorization", "Bearer open sesame")]).status(), 200);
    assert_eq!(admin.backend("a").state, "drained");
}

#[test]
fn open_to_others_there_are_no_changes_without_a_token() {
    let backend = greeter('a');
    let proxy = Proxy::start(&format!("--admin 0.0.0.0:0 --backend {},name=a", backend.address));
    proxy.stderr.wait_for_text("admin");
    let port = Admin::of(&proxy).0.port();
    let admin = Admin(([127, 0, 0, 1], port).into());
    let answer = admin.post("/backends/a/drain");
    assert_eq!(answer.status(), 403);
    assert!(answer.text().contains("token_file"), "{}", answer.text());
    assert_eq!(admin.get("/stats").status(), 200);
}

#[test]
fn what_is_malformed_or_too_large_is_refused() {
    let (_backend, proxy, admin) = open("");
    let long = "x".repeat(70_000);
    for (request, status) in [
        ("nonsense\r\n\r\n".to_owned(), 400),
        (admin.request("GET", "/healthz", &[("Host", "a"), ("Host", "b")]), 400),
        (admin.request("GET", &format!("/{long}"), &[]), 414),
        (admin.request("GET", "/", &[("X", &long)]), 431),
        (admin.request("POST", "/backends/a/weight", &[("Content-Length", "99999999")]), 413),
        (admin.request("POST", "/backends/a/weight", &[("Transfer-Encoding", "chunked")]), 411),
        (admin.request("DELETE", "/stats", &[]), 405),
        (admin.request("GET", "/backends/a/drain", &[]), 405),
        (admin.request("GET", "/nothing", &[]), 404),
        (admin.request("POST", "/nothing", &[]), 404),
        (admin.request("POST", "/backends/a/explode", &[]), 404),
        (admin.request("POST", "/backends/nobody/drain", &[]), 404),
        (admin.request("POST", "/backends/a/weight?value=-1", &[]), 400),
        (admin.request("POST", "/backends/a/weight?value=9999999", &[]), 400),
        (admin.request("GET", "/explain", &[]), 400),
        (admin.request("GET", "/explain?client=nobody", &[]), 400),
        (admin.request("GET", "/explain?client=10.0.0.1&frontend=none", &[]), 404),
        (admin.request("POST", "/reload", &[]), 409),
    ] {
        let mut wire = Wire::new(connect(admin.0));
        // All of it may not be wanted.
        let _ = wire.stream.write_all(request.as_bytes());
        let shown = &request[..request.len().min(60)];
        let answer = wire.response();
        assert_eq!(answer.status(), status, "{shown}: {answer:?}");
        assert!(answer.text().starts_with(&format!("{status} ")) || status == 405, "{}", answer.text());
    }
    assert_eq!(letter(&mut proxy.connect()), 'a');
}

#[test]
fn a_refusal_is_heard_by_who_is_still_talking() {
    let (_backend, _proxy, admin) = open("");
    for _ in 0..20 {
        let mut wire = Wire::new(connect(admin.0));
        wire.say(admin.request("POST", "/backends/a/weight", &[("Content-Length", "99999999")]));
        let mut talker = wire.stream.try_clone().unwrap();
        let talking = std::thread::spawn(move || (0..200).all(|_| talker.write_all(&[b'x'; 4096]).is_ok()));
        assert_eq!(wire.response().status(), 413);
        assert!(talking.join().unwrap(), "it was cut off in the middle of a word");
        crate::support::expect_end(&mut wire.stream);
    }
}

#[test]
fn requests_come_in_pieces_and_one_after_the_other() {
    let (_backend, _proxy, admin) = open("");
    let mut wire = Wire::new(connect(admin.0));
    for byte in admin.request("GET", "/healthz", &[]).bytes() {
        wire.say([byte]);
    }
    assert_eq!(wire.response().text(), "ok\n");
    // Two at once, and a body.
    let weight = admin.request("POST", "/backends/a/weight", &[("Content-Length", "2")]) + "17";
    wire.say(weight + &admin.request("GET", "/healthz", &[]));
    assert_eq!(wire.response().status(), 200);
    assert_eq!(wire.response().text(), "ok\n");
    assert_eq!(admin.backend("a").weight, 17);
    // A head is an answer without its content.
    wire.say(admin.request("HEAD", "/stats", &[]));
    let head = wire.try_response(true).unwrap().unwrap();
    assert!(head.field("Content-Length").unwrap().parse::<usize>().unwrap() > 100);
    assert_eq!(wire.get("/healthz").status(), 421, "the connection is where it should be");
}

#[test]
fn requests_that_come_before_the_last_answer_are_answered_too() {
    const COUNT: usize = 60;
    let (_backend, _proxy, admin) = open("");
    let mut wire = Wire::new(connect(admin.0));
    for number in 0..COUNT {
        let target = if number % 2 == 0 { "/healthz" } else { "/stats" };
        wire.say(admin.request("GET", target, &[]));
    }
    for number in 0..COUNT {
        let answer = wire.response();
        assert_eq!((answer.status(), answer.text() == "ok\n"), (200, number % 2 == 0), "{number}");
    }
}

#[test]
fn a_crowd_that_says_nothing_keeps_nobody_out() {
    let (_backend, proxy, admin) = open("");
    let mut crowd: Vec<TcpStream> = (0..500).map(|_| connect(admin.0)).collect();
    assert_eq!(admin.get("/healthz").status(), 200);
    assert_eq!(letter(&mut proxy.connect()), 'a');
    // Those who are half way through a request do not either.
    for stream in &mut crowd {
        let _ = stream.write_all(b"GET /stats HTTP/1.1\r\n");
    }
    let metrics = admin.metrics();
    assert!(metrics.value("open_fds") < 100.0 + VISITORS_MOST as f64, "{}", metrics.0);
    assert_eq!(letter(&mut proxy.connect()), 'a');
    for stream in crowd.iter_mut().take(500 - 2 * VISITORS_MOST) {
        assert!(!matches!(stream.read(&mut [0]), Ok(1..)), "those who came first had to go");
    }
}

#[test]
fn a_crowd_that_asks_and_does_not_listen_keeps_nobody_out() {
    let (_backend, proxy, admin) = open("");
    let crowd: Vec<TcpStream> = (0..500)
        .map(|_| {
            let mut stream = connect(admin.0);
            let _ = stream.write_all(admin.request("GET", "/metrics", &[]).repeat(20).as_bytes());
            stream
        })
        .collect();
    // Who is sent away because too much was asked comes again.
    wait_until("an answer", || {
        let mut stream = connect(admin.0);
        let said = stream.write_all(admin.request("GET", "/healthz", &[]).as_bytes());
        said.is_ok()
            && matches!(Wire::new(stream).try_response(false), Ok(Some(answer)) if answer.text() == "ok\n")
    });
    assert_eq!(letter(&mut proxy.connect()), 'a');
    drop(crowd);
    wait_until("them to have gone", || admin.stats().open_fds < 40);
}

/// The next event of a stream whose head has been taken.
fn event(wire: &mut Wire) -> Stats {
    loop {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            line.extend(wire.take(1).unwrap());
        }
        if let Some(json) = line.strip_prefix(b"data: ") {
            return serde_json::from_slice::<Stats>(json).unwrap();
        }
    }
}

#[test]
fn events_come_once_a_second_as_what_stats_says() {
    let (_backend, _proxy, admin) = open("");
    let mut wire = Wire::new(connect(admin.0));
    wire.say(admin.request("GET", "/events", &[]));
    let head = wire.try_response_head().unwrap().unwrap();
    assert_eq!((head.status(), head.field("Content-Type")), (200, Some("text/event-stream")));
    let mut event = || event(&mut wire);
    let first = event();
    assert_eq!(first.pools[0].backends[0].name, "a");
    let (second, third) = (event(), event());
    assert!(third.at_unix_ms > second.at_unix_ms && third.workers[0].turns > first.workers[0].turns);
}

#[test]
fn who_reads_events_too_slowly_misses_some_and_delays_nobody() {
    let backend = greeter('a');
    // Long events: the kernel's buffers are full soon.
    let more: String = (0..2000)
        .map(|n| format!("{{ address = '10.0.{}.{}:9', name = 'spare{n}', weight = 0 }},", n / 200, n % 200))
        .collect();
    let text = format!(
        "[[frontend]]\nlisten = ['127.0.0.1:0']\npool = 'p'\n[admin]\nlisten = '127.0.0.1:0'\n\
         [pool.p]\npolicy = 'random'\nbackends = [{more} {{ address = '{}', name = 'a' }}]\n",
        backend.address
    );
    let proxy = Proxy::configured(&text, 1);
    let admin = Admin::of(&proxy);
    let slow = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    slow.set_recv_buffer_size(4096).unwrap();
    slow.connect(&admin.0.into()).unwrap();
    let mut slow = patient(TcpStream::from(slow));
    slow.write_all(admin.request("GET", "/events", &[]).as_bytes()).unwrap();
    wait_until("an event to be left out", || {
        assert_eq!(letter(&mut proxy.connect()), 'a');
        admin.metrics().value("admin_events_dropped_total") >= 2.0
    });
    // Once it reads, it gets whole events again.
    let mut wire = Wire::new(slow);
    assert_eq!(wire.try_response_head().unwrap().unwrap().status(), 200);
    let times: Vec<u64> = (0..6).map(|_| event(&mut wire).at_unix_ms).collect();
    assert!(times.is_sorted() && times[5] - times[1] >= 5000, "some were left out: {times:?}");
}

#[test]
fn who_does_not_go_on_is_sent_away() {
    let (_backend, _proxy, admin) = open("");
    let mut half = connect(admin.0);
    half.write_all(b"GET /stats HTTP/1.1\r\n").unwrap();
    // One that says a byte from time to time is no better.
    let mut drip = connect(admin.0);
    drip.write_all(b"GET /stats HTTP/1.1\r\nX: ").unwrap();
    let drips = std::thread::spawn({
        let mut drip = drip.try_clone().unwrap();
        move || {
            while drip.write_all(b"x").is_ok() {
                std::thread::park_timeout(std::time::Duration::from_millis(100));
            }
        }
    });
    crate::support::expect_end(&mut half);
    // An end or a reset, as what it said last arrives before or after.
    let mut rest = Vec::new();
    let _ = drip.read_to_end(&mut rest);
    assert_eq!(rest, b"");
    drop(drip);
    drips.join().unwrap();
}

fn ask_unix(path: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_unix_socket_serves_those_who_may_open_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let backend = greeter('a');
    let start =
        || Proxy::start(&format!("--admin unix:{} --backend {},name=a", path.display(), backend.address));
    let proxy = start();
    proxy.stderr.wait_for_text(&format!("admin endpoint on unix:{}", path.display()));
    let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode & 0o007, 0, "{mode:o}");
    let request = "POST /backends/a/drain HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert!(ask_unix(&path, request).starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(ask_unix(&path, "GET /stats HTTP/1.0\r\n\r\n").contains("\"drained\":true"));
    // Left behind by who was killed, it is in nobody's way.
    proxy.signal(rustix::process::Signal::KILL);
    drop(proxy);
    assert!(path.exists());
    let _proxy = start();
    assert!(ask_unix(&path, "GET /healthz HTTP/1.0\r\n\r\n").ends_with("ok\n"));
}
