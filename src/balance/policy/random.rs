//! A backend by lot, by weight. Knows nothing, shares nothing, cannot be steered.

use super::{Choice, Entry, Lottery, Policy};

pub(super) const ENTRY: Entry = Entry {
    name: "random",
    summary: "A backend by lot, by weight. For many proxies that should not move in step.",
    keyed: false,
    score: "its chance, by weight",
    build: |seed| Box::new(Random { rng: seed.rng() }),
};

#[derive(Clone)]
struct Random {
    rng: fastrand::Rng,
}

impl Policy for Random {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn score(&self, choice: &Choice<'_>, index: usize) -> Option<f64> {
        let total: f64 = choice.available().map(|(_, backend)| f64::from(backend.weight())).sum();
        let weight = f64::from(choice.pool().backends().get(index)?.weight());
        (choice.is_available(index)).then_some(weight / total)
    }

    fn copy(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }

    fn pick(&mut self, choice: &Choice<'_>) -> Option<usize> {
        let mut lottery = Lottery::default();
        choice
            .available()
            .filter(|(_, backend)| lottery.wins(backend.weight(), &mut self.rng))
            .last()
            .map(|(index, _)| index)
    }
}
