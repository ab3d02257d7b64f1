//! What `explain` says is what happens next, and asking changes nothing.

use std::time::Duration;

use lbproxy::balance::policy;
use lbproxy::balance::{Lease, Tried};
use lbproxy::config::{Backend, Health, Pool};
use proptest::prelude::*;

use crate::support::*;

/// What happens between two choices, by number: somebody fails, goes down, comes back, or leaves.
fn happen(event: u8, leases: &mut Vec<Lease>, pool: &lbproxy::balance::Pool, ms: u64) {
    let backend = &pool.backends()[usize::from(event) % pool.backends().len()];
    match event % 8 {
        0 if !leases.is_empty() => leases.remove(0).connect_failed(&"a test", at(ms)),
        1 => pool.mark_down(backend, "a test", at(ms)),
        2 => pool.mark_up(backend, at(ms)),
        3 if !leases.is_empty() => drop(leases.swap_remove(usize::from(event) % leases.len())),
        4 if !leases.is_empty() => leases[0].succeeded(at(ms)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn it_says_where_the_next_connection_goes(
        which in 0_usize..7,
        weights in prop::collection::vec((0_u32..4, prop::option::of(1_u32..5), any::<bool>()), 2..7),
        events in prop::collection::vec((any::<u8>(), 0_u32..20), 1..60),
        (slow, bound, refuse) in (any::<bool>(), any::<bool>(), any::<bool>()),
    ) {
        let name = policy::names().nth(which).unwrap();
        let backends = weights.iter().enumerate().map(|(n, (weight, most, backup))| Backend {
            max_connections: *most,
            backup: *backup,
            ..Backend::new(format!("b{n}"), ([127, 0, 0, 1], 9001 + n as u16).into(), *weight)
        });
        let health = Health {
            slow_start: Duration::from_millis(if slow { 200 } else { 0 }),
            on_all_down: if refuse { lbproxy::config::OnAllDown::Refuse } else { Default::default() },
            ..Health::default()
        };
        let pool = configured(&Pool { health, ..Pool::new("test", name, backends.collect()) });
        let mut balancer = seeded(name, &pool, 5);
        balancer.set_max_load((bound && policy::keyed().any(|keyed| keyed == name)).then_some(125));
        let mut leases = Vec::new();
        for (n, (event, from)) in events.into_iter().enumerate() {
            let ms = n as u64 * 17;
            happen(event, &mut leases, &pool, ms);
            let before = connections(&pool);
            let explained = balancer.explain(client(from), at(ms));
            prop_assert_eq!(&explained, &balancer.explain(client(from), at(ms)), "asking changes nothing");
            prop_assert_eq!(before, connections(&pool));
            let chosen = balancer.choose(client(from), None, &Tried::default(), at(ms));
            let index = chosen.as_ref().map(|lease| position(&balancer, lease));
            prop_assert_eq!(explained.chosen, index, "{}: {:?}", name, explained);
            if let Some(index) = index {
                let all_skipped = explained.candidates.iter().all(|candidate| candidate.skipped.is_some());
                let skipped = &explained.candidates[index].skipped;
                prop_assert!(skipped.is_none() || all_skipped || slow || bound, "{}: {:?}", name, explained);
            }
            leases.extend(chosen);
        }
    }
}

#[test]
fn it_says_why_the_others_were_not_asked() {
    let backends = |changes: &[&str]| {
        let of = |(n, what): (usize, &&str)| Backend {
            weight: if *what == "weight" { 0 } else { 1 },
            max_connections: (*what == "full").then_some(1),
            backup: *what == "backup",
            ..Backend::new(*what, ([127, 0, 0, 1], 9001 + n as u16).into(), 1)
        };
        changes.iter().enumerate().map(of).collect()
    };
    let config =
        Pool::new("test", "round_robin", backends(&["full", "weight", "down", "failed", "backup", "well"]));
    let pool = configured(&config);
    let mut balancer = worker("round_robin", &pool, 0);
    let full = balancer.choose(client(1), None, &Tried::default(), at(0)).unwrap();
    assert_eq!(full.backend().name, "full");
    pool.mark_down(&pool.backends()[2], "it answers / with status 500", at(0));
    let failed = balancer.choose(client(1), None, &Tried::default(), at(0)).unwrap();
    assert_eq!(failed.backend().name, "failed");
    failed.connect_failed(&"connection refused", at(0));
    let explained = balancer.explain(client(1), at(1));
    let skipped: Vec<&str> = explained
        .candidates
        .iter()
        .map(|candidate| candidate.skipped.as_deref().unwrap_or("asked"))
        .collect();
    assert_eq!(
        skipped,
        [
            "it has as many connections as it may",
            "its weight is 0",
            "checks have given it up: it answers / with status 500",
            "it is passed over for a while: connection refused",
            "it is a backup, and others are available",
            "asked",
        ]
    );
    assert_eq!((explained.chosen, &*explained.how), (Some(5), "round_robin chose among 1"));
}
