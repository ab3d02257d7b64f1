//! At `max_connections`, clients wait in the kernel's queues: one for each listening address, none of them for ever.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

struct Proxy {
    process: Child,
    log: BufReader<ChildStderr>,
}

impl Proxy {
    fn start(backend: SocketAddr) -> Proxy {
        let mut process = Command::new(env!("CARGO_BIN_EXE_lbproxy"))
            .args(["--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--max-connections", "1"])
            .args(["--backend", &backend.to_string()])
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let log = BufReader::new(process.stderr.take().expect("piped"));
        Proxy { process, log }
    }

    /// The rest of the next line that has `text`.
    fn after(&mut self, text: &str) -> String {
        let mut line = String::new();
        while self.log.read_line(&mut line).expect("readable") > 0 {
            if let Some((_, rest)) = line.split_once(text) {
                return rest.trim().to_owned();
            }
            line.clear();
        }
        panic!("the log ended without: {text}");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Every client is answered with one byte; the session stays open until the client goes.
fn greet(backend: TcpListener) {
    for stream in backend.incoming() {
        let mut stream = stream.expect("accepts");
        std::thread::spawn(move || {
            let _ = std::io::Write::write_all(&mut stream, b"!");
            let _ = stream.read(&mut [0]);
        });
    }
}

fn is_served(client: &mut TcpStream, within: Duration) -> bool {
    client.set_read_timeout(Some(within)).expect("not zero");
    client.read_exact(&mut [0]).is_ok()
}

#[test]
fn a_busy_listener_does_not_starve_another_one() {
    let backend = TcpListener::bind("127.0.0.1:0").expect("binds");
    let mut proxy = Proxy::start(backend.local_addr().expect("bound"));
    std::thread::spawn(move || greet(backend));
    let [busy, quiet] = [(); 2].map(|()| proxy.after("listening on "));

    let connect = |address: &String| TcpStream::connect(address).expect("the kernel queues it");
    let mut queue: Vec<TcpStream> = (0..6).map(|_| connect(&busy)).collect();
    let mut alone = connect(&quiet);
    let mut served = 0;
    while !is_served(&mut alone, Duration::from_millis(100)) {
        assert!(served < 3, "{served} others were served first, and all of them came by the other address");
        assert!(is_served(&mut queue[0], Duration::from_secs(5)));
        queue.remove(0);
        served += 1;
    }
}
