//! The configuration as the proxy uses it: typed, checked, complete. Nothing here is optional.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Admin, Cidr, Route};

/// Everything a process needs to know before it opens its first socket.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Event loops to run, each in its own thread with its own listening sockets. At least 1.
    pub workers: usize,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// How much of everything there may be.
    pub limits: Limits,
    /// Where clients come in. At least one.
    pub frontends: Vec<Frontend>,
    /// Where they are sent. At least one.
    pub pools: Vec<Pool>,
    /// What is written about what happens.
    pub log: Log,
    /// Where operators look in, if they may.
    pub admin: Option<Admin>,
}

/// What is written about what happens.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// How a request is written down.
    pub access_format: AccessFormat,
}

/// How a request is written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessFormat {
    /// The format of Apache and nginx that log tools know, with what a proxy knows besides at its end.
    #[default]
    Combined,
    /// One JSON object a line.
    Json,
}

/// How long things may take. Every one ends in an action with a reason that the access log names.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeouts {
    /// One attempt to connect to one backend.
    pub connect: Duration,
    /// A session on which no byte moves in either direction.
    pub idle: Duration,
    /// The same, once one side has finished sending.
    pub half_close: Duration,
    /// Silence after which a peer is probed; it is dead when twice this has passed without an answer.
    pub keepalive: Duration,
    /// From the stop signal until the connections that are left get closed.
    pub drain: Duration,
    /// How long a backend is passed over after its first failure; doubles with each further one.
    pub backoff: Duration,
    /// Where that doubling stops.
    pub backoff_max: Duration,
    /// From the first byte of a request head to its last.
    pub head: Duration,
    /// A body, of a request or a response, of which no byte moves.
    pub body: Duration,
    /// From the end of a request to the head of its response.
    pub response: Duration,
    /// A client's connection between two requests.
    pub keep_alive: Duration,
    /// A backend's connection that waits for reuse.
    pub backend_idle: Duration,
    /// A whole request and its response; `None` without such a limit.
    pub request: Option<Duration>,
    /// From one look-up of the backends' names to the next; `None`: at the start only.
    pub resolve_interval: Option<Duration>,
}

/// How much of everything there may be.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Client connections open at once, over all workers and frontends. Beyond it the proxy stops accepting
    /// and the kernel's queue holds the rest.
    pub max_connections: usize,
    /// Connections the kernel queues for each listening socket before it drops new ones.
    pub backlog: u32,
    /// Backends tried for one client before it is given up, the first included (1 to 8).
    pub connect_attempts: u8,
    /// Size of a relay buffer: a direction holds at most one, and only while it owes bytes.
    pub buffer_bytes: usize,
    /// Bytes a session may move in one direction before others get their turn.
    pub turn_bytes: usize,
    /// Kernel pipes, in each worker, through which long transfers pass without being copied.
    pub max_pipes: usize,
    /// A request or response head, and the trailers of a body. Less than [`Limits::buffer_bytes`].
    pub head_bytes: usize,
    /// The target in a request line.
    pub target_bytes: usize,
    /// Header fields in a head.
    pub fields: usize,
    /// A request body; `None` without such a limit.
    pub body_bytes: Option<u64>,
    /// Connections to one backend that wait for reuse, in each worker.
    pub max_idle: usize,
    /// Retries allowed, in percent of requests. (A few each second are always allowed.)
    pub retry_budget_percent: u32,
}

/// A place where clients come in, and the pool that serves them.
#[derive(Clone, Debug, PartialEq)]
pub struct Frontend {
    /// For logs and errors.
    pub name: String,
    /// At least one.
    pub listen: Vec<Listen>,
    /// Index into [`Config::pools`]: where clients go, and in HTTP mode the requests that no route matches.
    pub pool: usize,
    /// Which other pools requests go to, the most specific route first: see [`Frontend::route`].
    pub routes: Vec<Route>,
    /// How much one client may have.
    pub clients: ClientLimits,
    /// What is understood of what clients say.
    pub mode: Mode,
    /// Whose word about earlier hops is believed, in HTTP mode.
    pub trusted_proxies: Vec<Cidr>,
    /// What backends are told about the client, in HTTP mode.
    pub forwarded: ForwardedStyle,
    /// Where it has times of its own: see [`Config::timeouts_of`].
    pub timeouts: Option<Timeouts>,
    /// Where it has limits of its own: see [`Config::limits_of`].
    pub limits: Option<Limits>,
}

/// How much one client may have of a frontend, over all workers. 0 is no such limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientLimits {
    /// Connections at once.
    pub max_connections: u32,
    /// Requests a second; in TCP mode, connections.
    pub rate_per_s: u32,
    /// So many at once, after a while of fewer. At least 1 where there is a rate.
    pub burst: u32,
}

impl ClientLimits {
    /// Whether there is no limit at all.
    pub fn is_empty(&self) -> bool {
        self.max_connections == 0 && self.rate_per_s == 0
    }
}

/// What a frontend understands of what clients say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Bytes: a backend for each connection.
    #[default]
    Tcp,
    /// HTTP/1.1: a backend for each request.
    Http,
}

/// Which header fields tell a backend about the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedStyle {
    /// X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host.
    #[default]
    XForwarded,
    /// Forwarded (RFC 7239).
    Rfc7239,
    /// All of them.
    Both,
    /// None.
    Off,
}

/// One listening address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Port 0 lets the kernel pick.
    pub address: SocketAddr,
    /// `[::]` that takes IPv4 as well, and falls back to `0.0.0.0` on a host without IPv6 (`--port`).
    pub dual_stack: bool,
}

/// Backends that serve the same thing, and the policy that chooses among them.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// The `NAME` of `[pool.NAME]`.
    pub name: String,
    /// A name from the policy registry.
    pub policy: &'static str,
    /// The most that one backend takes, in percent of its share (101 to 1000); `None` for as much as the policy gives it.
    pub max_load_percent: Option<u32>,
    /// At least one, names and addresses unique.
    pub backends: Vec<Backend>,
    /// The cookie that ties a client to a backend, in HTTP mode.
    pub sticky: Option<Sticky>,
    /// Clients, or requests, that may wait while every backend is at its `max_connections`, over all workers.
    pub queue: usize,
    /// How long one of them waits.
    pub queue_timeout: Duration,
    /// How backends are checked, and what follows from it.
    pub health: Health,
}

/// How backends are checked, and what follows from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    /// What is asked of a backend.
    pub check: Check,
    /// From one check to the next; a tenth more or less, by lot.
    pub interval: Duration,
    /// The same for a backend that is down.
    pub down_interval: Duration,
    /// How long a check may take.
    pub timeout: Duration,
    /// Checks in a row that must succeed until a backend that is down is up again.
    pub rise: u32,
    /// Checks in a row that must fail until a backend that is up is down.
    pub fall: u32,
    /// What becomes of the connections of a backend that goes down.
    pub on_down: OnDown,
    /// What becomes of clients when no backend is left.
    pub on_all_down: OnAllDown,
    /// How long a backend that is back has less than its share: a tenth at first, all of it in the end.
    pub slow_start: Duration,
    /// Errors in a row (a 5xx, a response that breaks off) after which a backend is passed over for a while; 0: never.
    pub eject_errors: u32,
    /// The most backends that may be passed over for errors at a time, in percent of the pool.
    pub eject_max_percent: u32,
}

/// What is asked of a backend to see whether it is well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// Nothing.
    Off,
    /// To accept a connection.
    Tcp,
    /// To answer a request.
    Http(HttpCheck),
}

/// A request, and the answers that are well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCheck {
    /// What is asked for, by GET.
    pub path: String,
    /// The Host that is named; `None` for the backend's address.
    pub host: Option<String>,
    /// What it may be answered with.
    pub status: Vec<RangeInclusive<u16>>,
}

/// What becomes of the connections of a backend that goes down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDown {
    /// They go on as long as they can: the check may be wrong, and what works should work on.
    #[default]
    Leave,
    /// They are ended, so that clients come back and get another backend.
    Close,
}

/// What becomes of clients when no backend is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnAllDown {
    /// One that is down is tried: one more refusal costs little, and it is more likely that the check is wrong, or too
    /// strict, than that everything has failed at once.
    #[default]
    Try,
    /// They are refused at once.
    Refuse,
}

/// The cookie that ties a client to a backend.
#[derive(Clone, Debug, PartialEq)]
pub struct Sticky {
    /// Its name: a token (RFC 6265, 4.1.1).
    pub cookie: String,
    /// How long browsers keep it; `None` for as long as they run.
    pub ttl: Option<Duration>,
    /// Only over TLS.
    pub secure: bool,
}

/// One server.
#[derive(Clone, Debug, PartialEq)]
pub struct Backend {
    /// What identifies it in logs and to the policies that hash; its address, unless the operator named it.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its share relative to the others', 1 to 1,000,000. 0: configured, but not chosen.
    pub weight: u32,
    /// Connections at once (requests in flight, in HTTP mode), over all workers; `None` for any number.
    pub max_connections: Option<u32>,
    /// Only chosen when none of the others is available.
    pub backup: bool,
}

impl Frontend {
    /// A frontend that listens nowhere yet, in TCP mode: what tests and benchmarks change where it matters.
    pub fn new(name: &str, pool: usize) -> Frontend {
        Frontend {
            name: name.to_owned(),
            listen: Vec::new(),
            pool,
            routes: Vec::new(),
            clients: ClientLimits::default(),
            mode: Mode::default(),
            trusted_proxies: Vec::new(),
            forwarded: ForwardedStyle::default(),
            timeouts: None,
            limits: None,
        }
    }
}

impl Pool {
    /// A pool with nothing but a policy and backends.
    pub fn new(name: &str, policy: &'static str, backends: Vec<Backend>) -> Pool {
        Pool {
            name: name.to_owned(),
            policy,
            max_load_percent: None,
            backends,
            sticky: None,
            queue: 1024,
            queue_timeout: Duration::from_secs(1),
            health: Health::default(),
        }
    }
}

impl Backend {
    /// A backend with nothing but a weight.
    pub fn new(name: impl Into<String>, address: SocketAddr, weight: u32) -> Backend {
        Backend { name: name.into(), address, weight, max_connections: None, backup: false }
    }
}
