//! The program under test.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::ops::Deref;
use std::process::Command;
use std::str::FromStr;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use super::{LBPROXY, Program, Scripted, connect, connect_from, proc, wait_until};

/// lbproxy at work, on a port of its own.
pub(crate) struct Proxy {
    program: Program,
    sockets_at_rest: usize,
    /// Its configuration file, if it has one.
    folder: Option<TempDir>,
    /// Where it listens, in the order of the configuration.
    pub(crate) listening: Vec<SocketAddr>,
}

impl Deref for Proxy {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.program
    }
}

impl Proxy {
    /// Starts it on a free port of 127.0.0.1 with these further arguments.
    pub(crate) fn start(arguments: &str) -> Proxy {
        Proxy::start_anywhere(&format!("--listen 127.0.0.1:0 {arguments}"))
    }

    /// Starts it with exactly these arguments.
    pub(crate) fn start_anywhere(arguments: &str) -> Proxy {
        Proxy::spawn(Command::new(LBPROXY).args(arguments.split_whitespace()), 1)
    }

    /// Starts it in front of these backends, with these further arguments.
    pub(crate) fn before(backends: &[SocketAddr], arguments: &str) -> Proxy {
        let backends: String = backends.iter().map(|address| format!(" --backend {address}")).collect();
        Proxy::start(&format!("{arguments}{backends}"))
    }

    /// Starts it with a configuration file that says this, and waits until it listens on so many addresses.
    pub(crate) fn configured(text: &str, addresses: usize) -> Proxy {
        Proxy::configured_as(&mut Command::new(LBPROXY), text, addresses)
    }

    /// The same for a command that starts it.
    pub(crate) fn configured_as(command: &mut Command, text: &str, addresses: usize) -> Proxy {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("lbproxy.toml");
        fs::write(&file, text).unwrap();
        let proxy = Proxy::spawn(command.arg("--config").arg(&file), addresses);
        Proxy { folder: Some(folder), ..proxy }
    }

    /// Puts another text into its configuration file.
    pub(crate) fn rewrite(&self, text: &str) {
        let folder = self.folder.as_ref().expect("it has a file").path();
        // As editors do it: what reads the file finds the old text, or the new one.
        fs::write(folder.join("new"), text).unwrap();
        fs::rename(folder.join("new"), folder.join("lbproxy.toml")).unwrap();
    }

    /// Lets it read this, and waits until it has.
    pub(crate) fn reload(&self, text: &str) {
        self.rewrite(text);
        self.reload_as_it_is("reloaded: ");
    }

    /// Lets it read its file again, and waits until it says how that went.
    pub(crate) fn reload_as_it_is(&self, outcome: &str) {
        let count = |lines: Vec<String>| {
            lines
                .iter()
                .filter(|line| {
                    line.trim_end_matches('s').ends_with(" change") || line.contains("] not reloaded")
                })
                .count()
        };
        let before = count(self.stderr.so_far());
        self.signal(Signal::HUP);
        wait_until("the end of a reload", || count(self.stderr.so_far()) > before);
        let last = self.stderr.so_far();
        assert!(last.iter().any(|line| line.contains(outcome)), "{outcome}: {last:?}");
    }

    /// Starts this command, and waits until it listens on so many addresses.
    pub(crate) fn spawn(command: &mut Command, addresses: usize) -> Proxy {
        let program = Program::start(command);
        let listening = program.stderr.wait_for_many("listening on", addresses, |line| {
            line.split_once("] listening on ")?.1.parse().ok()
        });
        Proxy { sockets_at_rest: proc::sockets(program.pid()), program, listening, folder: None }
    }

    /// Where clients reach it.
    pub(crate) fn address(&self) -> SocketAddr {
        let address = self.listening[0];
        if address.ip().is_unspecified() { (Ipv4Addr::LOCALHOST, address.port()).into() } else { address }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        connect(self.address())
    }

    pub(crate) fn connect_from(&self, source: IpAddr) -> TcpStream {
        connect_from(source, self.address())
    }

    /// A client, and the server's end of its connection.
    pub(crate) fn connect_through(&self, server: &Scripted) -> (TcpStream, TcpStream) {
        let client = self.connect();
        (client, server.accept())
    }

    /// The first `count` access lines, once they are there.
    pub(crate) fn access_lines(&self, count: usize) -> Vec<Access> {
        self.stderr.wait_for_many("access lines", count, Access::parse)
    }

    /// The only access line so far, once it is there.
    pub(crate) fn access_line(&self) -> Access {
        self.access_lines(1).remove(0)
    }

    /// File descriptors open at this moment.
    pub(crate) fn fds(&self) -> usize {
        proc::fds(self.pid())
    }

    /// Ends of kernel pipes that it has open.
    pub(crate) fn pipes(&self) -> usize {
        proc::pipes(self.pid())
    }

    /// Waits until so many sockets are open for connections: two for each that has reached a backend.
    pub(crate) fn wait_for_sockets(&self, count: usize) {
        let sockets = self.sockets_at_rest + count;
        wait_until(&format!("{count} open sockets"), || proc::sockets(self.pid()) == sockets);
    }

    /// Waits until no socket is open that was not open at the start.
    pub(crate) fn wait_until_at_rest(&self) {
        self.wait_for_sockets(0);
    }

    /// Memory in use at this moment, and the most there ever was.
    pub(crate) fn memory_bytes(&self) -> (u64, u64) {
        proc::memory_bytes(self.pid())
    }

    /// Its threads by name, each with how often it was given a CPU.
    pub(crate) fn threads(&self) -> BTreeMap<String, u64> {
        proc::threads(self.pid())
    }

    /// Waits until it has done a good deal more than it has so far.
    pub(crate) fn wait_for_work(&self) {
        let enough = proc::cpu_ticks(self.pid()) + 20;
        wait_until("the proxy to work", || proc::cpu_ticks(self.pid()) >= enough);
    }

    /// Watches it for a second in which it has nothing to do.
    pub(crate) fn assert_idle(&self) {
        let before = proc::cpu_ticks(self.pid());
        assert!(self.stderr.stays_without("panicked", Duration::from_secs(1)));
        let used = proc::cpu_ticks(self.pid()) - before;
        assert!(used <= 5, "{used} clock ticks of CPU time used in a second of waiting");
    }

    /// Stops it where it is, until it gets [`Signal::CONT`].
    pub(crate) fn suspend(&self) {
        self.signal(Signal::STOP);
        wait_until("every thread to stop", || proc::is_stopped(self.pid()));
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.program.has_ended()
    }

    /// Waits for its end, and returns its exit code.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.program.ended().code
    }

    /// The same, though the process that has taken over still writes where it did.
    pub(crate) fn exit_code_alone(&mut self) -> Option<i32> {
        self.program.exit_code()
    }
}

/// What a connection left in the log.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) client: SocketAddr,
    pub(crate) frontend: String,
    pub(crate) backend: String,
    pub(crate) policy: String,
    pub(crate) up_bytes: u64,
    pub(crate) down_bytes: u64,
    pub(crate) duration_ms: f64,
    pub(crate) ended_by: String,
    pub(crate) cause: String,
}

impl Access {
    fn parse(line: &str) -> Option<Access> {
        let (_, fields) = line.split_once(" INFO  lbproxy::access] ")?;
        let mut fields = fields.split(' ');
        let access = Access {
            client: field(&mut fields, "client"),
            frontend: field(&mut fields, "frontend"),
            backend: field(&mut fields, "backend"),
            policy: field(&mut fields, "policy"),
            up_bytes: field(&mut fields, "up_bytes"),
            down_bytes: field(&mut fields, "down_bytes"),
            duration_ms: field(&mut fields, "duration_ms"),
            ended_by: field(&mut fields, "ended_by"),
            cause: field(&mut fields, "cause"),
        };
        assert_eq!(fields.next(), None, "{line}");
        Some(access)
    }

    /// `client finished`, and so on.
    pub(crate) fn end(&self) -> String {
        format!("{} {}", self.ended_by, self.cause)
    }
}

fn field<'a, T: FromStr<Err: Debug>>(fields: &mut impl Iterator<Item = &'a str>, key: &str) -> T {
    let (found, value) = fields.next().and_then(|field| field.split_once('=')).expect(key);
    assert_eq!(found, key);
    value.parse().expect(key)
}
