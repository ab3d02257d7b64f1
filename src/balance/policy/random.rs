//! A backend by lot, by weight. Knows nothing, shares nothing, cannot be steered.

use super::{Choice, Entry, Lottery, Policy};

pub(super) const ENTRY: Entry = Entry {
    name: "random",
    summary: "A backend by lot, by weight. For many proxies that should not move in step.",
    keyed: false,
    build: |seed| Box::new(Random { rng: seed.rng() }),
};

struct Random {
    rng: fastrand::Rng,
}

impl Policy for Random {
    fn name(&self) -> &'static str {
        ENTRY.name
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
