//! `/metrics`, `/stats`, `/healthz` and `/readyz`: what they say is what was sent.

use std::io::Write;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::endpoint::Admin;
use crate::support::{
    HTTP_BACKEND, Program, Proxy, Refusing, connect, greeter, letter, require, reset, serve, wait_until,
};
use crate::wire::Wire;

#[test]
fn requests_are_counted_where_they_went() {
    let (_a, a) = Program::backend(HTTP_BACKEND, "--port 0 --name a");
    let (_b, b) = Program::backend(HTTP_BACKEND, "--port 0 --name b --status 503");
    let proxy =
        Proxy::start(&format!("--mode http --admin 127.0.0.1:0 --backend {a},name=a --backend {b},name=b"));
    let admin = Admin::of(&proxy);
    let mut client = Wire::new(proxy.connect());
    // Fewer than make it passed over for its errors.
    for _ in 0..8 {
        client.get("/");
    }
    let mut bad = Wire::new(proxy.connect());
    bad.say("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    assert_eq!(bad.response().status(), 400);
    drop(bad);
    wait_until("both clients to be counted", || {
        admin.metrics().value("frontend_connections{frontend=\"default\"}") == 1.0
    });
    let metrics = admin.metrics();
    for (sample, expected) in [
        ("requests_total", 8.0),
        ("requests_refused_total", 1.0),
        ("frontend_connections_total{frontend=\"default\"}", 2.0),
        ("frontend_responses_total{frontend=\"default\",class=\"2xx\"}", 4.0),
        ("frontend_responses_total{frontend=\"default\",class=\"4xx\"}", 1.0),
        ("frontend_responses_total{frontend=\"default\",class=\"5xx\"}", 4.0),
        ("backend_chosen_total{pool=\"default\",backend=\"a\"}", 4.0),
        ("backend_responses_total{pool=\"default\",backend=\"a\",class=\"2xx\"}", 4.0),
        ("backend_responses_total{pool=\"default\",backend=\"b\",class=\"5xx\"}", 4.0),
        ("backend_answer_seconds_count{pool=\"default\",backend=\"a\"}", 4.0),
        ("backend_answer_seconds_bucket{pool=\"default\",backend=\"b\",le=\"+Inf\"}", 4.0),
        ("backend_in_flight{pool=\"default\",backend=\"a\"}", 0.0),
        ("backend_up{pool=\"default\",backend=\"a\"}", 1.0),
        ("sessions{worker=\"0\"}", 1.0),
        ("buffers_in_use{worker=\"0\"}", 0.0),
        ("backend_connections{worker=\"0\"}", 2.0),
    ] {
        assert_eq!(metrics.value(sample), expected, "{sample}");
    }
    assert_eq!(metrics.sum("requests_ended_total"), 9.0, "{}", metrics.0);
    let stats = admin.stats();
    assert_eq!(stats.totals.requests, 8);
    assert_eq!(stats.pools[0].backends[1].responses[5], 4);
    assert_eq!(stats.frontends[0].responses[2], 4);
    assert_eq!(stats.frontends[0].listen, [proxy.address().to_string()]);
    assert!(stats.open_fds > 5 && stats.max_fds > stats.open_fds as u64);
}

#[test]
fn bytes_and_ends_of_connections_are_counted() {
    let server = serve(|mut stream| {
        let mut question = [0; 4];
        std::io::Read::read_exact(&mut stream, &mut question).unwrap();
        stream.write_all(b"answer").unwrap();
        // Until the client has gone.
        let _ = std::io::Read::read(&mut stream, &mut [0]);
    });
    let refusing = Refusing::new();
    let proxy = Proxy::start(&format!(
        "--admin 127.0.0.1:0 --backend {},name=dead --backend {},name=a",
        refusing.address, server.address
    ));
    let admin = Admin::of(&proxy);
    for end in ["closes", "resets"] {
        let mut client = proxy.connect();
        client.write_all(b"quiz").unwrap();
        let mut answer = [0; 6];
        std::io::Read::read_exact(&mut client, &mut answer).unwrap();
        assert_eq!(admin.metrics().value("backend_in_flight{pool=\"default\",backend=\"a\"}"), 1.0);
        match end {
            "resets" => reset(client),
            _ => drop(client),
        }
        wait_until("the end", || admin.metrics().value("frontend_connections{frontend=\"default\"}") == 0.0);
    }
    let metrics = admin.metrics();
    let a = |what: &str, direction: &str| {
        metrics.value(&format!("backend_{what}{{pool=\"default\",backend=\"a\"{direction}}}"))
    };
    assert_eq!(a("bytes_total", ",direction=\"up\""), 8.0);
    assert_eq!(a("bytes_total", ",direction=\"down\""), 12.0);
    assert_eq!(a("chosen_total", ""), 2.0);
    assert_eq!(metrics.value("backend_connects_failed_total{pool=\"default\",backend=\"dead\"}"), 1.0);
    assert_eq!(metrics.value("connects_failed_total"), 1.0);
    assert_eq!(metrics.value("backend_up{pool=\"default\",backend=\"dead\"}"), 0.0);
    assert_eq!(metrics.sum("connections_ended_total"), 2.0);
    assert_eq!(
        metrics.value("connections_ended_total{side=\"client\",cause=\"reset\"}"),
        1.0,
        "{}",
        metrics.0
    );
    let dead = admin.backend("dead");
    assert_eq!(dead.state, "passed over");
    assert!(dead.why.as_ref().unwrap().contains("refused"), "{dead:?}");
    assert_eq!(dead.changes.last().unwrap().why, dead.why.unwrap());
}

#[test]
fn prometheus_takes_it() {
    let backend = greeter('a');
    // A name that has to be escaped.
    let text = format!(
        "[[frontend]]\nname = 'a\"b\\c'\nlisten = ['127.0.0.1:0']\npool = 'p'\n[admin]\nlisten = '127.0.0.1:0'\n\
         [pool.p]\npolicy = 'maglev'\nbackends = [{{ address = '{}' }}]\n",
        backend.address
    );
    let proxy = Proxy::configured(&text, 1);
    let admin = Admin::of(&proxy);
    assert_eq!(letter(&mut proxy.connect()), 'a');
    let answer = admin.get("/metrics");
    assert_eq!(answer.field("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    if !require("promtool") {
        return;
    }
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool.stdin.take().unwrap().write_all(&answer.body).unwrap();
    let said = promtool.wait_with_output().unwrap();
    assert!(said.status.success() && said.stdout.is_empty() && said.stderr.is_empty(), "{said:?}");
}

#[test]
fn ready_means_that_somebody_would_be_served() {
    let refusing = Refusing::new();
    let text = format!(
        "[[frontend]]\nlisten = ['127.0.0.1:0']\npool = 'p'\n[admin]\nlisten = '127.0.0.1:0'\n[pool.p]\n\
         health = {{ check = 'tcp', interval_ms = 100, down_interval_ms = 100, fall = 1, rise = 1 }}\n\
         backends = [{{ address = '{}', name = 'a' }}]\n",
        refusing.address
    );
    let proxy = Proxy::configured(&text, 1);
    let admin = Admin::of(&proxy);
    let down = admin.wait_for_state("a", "down");
    assert!(down.why.unwrap().contains("refused"));
    let answer = admin.get("/readyz");
    assert_eq!(answer.status(), 503, "{answer:?}");
    assert!(answer.text().contains("no backend"), "{}", answer.text());
    assert_eq!(admin.get("/healthz").status(), 200);
    let words = admin.stats().saturation;
    assert_eq!(words, ["pool p: none of its 1 backends is available"]);
    proxy.stderr.wait_for_text("saturation: pool p: none of its 1 backends is available");
    let _server = refusing.listen();
    let up = admin.wait_for_state("a", "up");
    assert_eq!(up.changes.iter().map(|change| &*change.what).collect::<Vec<_>>(), ["down", "up"]);
    assert_eq!((admin.get("/readyz").status(), admin.stats().saturation.len()), (200, 0));
}

#[test]
fn a_proxy_that_drains_says_so_and_is_still_looked_into() {
    let server = crate::support::Scripted::new();
    let mut proxy = Proxy::before(&[server.address], "--admin 127.0.0.1:0 --drain-timeout-ms 50000");
    let admin = Admin::of(&proxy);
    let (client, _server) = proxy.connect_through(&server);
    proxy.signal(Signal::TERM);
    wait_until("draining", || admin.get("/readyz").status() == 503);
    assert_eq!(admin.stats().state, "draining");
    assert_eq!(admin.metrics().value("draining"), 1.0);
    drop(client);
    drop(_server);
    assert_eq!(proxy.exit_code(), Some(0));
}

#[test]
fn what_is_capped_is_named() {
    let server = crate::support::Scripted::new();
    let text = format!(
        "[[frontend]]\nlisten = ['127.0.0.1:0']\npool = 'default'\n[admin]\nlisten = '127.0.0.1:0'\n[pool.default]\n\
         queue_timeout_ms = 120000\nbackends = [{{ address = '{}', name = 'small', max_connections = 1 }}]\n",
        server.address
    );
    let proxy = Proxy::configured(&text, 1);
    let admin = Admin::of(&proxy);
    assert_eq!(admin.stats().saturation, [""; 0]);
    let (_client, _server) = proxy.connect_through(&server);
    let _waiting = connect(proxy.address());
    wait_until("somebody waits", || admin.metrics().value("pool_waiting{pool=\"default\"}") == 1.0);
    let words = admin.stats().saturation;
    assert_eq!(
        words,
        [
            "pool default: 1 wait, since every backend has its max_connections",
            "backend small of pool default: has all 1 that it may"
        ]
    );
    proxy.stderr.wait_for_text("saturation: pool default: 1 wait");
}
