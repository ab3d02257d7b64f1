//! Two distinct backends by lot, by weight, for policies that compare two.
//!
//! One pass, no memory of those seen: the first is drawn as by [`Lottery`](super::Lottery). Whoever takes its place has
//! the former one for company, which was drawn by weight among all earlier ones, as the second should be. Whoever does
//! not may still become the second, by its weight among all but the first. So the pair is what two draws by weight
//! without replacement give.

use super::Choice;
use crate::balance::Backend;

/// A backend and its position in the pool.
pub(super) type Candidate<'a> = (usize, &'a Backend);

/// Two of those available, the first drawn by weight from all, the second by weight from the others. `None` for the
/// second if there is only one.
pub(super) fn draw<'a>(
    choice: &Choice<'a>,
    rng: &mut fastrand::Rng,
) -> Option<(Candidate<'a>, Option<Candidate<'a>>)> {
    let mut available = choice.available();
    let mut first = available.next()?;
    let mut second = None;
    let mut total = u64::from(first.1.weight());
    for candidate in available {
        let weight = u64::from(candidate.1.weight());
        total += weight;
        if rng.u64(..total) < weight {
            second = Some(std::mem::replace(&mut first, candidate));
            continue;
        }
        let others = total - u64::from(first.1.weight());
        if others == weight || rng.u64(..others) < weight {
            second = Some(candidate);
        }
    }
    Some((first, second))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::{Tried, testing};

    /// Every ordered pair, as often as two draws by weight without replacement would give it.
    #[test]
    fn pairs_are_two_draws_without_replacement() {
        const DRAWS: u32 = 200_000;
        let weights = [1, 2, 3, 10];
        let (pool, tried) = (testing::pool(&weights), Tried::default());
        let choice = Choice::new(&pool, [10, 0, 0, 1].into(), &tried, testing::base());
        let mut rng = fastrand::Rng::with_seed(1);
        let mut counts = [[0_u32; 4]; 4];
        for _ in 0..DRAWS {
            let ((first, _), second) = draw(&choice, &mut rng).expect("four are available");
            counts[first][second.expect("and not only one").0] += 1;
        }
        let total: u32 = weights.iter().sum();
        for (i, j) in (0..4).flat_map(|i| (0..4).map(move |j| (i, j))) {
            if i == j {
                assert_eq!(counts[i][j], 0, "drawn twice");
                continue;
            }
            let first = f64::from(weights[i]) / f64::from(total);
            let chance = first * f64::from(weights[j]) / f64::from(total - weights[i]);
            let (mean, deviation) =
                (chance * f64::from(DRAWS), (f64::from(DRAWS) * chance * (1.0 - chance)).sqrt());
            assert!((f64::from(counts[i][j]) - mean).abs() < 4.0 * deviation, "{i}, {j}: {counts:?}, {mean}");
        }
    }
}
