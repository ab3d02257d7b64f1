//! What a head costs: parsed, and written anew for the other side. `cargo bench --bench head`.

#![allow(unreachable_pub, reason = "a benchmark has no public interface")]

mod messages;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use messages::{LONG_REQUEST, LONG_RESPONSE, SHORT_REQUEST, SHORT_RESPONSE};

fn head(c: &mut Criterion) {
    let mut group = c.benchmark_group("head");
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    let mut out = Vec::new();
    for (name, head) in [("request_6_fields", SHORT_REQUEST), ("request_20_fields", LONG_REQUEST)] {
        group.throughput(Throughput::Bytes(head.len() as u64));
        group.bench_function(name, |b| b.iter(|| messages::forward_request(black_box(head), &mut out)));
    }
    for (name, head) in [("response_6_fields", SHORT_RESPONSE), ("response_20_fields", LONG_RESPONSE)] {
        group.throughput(Throughput::Bytes(head.len() as u64));
        group.bench_function(name, |b| b.iter(|| messages::forward_response(black_box(head), &mut out)));
    }
}

criterion_group!(benches, head);
criterion_main!(benches);
