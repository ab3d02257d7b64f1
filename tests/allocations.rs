//! In steady state a request costs no allocation: counted, over 100,000 of them.
#![allow(unsafe_code, reason = "a global allocator cannot be had without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use lbproxy::balance::policy::{self, Seed};
use lbproxy::balance::{Balancer, Pool};
use lbproxy::config::{self, Config, Mode};
use lbproxy::ctx::Ctx;
use lbproxy::net::os::{self, OsNet, SocketOptions};
use lbproxy::proxy::Proxy;

const CLIENTS: usize = 8;
const REQUESTS: usize = 100_000;
/// What it takes to fill free lists and tables.
const WARM_UP: usize = 8_000;

const REQUEST: &[u8] =
    b"GET /path?query HTTP/1.1\r\nHost: example\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static COUNTS: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// This thread is the proxy's.
    static IS_COUNTED: Cell<bool> = const { Cell::new(false) };
}

// SAFETY: everything is handed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if COUNTS.load(SeqCst) && IS_COUNTED.get() {
            ALLOCATIONS.fetch_add(1, SeqCst);
        }
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Both modes, one after the other: the counter is everybody's.
#[test]
fn requests_on_open_connections_allocate_nothing() {
    for mode in [Mode::Tcp, Mode::Http] {
        let allocations = allocations(mode);
        // A table may still have to grow, in a moment in which more goes on at once than ever before.
        assert!(allocations < 50, "{allocations} for {REQUESTS} requests in {mode:?} mode");
    }
}

fn allocations(mode: Mode) -> u64 {
    let backends = [backend(), backend()];
    let config = Arc::new(configuration(mode, &backends));
    let options = SocketOptions::new(&config.timeouts);
    let any = config::Listen { address: (Ipv4Addr::LOCALHOST, 0).into(), dual_stack: false };
    let listener = os::listen(any, 64, 1, &options).expect("a port").remove(0);
    let address = listener.local_addr().expect("a bound socket");
    let (net, waker) = OsNet::new(options).expect("descriptors");
    let ends = Arc::new(AtomicBool::new(false));
    let proxy = std::thread::spawn({
        let ends = ends.clone();
        move || {
            let pool = Arc::new(Pool::new(&config.pools[0], &config.timeouts, os::now()));
            let policy = policy::build("round_robin", Seed::default()).expect("a registered policy");
            let ctx = Ctx::new(net, vec![Balancer::new(pool, policy)], config);
            let mut proxy = Proxy::new(ctx, vec![(listener, 0)], 100).expect("registers");
            IS_COUNTED.set(true);
            while !ends.load(SeqCst) {
                proxy.turn().expect("an event queue");
            }
        }
    });
    let mut clients: Vec<TcpStream> = (0..CLIENTS).map(|_| TcpStream::connect(address).unwrap()).collect();
    COUNTS.store(true, SeqCst);
    ask(&mut clients, WARM_UP);
    let before = ALLOCATIONS.swap(0, SeqCst);
    assert!(before > 0, "sessions, tables and buffers do allocate: nothing is counted");
    ask(&mut clients, REQUESTS);
    COUNTS.store(false, SeqCst);
    ends.store(true, SeqCst);
    waker.wake().expect("an event queue");
    proxy.join().expect("no panic");
    ALLOCATIONS.load(SeqCst)
}

fn configuration(mode: Mode, backends: &[SocketAddr]) -> Config {
    let backend = |address: &SocketAddr| config::Backend::new(address.to_string(), *address, 1);
    Config {
        workers: 1,
        timeouts: config::Timeouts::default(),
        limits: config::Limits::default(),
        frontends: vec![config::Frontend { mode, ..config::Frontend::new("test", 0) }],
        pools: vec![config::Pool::new("test", "round_robin", backends.iter().map(backend).collect())],
        log: config::Log { access_format: config::AccessFormat::Combined },
        admin: None,
    }
}

/// Requests of all clients, together at a time, until there were so many.
fn ask(clients: &mut [TcpStream], requests: usize) {
    let mut answer = Vec::new();
    for _ in 0..requests / clients.len() {
        clients.iter_mut().for_each(|client| client.write_all(REQUEST).expect("a proxy that reads"));
        for client in &mut *clients {
            client.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
            answer.clear();
            while !answer.ends_with(b"\r\n\r\nhello") {
                let mut space = [0; 1024];
                let count = client.read(&mut space).expect("an answer");
                assert!(count > 0, "the end in place of an answer");
                answer.extend_from_slice(&space[..count]);
            }
        }
    }
}

/// A server that answers every request, each connection in a thread of its own; they end with the process.
fn backend() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("a bound socket");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

fn serve(mut stream: TcpStream) {
    let (mut request, mut space) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut space) {
        request.extend_from_slice(&space[..count]);
        if request.ends_with(b"\r\n\r\n") {
            request.clear();
            if stream.write_all(RESPONSE).is_err() {
                return;
            }
        }
    }
}
