//! The tests and scenarios: what is behind the proxy, what is done, and what happens meanwhile.

use std::fmt::Write;

use super::results::Title;
use crate::config::Mode;

/// One backend.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spec {
    pub(super) weight: u32,
    /// Mean service time, exponential, in milliseconds; 0 for none.
    pub(super) delay_ms: u32,
    /// Answers with this status, at once.
    pub(super) status: Option<u16>,
    pub(super) what: &'static str,
}

const PLAIN: Spec = Spec { weight: 1, delay_ms: 0, status: None, what: "" };
/// 4 ms and four at once: a thousand requests a second.
const BUSY: Spec = Spec { delay_ms: 4, ..PLAIN };

/// What clients do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    /// Requests at a constant rate, over HTTP.
    Load { clients: u32, connections: u32, rate_per_s: u32, addresses: Addresses },
    /// Messages to echo backends, over so many connections at once.
    Messages { count: u32, connections: u32 },
    /// The same file, again and again.
    Files { count: u32, reconnect: bool },
    /// Who is served by whom, before and after a backend has gone.
    Members { clients: u32 },
}

/// Where clients come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Addresses {
    /// One for each client.
    One,
    /// Some dozens for all.
    Many,
}

/// What happens to a backend, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Kill(usize),
    Return(usize),
    Stop(usize),
    Continue(usize),
}

impl Event {
    pub(super) fn words(self) -> String {
        match self {
            Event::Kill(number) => format!("b{number} killed"),
            Event::Return(number) => format!("b{number} back"),
            Event::Stop(number) => format!("b{number} frozen"),
            Event::Continue(number) => format!("b{number} thaws"),
        }
    }
}

/// A test, for every policy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Test {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    /// How to read what comes of it.
    pub(super) note: &'static str,
    pub(super) mode: Mode,
    pub(super) backends: &'static [Spec],
    pub(super) work: Work,
    /// When, as a fraction of the time; ascending.
    pub(super) events: &'static [(f64, Event)],
    /// One of the four of the original class project.
    pub(super) classic: bool,
}

impl Test {
    pub(super) fn title(&self) -> Title {
        Title {
            name: self.name.into(),
            what: self.what.into(),
            note: self.note.into(),
            classic: self.classic,
            stateful: self.mode == Mode::Tcp,
            events: self.events.iter().map(|(at, event)| (*at, event.words())).collect(),
        }
    }

    /// Whether it lasts as long as it is told to.
    pub(super) fn is_timed(&self) -> bool {
        matches!(self.work, Work::Load { .. })
    }
}

const CLASSIC: Test = Test {
    name: "",
    what: "",
    note: "",
    mode: Mode::Tcp,
    backends: &[PLAIN; 4],
    work: Work::Messages { count: 1000, connections: 1 },
    events: &[],
    classic: true,
};

const LOAD: Work = Work::Load { clients: 1, connections: 64, rate_per_s: 1200, addresses: Addresses::Many };

const SCENARIO: Test = Test { mode: Mode::Http, backends: &[BUSY; 4], work: LOAD, classic: false, ..CLASSIC };

/// All of them, in the order of the report.
pub(super) const TESTS: &[Test] = &[
    Test {
        name: "latency",
        what: "Latency, stateless: two clients at once, each from an address of its own, with -t2 -c100 -R2000.",
        note: "Latency counts from when a request was due. Two clients have two addresses: under ip_hashing, at most two \
               backends have work.",
        mode: Mode::Http,
        work: Work::Load { clients: 2, connections: 100, rate_per_s: 2000, addresses: Addresses::One },
        ..CLASSIC
    },
    Test {
        name: "messages",
        what: "Send and receive, stateful: 1,000 messages on one connection to an echo backend, each compared with what \
               comes back.",
        note: "A connection stays with its backend, whatever the policy: one backend has all messages.",
        ..CLASSIC
    },
    Test {
        name: "file-stateful",
        what: "File, stateful: the same file 1,000 times over one connection, every byte compared.",
        work: Work::Files { count: 1000, reconnect: false },
        ..CLASSIC
    },
    Test {
        name: "file-stateless",
        what: "File, stateless: the same file 1,000 times, over a connection for each, every byte compared.",
        note: "Each connection is a decision of the policy: the backends' shares show it.",
        work: Work::Files { count: 1000, reconnect: true },
        ..CLASSIC
    },
    Test {
        name: "slow-backend",
        what: "One backend of four is ten times slower: 40 ms a request instead of 4 ms, each works on four at once. 1,200 \
               requests a second, of which it could do 100.",
        note: "A policy that does not look at load keeps sending it a quarter, and its queue grows as long as the load \
               lasts. One that counts requests in flight sends it what it can do. Fewer requests a second than asked \
               for are requests that were still waiting for their connection when the time was over.",
        backends: &[BUSY, BUSY, BUSY, Spec { delay_ms: 40, what: "10 × slower", ..PLAIN }],
        ..SCENARIO
    },
    Test {
        name: "sinkhole",
        what: "One backend of four answers at once with 503, and so looks idle.",
        note: "What lbproxy guards against: backends that refuse, time out, or accept and hang up, in both modes. What it \
               does not: an answer with an error status is an answer, and is passed on. So a policy that goes by load \
               alone sends the sinkhole most of the work, and errors grow with how clever it is.",
        backends: &[BUSY, BUSY, BUSY, Spec { status: Some(503), what: "answers 503 at once", ..PLAIN }],
        ..SCENARIO
    },
    Test {
        name: "kill-and-return",
        what: "One backend of four is killed after a third of the time, and comes back after two thirds.",
        note: "Only requests that it was working on can be lost; new ones go to the others, and it has its share again \
               after its back-off.",
        events: &[(0.33, Event::Kill(4)), (0.66, Event::Return(4))],
        ..SCENARIO
    },
    Test {
        name: "blackhole",
        what: "One backend of four is frozen (SIGSTOP) after a third of the time, and goes on after two thirds. Clients \
               give up on a request after a second.",
        note: "Its kernel goes on accepting, so nothing fails: requests that went there wait. A policy that counts \
               requests in flight stops sending more; one that does not loses its share of all requests.",
        events: &[(0.33, Event::Stop(4)), (0.66, Event::Continue(4))],
        ..SCENARIO
    },
    Test {
        name: "weights",
        what: "Backends with the weights 5, 3, 1 and 1.",
        note: "Lines across the bars are what the weights ask for. ip_hashing is as even as clients' addresses are: there are some dozens.",
        backends: &[Spec { weight: 5, ..BUSY }, Spec { weight: 3, ..BUSY }, BUSY, BUSY],
        work: Work::Load { clients: 1, connections: 64, rate_per_s: 800, addresses: Addresses::Many },
        ..SCENARIO
    },
    Test {
        name: "burst",
        what: "200 long-lived connections in a burst, in TCP mode, each with 20 messages.",
        note: "What a policy decides in the burst stays decided: shares are of connections.",
        mode: Mode::Tcp,
        backends: &[PLAIN; 4],
        work: Work::Messages { count: 20, connections: 200 },
        ..SCENARIO
    },
    Test {
        name: "membership",
        what: "240 clients, each from an address of its own, ask who serves them; then b4 is taken away, and they ask again.",
        note: "Clients of b4 have to move. How many others did? Policies without memory of clients move most of them.",
        backends: &[PLAIN; 4],
        work: Work::Members { clients: 240 },
        ..SCENARIO
    },
    Test {
        name: "flapping",
        what: "One backend of four is killed and brought back, again and again.",
        note: "Back-off doubles each time it fails, so a backend that flaps is tried less and less.",
        events: &[
            (0.15, Event::Kill(4)),
            (0.25, Event::Return(4)),
            (0.35, Event::Kill(4)),
            (0.45, Event::Return(4)),
            (0.55, Event::Kill(4)),
            (0.65, Event::Return(4)),
        ],
        ..SCENARIO
    },
];

/// What `--list` prints.
pub(super) fn list() -> String {
    let mut text = String::new();
    for (heading, classic) in [("Classic tests:", true), ("Scenarios:", false)] {
        let _ = writeln!(text, "{heading}");
        for test in TESTS.iter().filter(|test| test.classic == classic) {
            let _ = writeln!(text, "  {:16} {}", test.name, test.what);
        }
    }
    text
}
