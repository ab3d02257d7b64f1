//! SIGUSR2: another process takes over, and nobody is refused or cut off meanwhile; and the sockets of a service manager.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{
    HTTP_BACKEND, Heir, LBPROXY, Program, Proxy, assert_echoed, connect, greeter, letter, reset, wait_until,
};

/// Clients that ask for something on a connection of their own, again and again, and count what went wrong.
struct Load {
    stop: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    clients: Vec<std::thread::JoinHandle<Vec<String>>>,
}

impl Load {
    fn on(
        address: SocketAddr,
        one: impl Fn(SocketAddr) -> Result<(), String> + Clone + Send + 'static,
    ) -> Load {
        let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let client = || {
            let (stop, served, one) = (stop.clone(), served.clone(), one.clone());
            std::thread::spawn(move || {
                let mut wrong = Vec::new();
                while !stop.load(SeqCst) {
                    wrong.extend(one(address).err());
                    served.fetch_add(1, SeqCst);
                }
                wrong
            })
        };
        let clients = (0..4).map(|_| client()).collect();
        Load { stop, served, clients }
    }

    fn wait_for_more(&self, count: usize) {
        let enough = self.served.load(SeqCst) + count;
        wait_until("clients to be served", || self.served.load(SeqCst) >= enough);
    }

    /// What went wrong.
    fn end(self) -> Vec<String> {
        self.stop.store(true, SeqCst);
        self.clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    }
}

/// A new connection, and a letter from the backend.
fn greeted(address: SocketAddr) -> Result<(), String> {
    let mut stream = TcpStream::connect(address).map_err(|error| format!("refused: {error}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut name = [0];
    stream.read_exact(&mut name).map_err(|error| format!("cut off: {error}"))
}

/// As many requests on one connection as it is good for.
fn asked(address: SocketAddr) -> Result<(), String> {
    use std::io::Write;
    let mut stream = TcpStream::connect(address).map_err(|error| format!("refused: {error}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    for _ in 0..50 {
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .map_err(|error| format!("cannot ask: {error}"))?;
        let mut answer = Vec::new();
        let mut some = [0; 4096];
        let (end, length) = loop {
            let count = stream.read(&mut some).map_err(|error| format!("cut off: {error}"))?;
            if count == 0 {
                return Err(format!(
                    "an end instead of an answer, after {:?}",
                    String::from_utf8_lossy(&answer)
                ));
            }
            answer.extend_from_slice(&some[..count]);
            let text = String::from_utf8_lossy(&answer);
            if let Some(end) = text.find("\r\n\r\n") {
                let lower = text[..end].to_ascii_lowercase();
                let length = lower.split_once("content-length: ").unwrap().1.split('\r').next().unwrap();
                break (end + 4, length.parse::<usize>().unwrap());
            }
        };
        while answer.len() < end + length {
            let count = stream.read(&mut some).map_err(|error| format!("cut off: {error}"))?;
            answer.extend_from_slice(&some[..count]);
            if count == 0 {
                return Err("an answer without its end".into());
            }
        }
        let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
        if !head.starts_with("http/1.1 200") {
            return Err(head);
        }
        if head.contains("connection: close") {
            return Ok(());
        }
    }
    Ok(())
}

fn twenty_upgrades(mut proxy: Proxy, load: Load) {
    let address = proxy.address();
    load.wait_for_more(20);
    proxy.signal(Signal::USR2);
    let mut heirs = vec![Heir::announced(&proxy, 1)];
    assert_eq!(proxy.exit_code_alone(), Some(0), "the old one ends when its clients have gone");
    for count in 2..=20 {
        load.wait_for_more(20);
        heirs[count - 2].signal(Signal::USR2);
        heirs.push(Heir::announced(&proxy, count));
    }
    load.wait_for_more(20);
    assert_eq!(load.end(), [""; 0]);
    // The last one drains like any other process.
    heirs.last().unwrap().signal(Signal::TERM);
    wait_until("connections to be refused", || TcpStream::connect(address).map(reset).is_err());
}

#[test]
fn twenty_upgrades_under_load_refuse_and_cut_off_nobody() {
    let server = greeter('a');
    let proxy = Proxy::before(&[server.address], "--workers 2");
    let load = Load::on(proxy.address(), greeted);
    twenty_upgrades(proxy, load);
}

#[test]
fn twenty_upgrades_under_load_of_http_lose_no_request() {
    let (_backend, address) = Program::backend(HTTP_BACKEND, "");
    let proxy = Proxy::before(&[address], "--mode http");
    let load = Load::on(proxy.address(), asked);
    twenty_upgrades(proxy, load);
}

/// A connection from before goes on with the old process, until it ends.
#[test]
fn who_is_connected_stays_with_the_old_process() {
    let (_backend, address) = Program::backend(crate::support::ECHO_BACKEND, "");
    let mut proxy = Proxy::before(&[address], "");
    let mut early = proxy.connect();
    assert_echoed(&mut early, b"before");
    proxy.signal(Signal::USR2);
    let _heir = Heir::announced(&proxy, 1);
    assert_echoed(&mut early, b"after");
    assert_echoed(&mut connect(proxy.address()), b"with the new one");
    assert!(!proxy.has_ended());
    drop(early);
    assert_eq!(proxy.exit_code_alone(), Some(0));
}

#[test]
fn a_new_process_that_cannot_start_leaves_the_old_one_as_it_is() {
    let server = greeter('a');
    let text = format!(
        "[[frontend]]\nlisten = ['127.0.0.1:0']\n[pool.p]\nbackends = [{{ address = '{}' }}]\n",
        server.address
    );
    let proxy = Proxy::configured(&text, 1);
    proxy.rewrite("nonsense");
    proxy.signal(Signal::USR2);
    proxy.stderr.wait_for_text("not upgraded, this process goes on: the new process");
    assert_eq!(letter(&mut proxy.connect()), 'a');
    // Once the file is right again, it works.
    proxy.rewrite(&text);
    proxy.signal(Signal::USR2);
    let _heir = Heir::announced(&proxy, 1);
    assert_eq!(letter(&mut connect(proxy.address())), 'a');
}

/// As a service manager starts it: the variables, and a socket as descriptor 3. The shell puts its own number into
/// LISTEN_PID, which `exec` keeps.
fn activated(listener: std::net::TcpListener, arguments: &str, extra: &[(&str, &str)]) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("LISTEN_PID=$$ LISTEN_FDS=1 exec {LBPROXY} {arguments}"));
    command.envs(extra.iter().copied());
    // SAFETY of descriptors: it is duplicated to 3 in the child alone.
    let fd = std::os::fd::OwnedFd::from(listener);
    command.fd_at_three(fd);
    command
}

trait AtThree {
    fn fd_at_three(&mut self, fd: std::os::fd::OwnedFd);
}

impl AtThree for Command {
    fn fd_at_three(&mut self, fd: std::os::fd::OwnedFd) {
        let place = move || {
            // The copy has no close-on-exec flag, whatever the original has.
            let mut three = std::mem::ManuallyDrop::new(three());
            rustix::io::dup2(&fd, &mut three).map_err(std::io::Error::from)
        };
        // SAFETY: dup2 alone, which is async-signal-safe.
        #[allow(unsafe_code)]
        unsafe {
            self.pre_exec(place);
        }
    }
}

fn three() -> std::os::fd::OwnedFd {
    use std::os::fd::FromRawFd;
    // SAFETY: never dropped, and only the target of a dup2 in a child.
    #[allow(unsafe_code)]
    unsafe {
        std::os::fd::OwnedFd::from_raw_fd(3)
    }
}

#[test]
fn sockets_of_the_service_manager_are_served_by_all_workers() {
    let server = greeter('a');
    for workers in [1, 3] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // Somebody came before the process was there.
        let mut early = connect(address);
        let arguments = format!("--listen {address} --backend {} --workers {workers}", server.address);
        let proxy = Proxy::spawn(&mut activated(listener, &arguments, &[]), 1);
        assert_eq!(letter(&mut early), 'a');
        for _ in 0..20 {
            assert_eq!(letter(&mut connect(address)), 'a');
        }
        drop(proxy);
    }
}

#[test]
fn a_socket_that_no_frontend_listens_on_is_named() {
    let server = greeter('a');
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let stray = listener.local_addr().unwrap();
    let arguments = format!("--listen 127.0.0.2:0 --backend {}", server.address);
    let proxy = Proxy::spawn(&mut activated(listener, &arguments, &[]), 1);
    proxy
        .stderr
        .wait_for_text(&format!("no frontend listens on {stray}, whose socket was passed on: closed"));
    assert_eq!(letter(&mut proxy.connect()), 'a');
}

/// What the service manager hears next.
fn heard(socket: &UnixDatagram) -> String {
    let mut text = [0; 4096];
    let count = socket.recv(&mut text).expect("a word to the service manager");
    String::from_utf8(text[..count].to_vec()).unwrap()
}

#[test]
fn the_service_manager_hears_of_every_stage() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("notify");
    let manager = UnixDatagram::bind(&place).unwrap();
    manager.set_read_timeout(Some(crate::support::DEADLINE)).unwrap();
    let server = greeter('a');
    let text = format!(
        "[[frontend]]\nlisten = ['127.0.0.1:0']\n[pool.p]\nbackends = [{{ address = '{}' }}]\n",
        server.address
    );
    let file = folder.path().join("lbproxy.toml");
    std::fs::write(&file, &text).unwrap();
    let mut command = Command::new(LBPROXY);
    command.arg("--config").arg(&file).env("NOTIFY_SOCKET", &place).env("WATCHDOG_USEC", "200000");
    let proxy = Proxy::spawn(&mut command, 1);
    let hear = |wanted: &str| loop {
        let text = heard(&manager);
        if text.contains(wanted) {
            break text;
        }
        assert!(text.contains("WATCHDOG=1"), "{text} instead of {wanted}");
    };
    let ready = hear("READY=1");
    assert!(ready.contains(&format!("MAINPID={}\n", proxy.pid())), "{ready}");
    hear("WATCHDOG=1");
    proxy.signal(Signal::HUP);
    let reloading = hear("RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    hear("READY=1");
    proxy.signal(Signal::USR2);
    let heir = Heir::announced(&proxy, 1);
    let ready = hear("READY=1");
    assert!(ready.contains(&format!("MAINPID={}\n", heir.pid())), "{ready}");
    heir.signal(Signal::TERM);
    hear("STOPPING=1");
}
