//! At `max_connections`, clients wait in the kernel's queues: one for each listening address, none of them for ever.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

struct Proxy {
    process: Child,
    log: BufReader<ChildStderr>,
}

impl Proxy {
    fn start(backend: SocketAddr, connections: usize, files: usize) -> Proxy {
        let command = format!(
            "ulimit -n {files}; exec {} --listen 127.0.0.1:0 --listen 127.0.0.1:0 --backend {backend} \
             --max-connections {connections}",
            env!("CARGO_BIN_EXE_lbproxy")
        );
        let mut process = Command::new("sh")
            .args(["-c", &command])
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

fn connect(address: &String) -> TcpStream {
    TcpStream::connect(address).expect("the kernel queues it")
}

fn is_served(client: &mut TcpStream, within: Duration) -> bool {
    client.set_read_timeout(Some(within)).expect("not zero");
    client.read_exact(&mut [0]).is_ok()
}

#[test]
fn a_busy_listener_does_not_starve_another_one() {
    let backend = TcpListener::bind("127.0.0.1:0").expect("binds");
    let mut proxy = Proxy::start(backend.local_addr().expect("bound"), 1, 100);
    std::thread::spawn(move || greet(backend));
    let [busy, quiet] = [(); 2].map(|()| proxy.after("listening on "));

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

/// With an odd number of descriptors, the last one lets a client in for whom there is no backend.
#[test]
fn without_descriptors_clients_wait_rather_than_being_turned_away() {
    for files in [40, 41] {
        let backend = TcpListener::bind("127.0.0.1:0").expect("binds");
        let mut proxy = Proxy::start(backend.local_addr().expect("bound"), 1000, files);
        std::thread::spawn(move || greet(backend));
        let address = proxy.after("listening on ");
        let mut clients: Vec<TcpStream> = (0..80).map(|_| connect(&address)).collect();
        let mut served = 0;
        while is_served(&mut clients[served], Duration::from_millis(300)) {
            served += 1;
        }
        assert!(served > 5, "{served} served");
        let turned_away = clients.into_iter().skip(served).filter(|mut client| {
            client.set_nonblocking(true).expect("it is a socket");
            !matches!(client.read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
        });
        let turned_away = turned_away.count();
        assert!(turned_away <= 10, "{turned_away} of {} turned away, with {files} files", 80 - served);
    }
}
