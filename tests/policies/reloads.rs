//! What pools that follow each other have in common: all that is known of the backends that stay, and nothing of the others.

use std::collections::HashSet;
use std::sync::Arc;

use lbproxy::balance::{Balancer, Lease, Pool, Tried, policy};
use lbproxy::config;

use crate::support::{at, client, configured, timeouts, worker};

/// These backends, by their ports.
fn of(ports: &[u16]) -> config::Pool {
    let backend = |port: &u16| config::Backend::new(format!("b{port}"), ([127, 0, 0, 1], *port).into(), 1);
    config::Pool::new("test", "", ports.iter().map(backend).collect())
}

fn pool(ports: &[u16]) -> Arc<Pool> {
    configured(&of(ports))
}

fn followed(pool: &Pool, ports: &[u16]) -> Arc<Pool> {
    Arc::new(pool.successor(&of(ports), &timeouts()))
}

fn choose(balancer: &mut Balancer, n: u32) -> Lease {
    balancer.choose(client(n), None, &Tried::default(), at(0)).expect("somebody is there")
}

/// A connection to the only backend of a pool.
fn lease(pool: &Arc<Pool>) -> Lease {
    choose(&mut worker("random", pool, 0), 0)
}

fn ids(pool: &Pool) -> Vec<usize> {
    pool.backends().iter().map(|backend| backend.id.index()).collect()
}

#[test]
fn what_is_counted_against_a_backend_that_stays_goes_on() {
    for name in policy::names() {
        let first = pool(&[1, 2]);
        let mut balancer = worker(name, &first, 0);
        let held: Vec<Lease> = (0..40).map(|n| choose(&mut balancer, n)).collect();
        held[0].connect_failed(&"refused", at(0));
        let before = first.backends()[1].connections();
        let second = followed(&first, &[3, 2]);
        balancer.succeed(second.clone(), None);
        let stays = &second.backends()[1];
        assert_eq!(stays.connections(), before, "{name}");
        assert_eq!(stays.is_passed_over(at(1)), first.backends()[1].is_passed_over(at(1)), "{name}");
        assert_eq!(second.backends()[0].connections(), 0, "{name}");
        assert!((0..40).all(|n| choose(&mut balancer, n).backend().address.port() != 1), "{name}");
        drop(held);
        assert_eq!(stays.connections(), 0, "{name}: released where it was counted");
    }
}

#[test]
fn what_is_said_about_a_backend_holds_at_once() {
    let first = pool(&[1, 2]);
    let mut heavier = of(&[1, 2]);
    (heavier.backends[0].weight, heavier.backends[1].max_connections) = (0, Some(1));
    let second = first.successor(&heavier, &timeouts());
    // For workers that do not have the new pool yet, too.
    for pool in [&*first, &second] {
        assert_eq!(pool.backends()[0].weight(), 0);
        let mut balancer = worker("round_robin", &first, 0);
        let _only = choose(&mut balancer, 0);
        assert!(!pool.backends()[1].has_room());
    }
}

#[test]
fn who_comes_back_while_connections_are_left_is_the_same_backend() {
    let first = pool(&[1]);
    let lease = lease(&first);
    let second = followed(&first, &[2]);
    let gone = &first.backends()[0];
    assert!(gone.is_gone() && second.backend(gone.id).is_some_and(|known| Arc::ptr_eq(known, gone)));
    assert!(!second.contains(gone.id));
    let third = followed(&followed(&followed(&second, &[3]), &[4]), &[2, 1]);
    assert!(Arc::ptr_eq(&third.backends()[1], gone));
    assert_eq!((gone.is_gone(), gone.connections()), (false, 1));
    drop(lease);
    assert_eq!(third.backends()[1].connections(), 0);
}

#[test]
fn who_left_without_connections_is_forgotten_after_another_reload() {
    let first = pool(&[1]);
    let second = followed(&first, &[2]);
    assert!(second.backend(first.backends()[0].id).is_some(), "a worker may be about to ask for it");
    let third = followed(&second, &[2]);
    assert!(third.backend(first.backends()[0].id).is_none());
    assert!(!Arc::ptr_eq(&followed(&third, &[1]).backends()[0], &first.backends()[0]));
}

/// Tables have an entry for each id.
#[test]
fn ids_do_not_grow_with_the_number_of_reloads_and_are_nobody_elses() {
    let mut pool = pool(&[1]);
    let lease = lease(&pool);
    for port in 2..1000 {
        let before = ids(&pool);
        pool = followed(&pool, &[port, port + 1000]);
        // One that is held, two that leave, two that left the time before, and two new ones.
        assert!(ids(&pool).iter().all(|id| *id < 7 && !before.contains(id)), "{:?}", ids(&pool));
        assert!(!ids(&pool).contains(&lease.backend().id.index()), "somebody still has it");
        assert_eq!(ids(&pool).into_iter().collect::<HashSet<_>>().len(), 2);
    }
}

#[test]
fn a_pool_that_nobody_succeeds_is_gone() {
    let pool = pool(&[1, 2]);
    let id = pool.backends()[0].id;
    assert!(pool.contains(id) && !pool.backends().iter().any(|backend| backend.is_gone()));
    pool.retire();
    assert!(!pool.contains(id) && pool.backends().iter().all(|backend| backend.is_gone()));
}

#[test]
fn retries_that_are_spent_do_not_come_back_with_a_reload() {
    let mut balancer = worker("random", &pool(&[1]), 0);
    balancer.set_retry_budget(20);
    while balancer.may_retry(at(0)) {}
    balancer.set_retry_budget(50);
    assert!(!balancer.may_retry(at(0)));
    (0..2).for_each(|_| balancer.note_request());
    assert!(balancer.may_retry(at(0)) && !balancer.may_retry(at(0)));
}
