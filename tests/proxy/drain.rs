//! SIGTERM and SIGINT: no new clients, those connected may finish, and the exit code says whether they did.

use std::net::TcpStream;

use rustix::process::Signal;

use crate::support::{
    Proxy, Scripted, assert_connected, expect_end, finish_sending, greeter, letter, rest, say, wait_until,
    wait_until_refused,
};

#[test]
fn connections_may_finish_while_new_ones_are_refused() {
    for (signal, workers) in [(Signal::TERM, 1), (Signal::INT, 1), (Signal::TERM, 2)] {
        let server = Scripted::new();
        let mut proxy = Proxy::before(&[server.address], &format!("--workers {workers}"));
        let (mut client, mut serving) = proxy.connect_through(&server);
        proxy.signal(signal);
        proxy.stderr.wait_for_text("draining");
        wait_until_refused(proxy.address());
        assert_connected(&mut client, &mut serving);
        finish_sending(&client);
        assert_eq!(rest(&mut serving), b"");
        say(&mut serving, b"goodbye");
        drop(serving);
        assert_eq!(rest(&mut client), b"goodbye");
        assert_eq!(proxy.exit_code(), Some(0));
    }
}

#[test]
fn without_connections_it_ends_at_once() {
    for (signal, workers) in [(Signal::TERM, 1), (Signal::INT, 4)] {
        let mut proxy = Proxy::start(&format!("--backend 127.0.0.1:1 --workers {workers}"));
        proxy.signal(signal);
        assert_eq!(proxy.exit_code(), Some(0));
        proxy.stderr.wait_for_text("stopped: 0 connections served, 0 cut short");
    }
}

/// Whoever is told that it listens may stop it: the signal must not find it unprepared.
#[test]
fn it_can_be_stopped_as_soon_as_it_listens() {
    for _ in 0..30 {
        let mut proxy = Proxy::start("--backend 127.0.0.1:1");
        proxy.signal(Signal::TERM);
        assert_eq!(proxy.exit_code(), Some(0));
    }
}

/// The kernel has accepted them, so their clients believe to be connected: closing the listener would reset them.
#[test]
fn clients_in_the_queue_at_the_time_of_the_signal_are_served() {
    let backend = greeter('a');
    for workers in [1, 2] {
        let mut proxy = Proxy::before(&[backend.address], &format!("--workers {workers} --backlog 1024"));
        proxy.signal(Signal::STOP);
        let clients: Vec<TcpStream> = (0..500).map(|_| proxy.connect()).collect();
        proxy.signal(Signal::TERM);
        proxy.signal(Signal::CONT);
        for mut client in clients {
            assert_eq!(letter(&mut client), 'a');
        }
        assert_eq!(proxy.exit_code(), Some(0));
        proxy.stderr.wait_for_text("500 connections served, 0 cut short");
    }
}

#[test]
fn who_has_not_finished_in_time_is_cut_and_the_exit_code_says_so() {
    let server = Scripted::new();
    let mut proxy = Proxy::before(&[server.address], "--drain-timeout-ms 300");
    let (mut client, mut serving) = proxy.connect_through(&server);
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.exit_code(), Some(1));
    assert_eq!(proxy.access_line().end(), "proxy drain_timeout");
    expect_end(&mut client);
    expect_end(&mut serving);
    proxy.stderr.wait_for_text("1 connections served, 1 cut short");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (first, second) in
        [(Signal::TERM, Signal::TERM), (Signal::INT, Signal::INT), (Signal::TERM, Signal::INT)]
    {
        let server = Scripted::new();
        let mut proxy = Proxy::before(&[server.address], "--drain-timeout-ms 3600000");
        let (mut client, _serving) = proxy.connect_through(&server);
        proxy.signal(first);
        proxy.stderr.wait_for_text("draining");
        // One that comes too soon is taken for an echo of the first.
        wait_until("its end", || {
            proxy.signal(second);
            proxy.has_ended()
        });
        assert_eq!(proxy.exit_code(), Some(1));
        expect_end(&mut client);
    }
}
