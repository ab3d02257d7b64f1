//! How often one client may ask.

use crate::origin::Origin;
use crate::support::{Proxy, wait_until};
use crate::wire::Wire;

#[test]
fn a_client_that_asks_too_often_is_told_when_to_ask_again() {
    let origin = Origin::named("a");
    let proxy =
        Proxy::before(&[origin.address], "--mode http --rate-per-client-per-s 1 --burst-per-client 5");
    let mut client = Wire::new(proxy.connect());
    let answers: Vec<_> = (0..20).map(|_| client.get("/")).collect();
    assert!(answers[..5].iter().all(|answer| answer.status() == 200));
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status() == 429).collect();
    assert!(refused.len() >= 5, "{answers:?}");
    for answer in &refused {
        assert_eq!(answer.field("retry-after"), Some("1"));
        assert!(!answer.is_last(), "the connection stays");
    }
    assert_eq!(origin.count(), 20 - refused.len(), "who is refused costs no backend anything");
    proxy.stderr.wait_for_text("cause=rate_limited");
    wait_until("the rate to give one more", || client.get("/").status() == 200);
}

/// Behind a proxy that is trusted, it is the client it names who asks.
#[test]
fn the_client_that_a_trusted_proxy_names_is_the_one_that_counts() {
    let origin = Origin::named("a");
    let flags = "--mode http --rate-per-client-per-s 1 --burst-per-client 2 --trusted-proxy 127.0.0.0/8";
    let proxy = Proxy::before(&[origin.address], flags);
    let mut client = Wire::new(proxy.connect());
    let mut ask = |name: u8| {
        client.say(format!("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.{name}\r\n\r\n"));
        client.response().status()
    };
    for name in 1..20 {
        assert_eq!((ask(name), ask(name)), (200, 200));
    }
    assert!((0..10).any(|_| ask(1) == 429));
}
