//! A reset is passed on, once everything sent before it has arrived, and nothing else looks like one.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;

use crate::support::{
    Pattern, Proxy, Scripted, assert_connected, expect_end, expect_reset, finish_sending, reset, rest,
    rest_until_reset, say, unsent_bytes, wait_until, wait_until_sent,
};

const LARGE_BYTES: usize = 1 << 20;

/// Both ways: the end that resets, the other one, and how the log calls the first.
fn both_ways(mut check: impl FnMut(TcpStream, TcpStream, Proxy, &str)) {
    for resetting in ["client", "backend"] {
        let server = Scripted::new();
        let proxy = Proxy::before(&[server.address], "");
        let (mut client, mut serving) = proxy.connect_through(&server);
        assert_connected(&mut client, &mut serving);
        match resetting {
            "client" => check(client, serving, proxy, resetting),
            _ => check(serving, client, proxy, resetting),
        }
    }
}

#[test]
fn a_reset_is_passed_on() {
    both_ways(|from, mut to, proxy, resetting| {
        reset(from);
        expect_reset(&mut to);
        assert_eq!(proxy.access_line().end(), format!("{resetting} reset"));
    });
}

#[test]
fn a_reset_follows_the_last_byte() {
    both_ways(|mut from, mut to, _proxy, _| {
        let mut sent = Pattern::new(1);
        sent.send_up_to(LARGE_BYTES, &mut from);
        wait_until_sent(&from);
        reset(from);
        let received = rest_until_reset(&mut to);
        assert_eq!(received.len(), LARGE_BYTES);
        Pattern::new(1).compare(&received);
    });
}

/// What the proxy's kernel had when the reset came is owed, even if nobody could take it at that time.
#[test]
fn a_reset_follows_the_last_byte_however_full_the_way_is() {
    both_ways(|mut from, mut to, _proxy, _| {
        let mut sent = Pattern::new(1);
        sent.send_until_blocked(&mut from);
        let arrived = sent.position() - unsent_bytes(&from);
        reset(from);
        let received = rest_until_reset(&mut to);
        assert!(received.len() >= arrived, "{} of {arrived}", received.len());
        Pattern::new(1).compare(&received);
    });
}

#[test]
fn a_reset_after_a_clean_end_is_passed_on() {
    both_ways(|mut from, mut to, proxy, resetting| {
        finish_sending(&to);
        expect_end(&mut from);
        reset(from);
        expect_reset(&mut to);
        assert_eq!(proxy.access_line().end(), format!("{resetting} reset"));
    });
}

/// Only a write finds out that somebody who had finished sending is gone altogether.
#[test]
fn a_peer_that_finished_and_left_is_noticed_by_who_still_sends() {
    both_ways(|from, mut to, proxy, resetting| {
        finish_sending(&from);
        expect_end(&mut to);
        drop(from);
        wait_until("the sender to hear of it", || match to.write(b"anyone there?") {
            Ok(_) => false,
            Err(error) => {
                assert!(
                    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
                    "{error}"
                );
                true
            }
        });
        assert_eq!(proxy.access_line().end(), format!("{resetting} reset"));
    });
}

/// All orders in which two sides can end: none of them may look like a broken connection to either.
#[test]
fn a_clean_end_never_looks_like_a_reset() {
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], "");
    let orders: [fn(TcpStream, TcpStream); 4] = [
        |mut one, mut other| {
            finish_sending(&one);
            expect_end(&mut other);
            drop(other);
            expect_end(&mut one);
        },
        |one, mut other| {
            drop(one);
            expect_end(&mut other);
        },
        |mut one, mut other| {
            finish_sending(&one);
            finish_sending(&other);
            assert_eq!((rest(&mut one), rest(&mut other)), (vec![], vec![]));
        },
        |mut one, mut other| {
            say(&mut one, b"last words");
            finish_sending(&one);
            say(&mut other, b"last words");
            finish_sending(&other);
            assert_eq!(rest(&mut one), b"last words");
            assert_eq!(rest(&mut other), b"last words");
        },
    ];
    let mut connections = 0;
    for order in orders {
        for _ in 0..25 {
            let (client, serving) = proxy.connect_through(&server);
            order(client, serving);
            let (client, serving) = proxy.connect_through(&server);
            order(serving, client);
            connections += 2;
        }
    }
    let log = proxy.access_lines(connections);
    assert!(log.iter().all(|line| line.cause == "finished"), "{log:?}");
}
