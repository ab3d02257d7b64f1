//! Connections on which nothing moves.

use std::net::TcpStream;
use std::time::Duration;

use lbproxy::net::os::now;

use crate::support::{
    Access, Pattern, Proxy, Scripted, assert_connected, expect, expect_end, finish_sending, rest, say,
};

/// Time in which the proxy must not end a connection.
fn assert_nothing_ends(proxy: &Proxy, time: Duration) {
    assert!(proxy.stderr.stays_without("lbproxy::access", time), "{:?}", proxy.access_line());
}

fn assert_ended(proxy: &Proxy, cause: &str, at_least: Duration) -> Access {
    let line = proxy.access_line();
    assert_eq!(line.end(), format!("proxy {cause}"));
    let at_least_ms = at_least.as_secs_f64() * 1000.0;
    assert!(line.duration_ms >= at_least_ms, "{} ms, not {at_least_ms}", line.duration_ms);
    line
}

#[test]
fn an_idle_connection_is_closed() {
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], "--idle-timeout-ms 300");
    let (mut client, mut serving) = proxy.connect_through(&server);
    assert_connected(&mut client, &mut serving);
    expect_end(&mut client);
    expect_end(&mut serving);
    assert_ended(&proxy, "idle_timeout", Duration::from_millis(300));
    proxy.wait_until_at_rest();
}

/// A byte in one direction, a while after the connection was opened: both ends live for the whole timeout from there.
fn assert_postpones(talk: fn(&mut TcpStream, &mut TcpStream)) {
    let timeout = Duration::from_secs(2);
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], "--idle-timeout-ms 2000");
    let (mut client, mut serving) = proxy.connect_through(&server);
    let opened = now();
    assert_nothing_ends(&proxy, Duration::from_millis(500));
    let waited = now() - opened;
    talk(&mut client, &mut serving);
    assert_ended(&proxy, "idle_timeout", waited + timeout);
}

#[test]
fn a_byte_from_the_client_postpones_the_end() {
    assert_postpones(|client, serving| {
        say(client, b"x");
        expect(serving, b"x");
    });
}

#[test]
fn a_byte_from_the_server_postpones_the_end() {
    assert_postpones(|client, serving| {
        say(serving, b"x");
        expect(client, b"x");
    });
}

#[test]
fn a_half_closed_connection_is_closed_when_the_other_half_falls_silent() {
    let server = Scripted::new();
    for finishing_first in ["client", "server"] {
        let proxy = Proxy::before(&[server.address], "--half-close-timeout-ms 300");
        let (client, serving) = proxy.connect_through(&server);
        let (first, mut other) =
            if finishing_first == "client" { (client, serving) } else { (serving, client) };
        finish_sending(&first);
        expect_end(&mut other);
        assert_ended(&proxy, "half_close_timeout", Duration::from_millis(300));
        proxy.wait_until_at_rest();
    }
}

#[test]
fn a_half_closed_connection_lives_as_long_as_the_other_half_goes_on() {
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], "--half-close-timeout-ms 2000");
    let (mut client, mut serving) = proxy.connect_through(&server);
    let opened = now();
    finish_sending(&client);
    expect_end(&mut serving);
    assert_nothing_ends(&proxy, Duration::from_millis(500));
    let waited = now() - opened;
    say(&mut serving, b"still at it");
    expect(&mut client, b"still at it");
    assert_ended(&proxy, "half_close_timeout", waited + Duration::from_secs(2));
}

/// With both set, each has its own time: one side that finished must not be cut by the shorter idle timeout's rule.
#[test]
fn which_timeout_applies_depends_on_whether_one_side_finished() {
    let server = Scripted::new();
    let flags = "--idle-timeout-ms 3600000 --half-close-timeout-ms 200";
    let proxy = Proxy::before(&[server.address], flags);
    let (mut client, mut serving) = proxy.connect_through(&server);
    assert_nothing_ends(&proxy, Duration::from_millis(400));
    assert_connected(&mut client, &mut serving);
    finish_sending(&client);
    assert_eq!(rest(&mut serving), b"");
    assert_ended(&proxy, "half_close_timeout", Duration::from_millis(600));
}

/// A reader that pauses is not an idle connection's only sign: nothing moves, so it ends, full buffers or not.
#[test]
fn a_reader_that_never_reads_does_not_live_for_ever() {
    let server = Scripted::new();
    // Long enough for the last of the kernels' buffers to fill: on a busy machine they do so by and by.
    let proxy = Proxy::before(&[server.address], "--idle-timeout-ms 3000");
    let (mut client, _serving) = proxy.connect_through(&server);
    Pattern::new(1).send_until_blocked(&mut client);
    assert_ended(&proxy, "idle_timeout", Duration::from_millis(3000));
    proxy.wait_until_at_rest();
}
