//! What a relay buffer costs: borrowed and returned, filled and emptied. `cargo bench --bench buffer`.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lbproxy::relay::BufferPool;

const SIZE_BYTES: usize = 64 * 1024;

fn buffer(c: &mut Criterion) {
    let mut group = c.benchmark_group("buffer");
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    let mut pool = BufferPool::new(SIZE_BYTES);

    // Every turn of a busy direction: a warm buffer from the free list, and back.
    group.bench_function("take_give", |b| {
        b.iter(|| {
            let buffer = black_box(pool.take());
            pool.give(buffer);
        });
    });

    // The bookkeeping of one read and two writes, without copying anything.
    let mut buffer = pool.take();
    group.bench_function("fill_consume", |b| {
        b.iter(|| {
            buffer.produced(black_box(1500));
            black_box(buffer.filled());
            buffer.consumed(1000);
            buffer.consumed(500);
        });
    });

    // A slice copied in behind bytes that are still owed, which have to move to the front for it.
    let message = vec![7; 4096];
    group.throughput(Throughput::Bytes(message.len() as u64));
    group.bench_function("push_behind_owed", |b| {
        b.iter(|| {
            while buffer.push(&message) == message.len() {}
            buffer.consumed(buffer.filled().len() - 100);
            black_box(buffer.push(&message));
        });
    });
}

criterion_group!(benches, buffer);
criterion_main!(benches);
