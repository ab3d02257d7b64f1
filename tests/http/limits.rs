//! HTTP mode at its limits: what no well-behaved peer would do, and what the proxy must not do then.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{
    LBPROXY, Proxy, Scripted, Served, connect, expect, expect_end, rest, rest_until_reset, say, serve,
    wait_until_refused,
};

fn http_before(backends: &[SocketAddr], arguments: &str) -> Proxy {
    Proxy::before(backends, &format!("--mode http {arguments}"))
}

/// A backend that answers every request, all of which have no body, with its name.
fn named(name: char) -> Served {
    serve(move |mut stream| {
        let mut requests = BufReader::new(stream.try_clone().unwrap());
        while let Some(head) = head(&mut requests)
            && !head.is_empty()
            && stream
                .write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{name}").as_bytes())
                .is_ok()
        {}
    })
}

/// The next head, empty line included; empty at the end of the stream.
fn head(stream: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        match stream.read_line(&mut head) {
            Ok(0) => return Some(head),
            Ok(_) => {}
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::ConnectionReset), "{error}");
                return None;
            }
        }
    }
    Some(head)
}

/// The next request that the proxy sends.
fn request(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.extend_from_slice(&byte);
    }
    String::from_utf8(head).unwrap()
}

/// Asks once, and says who answered.
fn ask(client: &mut TcpStream) -> char {
    say(client, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = request(client);
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let mut body = [0];
    client.read_exact(&mut body).unwrap();
    char::from(body[0])
}

#[test]
fn a_client_may_ask_much_at_once() {
    let backend = named('a');
    let proxy = http_before(&[backend.address], "");
    let mut client = proxy.connect();
    let asked = "GET /some/path/or/other HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: many\r\n\r\n";
    let count = 5000;
    let mut sender = client.try_clone().unwrap();
    let sending = std::thread::spawn(move || sender.write_all(asked.repeat(count).as_bytes()));
    let mut answers = BufReader::new(&mut client);
    for number in 0..count {
        let head = head(&mut answers).unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "answer {number}: {head}");
        answers.read_exact(&mut [0]).unwrap();
    }
    sending.join().unwrap().unwrap();
}

#[test]
fn a_backend_may_say_much_before_it_answers() {
    let server = Scripted::new();
    let proxy = http_before(&[server.address], "");
    let mut client = proxy.connect();
    say(&mut client, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut serving = server.accept();
    request(&mut serving);
    let count = 40_000;
    let hints = "HTTP/1.1 103 Early Hints\r\na:b\r\n\r\n".repeat(count);
    let answering = std::thread::spawn(move || {
        say(&mut serving, hints.as_bytes());
        say(&mut serving, b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        say(&mut serving, &[b'x'; 100_000]);
        serving
    });
    let mut answers = BufReader::new(&mut client);
    for _ in 0..count {
        assert_eq!(
            head(&mut answers).unwrap(),
            "HTTP/1.1 103 Early Hints\r\na: b\r\nVia: 1.1 lbproxy\r\n\r\n"
        );
    }
    assert!(head(&mut answers).unwrap().starts_with("HTTP/1.1 200 OK\r\n"));
    let mut body = vec![0; 100_000];
    answers.read_exact(&mut body).unwrap();
    assert!(body.iter().all(|byte| *byte == b'x'));
    drop(answering.join().unwrap());
}

#[test]
fn a_request_that_takes_too_long_ends_however_fast_it_moves() {
    let server = Scripted::new();
    let proxy = http_before(&[server.address], "--request-timeout-ms 300");
    let mut client = proxy.connect();
    say(&mut client, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut serving = server.accept();
    request(&mut serving);
    let answering = std::thread::spawn(move || {
        say(&mut serving, b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n");
        while serving.write_all(&[0; 65_536]).is_ok() {}
    });
    // An end or a reset: the length tells that something is missing.
    let mut space = vec![0; 65_536];
    while client.read(&mut space).is_ok_and(|count| count > 0) {}
    answering.join().unwrap();
    proxy.stderr.wait_for_text("cause=request_timeout");
}

/// HTTP/1.0 knows no chunks: the end of the connection would pass for the end of the answer.
#[test]
fn an_answer_cut_short_by_draining_does_not_look_complete() {
    let server = Scripted::new();
    let mut proxy = http_before(&[server.address], "--drain-timeout-ms 100");
    let mut client = proxy.connect();
    say(&mut client, b"GET / HTTP/1.0\r\n\r\n");
    let mut serving = server.accept();
    request(&mut serving);
    say(&mut serving, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
    assert!(request(&mut client).contains("Connection: close\r\n"));
    expect(&mut client, b"half");
    proxy.signal(Signal::TERM);
    assert_eq!(rest_until_reset(&mut client), b"");
    assert_eq!(proxy.exit_code(), Some(1));
}

#[test]
fn connections_that_wait_for_reuse_leave_descriptors_for_others() {
    let backends: Vec<Served> = ('a'..='j').map(named).collect();
    let addresses: Vec<SocketAddr> = backends.iter().map(|backend| backend.address).collect();
    let proxy = http_before(&addresses, "--max-connections 3");
    let at_rest = proxy.fds();
    let mut clients = [proxy.connect(), proxy.connect(), proxy.connect()];
    for round in 0..40 {
        ask(&mut clients[round % 3]);
        assert!(proxy.fds() <= at_rest + 6, "{} descriptors", proxy.fds() - at_rest);
    }
}

#[test]
fn out_of_descriptors_idle_connections_make_room() {
    let backends: Vec<Served> = ('a'..='z').map(named).collect();
    let backends: String = backends.iter().map(|backend| format!(" --backend {}", backend.address)).collect();
    let arguments = format!("--listen 127.0.0.1:0 --mode http --max-connections 1000 {backends}");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 30 && exec \"$@\"", "sh", LBPROXY]).args(arguments.split_whitespace());
    let proxy = Proxy::spawn(&mut command, 1);
    let mut first = proxy.connect();
    (0..60).for_each(|_| assert!(ask(&mut first).is_ascii_lowercase()));
    // All descriptors are in use now, most of them by connections that wait.
    let mut others: Vec<TcpStream> = (0..5).map(|_| proxy.connect()).collect();
    others.iter_mut().for_each(|client| assert!(ask(client).is_ascii_lowercase()));
    (0..60).for_each(|_| assert!(ask(&mut first).is_ascii_lowercase()));
    proxy.assert_idle();
}

/// What a backend says unasked, on a connection that waits, answers nobody.
#[test]
fn what_came_before_the_request_is_not_its_answer() {
    let server = Scripted::new();
    let proxy = http_before(&[server.address], "");
    let mut client = proxy.connect();
    say(&mut client, b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut serving = server.accept();
    request(&mut serving);
    say(&mut serving, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none");
    request(&mut client);
    expect(&mut client, b"one");
    // Both happen while it cannot look, so it hears of both at once: of the request first.
    proxy.suspend();
    say(&mut client, b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    say(&mut serving, b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged");
    proxy.signal(Signal::CONT);
    let mut serving = server.accept();
    assert!(request(&mut serving).starts_with("GET /2 HTTP/1.1\r\n"));
    say(&mut serving, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo");
    request(&mut client);
    expect(&mut client, b"two");
}

#[test]
fn each_log_line_counts_its_own_bytes() {
    let server = Scripted::new();
    let proxy = http_before(&[server.address], "");
    let status_and_bytes = |line: &str| {
        let (_, after) = line.split_once("HTTP/1.1\" ").or_else(|| line.split_once("\"-\" "))?;
        Some(after.split(' ').take(2).collect::<Vec<_>>().join(" "))
    };
    let mut client = proxy.connect();
    say(&mut client, b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut serving = server.accept();
    request(&mut serving);
    say(&mut serving, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole");
    request(&mut client);
    expect(&mut client, b"whole");
    say(&mut client, b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    request(&mut serving);
    say(&mut serving, b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\npart");
    drop(serving);
    request(&mut client);
    expect(&mut client, b"part");
    expect_end(&mut client);
    let mut client = proxy.connect();
    say(&mut client, b"no request\r\n\r\n");
    request(&mut client);
    let refusal = rest(&mut client).len();
    let lines = proxy.stderr.wait_for_many("three lines", 3, status_and_bytes);
    assert_eq!(lines, ["200 5", "200 4", &format!("400 {refusal}")]);
}

/// Browsers connect ahead of need. Who has just connected may ask yet; who has not asked for long will not.
#[test]
fn clients_that_never_ask_do_not_hold_up_a_drain() {
    let server = Scripted::new();
    let mut proxy = http_before(&[server.address], "--head-timeout-ms 2000");
    let (mut silent, mut late) = (proxy.connect(), proxy.connect());
    proxy.wait_for_sockets(2);
    proxy.signal(Signal::TERM);
    wait_until_refused(proxy.address());
    say(&mut late, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut serving = server.accept();
    request(&mut serving);
    say(&mut serving, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
    assert!(request(&mut late).contains("Connection: close\r\n"));
    expect(&mut late, b"a");
    expect_end(&mut late);
    drop(late);
    expect_end(&mut silent);
    assert_eq!(proxy.exit_code(), Some(0));
}

/// A backend that does not read the body of a GET takes it for a request, whose answer would be somebody else's.
#[test]
fn after_a_get_with_a_body_the_connection_is_not_used_again() {
    let server = Scripted::new();
    let proxy = http_before(&[server.address], "");
    let (mut attacker, mut victim) = (proxy.connect(), proxy.connect());
    let hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    let asked = format!("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{hidden}", hidden.len());
    say(&mut attacker, asked.as_bytes());
    let mut serving = server.accept();
    request(&mut serving);
    say(&mut serving, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
    request(&mut attacker);
    expect(&mut attacker, b"a");
    say(&mut victim, b"GET /victim HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut serving = server.accept();
    assert!(request(&mut serving).starts_with("GET /victim HTTP/1.1\r\n"));
}

/// Some clients read nothing before they have sent all: the connection must be there until they have.
#[test]
fn whoever_is_refused_may_finish_sending() {
    let proxy = http_before(&[named('a').address], "--max-body-bytes 1000");
    let mut client = proxy.connect();
    say(&mut client, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n");
    let slices = 8;
    for _ in 0..slices {
        say(&mut client, &[b'x'; 1000]);
        // Longer in all than a silent client would be waited for.
        assert!(proxy.stderr.stays_without("panicked", Duration::from_millis(1000)));
    }
    assert!(request(&mut client).starts_with("HTTP/1.1 413 "));
    assert!(rest(&mut client).starts_with(b"413 "));
}

/// `[frontend.timeouts]` and `[frontend.limits]` are for those who come in there, and for nobody else.
#[test]
fn a_frontend_has_times_and_limits_of_its_own() {
    let server = Scripted::new();
    let frontend = "[[frontend]]\nlisten = ['127.0.0.1:0']\n";
    let proxy = Proxy::configured(
        &format!(
            "{frontend}name = 'own'\nmode = 'http'\n[frontend.timeouts]\nresponse_timeout_ms = 100\n\
             [frontend.limits]\nmax_body_bytes = 4\n{frontend}name = 'plain'\nmode = 'http'\n\
             {frontend}name = 'bytes'\ntimeouts = {{ idle_timeout_ms = 100 }}\n\
             [pool.web]\nbackends = [{{ address = '{}' }}]\n",
            server.address
        ),
        3,
    );
    let [own, plain, bytes] = proxy.listening[..] else { panic!("{:?}", proxy.listening) };
    let ask = |address, head: &str| {
        let mut client = connect(address);
        say(&mut client, format!("{head}\r\nHost: a\r\n").as_bytes());
        client
    };

    let mut patient = ask(plain, "POST / HTTP/1.1");
    say(&mut patient, b"Content-Length: 5\r\n\r\nabcde");
    let mut serving = server.accept();
    request(&mut serving);
    expect(&mut serving, b"abcde");
    let mut hurried = ask(own, "GET / HTTP/1.1");
    say(&mut hurried, b"\r\n");
    assert!(request(&mut hurried).starts_with("HTTP/1.1 504 "));
    let mut large = ask(own, "POST / HTTP/1.1");
    say(&mut large, b"Content-Length: 5\r\n\r\nabcde");
    assert!(request(&mut large).starts_with("HTTP/1.1 413 "));
    let mut idle = connect(bytes);
    assert_eq!(rest(&mut idle), b"", "nothing moved, so it ends");

    // All of that took longer than the one who still waits would have had elsewhere.
    say(&mut serving, b"HTTP/1.1 204 No Content\r\n\r\n");
    assert!(request(&mut patient).starts_with("HTTP/1.1 204 "));
}
