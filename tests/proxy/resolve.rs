//! Names that stand for other addresses than they did: looked up in the background, without a reload.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;

use rustix::fs::OFlags;
use rustix::process::Signal;

use crate::support::{Hosts, Proxy, assert_echoed, greeter_on, letter, on_one_port, say, serve_on, wait_for};

const IN_TURN: [[u8; 4]; 2] = [[127, 0, 0, 8], [127, 0, 0, 9]];

/// Two servers of one port, called a and b by what they say.
fn two() -> u16 {
    let [a, b] = on_one_port(IN_TURN);
    let port = greeter_on(a, 'a').address.port();
    greeter_on(b, 'b');
    port
}

fn met(proxy: &Proxy, clients: usize) -> String {
    (0..clients).map(|_| letter(&mut proxy.connect())).collect()
}

/// Waits until names have been found to stand for something else so many times.
fn wait_for_changes(proxy: &Proxy, times: usize) {
    let change = |line: &str| {
        (line.contains("] resolved: ") && line.trim_end_matches('s').ends_with(" change")).then_some(())
    };
    proxy.stderr.wait_for_many("other addresses", times, change);
}

#[test]
fn a_name_that_gets_other_addresses_takes_its_clients_along() {
    let port = two();
    let hosts = Hosts::new("127.0.0.8 app.test\n");
    let proxy = hosts.proxy(&format!("--backend app.test:{port}"));
    let mut early = proxy.connect();
    assert_eq!(letter(&mut early), 'a');
    hosts.say("127.0.0.8 app.test\n127.0.0.9 app.test # both\n");
    wait_for_changes(&proxy, 1);
    let both = met(&proxy, 10);
    assert!(both.contains('a') && both.contains('b'), "{both}");
    hosts.say("127.0.0.9 APP.test\n");
    wait_for_changes(&proxy, 2);
    assert_eq!(met(&proxy, 10), "b".repeat(10));
    // Who was there before stays with whom he has.
    say(&mut early, b"still with the first");
    drop(early);
    assert!(proxy.access_lines(21).iter().all(|line| line.end() == "client finished"));
}

#[test]
fn a_name_that_cannot_be_found_stays_what_it_was_and_the_others_move() {
    let (one, other) = (two(), two());
    let hosts = Hosts::new("127.0.0.8 app.test two.test\n");
    let proxy = hosts.proxy(&format!("--backend app.test:{one} --backend two.test:{other},weight=0"));
    assert_eq!(met(&proxy, 3), "aaa");
    hosts.say("127.0.0.9 app.test\n");
    proxy.stderr.wait_for_text("\"two.test\" cannot be resolved, its backends stay as they are: ");
    wait_for_changes(&proxy, 1);
    assert_eq!(met(&proxy, 3), "bbb");
    // Now there is nothing to be found at all.
    hosts.say("");
    proxy.stderr.wait_for_text("\"app.test\" cannot be resolved, its backends stay as they are: ");
    assert_eq!(met(&proxy, 3), "bbb");
    hosts.say("127.0.0.8 app.test two.test\n");
    wait_for_changes(&proxy, 2);
    assert_eq!(met(&proxy, 3), "aaa");
    let said = proxy.stderr.so_far();
    let complaints = said.iter().filter(|line| line.contains("cannot be resolved")).count();
    assert_eq!(complaints, 2, "each is news once: {said:?}");
}

/// What a backend is called does not depend on the others.
#[test]
fn counters_live_on_where_an_address_joins_one_that_has_a_name() {
    let port = two();
    let hosts = Hosts::new("127.0.0.9 app.test\n");
    let proxy = hosts.proxy(&format!("--policy fewest_connections --backend app.test:{port},name=web"));
    let mut held: Vec<_> = (0..6).map(|_| proxy.connect()).collect();
    held.iter_mut().for_each(|client| assert_eq!(letter(client), 'b'));
    hosts.say("127.0.0.8 app.test\n127.0.0.9 app.test\n");
    proxy.stderr.wait_for_text("pool.default.backends.web-127.0.0.8: added");
    wait_for_changes(&proxy, 1);
    let mut later: Vec<_> = (0..6).map(|_| proxy.connect()).collect();
    assert_eq!(later.iter_mut().map(letter).collect::<String>(), "aaaaaa");
}

#[test]
fn what_takes_a_restart_is_said_when_the_file_is_read_and_not_again() {
    let port = two();
    let hosts = Hosts::new("127.0.0.8 app.test\n");
    let text = |workers: u32| {
        format!(
            "workers = {workers}\n[timeouts]\nresolve_interval_ms = 20\n[[frontend]]\nlisten = ['127.0.0.1:0']\n\
             [pool.p]\nbackends = [{{ address = 'app.test:{port}' }}]\n"
        )
    };
    let proxy = Proxy::configured_as(&mut hosts.command(), &text(1), 1);
    proxy.reload(&text(3));
    for (times, address) in [(1, "127.0.0.9"), (2, "127.0.0.8"), (3, "127.0.0.9")] {
        hosts.say(&format!("{address} app.test\n"));
        wait_for_changes(&proxy, times);
    }
    assert_eq!(met(&proxy, 2), "bb");
    let said = proxy.stderr.so_far();
    let count = |text: &str| said.iter().filter(|line| line.contains(text)).count();
    assert_eq!((count("takes a restart"), count("resolved: 0 changes")), (1, 0), "{said:?}");
}

/// A file that nobody writes to: whoever opens it waits.
fn hang(hosts: &Hosts) {
    std::fs::remove_file(hosts.path()).unwrap();
    assert!(Command::new("mkfifo").arg(hosts.path()).status().unwrap().success());
}

/// Its other end, once somebody has begun to read: which goes on for as long as this is open.
fn reader_of(hosts: &Hosts) -> File {
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap();
    let open = || OpenOptions::new().write(true).custom_flags(nonblocking).open(hosts.path()).ok();
    wait_for("a name to be looked up", open)
}

#[test]
fn a_resolver_that_hangs_holds_up_neither_clients_nor_a_stop() {
    let [a, _b] = on_one_port(IN_TURN);
    let address = a.local_addr().unwrap();
    serve_on(a, |mut stream| _ = std::io::copy(&mut stream.try_clone().unwrap(), &mut stream));
    let hosts = Hosts::new("127.0.0.8 app.test\n");
    let text = format!(
        "[timeouts]\nresolve_interval_ms = 0\n[[frontend]]\nlisten = ['127.0.0.1:0']\n\
         [pool.p]\nbackends = [{{ address = 'app.test:{}' }}]\n",
        address.port()
    );
    let mut proxy = Proxy::configured_as(&mut hosts.command(), &text, 1);
    hang(&hosts);
    proxy.signal(Signal::HUP);
    let _hanging = reader_of(&hosts);
    let mut client = proxy.connect();
    assert_echoed(&mut client, b"served");
    proxy.signal(Signal::TERM);
    proxy.stderr.wait_for_text("draining");
    assert_echoed(&mut client, b"to the end");
    drop(client);
    assert_eq!(proxy.exit_code(), Some(0));
}
