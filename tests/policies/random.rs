//! Random by weight.

use crate::support::*;

#[test]
fn shares_are_within_statistical_bounds_of_the_weights() {
    // Bounds exceeded once in a thousand seeds, for 9, 3 and 1 degrees of freedom.
    for (weights, bound) in [(vec![1; 10], 27.9), (vec![1, 2, 3, 4], 16.3), (vec![1_000_000, 1_000], 10.8)] {
        let mut balancer = worker("random", &pool(&weights), 0);
        let counts = counts(&mut balancer, &[], 20_000);
        assert!(chi_square(&counts, &weights) < bound, "{weights:?}: {counts:?}");
    }
}

#[test]
fn skipping_one_leaves_the_others_proportions() {
    let mut balancer = worker("random", &pool(&[1, 7, 2]), 0);
    let counts = counts(&mut balancer, &[1], 20_000);
    assert_eq!(counts[1], 0);
    assert!(chi_square(&[counts[0], counts[2]], &[1, 2]) < 10.8, "{counts:?}");
}

#[test]
fn seeds_decide_and_workers_differ() {
    let draws = |number| {
        let mut balancer = worker("random", &pool(&[1; 10]), number);
        (0..50).map(|_| pick_without(&mut balancer, &[], base())).collect::<Vec<_>>()
    };
    assert_eq!(draws(3), draws(3));
    assert_ne!(draws(3), draws(4));
}
