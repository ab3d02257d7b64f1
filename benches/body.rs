//! What a body costs: checked, and re-framed where it has to be, in the buffer it lies in. `cargo bench --bench body`.

#![allow(unreachable_pub, reason = "a benchmark has no public interface")]

mod messages;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lbproxy::http::body::chunk_start;
use lbproxy::http::{Body, Framing};
use lbproxy::relay::BufferPool;

/// A full buffer.
const BODY_BYTES: usize = 64 * 1024;
const SMALL_CHUNK_BYTES: usize = 64;

fn pass(c: &mut Criterion) {
    let mut group = c.benchmark_group("body");
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    group.throughput(Throughput::Bytes(BODY_BYTES as u64));
    let small_chunks = messages::chunked(BODY_BYTES / SMALL_CHUNK_BYTES, SMALL_CHUNK_BYTES);
    for (name, framing, mut bytes) in [
        ("small_chunks", Framing::Chunked, small_chunks),
        ("one_chunk", Framing::Chunked, messages::chunked(1, BODY_BYTES)),
        ("length", Framing::Length(BODY_BYTES as u64), vec![b'x'; BODY_BYTES]),
    ] {
        group.bench_function(name, |b| b.iter(|| messages::pass_body(framing, black_box(&mut bytes))));
    }
}

/// A body that ends with its connection leaves in chunks: a size line goes in front of what was read, an end behind it.
fn wrap(c: &mut Criterion) {
    let mut group = c.benchmark_group("body");
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    group.throughput(Throughput::Bytes(BODY_BYTES as u64));
    let mut body = Body::new(Framing::UntilClose, Framing::Chunked, true, &messages::LIMITS);
    let mut buffer = BufferPool::new(2 * BODY_BYTES).take();
    group.bench_function("until_close_in_chunks", |b| {
        b.iter(|| {
            buffer.leave_headroom(512);
            buffer.produced(BODY_BYTES);
            body.pass(black_box(buffer.filled_mut())).expect("everything passes");
            let (start, length) = chunk_start(BODY_BYTES);
            black_box(buffer.splice(0, 0, &start[..length]));
            black_box(buffer.push(b"\r\n"));
            buffer.consumed(buffer.filled().len());
        });
    });
}

criterion_group!(benches, pass, wrap);
criterion_main!(benches);
