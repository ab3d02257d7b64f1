//! What a case says: who sends what, and what must come of it. Short to write, for there are many.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use lbproxy::config::{Config, Mode};

/// Stands in a client's bytes, and in what is expected, for the value of the last cookie the client was given.
pub const COOKIE: &str = "{the_16_digits!}";

/// One exchange, or a few, of one client.
pub struct Case {
    pub name: String,
    pub mode: Mode,
    pub address: IpAddr,
    pub client: Vec<Step>,
    /// By connection, in the order in which the proxy makes them.
    pub backends: Vec<Script>,
    pub wants: Vec<Want>,
    pub end: End,
    pub configure: Vec<fn(&mut Config)>,
    /// How much time passes before all is said.
    pub takes: RangeInclusive<Duration>,
    /// Further connections to backends may be made, if no complete request is ever sent on one.
    pub unfinished: bool,
    /// Splits that make no sense for it, and why.
    pub unsplit: Vec<(Splits, &'static str)>,
}

/// Kinds of splits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Splits {
    Client,
    Backend,
    Bytes,
}

/// What a peer does, one after the other; the proxy runs until it waits in between.
#[derive(Clone, Debug)]
pub enum Step {
    Send(Vec<u8>),
    /// Goes on once these bytes have come.
    Await(Vec<u8>),
    /// Goes on once the proxy has ended the connection.
    AwaitEnd,
    /// Goes on once this request has come (backends only).
    Request(Request),
    Finish,
    Reset,
    Sleep(Duration),
    /// Takes so many bytes in all, and no more.
    Take(usize),
    /// What the backend connection of this number does at the same time as the client's next step.
    Backend(usize, Box<Step>),
    /// What comes from now on is not looked at (backends only).
    Ignore,
}

/// A request that a backend must get.
#[derive(Clone, Debug)]
pub enum Request {
    /// This one: what the proxy adds is added by the harness.
    Exactly(Vec<u8>),
    /// The head of this one, and it is looked at again.
    Head(Vec<u8>),
    /// Any complete one that the strict parser accepts.
    Any,
    /// These bytes: not HTTP any more.
    Bytes(Vec<u8>),
}

/// What happens on one connection to a backend.
#[derive(Clone, Debug, Default)]
pub struct Script {
    pub refuses: bool,
    pub steps: Vec<Step>,
    /// What the proxy must have done with it when all is said. `None`: does not matter.
    pub ends_closed: Option<bool>,
}

/// What a client must get: one after the other.
#[derive(Clone, Debug)]
pub enum Want {
    /// This message; what the proxy adds is added by the harness.
    Message { text: Vec<u8>, to_head: bool, part: bool },
    /// An answer of the proxy's own.
    Canned(Canned),
    /// These bytes: not HTTP any more.
    Bytes(Vec<u8>),
}

/// An answer of the proxy's own.
#[derive(Clone, Debug)]
pub struct Canned {
    pub statuses: Vec<u16>,
    /// Whether it says `Connection: close`. `None`: does not matter.
    pub close: Option<bool>,
    pub json: bool,
    pub to_head: bool,
    /// Nothing at all is as good.
    pub optional: bool,
}

/// How the client's connection is when all is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As the last message says.
    AsSaid,
    /// It got a FIN, and no reset.
    Closed,
    /// It was reset, or ended in mid message.
    Broken,
    Any,
}

pub fn case(name: &str) -> Case {
    Case {
        name: name.to_owned(),
        mode: Mode::Http,
        address: IpAddr::from([192, 0, 2, 7]),
        client: Vec::new(),
        backends: Vec::new(),
        wants: Vec::new(),
        end: End::AsSaid,
        configure: Vec::new(),
        takes: Duration::ZERO..=Duration::ZERO,
        unfinished: false,
        unsplit: Vec::new(),
    }
}

pub fn backend() -> Script {
    Script::default()
}

fn bytes(text: impl AsRef<[u8]>) -> Vec<u8> {
    text.as_ref().to_vec()
}

impl Case {
    fn step(mut self, step: Step) -> Case {
        self.client.push(step);
        self
    }

    pub fn tcp(mut self) -> Case {
        self.mode = Mode::Tcp;
        self
    }

    pub fn from(mut self, address: &str) -> Case {
        self.address = address.parse().expect("an address");
        self
    }

    pub fn sends(self, text: impl AsRef<[u8]>) -> Case {
        self.step(Step::Send(bytes(text)))
    }

    pub fn awaits(self, text: impl AsRef<[u8]>) -> Case {
        self.step(Step::Await(bytes(text)))
    }

    pub fn awaits_end(self) -> Case {
        self.step(Step::AwaitEnd)
    }

    pub fn finishes(self) -> Case {
        self.step(Step::Finish)
    }

    pub fn resets(self) -> Case {
        self.step(Step::Reset)
    }

    pub fn sleeps_ms(self, ms: u64) -> Case {
        self.step(Step::Sleep(Duration::from_millis(ms)))
    }

    pub fn takes_bytes(self, count: usize) -> Case {
        self.step(Step::Take(count))
    }

    /// At the same time as the client's next step, the backend connection of this number sends something.
    pub fn while_backend_sends(self, number: usize, text: &str) -> Case {
        self.step(Step::Backend(number, Box::new(Step::Send(bytes(text)))))
    }

    pub fn while_backend_finishes(self, number: usize) -> Case {
        self.step(Step::Backend(number, Box::new(Step::Finish)))
    }

    pub fn while_backend_resets(self, number: usize) -> Case {
        self.step(Step::Backend(number, Box::new(Step::Reset)))
    }

    pub fn backend(mut self, script: Script) -> Case {
        self.backends.push(script);
        self
    }

    fn want(mut self, want: Want) -> Case {
        self.wants.push(want);
        self
    }

    pub fn gets(self, text: impl AsRef<[u8]>) -> Case {
        self.want(Want::Message { text: bytes(text), to_head: false, part: false })
    }

    pub fn gets_to_head(self, text: impl AsRef<[u8]>) -> Case {
        self.want(Want::Message { text: bytes(text), to_head: true, part: false })
    }

    /// A beginning of this, and then an end that nobody takes for a good one.
    pub fn gets_part(self, text: impl AsRef<[u8]>) -> Case {
        self.want(Want::Message { text: bytes(text), to_head: false, part: true }).end(End::Broken)
    }

    pub fn gets_bytes(self, text: impl AsRef<[u8]>) -> Case {
        self.want(Want::Bytes(bytes(text)))
    }

    fn canned(self, statuses: &[u16], close: Option<bool>) -> Case {
        self.want(Want::Canned(Canned {
            statuses: statuses.to_vec(),
            close,
            json: false,
            to_head: false,
            optional: false,
        }))
    }

    /// An error that ends the connection.
    pub fn refused(self, status: u16) -> Case {
        self.canned(&[status], Some(true))
    }

    /// One of these errors, which ends the connection.
    pub fn refused_any(self, statuses: &[u16]) -> Case {
        self.canned(statuses, Some(true))
    }

    /// An error after which the connection goes on.
    pub fn failed(self, status: u16) -> Case {
        self.canned(&[status], Some(false))
    }

    /// An error after which the connection goes on or not, as it says.
    pub fn failed_either_way(self, status: u16) -> Case {
        self.canned(&[status], None)
    }

    /// An error that ends the connection, or its end alone.
    pub fn refused_or_nothing(self, status: u16) -> Case {
        let mut case = self.refused(status).end(End::Closed);
        if let Some(Want::Canned(canned)) = case.wants.last_mut() {
            canned.optional = true;
        }
        case
    }

    /// About the last error.
    pub fn in_json(mut self) -> Case {
        if let Some(Want::Canned(canned)) = self.wants.last_mut() {
            canned.json = true;
        }
        self
    }

    /// About the last error.
    pub fn without_body(mut self) -> Case {
        if let Some(Want::Canned(canned)) = self.wants.last_mut() {
            canned.to_head = true;
        }
        self
    }

    pub fn end(mut self, end: End) -> Case {
        self.end = end;
        self
    }

    pub fn with(mut self, configure: fn(&mut Config)) -> Case {
        self.configure.push(configure);
        self
    }

    pub fn takes_ms(mut self, ms: RangeInclusive<u64>) -> Case {
        self.takes = Duration::from_millis(*ms.start())..=Duration::from_millis(*ms.end());
        self
    }

    pub fn unfinished(mut self) -> Case {
        self.unfinished = true;
        self
    }

    pub fn unsplit(mut self, splits: Splits, why: &'static str) -> Case {
        self.unsplit.push((splits, why));
        self
    }
}

impl Script {
    fn step(mut self, step: Step) -> Script {
        self.steps.push(step);
        self
    }

    pub fn refuses(mut self) -> Script {
        self.refuses = true;
        self
    }

    pub fn gets(self, text: impl AsRef<[u8]>) -> Script {
        self.step(Step::Request(Request::Exactly(bytes(text))))
    }

    pub fn gets_head(self, text: impl AsRef<[u8]>) -> Script {
        self.step(Step::Request(Request::Head(bytes(text))))
    }

    pub fn gets_any(self) -> Script {
        self.step(Step::Request(Request::Any))
    }

    pub fn gets_bytes(self, text: impl AsRef<[u8]>) -> Script {
        self.step(Step::Request(Request::Bytes(bytes(text))))
    }

    pub fn sends(self, text: impl AsRef<[u8]>) -> Script {
        self.step(Step::Send(bytes(text)))
    }

    pub fn awaits_end(self) -> Script {
        self.step(Step::AwaitEnd)
    }

    pub fn finishes(self) -> Script {
        self.step(Step::Finish)
    }

    pub fn resets(self) -> Script {
        self.step(Step::Reset)
    }

    pub fn sleeps_ms(self, ms: u64) -> Script {
        self.step(Step::Sleep(Duration::from_millis(ms)))
    }

    pub fn ignores(self) -> Script {
        self.step(Step::Ignore)
    }

    /// The proxy keeps it when all is said.
    pub fn kept(mut self) -> Script {
        self.ends_closed = Some(false);
        self
    }

    /// The proxy has closed it when all is said.
    pub fn closed(mut self) -> Script {
        self.ends_closed = Some(true);
        self
    }
}
