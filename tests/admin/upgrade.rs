//! SIGUSR2: who looks in sees the process that serves now.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use lbproxy::view::Stats;
use rustix::process::Signal;

use crate::endpoint::Admin;
use crate::support::{
    Heir, LBPROXY, Proxy, Scripted, assert_connected, connect, greeter, letter, run, wait_until,
};
use crate::wire::{Message, Wire};

#[test]
fn the_new_process_is_looked_into_and_the_old_one_drains() {
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], "--admin 127.0.0.1:0");
    let admin = Admin::of(&proxy);
    let (mut client, mut its_server) = proxy.connect_through(&server);
    let old = admin.stats();
    assert_eq!((old.pid, old.workers[0].sessions), (proxy.pid(), 1));
    // Whoever looks in meanwhile is answered, by the one or the other.
    let is_over = Arc::new(AtomicBool::new(false));
    let scraper = std::thread::spawn({
        let is_over = is_over.clone();
        move || {
            while !is_over.load(SeqCst) {
                admin.stats();
            }
        }
    });
    let mut kept = Wire::new(connect(admin.0));
    kept.say(admin.request("GET", "/stats", &[]));
    let pid = |answer: &Message| serde_json::from_slice::<Stats>(&answer.body).unwrap().pid;
    let answer = kept.response();
    assert_eq!((pid(&answer), answer.is_last()), (old.pid, false));
    let mut events = Wire::new(connect(admin.0));
    events.say(admin.request("GET", "/events", &[]));
    assert_eq!(events.try_response_head().unwrap().unwrap().status(), 200);

    proxy.signal(Signal::USR2);
    let heir = Heir::announced(&proxy, 1);
    // The old one lets go of it once it is told to drain.
    wait_until("the new process alone", || (0..8).all(|_| admin.stats().pid == heir.pid()));
    is_over.store(true, SeqCst);
    scraper.join().unwrap();
    // Who was there before has one more answer of the old one; who looks at events comes again.
    kept.say(admin.request("GET", "/stats", &[]));
    let answer = kept.response();
    assert_eq!((pid(&answer), answer.is_last()), (old.pid, true));
    let _ = events.stream.read_to_end(&mut Vec::new());
    assert_eq!(admin.stats().workers[0].sessions, 0);
    assert_connected(&mut client, &mut its_server);
}

#[test]
fn a_unix_socket_is_taken_over_too() {
    let folder = tempfile::tempdir().unwrap();
    let there = format!("unix:{}", folder.path().join("admin.sock").display());
    let server = greeter('a');
    let proxy = Proxy::start(&format!("--admin {there} --backend {},name=a", server.address));
    proxy.stderr.wait_for_text("admin endpoint on unix:");
    let explains = || {
        let ended = run(LBPROXY, &format!("explain --client 10.0.0.1 --admin {there}"));
        assert_eq!(ended.code, Some(0), "{ended:?}");
    };
    proxy.signal(Signal::USR2);
    let first = Heir::announced(&proxy, 1);
    assert_eq!(letter(&mut proxy.connect()), 'a');
    explains();
    // Once more, by the one that has taken over.
    first.signal(Signal::USR2);
    let _second = Heir::announced(&proxy, 2);
    explains();
}
