//! The admin endpoint of a proxy under test.

use std::net::SocketAddr;

use lbproxy::view::Stats;
use lbproxy::view::stats::Backend;

use crate::support::{Proxy, connect, wait_for};
use crate::wire::{Message, Wire};

/// Where it is.
#[derive(Clone, Copy)]
pub(crate) struct Admin(pub(crate) SocketAddr);

impl Admin {
    /// Of this proxy.
    pub(crate) fn of(proxy: &Proxy) -> Admin {
        let address = |line: &str| line.split_once("admin endpoint on http://")?.1.parse().ok();
        Admin(proxy.stderr.wait_for("the admin endpoint", address))
    }

    pub(crate) fn get(self, target: &str) -> Message {
        self.ask("GET", target, &[])
    }

    pub(crate) fn post(self, target: &str) -> Message {
        self.ask("POST", target, &[])
    }

    /// With these fields, and a Host field unless there is one among them.
    pub(crate) fn ask(self, method: &str, target: &str, fields: &[(&str, &str)]) -> Message {
        let mut wire = Wire::new(connect(self.0));
        wire.say(self.request(method, target, fields));
        wire.response()
    }

    pub(crate) fn request(self, method: &str, target: &str, fields: &[(&str, &str)]) -> String {
        let mut head = format!("{method} {target} HTTP/1.1\r\n");
        if !fields.iter().any(|(name, _)| *name == "Host") {
            head.push_str(&format!("Host: {}\r\n", self.0));
        }
        fields.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        head + "\r\n"
    }

    /// What it says of itself.
    pub(crate) fn stats(self) -> Stats {
        let answer = self.get("/stats");
        assert_eq!((answer.status(), answer.field("Content-Type")), (200, Some("application/json")));
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// What it says of the backend of this name in its first pool.
    pub(crate) fn backend(self, name: &str) -> Backend {
        let mut backends = self.stats().pools.remove(0).backends.into_iter();
        backends.find(|backend| backend.name == name).expect(name)
    }

    /// Waits until a backend is in this state.
    pub(crate) fn wait_for_state(self, name: &str, state: &str) -> Backend {
        wait_for(&format!("{name} to be {state}"), || {
            let backend = self.backend(name);
            (backend.state == state).then_some(backend)
        })
    }

    /// The page of metrics.
    pub(crate) fn metrics(self) -> Metrics {
        Metrics(self.get("/metrics").text().to_owned())
    }
}

/// As Prometheus reads it.
pub(crate) struct Metrics(pub(crate) String);

impl Metrics {
    /// The value of exactly this sample, labels included, without the `lbproxy_` before it.
    pub(crate) fn value(&self, sample: &str) -> f64 {
        self.find(sample).unwrap_or_else(|| panic!("no {sample} in\n{}", self.0))
    }

    pub(crate) fn find(&self, sample: &str) -> Option<f64> {
        let mut lines = self.0.lines();
        lines.find_map(|line| {
            line.strip_prefix("lbproxy_")?.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok()
        })
    }

    /// The sum of all samples of a family.
    pub(crate) fn sum(&self, family: &str) -> f64 {
        let values = self.0.lines().filter_map(|line| {
            let rest = line.strip_prefix("lbproxy_")?.strip_prefix(family)?;
            (rest.starts_with('{') || rest.starts_with(' '))
                .then(|| rest.rsplit(' ').next()?.parse::<f64>().ok())?
        });
        values.sum()
    }
}
