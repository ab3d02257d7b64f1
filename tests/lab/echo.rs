//! The echo backend and its client.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use lbproxy::lab::echo::Echo;
use lbproxy::lab::server::Server;

use crate::support::{
    Backend, DEADLINE, ECHO_BACKEND, ECHO_CLIENT, Ended, awaited, exchange, expect_bytes, rest, run_client,
};

/// A server that treats each of so many connections with `talk`, which is told its number. In the end it returns
/// where they came from.
fn server(
    connections: usize,
    talk: impl Fn(usize, TcpStream) + Send + Sync + 'static,
) -> (SocketAddr, JoinHandle<Vec<IpAddr>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let talk = Arc::new(talk);
    let serve = move |number| {
        let (stream, peer) = listener.accept().unwrap();
        let talk = talk.clone();
        std::thread::spawn(move || talk(number, stream));
        peer.ip()
    };
    (address, std::thread::spawn(move || (0..connections).map(serve).collect()))
}

/// Echoes lines as `treat` leaves them, until it returns false.
fn echo_lines(stream: TcpStream, mut treat: impl FnMut(usize, &mut Vec<u8>) -> bool) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    let mut line = Vec::new();
    for number in 0.. {
        line.clear();
        if reader.read_until(b'\n', &mut line).unwrap_or(0) == 0 || !treat(number, &mut line) {
            return;
        }
        writer.write_all(&line).unwrap();
    }
}

fn assert_failed(ended: &Ended, count: &str, cause: &str) {
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.count(), count, "{ended:?}");
    assert!(ended.stderr.contains(cause), "{ended:?}");
}

#[test]
fn every_message_of_every_connection_is_accurate() {
    let backend = Backend::start::<&str>(ECHO_BACKEND, &[]);
    let ended = run_client(ECHO_CLIENT, backend.address, &["--connections", "100", "--count", "100"]);
    assert_eq!(ended.count(), "accurate 10000 of 10000", "{ended:?}");
    assert!(ended.stdout.contains("latency_us p50 "), "{ended:?}");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn thousands_of_connections_at_once() {
    let backend = Backend::start::<&str>(ECHO_BACKEND, &[]);
    let ended = run_client(ECHO_CLIENT, backend.address, &["--connections", "3000", "--count", "3"]);
    assert_eq!(ended.count(), "accurate 9000 of 9000", "{ended:?}");
}

#[test]
fn a_message_larger_than_any_buffer_comes_back() {
    let backend = Backend::start::<&str>(ECHO_BACKEND, &[]);
    let message = "lorem ipsum ".repeat(8_000);
    let ended = run_client(ECHO_CLIENT, backend.address, &["--count", "20", "--message", &message]);
    assert_eq!(ended.count(), "accurate 20 of 20", "{ended:?}");
}

#[test]
fn a_changed_byte_is_counted() {
    let (address, _server) = server(1, |_, stream| {
        echo_lines(stream, |number, line| {
            line[3] ^= u8::from(number == 70);
            true
        });
    });
    let ended = run_client(ECHO_CLIENT, address, &["--count", "100"]);
    assert_failed(&ended, "accurate 99 of 100", "");
    assert!(ended.stdout.contains("wrong 1, missing 0"), "{ended:?}");
}

#[test]
fn more_than_was_sent_is_a_fault() {
    let (address, _server) = server(1, |_, stream| {
        echo_lines(stream, |number, line| {
            line.extend(if number == 5 { "surplus" } else { "" }.bytes());
            true
        });
    });
    let ended = run_client(ECHO_CLIENT, address, &["--count", "10"]);
    assert_failed(&ended, "accurate 5 of 10", "1 × more came back than was sent");
}

#[test]
fn a_connection_that_is_closed_early_leaves_the_others_alone() {
    let (address, _server) = server(3, |number, stream| {
        let limit = if number == 1 { 3 } else { usize::MAX };
        echo_lines(stream, |sequence, _| sequence < limit);
    });
    let ended = run_client(ECHO_CLIENT, address, &["--count", "10", "--connections", "3"]);
    assert_failed(&ended, "accurate 23 of 30", "1 × the connection was closed early");
}

#[test]
fn silence_is_a_failure_after_the_timeout() {
    let (address, _server) = server(1, |_, mut stream| drop(rest(&mut stream)));
    let ended = run_client(ECHO_CLIENT, address, &["--timeout-ms", "100"]);
    assert_failed(&ended, "accurate 0 of 1000", "1 × no progress for 100 ms");
}

#[test]
fn nobody_listening_is_reported_by_cause() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let ended = run_client(ECHO_CLIENT, address, &["--connections", "3"]);
    assert_failed(&ended, "accurate 0 of 3000", "3 × connect: Connection refused");
}

#[test]
fn connections_come_from_the_source_addresses_in_turn() {
    let (address, server) = server(5, |_, stream| echo_lines(stream, |_, _| true));
    let sources = ["--source", "127.0.0.5,127.0.0.6", "--source", "127.0.0.7"];
    let arguments = [&sources[..], &["--count", "2", "--connections", "5"]].concat();
    let ended = run_client(ECHO_CLIENT, address, &arguments);
    assert_eq!(ended.count(), "accurate 10 of 10", "{ended:?}");
    let peers = awaited(move || server.join().unwrap());
    let expected = ["127.0.0.5", "127.0.0.6", "127.0.0.7", "127.0.0.5", "127.0.0.6"];
    assert_eq!(peers, expected.map(|address| address.parse::<IpAddr>().unwrap()));
}

#[test]
fn a_half_closed_client_gets_all_it_is_owed_and_then_the_end() {
    let backend = Backend::start::<&str>(ECHO_BACKEND, &[]);
    assert_eq!(exchange(&backend, b"the last words"), b"the last words");
    assert_eq!(exchange(&backend, b""), b"");
}

#[test]
fn a_client_that_does_not_read_is_not_read_from_either() {
    const BOUND_BYTES: usize = 256 * 1024 * 1024;
    let backend = Backend::start::<&str>(ECHO_BACKEND, &[]);
    let mut stream = backend.connect();
    stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let chunk: Vec<u8> = (0..65_521_u32).map(|index| (index % 251) as u8).collect();
    let mut sent = Vec::new();
    loop {
        assert!(sent.len() < BOUND_BYTES, "the backend buffers without bound");
        match stream.write(&chunk) {
            Ok(count_bytes) => sent.extend_from_slice(&chunk[..count_bytes]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    // Others are served meanwhile.
    assert_eq!(exchange(&backend, b"me too"), b"me too");
    stream.shutdown(Shutdown::Write).unwrap();
    assert!(rest(&mut stream) == sent, "what came back is not what was sent");
}

#[test]
fn out_of_descriptors_clients_wait_until_others_leave() {
    let limited = format!("ulimit -n 24 && exec {ECHO_BACKEND}");
    let backend = Backend::start("sh", &["-c", &limited]);
    let mut clients: Vec<TcpStream> = (0..40).map(|_| backend.connect()).collect();
    clients.iter_mut().for_each(|client| client.write_all(b"hello").unwrap());
    expect_bytes(&mut clients[0], b"hello");
    let waiting = clients.split_off(24);
    drop(clients);
    for mut client in waiting {
        expect_bytes(&mut client, b"hello");
    }
}

#[test]
fn a_server_inside_the_process_starts_and_stops() {
    let running = Server::bind("127.0.0.1:0".parse().unwrap()).unwrap().spawn(Echo::default()).unwrap();
    let mut stream = TcpStream::connect(running.address()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(b"inside").unwrap();
    expect_bytes(&mut stream, b"inside");
    let address = running.address();
    awaited(|| running.stop()).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}
