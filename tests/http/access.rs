//! What requests leave in the log: bare lines, in the format that log tools know.

use std::net::SocketAddr;
use std::process::Command;

use crate::support::{LBPROXY, Proxy};

/// A line.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) client: String,
    /// The request line, or `-`.
    pub(crate) request: String,
    pub(crate) status: u16,
    pub(crate) response_bytes: u64,
    pub(crate) user_agent: String,
    pub(crate) frontend: String,
    pub(crate) backend: String,
    pub(crate) request_bytes: u64,
    pub(crate) retries: u32,
    /// `backend finished`, and so on.
    pub(crate) end: String,
}

impl Line {
    fn parse(line: &str) -> Option<Line> {
        let (client, rest) = line.split_once(" - - [")?;
        let (time, rest) = rest.split_once("] \"").expect(line);
        assert!(time.len() == 26 && time.ends_with(" +0000"), "{line}");
        let mut quoted = rest.split('"');
        let mut next = || quoted.next().expect(line).to_owned();
        let (request, numbers, _referer, _, user_agent, tail) =
            (next(), next(), next(), next(), next(), next());
        let (status, response_bytes) = numbers.trim().split_once(' ').expect(line);
        let mut tail = tail.trim_start().split(' ');
        let mut value = |key: &str| {
            let (found, value) = tail.next().and_then(|word| word.split_once('=')).expect(line);
            assert_eq!(found, key, "{line}");
            value.to_owned()
        };
        let (frontend, backend) = (value("frontend"), value("backend"));
        assert!(value("duration_ms").parse::<f64>().expect(line) >= 0.0);
        Some(Line {
            client: client.to_owned(),
            request,
            status: status.parse().expect(line),
            response_bytes: response_bytes.parse().expect(line),
            user_agent,
            frontend,
            backend,
            request_bytes: value("request_bytes").parse().expect(line),
            retries: value("retries").parse().expect(line),
            end: format!("{} {}", value("ended_by"), value("cause")),
        })
    }

    /// The first `count` lines of this proxy, once they are there.
    pub(crate) fn of_many(proxy: &Proxy, count: usize) -> Vec<Line> {
        proxy.stderr.wait_for_many("lines of requests", count, Line::parse)
    }

    /// The only line so far, once it is there.
    pub(crate) fn of(proxy: &Proxy) -> Line {
        Line::of_many(proxy, 1).remove(0)
    }
}

/// A proxy in front of these backends that writes no such lines: nobody reads millions.
pub(crate) fn without_lines(backends: &[SocketAddr], arguments: &str) -> Proxy {
    let mut command = Command::new("env");
    command.args(["RUST_LOG=info,lbproxy::http_access=off", LBPROXY, "--mode", "http"]);
    command.args(["--listen", "127.0.0.1:0"]).args(arguments.split_whitespace());
    for backend in backends {
        command.args(["--backend", &backend.to_string()]);
    }
    Proxy::spawn(&mut command, 1)
}
