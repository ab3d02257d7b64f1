//! Smooth weighted round robin, as nginx has it: shares are exact over a cycle, and turns are spread within it.
//!
//! Each turn adds every available backend's weight to its current value, takes the largest and subtracts the total
//! from it. Weights {5, 1, 1} give `a a b a c a a`, not `a a a a a b c`, and after a cycle all values are back at 0.

use super::{Choice, Entry, Policy};
use crate::balance::{Backend, Pool};

pub(super) const ENTRY: Entry = Entry {
    name: "round_robin",
    summary: "Each backend in turn, by weight. For connections that cost about the same.",
    build: |seed| Box::new(RoundRobin { worker: seed.worker, current: Vec::new() }),
};

struct RoundRobin {
    worker: usize,
    /// By position in the pool; the sum is always 0. Who is unavailable keeps its value, and so its place in the
    /// order: it comes back to its share, without a burst to make up for what it missed.
    current: Vec<i64>,
}

impl RoundRobin {
    fn turn<'a>(&mut self, available: impl Iterator<Item = (usize, &'a Backend)>) -> Option<usize> {
        let mut total = 0;
        let mut lead: Option<(usize, i64)> = None;
        for (index, backend) in available {
            let weight = i64::from(backend.weight);
            total += weight;
            self.current[index] += weight;
            if lead.is_none_or(|(_, most)| self.current[index] > most) {
                lead = Some((index, self.current[index]));
            }
        }
        let (index, _) = lead?;
        self.current[index] -= total;
        Some(index)
    }
}

impl Policy for RoundRobin {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn pick(&mut self, choice: &Choice<'_>) -> Option<usize> {
        self.turn(choice.available())
    }

    /// Starts a cycle, worker n at its n-th turn: the workers' first choices, side by side, are a round robin too.
    fn rebuild(&mut self, pool: &Pool) {
        self.current = vec![0; pool.backends().len()];
        for _ in 0..self.worker {
            let backends = pool.backends().iter().map(|backend| &**backend).enumerate();
            self.turn(backends.filter(|(_, backend)| backend.weight > 0));
        }
    }
}
