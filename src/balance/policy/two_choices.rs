//! Two backends by lot, and of these the one with less to do (Mitzenmacher 2001: the power of two choices).
//!
//! Nearly as even as `fewest_connections`, without its herds: where many proxies, or workers whose view is a little
//! old, all look for the least loaded backend, they all find the same one. Here each finds another pair.
//!
//! Of two that have equally little to do, the one drawn first wins. It was drawn by weight, so in light traffic, where
//! nobody has anything to do, shares are the weights.

use super::load::Load;
use super::{Choice, Entry, Policy, pair};

pub(super) const ENTRY: Entry = Entry {
    name: "two_choices",
    summary: "Of two backends by lot, the one with fewer connections for its weight. For many proxies side by side.",
    keyed: false,
    score: "connections for its weight: the fewer of two by lot",
    build: |seed| Box::new(TwoChoices { rng: seed.rng() }),
};

#[derive(Clone)]
struct TwoChoices {
    rng: fastrand::Rng,
}

impl Policy for TwoChoices {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn score(&self, choice: &Choice<'_>, index: usize) -> Option<f64> {
        Load::of(choice.pool().backends().get(index)?).value()
    }

    fn copy(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }

    fn pick(&mut self, choice: &Choice<'_>) -> Option<usize> {
        let (first, second) = pair::draw(choice, &mut self.rng)?;
        let better = second.filter(|(_, second)| Load::of(second).cmp(Load::of(first.1)).is_lt());
        Some(better.unwrap_or(first).0)
    }
}
