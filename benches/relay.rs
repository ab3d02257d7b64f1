//! What the proxy itself costs, without a kernel: one direction, and a client's whole life. `cargo bench --bench relay`.

#![allow(unreachable_pub, reason = "a benchmark has no public interface")]

mod memory;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lbproxy::relay::{BufferPool, Conn, Open, Pipe};
use lbproxy::token::{SessionId, Token};

use memory::{MemorySocket, Peer, Rig, World, ready};

const BUFFER_BYTES: usize = 64 * 1024;
const TURN_BYTES: usize = 256 * 1024;
/// What a client and its backend send each other, once, before they finish.
const MESSAGE: &[u8] = &[7; 100];

fn pipe(c: &mut Criterion) {
    let mut group = c.benchmark_group("pipe");
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    let id = SessionId { slot: 0, epoch: 1 };
    let event = ready(Token::Client(id));
    let world = World::new();
    // A small message, one full buffer, and a turn's whole budget in full buffers.
    for bytes in [100, BUFFER_BYTES, TURN_BYTES] {
        let mut source = Conn::new(MemorySocket::new(Peer::Backend(vec![7; bytes].leak()), &world));
        let mut sink = Conn::new(MemorySocket::new(Peer::Client(b""), &world));
        let (mut pipe, mut buffers) = (Pipe::default(), BufferPool::new(BUFFER_BYTES));
        sink.note(&event);
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(BenchmarkId::from_parameter(bytes), |b| {
            b.iter(|| {
                source.socket.say();
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
    let mut rig = Rig::new("tcp", Peer::Client(MESSAGE), Peer::LastWords(MESSAGE));
    group.bench_function("whole_life", |b| b.iter(|| rig.connect()));
    let metrics = rig.proxy.metrics();
    let bytes = metrics.closed * MESSAGE.len() as u64;
    assert_eq!((metrics.accepted, metrics.up_bytes, metrics.down_bytes), (metrics.closed, bytes, bytes));
}

criterion_group!(benches, pipe, session);
criterion_main!(benches);
