//! What the proxy itself costs, without a kernel: one direction, and a client's whole life. `cargo bench --bench relay`.

use std::cell::Cell;
use std::hint::black_box;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lbproxy::balance::policy::{self, Seed};
use lbproxy::balance::{Balancer, Pool};
use lbproxy::config::{self, Config};
use lbproxy::ctx::Ctx;
use lbproxy::net::{Duct, Event, Net, Socket, os};
use lbproxy::proxy::Proxy;
use lbproxy::relay::{BufferPool, Conn, Open, Pipe};
use lbproxy::token::{SessionId, Token};

const BUFFER_BYTES: usize = 64 * 1024;
const TURN_BYTES: usize = 256 * 1024;
/// What a client and its backend send each other, once, before they finish.
const MESSAGE_BYTES: usize = 100;

/// A peer that sends so many bytes, and then waits or finishes; it takes whatever is written to it.
struct Memory {
    left_bytes: usize,
    finishes: bool,
}

impl Read for Memory {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let count = space.len().min(self.left_bytes);
        if count == 0 && !self.finishes {
            return Err(ErrorKind::WouldBlock.into());
        }
        space[..count].fill(7);
        self.left_bytes -= count;
        Ok(count)
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(black_box(bytes).len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for Memory {
    fn write_last(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write(bytes)
    }

    fn splice_in(&mut self, _: &Duct, _: usize) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn splice_out(&mut self, _: &Duct, _: usize) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn complete_handshake(&self) -> io::Result<()> {
        Ok(())
    }

    fn connected(&self, _target: SocketAddr, _error: bool) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_write(&self) -> io::Result<()> {
        Ok(())
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(None)
    }

    fn unsent_bytes(&self) -> io::Result<usize> {
        Ok(0)
    }

    fn reset_on_close(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A network on which everything happens at once: each client sends its message and finishes, as does each backend.
struct MemoryNet {
    now: Instant,
    /// Clients that have not been accepted yet.
    arrivals: Rc<Cell<usize>>,
    pending: Vec<Event>,
}

impl Net for MemoryNet {
    type Socket = Memory;
    type Listener = ();

    fn now(&self) -> Instant {
        self.now
    }

    fn poll(&mut self, events: &mut Vec<Event>, _timeout: Option<Duration>) -> io::Result<()> {
        events.clear();
        events.append(&mut self.pending);
        events.push(ready(Token::Listener(0)));
        Ok(())
    }

    fn register_listener(&mut self, (): &mut (), _token: Token) -> io::Result<()> {
        Ok(())
    }

    fn accept(&mut self, (): &()) -> io::Result<(Memory, SocketAddr)> {
        let left = self.arrivals.get().checked_sub(1).ok_or(ErrorKind::WouldBlock)?;
        self.arrivals.set(left);
        Ok((Memory { left_bytes: MESSAGE_BYTES, finishes: true }, (Ipv4Addr::LOCALHOST, 4000).into()))
    }

    fn connect(&mut self, _address: SocketAddr) -> io::Result<Memory> {
        Ok(Memory { left_bytes: MESSAGE_BYTES, finishes: true })
    }

    fn watch(&self, _socket: &Memory) -> io::Result<()> {
        Ok(())
    }

    fn register(&mut self, _socket: &mut Memory, token: Token) -> io::Result<()> {
        // The peer's end is announced with its message, so that a short read does not pass for the last one.
        self.pending.push(Event { read_closed: true, ..ready(token) });
        Ok(())
    }
}

fn ready(token: Token) -> Event {
    Event { token, readable: true, writable: true, read_closed: false, error: false }
}

fn proxy(arrivals: &Rc<Cell<usize>>) -> Proxy<MemoryNet> {
    let now = os::now();
    let backend = |port| config::Backend {
        name: format!("b{port}"),
        address: ([127, 0, 0, 1], port).into(),
        weight: 1,
    };
    let pool = config::Pool {
        name: "bench".into(),
        policy: "round_robin",
        backends: vec![backend(9001), backend(9002)],
        sticky: None,
    };
    let config = Config {
        workers: 1,
        timeouts: config::Timeouts::default(),
        limits: config::Limits {
            max_connections: 1000,
            backlog: 1024,
            connect_attempts: 3,
            buffer_bytes: BUFFER_BYTES,
            turn_bytes: TURN_BYTES,
            ..config::Limits::default()
        },
        frontends: vec![config::Frontend {
            name: "bench".into(),
            listen: Vec::new(),
            pool: 0,
            mode: config::Mode::Tcp,
            trusted_proxies: Vec::new(),
            forwarded: config::ForwardedStyle::XForwarded,
        }],
        pools: vec![pool],
        log: config::Log { access_format: config::AccessFormat::Combined },
    };
    let pool = Arc::new(Pool::new(&config.pools[0], &config.timeouts, now));
    let policy = policy::build("round_robin", Seed { worker: 0, random: 1 }).expect("a name of the registry");
    let net = MemoryNet { now, arrivals: arrivals.clone(), pending: Vec::new() };
    let ctx = Ctx::new(net, vec![Balancer::new(pool, policy)], Arc::new(config));
    Proxy::new(ctx, vec![((), 0)], 1000).expect("nothing to fail")
}

fn pipe(c: &mut Criterion) {
    let mut group = c.benchmark_group("pipe");
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    let id = SessionId { slot: 0, epoch: 1 };
    let event = ready(Token::Client(id));
    // A small message, one full buffer, and a turn's whole budget in full buffers.
    for bytes in [100, BUFFER_BYTES, TURN_BYTES] {
        let mut source = Conn::new(Memory { left_bytes: 0, finishes: false });
        let mut sink = Conn::new(Memory { left_bytes: 0, finishes: false });
        let (mut pipe, mut buffers) = (Pipe::default(), BufferPool::new(BUFFER_BYTES));
        sink.note(&event);
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(BenchmarkId::from_parameter(bytes), |b| {
            b.iter(|| {
                source.socket.left_bytes = bytes;
                source.note(&event);
                black_box(pipe.turn(&mut source, &mut sink, &mut Open, TURN_BYTES, &mut buffers));
            });
        });
    }
}

/// Accepted, a backend chosen, connected, a message each way, both ends passed on, closed and logged to nobody.
fn session(c: &mut Criterion) {
    let mut group = c.benchmark_group("session");
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    let arrivals = Rc::new(Cell::new(0));
    let mut proxy = proxy(&arrivals);
    group.bench_function("whole_life", |b| {
        b.iter(|| {
            arrivals.set(1);
            let served = proxy.metrics().closed + 1;
            while proxy.metrics().closed < served {
                proxy.turn().expect("nothing to fail");
            }
        });
    });
    assert_eq!(proxy.metrics().up_bytes, proxy.metrics().closed * MESSAGE_BYTES as u64);
}

criterion_group!(benches, pipe, session);
criterion_main!(benches);
