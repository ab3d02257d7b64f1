//! Smooth weighted round robin.

use lbproxy::balance::Tried;
use proptest::prelude::*;

use crate::support::*;

fn sequence(weights: &[u32], number: usize, turns: usize) -> Vec<usize> {
    let mut balancer = worker("round_robin", &pool(weights), number);
    (0..turns).map(|_| pick_without(&mut balancer, &[], base()).expect("available")).collect()
}

#[test]
fn weights_5_1_1_give_a_a_b_a_c_a_a() {
    assert_eq!(sequence(&[5, 1, 1], 0, 14), [0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0]);
}

#[test]
fn equal_weights_take_turns_in_order() {
    assert_eq!(sequence(&[3, 3, 3], 0, 7), [0, 1, 2, 0, 1, 2, 0]);
}

/// Worker n starts where worker 0 is after n turns, so first choices side by side are a round robin too.
#[test]
fn workers_do_not_all_start_at_backend_0() {
    let firsts =
        |weights: &[u32], workers| (0..workers).map(|n| sequence(weights, n, 1)[0]).collect::<Vec<_>>();
    assert_eq!(firsts(&[1; 10], 12), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
    assert_eq!(firsts(&[5, 1, 1], 7), sequence(&[5, 1, 1], 0, 7));
}

/// A backend that was away comes back to its share: nothing is made up for.
#[test]
fn no_burst_on_return() {
    let mut balancer = worker("round_robin", &pool(&[1, 1, 1]), 0);
    counts(&mut balancer, &[], 1);
    assert_eq!(counts(&mut balancer, &[1], 100), [50, 0, 50]);
    let after: Vec<_> =
        (0..6).map(|_| pick_without(&mut balancer, &[], base()).expect("available")).collect();
    assert!((0..3).all(|i| after.iter().filter(|&&chosen| chosen == i).count() == 2), "{after:?}");
}

/// Losing the heavy one leaves the light ones equal at once, wherever in the cycle it happens: the turn one of them
/// had while there were a thousand others to serve is one turn, not five hundred.
#[test]
fn losing_a_heavy_backend_does_not_favour_one_of_the_light_ones() {
    let mut balancer = worker("round_robin", &pool(&[1000, 1, 1]), 0);
    for _ in 0..1002 {
        counts(&mut balancer, &[], 1);
        let light = counts(&mut balancer, &[0], 10);
        assert!(light[1].abs_diff(light[2]) <= 2, "{light:?}");
    }
}

/// The same when it is away for a penalty, rather than for one client.
#[test]
fn a_penalised_backend_is_skipped_and_the_others_keep_their_shares() {
    let mut balancer = worker("round_robin", &pool(&[3, 2, 1]), 0);
    let lease = balancer.choose(client(0), None, &Tried::default(), base()).expect("available");
    lease.connect_failed(&"refused", base());
    assert_eq!(position(&balancer, &lease), 0);
    assert_eq!(counts(&mut balancer, &[], 300), [0, 200, 100]);
}

fn weights() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0_u32..=20, 1..12).prop_filter("somebody serves", |w| w.iter().any(|&w| w > 0))
}

fn total(weights: &[u32]) -> u64 {
    weights.iter().map(|&weight| u64::from(weight)).sum()
}

fn wide(weights: &[u32]) -> Vec<u64> {
    weights.iter().copied().map(u64::from).collect()
}

proptest! {
    #![proptest_config(cases(300))]

    /// A cycle is as long as the sum of weights, gives each exactly its weight, and leaves no trace: the next is the
    /// same, turn by turn. For any worker, wherever it starts.
    #[test]
    fn shares_are_exact_over_a_cycle(weights in weights(), number in 0_usize..40) {
        let cycle = total(&weights) as usize;
        let turns = sequence(&weights, number, 2 * cycle);
        let count = |i| turns[..cycle].iter().filter(|&&chosen| chosen == i).count() as u64;
        prop_assert_eq!((0..weights.len()).map(count).collect::<Vec<_>>(), wide(&weights));
        prop_assert_eq!(&turns[..cycle], &turns[cycle..]);
    }

    /// Smooth: at no point of the cycle is a backend a turn ahead of its share, nor far behind.
    #[test]
    fn turns_are_spread_over_the_cycle(weights in weights()) {
        let total = total(&weights) as f64;
        let mut counts = vec![0.0; weights.len()];
        for (turn, chosen) in sequence(&weights, 0, total as usize).into_iter().enumerate() {
            counts[chosen] += 1.0;
            for (count, &weight) in counts.iter().zip(&weights) {
                let ahead = count - (turn + 1) as f64 * f64::from(weight) / total;
                prop_assert!(ahead < 1.0 && ahead > -2.0, "{} turns ahead", ahead);
            }
        }
    }

    /// With one away from the start, the others' shares are exact; with one away from some point on, they are exact
    /// but for where in the cycle it happened, however long it lasts.
    #[test]
    fn skipping_one_leaves_the_others_proportions(
        weights in weights(), away: prop::sample::Index, before in 0_u64..60, cycles in 1_u64..30,
    ) {
        let away = away.index(weights.len());
        let mut rest = weights.clone();
        rest[away] = 0;
        let cycle = total(&rest);
        prop_assume!(cycle > 0);
        let mut fresh = worker("round_robin", &pool(&weights), 0);
        prop_assert_eq!(counts(&mut fresh, &[away], cycle), wide(&rest));

        let mut balancer = worker("round_robin", &pool(&weights), 0);
        counts(&mut balancer, &[], before);
        for (count, share) in counts(&mut balancer, &[away], cycles * cycle).into_iter().zip(wide(&rest)) {
            prop_assert!(count.abs_diff(cycles * share) <= 1, "{} instead of {}", count, cycles * share);
        }
    }

    /// Backends come and go, and nobody is owed much for it: over any such history each has had what its weight
    /// promised at every turn it was there for, but for a few turns.
    #[test]
    fn shares_hold_while_backends_come_and_go(
        weights in prop::collection::vec(1_u32..=20, 2..8),
        turns in prop::collection::vec(any::<u8>(), 200),
    ) {
        let mut balancer = worker("round_robin", &pool(&weights), 0);
        let mut owed = vec![0.0; weights.len()];
        for present in turns {
            let away: Vec<_> = (0..weights.len()).filter(|&i| present >> i & 1 == 0).collect();
            let there = |i: &usize| !away.contains(i);
            let total: u32 = (0..weights.len()).filter(there).map(|i| weights[i]).sum();
            let Some(chosen) = pick_without(&mut balancer, &away, base()) else { continue };
            for i in (0..weights.len()).filter(there) {
                owed[i] += f64::from(weights[i]) / f64::from(total);
            }
            owed[chosen] -= 1.0;
            prop_assert!(owed.iter().all(|turns| turns.abs() < 2.0), "{:?}", owed);
        }
    }
}
