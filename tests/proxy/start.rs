//! How it starts, and how it refuses to: one line that says what is wrong, and exit code 2.

use std::fs;
use std::net::TcpListener;

use rustix::process::Signal;

use crate::support::{LBPROXY, Program, Proxy, Refusing, greeter, letter, run, wait_until};

/// Runs it with these arguments: it must end with this in its only line.
fn assert_refused(arguments: &str, reason: &str) {
    let ended = run(LBPROXY, arguments);
    assert_eq!(
        (ended.code, ended.stdout.len(), ended.stderr.len()),
        (Some(2), 0, 1),
        "{arguments}: {ended:?}"
    );
    let line = &ended.stderr[0];
    assert!(line.starts_with("lbproxy: "), "{line}");
    assert!(line.contains(reason), "{reason:?} is not in {line:?}");
    assert!(!line.contains("panicked") && !line.contains("backtrace"), "{line}");
}

#[test]
fn a_wrong_argument_is_refused_in_one_line() {
    let backend = "--backend 127.0.0.1:9001";
    assert_refused(&format!("{backend} --port 65536"), "65536");
    assert_refused(&format!("{backend} --port http"), "http");
    assert_refused(&format!("{backend} --policy ip_hash"), "did you mean \"ip_hashing\"?");
    assert_refused(&format!("{backend} --listen 127.0.0.1"), "127.0.0.1");
    assert_refused(&format!("{backend} --backend 127.0.0.1:9001"), "127.0.0.1:9001");
    assert_refused(&format!("{backend} --prot 80"), "--port");
    assert_refused(&format!("{backend} --workers 0"), "workers");
    assert_refused("--port 0", "no backend");
    assert_refused("--port 0 --backend nobody.invalid:80", "nobody.invalid");
    assert_refused("--port 0 --config /nowhere/lbproxy.toml", "/nowhere/lbproxy.toml");
    assert_refused(&format!("{backend} --listen 192.0.2.1:0"), "cannot listen on 192.0.2.1:0");
}

#[test]
fn a_wrong_key_is_refused_with_the_nearest_right_one() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("lbproxy.toml");
    fs::write(
        &file,
        "[[frontend]]\nport = 0\n[pool.a]\npolcy = 'random'\nbackends = [{ address = '127.0.0.1:1' }]\n",
    )
    .unwrap();
    let arguments = format!("--config {}", file.display());
    assert_refused(&arguments, "lbproxy.toml: line 4");
    assert_refused(&arguments, "\"policy\"");
}

#[test]
fn a_port_in_use_is_refused_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for workers in [1, 2] {
        let arguments = format!("--backend 127.0.0.1:1 --listen {address} --workers {workers}");
        assert_refused(&arguments, &format!("cannot listen on {address}"));
    }
}

/// The kernel would let both share the port, and each would get some of the other's clients.
#[test]
fn a_port_in_use_by_another_proxy_with_workers_is_refused_too() {
    let backend = greeter('a');
    let proxy = Proxy::before(&[backend.address], "--workers 2");
    for workers in [1, 2] {
        let arguments = format!("--backend 127.0.0.1:1 --listen {} --workers {workers}", proxy.address());
        assert_refused(&arguments, &format!("cannot listen on {}", proxy.address()));
    }
    assert_eq!(letter(&mut proxy.connect()), 'a');
}

#[test]
fn a_port_can_be_used_again_at_once() {
    let backend = greeter('a');
    let mut first = Proxy::before(&[backend.address], "");
    let address = first.address();
    let mut client = first.connect();
    assert_eq!(letter(&mut client), 'a');
    first.signal(Signal::KILL);
    first.exit_code();
    let second = Proxy::start_anywhere(&format!("--listen {address} --backend {}", backend.address));
    assert_eq!(letter(&mut second.connect()), 'a');
}

#[test]
fn what_only_prints_succeeds() {
    for (arguments, expected) in [
        ("--version", concat!("lbproxy ", env!("CARGO_PKG_VERSION"))),
        ("--help", "fewest_connections"),
        ("--check --backend 127.0.0.1:9001 --policy random", "policy = \"random\""),
    ] {
        let ended = run(LBPROXY, arguments);
        assert_eq!((ended.code, ended.stderr.len()), (Some(0), 0), "{ended:?}");
        assert!(ended.stdout.join("\n").contains(expected), "{ended:?}");
    }
}

#[test]
fn quiet_leaves_connections_out_of_the_log() {
    let backend = greeter('a');
    let down = Refusing::new();
    let reserved = down.address;
    drop(down);
    let arguments = format!("-q --listen {reserved} --backend {}", backend.address);
    let mut proxy = Program::start(std::process::Command::new(LBPROXY).args(arguments.split_whitespace()));
    wait_until("it to listen", || {
        std::net::TcpStream::connect(reserved).is_ok_and(|mut client| letter(&mut client) == 'a')
    });
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.ended().stderr, [""; 0]);
}
