//! What a deadline costs: moved, as every turn of a session does it, and coming up. `cargo bench --bench timers`.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lbproxy::net::os;
use lbproxy::timers::Timers;

fn timers(c: &mut Criterion) {
    let mut group = c.benchmark_group("timers");
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    let start = os::now();

    // Activity moves a deadline further away: the heap does not hear of it.
    let mut timers = Timers::default();
    timers.arm(0, start);
    let mut later = start;
    group.bench_function("arm_later", |b| {
        b.iter(|| {
            later += Duration::from_millis(1);
            timers.arm(black_box(0), later);
        });
    });

    // Every slot is armed, in an order that is not that of the deadlines, and comes up.
    for slots in [100, 10_000] {
        let mut timers = Timers::default();
        group.throughput(Throughput::Elements(slots));
        group.bench_function(BenchmarkId::new("arm_and_expire", slots), |b| {
            b.iter(|| {
                for slot in 0..slots {
                    timers.arm(slot as u32, start + Duration::from_millis(slot * 7919 % slots));
                }
                while let Some(slot) = timers.pop_due(start + Duration::from_millis(slots)) {
                    black_box(slot);
                }
            });
        });
    }
}

criterion_group!(benches, timers);
criterion_main!(benches);
