//! The configuration as the proxy uses it: typed, checked, complete. Nothing here is optional.

use std::net::SocketAddr;
use std::time::Duration;

use super::Cidr;

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
    /// Index into [`Config::pools`].
    pub pool: usize,
    /// What is understood of what clients say.
    pub mode: Mode,
    /// Whose word about earlier hops is believed, in HTTP mode.
    pub trusted_proxies: Vec<Cidr>,
    /// What backends are told about the client, in HTTP mode.
    pub forwarded: ForwardedStyle,
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
}
