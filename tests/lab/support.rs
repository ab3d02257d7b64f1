//! Programs that are stopped when the test is over, and waiting that ends: on what is awaited, or with a failure.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// How long anything may take before the test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) const ECHO_BACKEND: &str = env!("CARGO_BIN_EXE_echo_backend");
pub(crate) const HTTP_BACKEND: &str = env!("CARGO_BIN_EXE_http_backend");
pub(crate) const FILE_BACKEND: &str = env!("CARGO_BIN_EXE_file_backend");
pub(crate) const ECHO_CLIENT: &str = env!("CARGO_BIN_EXE_echo_client");
pub(crate) const FILE_CLIENT: &str = env!("CARGO_BIN_EXE_file_client");

/// A process that does not outlive the test.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running backend.
pub(crate) struct Backend {
    _process: Guard,
    pub(crate) address: SocketAddr,
}

impl Backend {
    /// Starts a program with these arguments and waits until it says where it listens.
    pub(crate) fn start<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Backend {
        let mut child = Command::new(program).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let process = Guard(child);
        let line = awaited(move || {
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line).unwrap();
            line
        });
        let address = line.strip_prefix("listening on ").expect(&line).trim_end().parse().expect(&line);
        Backend { _process: process, address }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream
    }
}

/// How a program ended, and what it had to say.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The first line of a client's report.
    pub(crate) fn count(&self) -> &str {
        self.stdout.lines().next().unwrap_or_default()
    }
}

/// Runs a program to its end.
pub(crate) fn run<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Ended {
    let mut command = Command::new(program);
    let child = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut process = Guard(child);
    let mut stdout = process.0.stdout.take().unwrap();
    let mut stderr = process.0.stderr.take().unwrap();
    let stderr = std::thread::spawn(move || text(&mut stderr));
    let stdout = awaited(move || text(&mut stdout));
    let code = process.0.wait().unwrap().code();
    Ended { code, stdout, stderr: stderr.join().unwrap() }
}

/// Runs a client against a server.
pub(crate) fn run_client(program: &str, server: SocketAddr, arguments: &[&str]) -> Ended {
    run(program, &[&["--connect", &server.to_string()], arguments].concat())
}

/// Sends these bytes on a new connection, ends it, and returns everything that comes back until the backend ends it.
pub(crate) fn exchange(backend: &Backend, request: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut stream = backend.connect();
    stream.write_all(request).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    rest(&mut stream)
}

/// Everything until the end.
pub(crate) fn rest(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Exactly as many bytes as expected, compared with it.
pub(crate) fn expect_bytes(stream: &mut impl Read, expected: &[u8]) {
    let mut bytes = vec![0; expected.len()];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(expected));
}

/// What `work` returns, if it does before the deadline.
pub(crate) fn awaited<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(work()));
    receiver.recv_timeout(DEADLINE).expect("nothing happened before the deadline")
}

fn text(stream: &mut impl Read) -> String {
    String::from_utf8(rest(stream)).unwrap()
}
