//! What is held against a backend, and what is not.

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Connections kept in reserve, say, when their server restarts: that is an outage, perhaps, but no failure at once.
#[test]
fn a_reset_after_a_long_silence_is_no_failure_at_once() {
    let backend = TcpListener::bind("127.0.0.1:0").expect("binds");
    let mut proxy = Command::new(env!("CARGO_BIN_EXE_lbproxy"))
        .args(["--listen", "127.0.0.1:0", "--backend", &backend.local_addr().expect("bound").to_string()])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut log = BufReader::new(proxy.stderr.take().expect("piped")).lines().map(|line| line.expect("text"));
    let listening = log.find(|line| line.contains("listening on ")).expect("it listens");
    let address = listening.rsplit(' ').next().expect("the address comes last");

    let mut clients = [(); 3].map(|()| TcpStream::connect(address).expect("listens"));
    let connections = [(); 3].map(|()| backend.accept().expect("connects").0);
    // Longer than what is "at once". Nothing is to be seen of that moment from outside.
    clients[0].set_read_timeout(Some(Duration::from_millis(1300))).expect("not zero");
    assert!(clients[0].read(&mut [0]).is_err(), "nobody speaks");
    for connection in connections {
        socket2::SockRef::from(&connection).set_linger(Some(Duration::ZERO)).expect("a socket");
    }
    let (mut ends, mut lines) = (0, Vec::new());
    while ends < 3 {
        lines.extend(log.next());
        ends += usize::from(lines.last().expect("a line for each session").contains("cause="));
    }
    proxy.kill().expect("it runs");
    proxy.wait().expect("it ends");
    assert!(!lines.iter().any(|line| line.contains("closed at once")), "{lines:?}");
}
