//! Out of descriptors, or at the limit of connections: clients wait, nothing spins, and service goes on afterwards.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::process::Command;

use crate::support::{LBPROXY, Proxy, connect, greeter, letter, patient, wait_until};

/// A proxy that may open so many files, and does not know better than to accept a thousand clients.
fn proxy_with_few_files(limit: usize, backend: std::net::SocketAddr) -> Proxy {
    let script = format!("ulimit -n {limit} && exec \"$@\"");
    let arguments = format!("--listen 127.0.0.1:0 --max-connections 1000 --backend {backend}");
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh", LBPROXY]).args(arguments.split_whitespace());
    Proxy::spawn(&mut command, 1)
}

#[test]
fn out_of_descriptors_it_waits_for_some_and_serves_on() {
    let backend = greeter('a');
    // Two limits, one of which runs out when a client is accepted, the other one when its backend is connected.
    for limit in [50, 51] {
        let proxy = proxy_with_few_files(limit, backend.address);
        proxy.stderr.wait_for_text("1000 connections need 2065 file descriptors");
        let clients: Vec<TcpStream> = (0..60).map(|_| proxy.connect()).collect();
        proxy.stderr.wait_for("the shortage", |line| {
            (line.contains("cannot accept, resting") || line.contains("no socket for a connection"))
                .then_some(())
        });
        wait_until("every descriptor to be used", || proxy.fds() >= limit - 1);
        proxy.assert_idle();
        drop(clients);
        proxy.wait_until_at_rest();
        assert_eq!(letter(&mut proxy.connect()), 'a', "with {limit} files");
    }
}

#[test]
fn clients_beyond_the_limit_wait_until_one_leaves() {
    let backend = greeter('a');
    let proxy = Proxy::before(&[backend.address], "--max-connections 2");
    let mut first = proxy.connect();
    let mut second = proxy.connect();
    assert_eq!((letter(&mut first), letter(&mut second)), ('a', 'a'));
    let third = proxy.connect();
    proxy.stderr.wait_for_text("2 connections open: clients wait until one closes");
    assert!(is_silent(&third));
    assert_eq!(backend.accepted(), 2);
    proxy.assert_idle();
    assert!(is_silent(&third));
    drop(first);
    assert_eq!(letter(&mut patient(third)), 'a');
    assert_eq!(backend.accepted(), 3);
    drop(second);
    proxy.access_lines(2);
    // One warning for the whole time in which it was full.
    let warnings = proxy.stderr.so_far().iter().filter(|line| line.contains("clients wait")).count();
    assert_eq!(warnings, 1);
}

#[test]
fn a_crowd_beyond_the_limit_is_served_in_the_end() {
    let backend = greeter('a');
    for workers in [1, 2] {
        let proxy = Proxy::before(&[backend.address], &format!("--max-connections 4 --workers {workers}"));
        let crowd: Vec<TcpStream> = (0..200).map(|_| proxy.connect()).collect();
        let (at_rest, mut most) = (proxy.fds(), 0);
        for mut client in crowd {
            // Those before it have left, so it is its turn. With two workers, not necessarily in this order.
            let thread = std::thread::spawn(move || letter(&mut client));
            wait_until("a client to be served", || {
                most = most.max(proxy.fds());
                thread.is_finished()
            });
            assert_eq!(thread.join().unwrap(), 'a');
        }
        assert!(most <= at_rest + 8, "{most} descriptors");
        proxy.access_lines(200);
    }
}

/// With one place only, whoever is first in line gets it: the lines of all addresses must take turns.
#[test]
fn a_busy_address_does_not_starve_another_one() {
    let backend = greeter('a');
    let arguments = format!("--max-connections 1 --backend {}", backend.address);
    let arguments = format!("--listen 127.0.0.1:0 --listen 127.0.0.1:0 {arguments}");
    let proxy = Proxy::spawn(Command::new(LBPROXY).args(arguments.split_whitespace()), 2);
    let [busy, quiet] = [0, 1].map(|index: usize| proxy.listening[index]);
    let mut crowd: Vec<TcpStream> = (0..10).map(|_| connect(busy)).collect();
    assert_eq!(letter(&mut crowd[0]), 'a');
    let mut alone = connect(quiet);
    let waiting = std::thread::spawn(move || letter(&mut alone));
    // The one that is served leaves, then the next one, until it is the turn of the one that came alone.
    crowd.drain(..4);
    assert_eq!(waiting.join().unwrap(), 'a');
    assert!(crowd.iter().any(is_silent), "all others were served first");
}

#[test]
fn out_of_descriptors_clients_wait_rather_than_being_turned_away() {
    let backend = greeter('a');
    for limit in [50, 51] {
        let proxy = proxy_with_few_files(limit, backend.address);
        let clients: Vec<TcpStream> = (0..80).map(|_| proxy.connect()).collect();
        wait_until("every descriptor to be used", || proxy.fds() >= limit - 1);
        proxy.assert_idle();
        // With an odd number, the last one lets a client in for whom there is no backend: one in a while.
        let turned_away = clients.iter().filter(|client| is_turned_away(client)).count();
        assert!(turned_away <= 40, "{turned_away} of {} turned away, with {limit} files", clients.len());
    }
}

/// What a client would read, if it did not wait: nothing yet, an end, or a byte.
fn at_hand(client: &TcpStream) -> Result<usize, ErrorKind> {
    client.set_nonblocking(true).unwrap();
    let outcome = client.peek(&mut [0]).map_err(|error| error.kind());
    client.set_nonblocking(false).unwrap();
    outcome
}

fn is_silent(client: &TcpStream) -> bool {
    at_hand(client) == Err(ErrorKind::WouldBlock)
}

fn is_turned_away(client: &TcpStream) -> bool {
    matches!(at_hand(client), Ok(0) | Err(ErrorKind::ConnectionReset))
}
