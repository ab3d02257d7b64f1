//! What one choice costs: choose and drop, per policy and size of pool. `cargo bench --bench policy`.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lbproxy::balance::policy::{self, Seed};
use lbproxy::balance::{Balancer, Pool, Tried};
use lbproxy::{config, net};

fn pool(size: u16) -> Arc<Pool> {
    let backend = |i: u16| {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 9001 + i));
        config::Backend::new(address.to_string(), address, 1 + u32::from(i % 3))
    };
    let config = config::Pool::new("bench", "", (0..size).map(backend).collect());
    Arc::new(Pool::new(&config, &config::Timeouts::default(), net::os::now()))
}

fn choose(c: &mut Criterion) {
    let now = net::os::now();
    let mut group = c.benchmark_group("choose");
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    for name in policy::names() {
        for size in [2, 10, 1000] {
            let policy = policy::build(name, Seed { worker: 0, random: 1 }).expect("a name of the registry");
            let mut balancer = Balancer::new(pool(size), policy);
            let mut client = 0_u32;
            group.bench_function(BenchmarkId::new(name, size), |b| {
                b.iter(|| {
                    client = client.wrapping_add(1);
                    black_box(balancer.choose(
                        IpAddr::from(client.to_be_bytes()),
                        None,
                        &Tried::default(),
                        now,
                    ));
                });
            });
        }
    }
}

criterion_group!(benches, choose);
criterion_main!(benches);
