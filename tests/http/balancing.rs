//! Policies that go by requests: how long each takes, and how many are in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use crate::origin::{Answer, Origin};
use crate::support::{Proxy, wait_until};
use crate::wire::Wire;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn in_front_of(origins: &[Origin], arguments: &str) -> Proxy {
    let addresses: Vec<_> = origins.iter().map(|origin| origin.address).collect();
    Proxy::before(&addresses, &format!("--mode http {arguments}"))
}

/// So many requests, one after the other, on one connection.
fn ask(proxy: &Proxy, requests: usize) {
    let mut client = Wire::new(proxy.connect());
    for _ in 0..requests {
        client.say(GET);
        client.response();
    }
}

/// One that thinks before it answers.
fn thinking(time: Duration) -> Origin {
    Origin::new(move |_| {
        std::thread::park_timeout(time);
        Answer::text("slow")
    })
}

#[test]
fn peak_ewma_finds_out_a_slow_backend_with_its_first_answer() {
    let origins = [Origin::named("fast"), thinking(Duration::from_millis(300))];
    let proxy = in_front_of(&origins, "--policy peak_ewma");
    ask(&proxy, 60);
    let slow = origins[1].count();
    assert!((1..=10).contains(&slow), "one by lot, and few more if the other had a bad moment: {slow}");
}

#[test]
fn peak_ewma_is_not_taken_in_by_errors_that_come_at_once() {
    let sink = Origin::new(|_| Answer::raw("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"));
    let origins = [thinking(Duration::from_millis(20)), sink];
    let proxy = in_front_of(&origins, "--policy peak_ewma");
    ask(&proxy, 60);
    let errors = origins[1].count();
    assert!((1..=10).contains(&errors), "{errors} of 60 went where nobody is served");
}

/// Who waits in vain learns something too: a backend that does not answer in time is slow, though nobody knows how slow.
#[test]
fn peak_ewma_counts_what_was_waited_for_in_vain() {
    let stuck = Arc::new(AtomicBool::new(false));
    let asked: [Arc<AtomicUsize>; 2] = Default::default();
    let origins = asked.clone().map(|asked| {
        let stuck = stuck.clone();
        Origin::new(move |_| {
            asked.fetch_add(1, SeqCst);
            wait_until("release", || !stuck.load(SeqCst));
            Answer::text("done")
        })
    });
    let now = || asked.each_ref().map(|asked| asked.load(SeqCst));
    let proxy = in_front_of(&origins, "--policy peak_ewma --response-timeout-ms 300");
    ask(&proxy, 40);
    let before = now();
    stuck.store(true, SeqCst);
    let mut client = Wire::new(proxy.connect());
    client.say(GET);
    assert_eq!(client.response().status(), 504);
    stuck.store(false, SeqCst);
    let late = (0..2).find(|&which| now()[which] > before[which]).expect("one was asked");
    ask(&proxy, 60);
    assert!(now()[late] <= before[late] + 11, "{before:?}, then {:?} though {late} was late", now());
}

#[test]
fn requests_of_one_client_are_spread_as_far_as_the_bound_says() {
    for policy in ["ip_hashing", "maglev"] {
        let released = Arc::new(AtomicBool::new(false));
        let counts: [Arc<AtomicUsize>; 4] = Default::default();
        let origins = counts.clone().map(|count| {
            let released = released.clone();
            Origin::new(move |_| {
                count.fetch_add(1, SeqCst);
                wait_until("release", || released.load(SeqCst));
                Answer::text("done")
            })
        });
        let proxy = in_front_of(&origins, &format!("--policy {policy} --max-load-percent 125"));
        let mut clients: Vec<_> = (0..12).map(|_| Wire::new(proxy.connect())).collect();
        clients.iter_mut().for_each(|client| client.say(GET));
        let now = || counts.each_ref().map(|count| count.load(SeqCst));
        wait_until("all requests", || now().iter().sum::<usize>() == 12);
        // A quarter of 12, and a quarter of that more, rounded up.
        assert!(now().iter().all(|&count| count <= 4), "{policy}: {:?}", now());
        released.store(true, SeqCst);
        assert!(clients.iter_mut().all(|client| client.response().status() == 200));
    }
}
