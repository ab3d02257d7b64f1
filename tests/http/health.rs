//! Health and limits where backends serve requests: ejection, queues, retries away from what is down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use crate::origin::{Answer, Origin};
use crate::support::{Proxy, wait_until};
use crate::wire::Wire;

fn configured(origins: &[&Origin], each: &str, pool: &str) -> Proxy {
    let list: String =
        origins.iter().map(|origin| format!("{{ address = '{}'{each} }},", origin.address)).collect();
    Proxy::configured(
        &format!(
            "[[frontend]]\nlisten = ['127.0.0.1:0']\nmode = 'http'\n[pool.p]\nbackends = [{list}]\n{pool}"
        ),
        1,
    )
}

/// One that serves well, or badly, as it is told.
fn moody(name: &'static str) -> (Origin, Arc<AtomicBool>) {
    let well = Arc::new(AtomicBool::new(true));
    let feels = well.clone();
    let origin = Origin::new(move |_| {
        if feels.load(SeqCst) {
            Answer::text(name)
        } else {
            Answer::raw("HTTP/1.1 500 Ill\r\nContent-Length: 0\r\n\r\n")
        }
    });
    (origin, well)
}

#[test]
fn a_backend_that_answers_with_errors_is_passed_over_and_given_a_trial_later() {
    let ((a, well), b) = (moody("a"), Origin::named("b"));
    let proxy = configured(&[&a, &b], "", "[pool.p.health]\neject_errors = 3\n");
    well.store(false, SeqCst);
    let mut client = Wire::new(proxy.connect());
    let errors = (0..60).filter(|_| client.get("/").status() == 500).count();
    assert!((3..=5).contains(&errors), "three, and perhaps its trials: {errors} of 60");
    proxy.stderr.wait_for_text("passed over for 500 ms: 3 errors in a row");
    well.store(true, SeqCst);
    wait_until("it to be back", || client.get("/").text() == "a");
}

#[test]
fn without_ejection_errors_are_the_clients_to_see() {
    let ((a, well), b) = (moody("a"), Origin::named("b"));
    let proxy = configured(&[&a, &b], "", "");
    well.store(false, SeqCst);
    let mut client = Wire::new(proxy.connect());
    assert_eq!((0..40).filter(|_| client.get("/").status() == 500).count(), 20);
}

#[test]
fn requests_wait_for_room_and_are_refused_with_a_time_to_come_back() {
    let held = Arc::new(AtomicBool::new(true));
    let hold = held.clone();
    let origin = Origin::new(move |_| {
        wait_until("release", || !hold.load(SeqCst));
        Answer::text("done")
    });
    let proxy = configured(&[&origin], ", max_connections = 2", "queue = 1\nqueue_timeout_ms = 60000\n");
    let mut clients: Vec<Wire> = (0..3).map(|_| Wire::new(proxy.connect())).collect();
    for client in &mut clients {
        client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    // Two with the backend; the third waits, or will, before the fourth is read: they came in order.
    proxy.wait_for_sockets(3 + 2);
    let mut late = Wire::new(proxy.connect());
    let refused = late.get("/");
    assert_eq!((refused.status(), refused.field("retry-after")), (503, Some("1")));
    assert!(!refused.is_last(), "its connection may try again");
    held.store(false, SeqCst);
    for client in &mut clients {
        assert_eq!(client.response().text(), "done");
    }
    assert_eq!(late.get("/").text(), "done");
}

#[test]
fn a_wait_that_is_too_long_ends_with_a_503() {
    let held = Arc::new(AtomicBool::new(true));
    let hold = held.clone();
    let origin = Origin::new(move |_| {
        wait_until("release", || !hold.load(SeqCst));
        Answer::text("done")
    });
    let proxy = configured(&[&origin], ", max_connections = 1", "queue_timeout_ms = 200\n");
    let mut first = Wire::new(proxy.connect());
    first.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    proxy.wait_for_sockets(2);
    let mut second = Wire::new(proxy.connect());
    assert_eq!(second.get("/").status(), 503);
    held.store(false, SeqCst);
    assert_eq!(first.response().text(), "done");
    assert_eq!(second.get("/").text(), "done");
}

/// A request that may be sent again is, elsewhere; its client notices nothing.
#[test]
fn requests_with_a_backend_that_goes_down_are_sent_elsewhere_where_that_is_safe() {
    let stuck = Arc::new(AtomicBool::new(false));
    let is_stuck = stuck.clone();
    let a = Origin::new(move |request| match request.target() {
        "/check" if is_stuck.load(SeqCst) => Answer::raw("HTTP/1.1 503 Ill\r\nContent-Length: 0\r\n\r\n"),
        "/check" => Answer::text("well"),
        _ => {
            wait_until("release", || !is_stuck.load(SeqCst));
            Answer::text("a")
        }
    });
    let b = Origin::named("b");
    let health = "[pool.p.health]\ncheck = 'http'\npath = '/check'\ninterval_ms = 20\ndown_interval_ms = 20\n\
                  on_down = 'close'\n";
    let proxy = configured(&[&a, &b], "", health);
    let mut clients: Vec<Wire> = (0..10).map(|_| Wire::new(proxy.connect())).collect();
    // So that connections to the backends exist, and what is sent on them again may be sent elsewhere.
    for client in &mut clients {
        assert_eq!(client.get("/").status(), 200);
    }
    stuck.store(true, SeqCst);
    for client in &mut clients {
        client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    proxy.stderr.wait_for_text("is down");
    for client in &mut clients {
        let answer = client.response();
        assert!(answer.status() == 502 || answer.text() == "b", "{answer:?}");
    }
    stuck.store(false, SeqCst);
    proxy.stderr.wait_for_text("is up again");
}
