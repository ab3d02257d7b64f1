//! `--demo`: three bundled backends inside the process, and what to try with them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use crate::config::{AdminListen, Backend, Check, Config, Mode};
use crate::lab::connection::{Next, Wire};
use crate::lab::http::{Http, Options, Session};
use crate::lab::server::{Running, Server, Service};

/// The names the backends give themselves in their answers.
const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];
/// How a request begins that kills its backend.
const KILL: &[u8] = b"POST /kill ";
/// How long it is dead then.
const DEAD: Duration = Duration::from_secs(15);
/// From one health check to the next, so that a death is noticed soon.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// HTTP servers on free ports; they end with the process.
pub struct Demo {
    backends: Vec<(&'static str, SocketAddr)>,
}

impl Demo {
    /// Starts the backends, and for each a thread that kills and revives it.
    ///
    /// # Errors
    /// No port, descriptor or thread to be had.
    pub fn start() -> io::Result<Demo> {
        let start = |name: &'static str| {
            let (kill, kills) = channel();
            let running = start(name, (Ipv4Addr::LOCALHOST, 0).into(), &kill)?;
            let address = running.address();
            std::thread::Builder::new()
                .name(format!("keeper of {name}"))
                .spawn(move || keep(name, running, &kill, &kills))?;
            Ok((name, address))
        };
        Ok(Demo { backends: NAMES.into_iter().map(start).collect::<io::Result<_>>()? })
    }

    /// Makes these the backends of every pool, checked often, unless the configuration says how.
    pub fn configure(&self, config: &mut Config) {
        for pool in &mut config.pools {
            let backends = self.backends.iter();
            pool.backends = backends.map(|(name, address)| Backend::new(*name, *address, 1)).collect();
            if pool.health.check == Check::Off {
                pool.health.check = Check::Tcp;
                (pool.health.interval, pool.health.down_interval) = (CHECK_INTERVAL, CHECK_INTERVAL);
                (pool.health.fall, pool.health.rise) = (2, 1);
            }
        }
    }

    /// Prints what to try with a proxy that listens on `proxy` in this mode, and can be looked into there.
    pub fn introduce(&self, proxy: SocketAddr, mode: Mode, admin: Option<&AdminListen>) {
        let reachable = if proxy.ip().is_unspecified() {
            SocketAddr::from((Ipv4Addr::LOCALHOST, proxy.port()))
        } else {
            proxy
        };
        println!("lbproxy is listening on {proxy}, in front of three HTTP backends:");
        for (name, address) in &self.backends {
            println!("  {name:<6} {address}");
        }
        let url = format!("http://{reachable}/");
        let (together, noun) = match mode {
            Mode::Tcp => ("one connection: one backend", "connection"),
            Mode::Http => ("one connection: a backend for each request", "request"),
        };
        println!(
            "\nTry, in another terminal:\n  \
             curl {url}          again and again: the backends answer in turn\n  \
             curl {url} {url}    {together}\n  \
             wrk -t2 -c100 -d10s {url}    load, if wrk is installed"
        );
        if mode == Mode::Http {
            println!("Or, in a browser:\n  {url}               the backend changes with each reload");
        }
        if let Some((name, address)) = self.backends.first() {
            println!(
                "And, for a bad night:\n  \
                 curl -X POST http://{address}/kill    {name} dies, and is back after {} s",
                DEAD.as_secs()
            );
        }
        if let Some(AdminListen::Tcp(address)) = admin {
            println!("See inside, in a browser:\n  http://{address}/");
        }
        println!("\nEach {noun} leaves a line below. Ctrl-C ends the demo.");
    }
}

/// A backend that can be killed by a request.
struct Mortal {
    http: Http,
    kill: Sender<()>,
}

impl Service for Mortal {
    type Session = Session;

    fn open(&mut self) -> Session {
        self.http.open()
    }

    fn advance(&mut self, session: &mut Session, wire: &mut Wire) -> Next {
        if wire.input.filled().starts_with(KILL) {
            // Who receives it lives as long as this.
            let _ = self.kill.send(());
        }
        self.http.advance(session, wire)
    }
}

fn start(name: &str, address: SocketAddr, kill: &Sender<()>) -> io::Result<Running> {
    let options = Options { name: name.to_owned(), ..Options::default() };
    let http = Http::new(&options).map_err(io::Error::other)?;
    Server::bind(address)?.spawn(Mortal { http, kill: kill.clone() })
}

/// Kills a backend each time that is asked for, and revives it a while later.
fn keep(name: &str, mut running: Running, kill: &Sender<()>, kills: &Receiver<()>) {
    let address = running.address();
    while kills.recv().is_ok() {
        drop(running);
        log::info!("{name} is dead: every connection to it is gone, new ones are refused");
        // Nobody dies twice.
        while kills.recv_timeout(DEAD) != Err(RecvTimeoutError::Timeout) {}
        running = match start(name, address, kill) {
            Ok(running) => running,
            Err(error) => return log::error!("{name} cannot be revived at {address}: {error}"),
        };
        log::info!("{name} is back");
    }
}
