//! What checks and limits do to a choice: down, slow start, backups, caps, ejection.

use std::sync::Arc;
use std::time::Duration;

use lbproxy::balance::{Lease, Pool, Tried, policy};
use lbproxy::config::{self, Health, OnAllDown};

use crate::support::{at, client, configured, position, seeded};

fn backends(count: usize) -> Vec<config::Backend> {
    let backend = |n| config::Backend::new(format!("b{n}"), ([127, 0, 0, 1], 9001 + n as u16).into(), 1);
    (0..count).map(backend).collect()
}

fn with_health(count: usize, health: Health) -> Arc<Pool> {
    configured(&config::Pool { health, ..config::Pool::new("test", "", backends(count)) })
}

fn slow_start(ms: u64) -> Health {
    Health { slow_start: Duration::from_millis(ms), ..Health::default() }
}

/// The share of choices, of a thousand clients, that fall to each backend at this moment.
fn shares(policy: &str, pool: &Arc<Pool>, ms: u64) -> Vec<f64> {
    const CLIENTS: u32 = 4_000;
    let mut balancer = seeded(policy, pool, 5);
    let mut counts = vec![0.0; pool.backends().len()];
    for n in 0..CLIENTS {
        let lease = balancer.choose(client(n), None, &Tried::default(), at(ms)).expect("somebody is there");
        counts[position(&balancer, &lease)] += 1.0 / f64::from(CLIENTS);
    }
    counts
}

#[test]
fn nobody_is_sent_to_a_backend_that_is_down_and_a_success_there_changes_nothing() {
    for name in policy::names() {
        let pool = with_health(3, Health::default());
        let mut balancer = seeded(name, &pool, 1);
        let from_before: Vec<Lease> = (0..100)
            .map(|n| balancer.choose(client(n), None, &Tried::default(), at(0)).expect("all are there"))
            .collect();
        assert!(from_before.iter().any(|lease| position(&balancer, lease) == 1), "{name}");
        pool.mark_down(&pool.backends()[1], "a test", at(0));
        assert_eq!(shares(name, &pool, 0)[1], 0.0, "{name}");
        from_before.iter().for_each(|lease| lease.succeeded(at(0)));
        assert!(pool.backends()[1].is_down(), "{name}");
        pool.mark_up(&pool.backends()[1], at(1));
        assert!(shares(name, &pool, 2)[1] > 0.2, "{name}: without slow start, at once");
    }
}

#[test]
fn a_backend_that_is_back_grows_from_a_tenth_of_its_share_to_all_of_it() {
    for name in policy::names() {
        let pool = with_health(4, slow_start(1000));
        pool.mark_down(&pool.backends()[0], "a test", at(0));
        pool.mark_up(&pool.backends()[0], at(500));
        // Whoever does not go there goes elsewhere, so the share is a little less than the part of the choices.
        for (ms, least, most) in [(500, 0.01, 0.05), (1000, 0.09, 0.19), (1490, 0.18, 0.30), (1500, 0.2, 0.3)]
        {
            let share = shares(name, &pool, ms)[0];
            assert!((least..most).contains(&share), "{name}: {share} at {ms} ms");
        }
    }
}

#[test]
fn at_the_start_of_the_process_nobody_starts_slowly() {
    let pool = with_health(2, slow_start(60_000));
    let share = shares("random", &pool, 0)[0];
    assert!((0.45..0.55).contains(&share), "{share}");
}

/// As the share grows, clients of a policy that hashes come back one by one, and then stay.
#[test]
fn slow_start_moves_a_client_once() {
    for name in policy::keyed() {
        let pool = with_health(4, slow_start(1000));
        let mut balancer = seeded(name, &pool, 1);
        let mut home = |n, ms| {
            let lease = balancer.choose(client(n), None, &Tried::default(), at(ms)).unwrap();
            position(&balancer, &lease)
        };
        let before: Vec<usize> = (0..500).map(|n| home(n, 0)).collect();
        pool.mark_down(&pool.backends()[0], "a test", at(0));
        pool.mark_up(&pool.backends()[0], at(1));
        let mut back = vec![false; 500];
        for ms in (1..=1001).step_by(50) {
            for n in 0..500 {
                let now = home(n as u32, ms);
                assert!(!back[n] || now == 0, "{name}: client {n} left again at {ms} ms");
                back[n] |= now == 0;
                assert!(before[n] == 0 || now == before[n], "{name}: client {n} has no business elsewhere");
            }
        }
        assert!((0..500).all(|n| home(n as u32, 1002) == before[n]), "{name}");
    }
}

#[test]
fn the_only_backend_gets_everybody_however_slowly_it_starts() {
    let pool = with_health(1, slow_start(60_000));
    pool.mark_down(&pool.backends()[0], "a test", at(0));
    pool.mark_up(&pool.backends()[0], at(1));
    for name in policy::names() {
        assert!(shares(name, &pool, 2)[0] > 0.999, "{name}");
    }
}

#[test]
fn a_backend_back_from_back_off_starts_slowly_too() {
    let pool = with_health(2, slow_start(1000));
    let mut balancer = seeded("round_robin", &pool, 1);
    let lease = balancer.choose(client(0), None, &Tried::default(), at(0)).unwrap();
    let failed = position(&balancer, &lease);
    lease.connect_failed(&"refused", at(0));
    let trial = loop {
        let lease = balancer.choose(client(0), None, &Tried::default(), at(600_000)).unwrap();
        if position(&balancer, &lease) == failed {
            break lease;
        }
    };
    trial.succeeded(at(600_000));
    let share = shares("round_robin", &pool, 600_001)[failed];
    assert!((0.02..0.1).contains(&share), "{share}");
}

#[test]
fn backups_serve_only_when_nobody_else_is_left() {
    for name in policy::names() {
        let mut list = backends(4);
        (list[2].backup, list[3].backup) = (true, true);
        let pool = configured(&config::Pool::new("test", "", list));
        let zero = |shares: &[f64], who: &[usize]| who.iter().all(|&i| shares[i] == 0.0);
        assert!(zero(&shares(name, &pool, 0), &[2, 3]), "{name}");
        pool.mark_down(&pool.backends()[0], "a test", at(0));
        assert!(zero(&shares(name, &pool, 0), &[0, 2, 3]), "{name}");
        pool.mark_down(&pool.backends()[1], "a test", at(0));
        let found = shares(name, &pool, 0);
        assert!(zero(&found, &[0, 1]) && found[2] > 0.3 && found[3] > 0.3, "{name}: {found:?}");
        pool.mark_down(&pool.backends()[2], "a test", at(0));
        pool.mark_down(&pool.backends()[3], "a test", at(0));
        assert!(
            zero(&shares(name, &pool, 0), &[2, 3]),
            "{name}: when all are down, the first ones are tried"
        );
        pool.mark_up(&pool.backends()[1], at(0));
        assert!(zero(&shares(name, &pool, 0), &[0, 2, 3]), "{name}");
    }
}

#[test]
fn with_everybody_down_one_is_tried_or_nobody_as_the_pool_says() {
    for (on_all_down, served) in [(OnAllDown::Try, true), (OnAllDown::Refuse, false)] {
        let pool = with_health(2, Health { on_all_down, ..Health::default() });
        pool.backends().iter().for_each(|backend| pool.mark_down(backend, "a test", at(0)));
        let mut balancer = seeded("round_robin", &pool, 1);
        let lease = balancer.choose(client(0), None, &Tried::default(), at(0));
        assert_eq!(lease.is_some(), served);
        assert!(!balancer.is_full(&Tried::default(), at(0)), "that is not for want of room");
    }
}

fn capped(caps: &[Option<u32>]) -> Arc<Pool> {
    let mut list = backends(caps.len());
    list.iter_mut().zip(caps).for_each(|(backend, cap)| backend.max_connections = *cap);
    configured(&config::Pool::new("test", "", list))
}

#[test]
fn nobody_gets_more_connections_than_it_may_have() {
    for name in policy::names() {
        let pool = capped(&[Some(1), Some(3), Some(2)]);
        let mut balancer = seeded(name, &pool, 1);
        let mut choose = |n| balancer.choose(client(n), None, &Tried::default(), at(0));
        let leases: Vec<Option<Lease>> = (0..8).map(&mut choose).collect();
        assert_eq!(leases.iter().filter(|lease| lease.is_some()).count(), 6, "{name}");
        assert_eq!(crate::support::connections(&pool), [1, 3, 2], "{name}");
        let news = pool.room_news();
        drop(leases);
        assert_ne!(pool.room_news(), news, "{name}: there is room again, and that is news");
        assert_eq!(crate::support::connections(&pool), [0, 0, 0], "{name}");
    }
}

#[test]
fn full_is_not_gone_so_no_backup_steps_in_and_waiting_is_worth_it() {
    let mut list = backends(3);
    list[0].max_connections = Some(1);
    list[2].backup = true;
    let pool = configured(&config::Pool::new("test", "", list));
    pool.mark_down(&pool.backends()[1], "a test", at(0));
    let mut balancer = seeded("round_robin", &pool, 1);
    let mut choose = || balancer.choose(client(0), None, &Tried::default(), at(0));
    let first = choose().expect("there is room");
    assert!(choose().is_none());
    assert!(balancer.is_full(&Tried::default(), at(0)));
    let mut tried = Tried::default();
    tried.insert(first.backend().id);
    assert!(!balancer.is_full(&tried, at(0)), "its room is of no use to somebody it has failed");
    let lease = balancer.choose(client(0), None, &tried, at(0)).expect("who tried it may go to the backup");
    assert!(lease.backend().is_backup());
}

fn ejecting(eject_errors: u32, eject_max_percent: u32) -> Arc<Pool> {
    with_health(4, Health { eject_errors, eject_max_percent, ..Health::default() })
}

/// One answer with this status from this backend, complete.
fn answer(pool: &Arc<Pool>, which: usize, status: u16, ms: u64) {
    let mut balancer = seeded("round_robin", pool, 1);
    let preferred = Some(pool.backends()[which].key);
    let lease = balancer.choose(client(0), preferred, &Tried::default(), at(ms)).unwrap();
    if position(&balancer, &lease) == which {
        balancer.answered(&lease, status, at(ms));
        balancer.completed(&lease, status, at(ms));
    }
}

#[test]
fn errors_in_a_row_eject_and_a_good_answer_in_between_saves() {
    let pool = ejecting(3, 100);
    for status in [500, 503, 200, 500, 502] {
        answer(&pool, 0, status, 0);
    }
    assert!(!pool.backends()[0].is_passed_over(at(0)));
    answer(&pool, 0, 599, 0);
    assert!(pool.backends()[0].is_passed_over(at(0)));
    // Its trial has no error to spare, and then it takes twice as long.
    let first = (0..).find(|ms| !pool.backends()[0].is_passed_over(at(*ms))).unwrap();
    answer(&pool, 0, 500, first);
    let second = (first..).find(|ms| !pool.backends()[0].is_passed_over(at(*ms))).unwrap();
    assert_eq!(second - first, 2 * first);
    answer(&pool, 0, 200, second);
    assert!(!pool.backends()[0].is_passed_over(at(second)));
}

#[test]
fn no_more_than_a_part_of_the_pool_is_ejected_for_errors() {
    let pool = ejecting(1, 50);
    (0..4).for_each(|which| answer(&pool, which, 500, 0));
    let ejected = |ms| pool.backends().iter().filter(|backend| backend.is_passed_over(at(ms))).count();
    assert_eq!(ejected(0), 2);
    assert!(!ejecting(1, 0).backends().iter().any(|backend| backend.is_passed_over(at(0))));
}

#[test]
fn without_ejection_errors_are_answers_like_any_other() {
    let pool = ejecting(0, 100);
    (0..100).for_each(|_| answer(&pool, 0, 500, 0));
    assert!(!pool.backends()[0].is_passed_over(at(0)));
}
