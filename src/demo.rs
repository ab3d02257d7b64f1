//! `--demo`: two bundled backends inside the process, and what to try with them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use crate::config::{Backend, Mode};
use crate::lab::http::{Http, Options};
use crate::lab::server::{Running, Server};

/// The names the backends give themselves in their answers.
const NAMES: [&str; 2] = ["alpha", "beta"];

/// Two HTTP servers on free ports; they end with this.
pub struct Demo {
    backends: Vec<(&'static str, Running)>,
}

impl Demo {
    /// Starts the backends, each in a thread of its own.
    ///
    /// # Errors
    /// No port, descriptor or thread to be had.
    pub fn start() -> io::Result<Demo> {
        let start = |name: &'static str| {
            let options = Options { name: name.to_owned(), ..Options::default() };
            let service = Http::new(&options).map_err(io::Error::other)?;
            let running = Server::bind((Ipv4Addr::LOCALHOST, 0).into())?.spawn(service)?;
            Ok((name, running))
        };
        Ok(Demo { backends: NAMES.into_iter().map(start).collect::<io::Result<_>>()? })
    }

    /// The backends, as the configuration of a pool.
    pub fn backends(&self) -> Vec<Backend> {
        let backends = self.backends.iter();
        let backends = backends.map(|(name, running)| (name.to_string(), running.address()));
        backends.map(|(name, address)| Backend::new(name, address, 1)).collect()
    }

    /// Prints what to try with a proxy that listens on `proxy` in this mode.
    pub fn introduce(&self, proxy: SocketAddr, mode: Mode) {
        let reachable = if proxy.ip().is_unspecified() {
            SocketAddr::from((Ipv4Addr::LOCALHOST, proxy.port()))
        } else {
            proxy
        };
        println!("lbproxy is listening on {proxy}, in front of two HTTP backends:");
        for (name, running) in &self.backends {
            println!("  {name:<6} {}", running.address());
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
        println!("\nEach {noun} leaves a line below. Ctrl-C ends the demo.");
    }
}
