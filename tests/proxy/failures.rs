//! Backends that accept connections and then fail, and what is held against them.

use std::io::Read;
use std::time::Duration;

use crate::support::{
    Proxy, Refusing, Scripted, expect, expect_reset, greeter, letter, reset, say, serve, wait_until,
};

/// Penalties longer than any test: what was passed over once stays so.
const LONG_BACKOFF: &str = "--backoff-ms 3600000 --backoff-max-ms 3600000";

#[test]
fn a_backend_that_resets_before_a_byte_is_replaced_by_another() {
    let (resetting, up) = (serve(reset), greeter('b'));
    let proxy = Proxy::before(&[resetting.address, up.address], "");
    for _ in 0..20 {
        assert_eq!(letter(&mut proxy.connect()), 'b');
    }
    let log = proxy.access_lines(20);
    assert!(log.iter().all(|line| line.backend == up.address.to_string()), "{log:?}");
    assert!(resetting.accepted() > 0);
}

#[test]
fn with_every_backend_resetting_the_client_is_refused() {
    let resetting = [serve(reset), serve(reset)];
    let proxy = Proxy::before(&resetting.each_ref().map(|backend| backend.address), "");
    for _ in 0..10 {
        expect_reset(&mut proxy.connect());
    }
    assert!(proxy.access_lines(10).iter().all(|line| line.end() == "proxy no_backend"));
    proxy.wait_until_at_rest();
}

/// A client's bytes that a backend has seen cannot be sent to another one: it may have acted on them.
#[test]
fn there_is_no_second_try_once_a_byte_was_sent() {
    let (first, second) = (Scripted::new(), Scripted::new());
    let proxy = Proxy::before(&[first.address, second.address], "");
    let (mut client, mut serving) = proxy.connect_through(&first);
    say(&mut client, b"transfer 100");
    expect(&mut serving, b"transfer 100");
    reset(serving);
    expect_reset(&mut client);
    let line = proxy.access_line();
    assert_eq!((line.backend, &*line.ended_by), (first.address.to_string(), "backend"));
    assert!(second.try_accept().is_none());
}

/// Closing without a word is an answer a protocol may have, so it is passed on; but doing it again and again is a
/// fault, and others are better then.
#[test]
fn a_backend_that_closes_at_once_is_passed_over_after_the_third_time() {
    let (closing, up) = (serve(drop), greeter('b'));
    let proxy =
        Proxy::before(&[closing.address, up.address], &format!("--policy fewest_connections {LONG_BACKOFF}"));
    let mut unlucky = 0;
    for _ in 0..100 {
        let mut byte = [0];
        match proxy.connect().read(&mut byte).unwrap() {
            0 => unlucky += 1,
            _ => assert_eq!(byte, *b"b"),
        }
    }
    assert_eq!(unlucky, 3);
    assert_eq!(closing.accepted(), 3);
    proxy.stderr.wait_for_text("closed at once, 3 times or more in a row");
}

/// A backend that fails instantly has the fewest connections, always. Without a penalty it would get them all.
#[test]
fn a_failing_backend_does_not_draw_all_traffic() {
    let (down, resetting, up) = (Refusing::new(), serve(reset), greeter('c'));
    let addresses = [down.address, resetting.address, up.address];
    let proxy = Proxy::before(&addresses, &format!("-v --policy fewest_connections {LONG_BACKOFF}"));
    let mut held = Vec::new();
    for _ in 0..100 {
        let mut client = proxy.connect();
        assert_eq!(letter(&mut client), 'c');
        held.push(client);
    }
    drop(held);
    proxy.access_lines(100);
    let refused = format!("connect to {} ", down.address);
    let refused = proxy.stderr.so_far().iter().filter(|line| line.contains(&refused)).count();
    assert_eq!((refused, up.accepted()), (1, 100));
    // A reset that is there before the connect was looked at counts like a refusal, and the first one of those suffices.
    assert!((1..=3).contains(&resetting.accepted()), "{} attempts", resetting.accepted());
}

#[test]
fn a_backend_that_comes_back_gets_clients_again() {
    let (down, up) = (Refusing::new(), greeter('b'));
    let arguments = "--policy fewest_connections --backoff-ms 50 --backoff-max-ms 100";
    let proxy = Proxy::before(&[down.address, up.address], arguments);
    let mut held = Vec::new();
    for _ in 0..10 {
        let mut client = proxy.connect();
        assert_eq!(letter(&mut client), 'b');
        held.push(client);
    }
    proxy.stderr.wait_for_text("passed over for 50 ms: connect failed");
    let back = down.listen();
    // It has the fewest connections, so the first client after its back-off is its trial.
    let mut trial = None;
    wait_until("a trial", || {
        held.push(proxy.connect());
        trial = back.try_accept();
        trial.is_some()
    });
    say(&mut trial.unwrap(), b"a");
    proxy.stderr.wait_for_text("is back");
    held.push(proxy.connect());
    back.accept();
}

/// Connections kept in reserve, say, when their server restarts: that is an outage, perhaps, but no failure at once.
#[test]
fn a_reset_after_a_long_silence_is_no_failure_at_once() {
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], "");
    let pairs = [(); 3].map(|()| proxy.connect_through(&server));
    // Longer than what is "at once". Nothing is to be seen of that moment from outside.
    assert!(proxy.stderr.stays_without("lbproxy::access", Duration::from_millis(1300)));
    let _clients = pairs.map(|(client, serving)| {
        reset(serving);
        client
    });
    proxy.access_lines(3);
    assert!(!proxy.stderr.so_far().iter().any(|line| line.contains("at once")));
}
