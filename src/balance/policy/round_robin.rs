//! Smooth weighted round robin, as nginx has it: shares are exact over a cycle, and turns are spread within it.
//!
//! Each turn adds every available backend's weight to its current value, takes the largest and subtracts the total
//! from it. Weights {5, 1, 1} give `a a b a c a a`, not `a a a a a b c`, and after a cycle all values are back at 0.
//!
//! So values count in fractions of a turn whose denominator is the total, and the total changes when a backend comes
//! or goes. Then all values are converted, for debts to stay what they were in turns. Left alone, with {1000, 1, 1}
//! and the first one lost, one of the others would get some 500 clients in a row to pay for one earlier turn.

use super::{Choice, Entry, Policy};
use crate::balance::{Backend, Pool};

pub(super) const ENTRY: Entry = Entry {
    name: "round_robin",
    summary: "Each backend in turn, by weight. For connections that cost about the same.",
    keyed: false,
    score: "what it is owed, in units of weight: the most",
    build: |seed| Box::new(RoundRobin { worker: seed.worker, current: Vec::new(), total: 0 }),
};

/// Values are kept this much finer than weights, so that conversion loses next to nothing. A pool of 10,000 backends
/// of weight 1,000,000 leaves room for ten thousand turns of debt.
const FINENESS: i64 = 1 << 16;

#[derive(Clone)]
struct RoundRobin {
    worker: usize,
    /// By position in the pool; the sum is always 0, but for rounding. Who is unavailable keeps its value, and so its
    /// place in the order: it comes back to its share, without a burst to make up for what it missed.
    current: Vec<i64>,
    /// One turn, in the unit of `current`: the sum of the weights that took part in the last one.
    total: i64,
}

impl RoundRobin {
    /// `available` is walked twice, and need not be the same both times: other workers penalise and forgive.
    fn turn<'a>(&mut self, available: impl Iterator<Item = (usize, &'a Backend)> + Clone) -> Option<usize> {
        self.convert(available.clone().map(|(_, backend)| share(backend)).sum());
        let mut total = 0;
        let mut lead: Option<(usize, i64)> = None;
        for (index, backend) in available {
            total += share(backend);
            self.current[index] += share(backend);
            if lead.is_none_or(|(_, most)| self.current[index] > most) {
                lead = Some((index, self.current[index]));
            }
        }
        let (index, _) = lead?;
        self.current[index] -= total;
        Some(index)
    }

    /// Expresses all values in turns of a new total.
    fn convert(&mut self, total: i64) {
        if total == self.total || total == 0 {
            return;
        }
        if self.total != 0 {
            for value in &mut self.current {
                // Towards zero: what rounding errs, it forgives, so errors do not build up.
                *value = (i128::from(*value) * i128::from(total) / i128::from(self.total)) as i64;
            }
        }
        self.total = total;
    }
}

fn share(backend: &Backend) -> i64 {
    i64::from(backend.weight()) * FINENESS
}

impl Policy for RoundRobin {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn score(&self, choice: &Choice<'_>, index: usize) -> Option<f64> {
        let backend = choice.pool().backends().get(index)?;
        Some((self.current.get(index)? + share(backend)) as f64 / FINENESS as f64)
    }

    fn copy(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }

    fn pick(&mut self, choice: &Choice<'_>) -> Option<usize> {
        self.turn(choice.available())
    }

    /// Starts a cycle, worker n at its n-th turn: the workers' first choices, side by side, are a round robin too.
    fn rebuild(&mut self, pool: &Pool) {
        self.current = vec![0; pool.backends().len()];
        self.total = 0;
        for _ in 0..self.worker {
            let backends = pool.backends().iter().map(|backend| &**backend).enumerate();
            self.turn(backends.filter(|(_, backend)| backend.weight() > 0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::testing;

    fn round_robin(pool: &Pool, worker: usize) -> RoundRobin {
        let mut policy = RoundRobin { worker, current: Vec::new(), total: 0 };
        policy.rebuild(pool);
        policy
    }

    fn turn(policy: &mut RoundRobin, pool: &Pool, available: &[usize]) -> usize {
        policy.turn(available.iter().map(|&i| (i, &*pool.backends()[i]))).expect("available")
    }

    #[test]
    fn values_are_back_at_zero_after_a_cycle_and_not_before() {
        let pool = testing::pool(&[5, 1, 1]);
        let mut policy = round_robin(&pool, 0);
        for n in 1..=21 {
            turn(&mut policy, &pool, &[0, 1, 2]);
            assert_eq!(policy.current.iter().sum::<i64>(), 0);
            assert_eq!(policy.current == [0, 0, 0], n % 7 == 0, "after {n} turns: {:?}", policy.current);
        }
    }

    #[test]
    fn debts_keep_their_worth_in_turns_when_the_total_changes() {
        let pool = testing::pool(&[1000, 1, 1]);
        let mut policy = round_robin(&pool, 0);
        while turn(&mut policy, &pool, &[0, 1, 2]) == 0 {}
        let in_turns = |policy: &RoundRobin, i: usize| policy.current[i] as f64 / policy.total as f64;
        let debt = in_turns(&policy, 1);
        assert!(debt < -0.4);
        assert_eq!(turn(&mut policy, &pool, &[1, 2]), 2);
        assert!(
            (in_turns(&policy, 1) - (debt + 0.5)).abs() < 1e-3,
            "half of a turn paid, now that it is one of two"
        );
    }

    /// Someone flapping at every turn: rounding errors must not add up to a drift.
    #[test]
    fn a_hundred_thousand_conversions_leave_shares_as_they_were() {
        let pool = testing::pool(&[3, 7, 11]);
        let mut policy = round_robin(&pool, 5);
        let mut counts = [0.0_f64; 3];
        for _ in 0..100_000 {
            counts[turn(&mut policy, &pool, &[0, 1, 2])] += 1.0;
            counts[turn(&mut policy, &pool, &[0, 1])] += 1.0;
        }
        let shares = [3.0 / 21.0 + 0.3, 7.0 / 21.0 + 0.7, 11.0 / 21.0].map(|share| share * 100_000.0);
        assert!(
            counts.iter().zip(shares).all(|(count, share)| (count - share).abs() < 5.0),
            "{counts:?}, {shares:?}"
        );
    }
}
