//! Backends that fail: passed over, tried again, forgiven.

use std::sync::{Arc, Barrier, Mutex};

use lbproxy::balance::{Balancer, Lease, Pool, Tried};

use crate::support::*;

/// Chooses for a fresh client.
pub(crate) fn choose(balancer: &mut Balancer, ms: u64) -> Lease {
    balancer.choose(client(0), None, &Tried::default(), at(ms)).expect("somebody is available")
}

/// Whether a client now would be sent to the first backend. Claims its trial if so.
fn goes_to_first(balancer: &mut Balancer, ms: u64) -> bool {
    let lease = choose(balancer, ms);
    position(balancer, &lease) == 0
}

/// Two backends and a policy that takes the first whenever it may.
fn pair() -> (Arc<Pool>, Balancer) {
    let pool = pool(&[1, 1]);
    let balancer = first_available(&pool);
    (pool, balancer)
}

#[test]
fn a_failed_connect_passes_the_backend_over_until_its_time_is_up() {
    let (pool, mut balancer) = pair();
    choose(&mut balancer, 100).connect_failed(&"refused", at(103));
    assert!(pool.backends()[0].is_passed_over(at(103 + BACKOFF_MS - 1)));
    assert!(!goes_to_first(&mut balancer, 103));
    assert!(!goes_to_first(&mut balancer, 103 + BACKOFF_MS - 1));
    assert!(goes_to_first(&mut balancer, 103 + BACKOFF_MS));
}

#[test]
fn back_off_doubles_up_to_its_cap_and_starts_over_after_a_success() {
    let (_, mut balancer) = pair();
    let mut now_ms = 0;
    for round in 0..2 {
        for length_ms in [500, 1000, 2000, 4000, 4000, 4000] {
            let trial = choose(&mut balancer, now_ms);
            assert_eq!(position(&balancer, &trial), 0, "round {round}: due at {now_ms}");
            trial.connect_failed(&"refused", at(now_ms));
            assert!(!goes_to_first(&mut balancer, now_ms + length_ms - 1), "round {round}: {length_ms}");
            now_ms += length_ms;
        }
        choose(&mut balancer, now_ms).succeeded(at(0));
        assert!(goes_to_first(&mut balancer, now_ms) && goes_to_first(&mut balancer, now_ms));
    }
}

#[test]
fn one_trial_at_a_time_over_all_workers_until_it_has_a_verdict() {
    for verdict in ["success", "failure", "none"] {
        let pool = pool(&[1, 1]);
        let mut workers: Vec<_> = (0..4).map(|_| first_available(&pool)).collect();
        choose(&mut workers[0], 0).connect_failed(&"refused", at(0));
        let leases: Vec<_> = workers.iter_mut().map(|worker| choose(worker, 600)).collect();
        let trials: Vec<_> = leases.iter().filter(|lease| lease.backend().name == "b0").collect();
        assert_eq!(trials.len(), 1, "one worker of four has the trial");
        match verdict {
            "success" => {
                trials[0].succeeded(at(0));
                assert!(workers.iter_mut().all(|worker| goes_to_first(worker, 600)));
            }
            "failure" => {
                trials[0].connect_failed(&"refused", at(700));
                assert!(workers.iter_mut().all(|worker| !goes_to_first(worker, 1699)));
                assert!(goes_to_first(&mut workers[3], 1700));
            }
            _ => {
                assert!(workers.iter_mut().all(|worker| !goes_to_first(worker, 1099)));
                assert!(
                    goes_to_first(&mut workers[3], 1100),
                    "the claim runs out after the current back-off"
                );
                assert!(!goes_to_first(&mut workers[2], 1100), "and the next is one trial again");
            }
        }
    }
}

/// Between a worker's look and its claim, another gets the trial: the first one looks again, and goes elsewhere.
#[test]
fn a_worker_that_loses_the_race_for_a_trial_picks_again() {
    let (pool, mut rival) = pair();
    choose(&mut rival, 0).connect_failed(&"refused", at(0));
    let (mut looks, won) = (0, Arc::new(Mutex::new(None)));
    let winner = Arc::clone(&won);
    let mut balancer = asking(&pool, move |choice| {
        looks += 1;
        let pick = choice.available().next().map(|(index, _)| index);
        if looks == 1 {
            assert_eq!(pick, Some(0), "the trial is due");
            *winner.lock().expect("no panic") = Some(choose(&mut rival, BACKOFF_MS));
        }
        pick
    });
    let lease = choose(&mut balancer, BACKOFF_MS);
    assert_eq!(lease.backend().name, "b1");
    assert_eq!(connections(&pool), [1, 1], "the rival's trial, and ours elsewhere");
    *won.lock().expect("no panic") = None;
    drop(lease);
    assert_eq!(connections(&pool), [0, 0]);
}

#[test]
fn one_trial_however_threads_race_for_it() {
    let pool = pool(&[1, 1]);
    let mut now_ms = 0;
    choose(&mut first_available(&pool), now_ms).connect_failed(&"refused", at(now_ms));
    for _ in 0..50 {
        now_ms += BACKOFF_MS;
        let barrier = Barrier::new(4);
        let race = || {
            let mut worker = first_available(&pool);
            barrier.wait();
            goes_to_first(&mut worker, now_ms)
        };
        let winners = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..4).map(|_| scope.spawn(race)).collect();
            racers.into_iter().map(|racer| racer.join().expect("no panic")).filter(|&won| won).count()
        });
        assert_eq!(winners, 1);
    }
    assert_eq!(connections(&pool), [0, 0]);
}

/// The claim belongs to the pick: a client who goes elsewhere leaves a due trial to others.
#[test]
fn a_trial_is_not_used_up_by_clients_who_go_elsewhere() {
    let pool = pool(&[1, 1]);
    let mut balancer = worker("ip_hashing", &pool, 0);
    let name = |balancer: &mut Balancer, n: u32, ms| {
        let lease = balancer.choose(client(n), None, &Tried::default(), at(ms)).expect("available");
        lease.backend().name.clone()
    };
    let home: Vec<_> = (0..100).map(|n| name(&mut balancer, n, 0)).collect();
    let failing = home[0].clone();
    balancer
        .choose(client(0), None, &Tried::default(), at(0))
        .expect("available")
        .connect_failed(&"refused", at(0));
    let mut goes_to = |n, ms| name(&mut balancer, n, ms);
    let (own, others): (Vec<_>, Vec<_>) = (1..100).partition(|&n| home[n as usize] == failing);
    assert!(own.len() > 20 && others.len() > 20, "clients are spread over both");
    assert!(others.iter().all(|&n| goes_to(n, 600) != failing));
    assert_eq!(own.iter().filter(|&&n| goes_to(n, 600) == failing).count(), 1, "the trial was still due");
}

#[test]
fn failures_of_connections_that_started_together_count_as_one() {
    let (_, mut balancer) = pair();
    let leases: Vec<_> = (0..100).map(|_| choose(&mut balancer, 0)).collect();
    leases.iter().for_each(|lease| lease.connect_failed(&"refused", at(10)));
    assert!(goes_to_first(&mut balancer, 10 + BACKOFF_MS), "one penalty of the first length");
    leases.iter().for_each(|lease| lease.connect_failed(&"refused", at(520)));
    assert!(
        goes_to_first(&mut balancer, 10 + 2 * BACKOFF_MS),
        "and old news does not touch a trial under way"
    );
}

#[test]
fn failures_at_once_penalise_from_the_third_in_a_row() {
    let (_, mut balancer) = pair();
    for _ in 0..2 {
        for _ in 0..2 {
            choose(&mut balancer, 0).failed_at_once(at(0));
        }
        assert!(goes_to_first(&mut balancer, 0));
        choose(&mut balancer, 0).succeeded(at(0));
    }
    for _ in 0..3 {
        choose(&mut balancer, 0).failed_at_once(at(0));
    }
    assert!(!goes_to_first(&mut balancer, BACKOFF_MS - 1));
    choose(&mut balancer, BACKOFF_MS).failed_at_once(at(BACKOFF_MS));
    assert!(!goes_to_first(&mut balancer, 3 * BACKOFF_MS - 1), "the trial's is the fourth, and doubles");
    assert!(goes_to_first(&mut balancer, 3 * BACKOFF_MS));
}

#[test]
fn when_all_are_in_back_off_it_is_ignored() {
    let pool = pool(&[1, 1, 0]);
    let mut balancer = worker("fewest_connections", &pool, 0);
    for _ in 0..2 {
        choose(&mut balancer, 0).connect_failed(&"refused", at(0));
    }
    assert!(pool.backends()[..2].iter().all(|backend| backend.is_passed_over(at(1))));
    let extra = choose(&mut balancer, 1);
    let also = choose(&mut balancer, 1);
    assert_eq!(
        connections(&pool),
        [1, 1, 0],
        "the policy still decides, weight still counts, leases are counted"
    );
    let all = tried(&balancer, &[0, 1]);
    assert!(balancer.choose(client(0), None, &all, at(1)).is_none(), "tried is not ignored");
    extra.connect_failed(&"refused", at(400));
    also.connect_failed(&"refused", at(400));
    drop((extra, also));
    assert_eq!(connections(&pool), [0, 0, 0]);
    assert!(!pool.backends()[0].is_passed_over(at(BACKOFF_MS)), "failing during back-off prolongs nothing");
    choose(&mut balancer, 1).succeeded(at(0));
    assert_eq!(
        pool.backends().iter().filter(|backend| backend.is_passed_over(at(1))).count(),
        1,
        "success ends it"
    );
}

#[test]
fn a_single_backend_is_always_served_from() {
    let pool = pool(&[1]);
    let mut balancer = worker("round_robin", &pool, 0);
    for ms in 0..10_000 {
        choose(&mut balancer, ms).connect_failed(&"refused", at(ms));
    }
    assert_eq!(connections(&pool), [0]);
}
