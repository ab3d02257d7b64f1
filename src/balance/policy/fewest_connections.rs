//! Fewest connections for its weight: whoever has the least to do gets the next client.
//!
//! Counters are the pool's, shared by all workers: with private ones, many workers do no better than round robin.
//!
//! Ties are drawn by lot, by weight. They are the common case in light traffic, when nobody has anything to do, and
//! taking the first would send nearly everything to one backend. For the same reason the load is connections ÷ weight
//! rather than (connections + 1) ÷ weight: the latter has no ties between unequal weights, so that with weights
//! {11, 10, 10} a first with next to nothing to do would get nearly everything instead of a little more than a third.

use super::load::Load;
use super::{Choice, Entry, Lottery, Policy};

pub(super) const ENTRY: Entry = Entry {
    name: "fewest_connections",
    summary: "The backend with the fewest connections for its weight. For connections that differ in length.",
    keyed: false,
    score: "connections for its weight: the fewest, by lot where several have them",
    build: |seed| Box::new(FewestConnections { rng: seed.rng() }),
};

#[derive(Clone)]
struct FewestConnections {
    rng: fastrand::Rng,
}

impl Policy for FewestConnections {
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
        let mut lead: Option<(usize, Load)> = None;
        let mut lottery = Lottery::default();
        for (index, backend) in choice.available() {
            let load = Load::of(backend);
            let order = lead.map_or(std::cmp::Ordering::Less, |(_, least)| load.cmp(least));
            if order.is_lt() {
                lottery = Lottery::default();
            }
            if order.is_le() && lottery.wins(backend.weight(), &mut self.rng) {
                lead = Some((index, load));
            }
        }
        lead.map(|(index, _)| index)
    }
}
