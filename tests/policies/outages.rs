//! What an outage costs, and what the operator hears of it.

use std::collections::VecDeque;
use std::sync::{Mutex, Once};

use lbproxy::balance::{Lease, Tried};

use crate::penalties::choose;
use crate::support::*;

#[derive(Clone, Copy, PartialEq)]
enum Report {
    Nothing,
    ConnectFailed,
    FailedAtOnce,
}

/// The share of clients sent to a backend that fails at once, one of ten; the others hold each for 100 ms. One client
/// per millisecond, for 10 s.
fn share_of_a_failing_backend(policy: &str, report: Report) -> f64 {
    let pool = pool(&[1; 10]);
    let mut balancer = worker(policy, &pool, 0);
    let mut held: VecDeque<Lease> = VecDeque::new();
    let (clients, mut wasted) = (10_000, 0);
    for ms in 0..clients {
        let lease = balancer.choose(client(ms as u32), None, &Tried::default(), at(ms)).expect("available");
        if lease.backend().name == "b0" {
            wasted += 1;
            match report {
                Report::Nothing => {}
                Report::ConnectFailed => lease.connect_failed(&"refused", at(ms)),
                Report::FailedAtOnce => lease.failed_at_once(at(ms)),
            }
        } else {
            lease.succeeded(at(0));
            held.push_back(lease);
        }
        if held.len() > 100 {
            held.pop_front();
        }
    }
    f64::from(wasted) / clients as f64
}

#[test]
fn a_failing_backend_draws_the_traffic_unless_it_is_penalised() {
    let share = share_of_a_failing_backend;
    assert!(
        share("fewest_connections", Report::Nothing) > 0.9,
        "it looks idle: this is what penalties are for"
    );
    for policy in lbproxy::balance::policy::names() {
        assert!(share(policy, Report::ConnectFailed) < 0.002, "{policy}");
        assert!(share(policy, Report::FailedAtOnce) < 0.002, "{policy}");
    }
}

/// Collects what is logged about one backend; other tests log about others at the same time.
fn logged(about: &str) -> Vec<String> {
    static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
    static START: Once = Once::new();
    struct Collect;
    impl log::Log for Collect {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }
        fn log(&self, record: &log::Record<'_>) {
            LINES.lock().expect("no panic").push(format!("{} {}", record.level(), record.args()));
        }
        fn flush(&self) {}
    }
    START.call_once(|| {
        log::set_logger(&Collect).expect("no other logger in this process");
        log::set_max_level(log::LevelFilter::Info);
    });
    let lines = LINES.lock().expect("no panic");
    lines.iter().filter(|line| line.contains(about)).cloned().collect()
}

#[test]
fn an_outage_is_logged_when_it_starts_and_when_it_ends() {
    assert!(logged("flaky").is_empty());
    let pool = named(&[("flaky", 1), ("steady", 1)]);
    let mut balancer = first_available(&pool);
    let leases: Vec<_> = (0..10).map(|_| choose(&mut balancer, 0)).collect();
    leases.iter().for_each(|lease| lease.connect_failed(&"refused", at(0)));
    choose(&mut balancer, 500).connect_failed(&"refused", at(500));
    let trial = choose(&mut balancer, 1500);
    trial.succeeded(at(0));
    trial.succeeded(at(0));
    for _ in 0..3 {
        choose(&mut balancer, 2000).failed_at_once(at(2000));
    }
    let expected = [
        "WARN backend flaky (127.0.0.1:9001) passed over for 500 ms: refused",
        "INFO backend flaky (127.0.0.1:9001) is back",
        "WARN backend flaky (127.0.0.1:9001) passed over for 500 ms: closed at once, 3 times or more in a row",
    ];
    assert_eq!(logged("flaky"), expected);
}
