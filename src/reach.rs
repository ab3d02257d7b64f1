//! Whether backends can be reached, from here and now: for `--check --connect`.

use std::fmt;
use std::net::TcpStream;
use std::time::Duration;

use crate::config::{Backend, Config};
use crate::net::os;

/// Connections tried at a time.
const AT_ONCE: usize = 64;

/// How an attempt to reach one backend went.
pub struct Reach<'a> {
    pool: &'a str,
    backend: &'a Backend,
    outcome: Result<Duration, std::io::Error>,
}

impl Reach<'_> {
    /// Whether it was reached.
    pub fn is_reached(&self) -> bool {
        self.outcome.is_ok()
    }
}

impl fmt::Display for Reach<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Backend { name, address, .. } = self.backend;
        write!(f, "pool {}: backend {name}", self.pool)?;
        if *name != address.to_string() {
            write!(f, " ({address})")?;
        }
        match &self.outcome {
            Ok(time) => write!(f, ": connected in {:.1} ms", time.as_secs_f64() * 1000.0),
            Err(error) => write!(f, ": cannot be reached: {error}"),
        }
    }
}

/// Connects to every backend, and leaves at once. Blocks, for as long as one attempt may take for each 64 of them.
pub fn try_all(config: &Config) -> Vec<Reach<'_>> {
    let all: Vec<(&str, &Backend)> = config
        .pools
        .iter()
        .flat_map(|pool| pool.backends.iter().map(|backend| (&*pool.name, backend)))
        .collect();
    let timeout = config.timeouts.connect;
    let mut reached = Vec::with_capacity(all.len());
    for some in all.chunks(AT_ONCE) {
        std::thread::scope(|scope| {
            let threads: Vec<_> = some
                .iter()
                .map(|(pool, backend)| scope.spawn(move || try_one(pool, backend, timeout)))
                .collect();
            // A thread that does nothing but connect does not panic.
            reached.extend(threads.into_iter().filter_map(|thread| thread.join().ok()));
        });
    }
    reached
}

fn try_one<'a>(pool: &'a str, backend: &'a Backend, timeout: Duration) -> Reach<'a> {
    let since = os::now();
    let outcome = TcpStream::connect_timeout(&backend.address, timeout).map(|_| os::now() - since);
    Reach { pool, backend, outcome }
}
