//! What all policies have in common, and the shares that weights give.

use std::process::Command;

use lbproxy::balance::policy;

use crate::support::{
    ECHO_BACKEND, ECHO_CLIENT, Ended, FILE_BACKEND, FILE_CLIENT, HTTP_BACKEND, Program, Proxy, connect,
    expect_end, finish, finish_sending, greeter, letter, require, rest, run, say,
};

fn assert_accurate(ended: &Ended, expected: u64) {
    let count = ended.stdout.first().map(String::as_str);
    assert_eq!(
        (ended.code, count),
        (Some(0), Some(&*format!("accurate {expected} of {expected}"))),
        "{ended:?}"
    );
}

#[test]
fn every_policy_transmits_accurately() {
    let (_one, first) = Program::backend(ECHO_BACKEND, "");
    let (_two, second) = Program::backend(ECHO_BACKEND, "");
    for policy in policy::names() {
        let proxy = Proxy::before(&[first, second], &format!("--policy {policy}"));
        let ended = run(ECHO_CLIENT, &format!("--connect {} --count 100 --connections 100", proxy.address()));
        assert_accurate(&ended, 10_000);
        let log = proxy.access_lines(100);
        assert!(log.iter().all(|line| line.policy == policy && line.end() == "client finished"), "{log:?}");
        assert!(log.iter().all(|line| line.up_bytes == line.down_bytes && line.up_bytes > 100), "{log:?}");
    }
}

#[test]
fn files_arrive_as_they_are() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    std::fs::write(&file, std::iter::repeat_with(|| fastrand::u8(..)).take(1_000_000).collect::<Vec<u8>>())
        .unwrap();
    let root = format!("--root {}", place.path().display());
    let (_one, first) = Program::backend(FILE_BACKEND, &root);
    let (_two, second) = Program::backend(FILE_BACKEND, &root);
    let proxy = Proxy::before(&[first, second], "");
    let arguments =
        format!("--connect {} --file {} --count 5 --connections 10", proxy.address(), file.display());
    assert_accurate(&run(FILE_CLIENT, &arguments), 50);
}

/// The backends that so many clients met, one after the other.
fn met(proxy: &Proxy, clients: usize) -> String {
    (0..clients).map(|_| letter(&mut proxy.connect())).collect()
}

#[test]
fn weights_give_exact_shares_in_turn() {
    let [a, b, c] = ['a', 'b', 'c'].map(greeter);
    let backends =
        format!("--backend {},weight=5 --backend {} --backend {}", a.address, b.address, c.address);
    let proxy = Proxy::start(&format!("--policy round_robin {backends}"));
    let met = met(&proxy, 70);
    assert_eq!(met, "aabacaa".repeat(10));
}

#[test]
fn a_weight_of_zero_means_no_clients() {
    let [a, b] = ['a', 'b'].map(greeter);
    for policy in policy::names() {
        let backends = format!("--backend {},weight=0 --backend {}", a.address, b.address);
        let proxy = Proxy::start(&format!("--policy {policy} {backends}"));
        assert_eq!(met(&proxy, 10), "b".repeat(10), "{policy}");
    }
}

#[test]
fn a_random_choice_finds_everyone() {
    let [a, b] = ['a', 'b'].map(greeter);
    let proxy = Proxy::before(&[a.address, b.address], "--policy random");
    let met = met(&proxy, 100);
    assert!(met.contains('a') && met.contains('b'), "by chance this happens once in 2^99 runs");
}

#[test]
fn a_browser_gets_its_page() {
    let (_backend, address) = Program::backend(HTTP_BACKEND, "--name one --close");
    let proxy = Proxy::before(&[address], "");
    let mut client = connect(proxy.address());
    say(&mut client, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(String::from_utf8(rest(&mut client)).unwrap().ends_with("I am one.\n"));
    finish_sending(&client);
    expect_end(&mut client);
    assert_eq!(proxy.access_line().end(), "backend finished");
}

#[test]
fn wrk_finds_no_socket_error() {
    if !require("wrk") {
        return;
    }
    let (_one, first) = Program::backend(HTTP_BACKEND, "");
    let (_two, second) = Program::backend(HTTP_BACKEND, "");
    let proxy = Proxy::before(&[first, second], "");
    let url = format!("http://{}/", proxy.address());
    let ended = finish(Command::new("wrk").args(["-t2", "-c100", "-d2s", &url]));
    let report = ended.stdout.join("\n");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(report.contains("requests in") && !report.contains("Requests/sec:      0.00"), "{report}");
    assert!(!report.contains("Socket errors") && !report.contains("Non-2xx"), "{report}");
}
