//! The log on stderr, and those who do not read it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use crate::support::{LBPROXY, greeter, letter, patient};

/// A process that does not outlive the test, and whose output is left alone.
struct Unread(Child);

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A pipe holds 64 KiB, some 300 lines. Whoever started the proxy may have stopped reading it long ago.
#[test]
fn a_stderr_that_nobody_reads_holds_up_no_connection() {
    let server = greeter('a');
    let mut command = Command::new(LBPROXY);
    command.args(["--listen", "127.0.0.1:0", "--backend", &server.address.to_string()]);
    let mut proxy = Unread(command.stderr(Stdio::piped()).spawn().unwrap());
    let mut stderr = BufReader::new(proxy.0.stderr.take().unwrap());
    let mut line = String::new();
    let address: SocketAddr = loop {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended");
        if let Some((_, address)) = line.trim_end().split_once("listening on ") {
            break address.parse().unwrap();
        }
    };
    for _ in 0..2_000 {
        assert_eq!(letter(&mut patient(std::net::TcpStream::connect(address).unwrap())), 'a');
    }
}
