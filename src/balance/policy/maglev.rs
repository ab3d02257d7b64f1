//! The same client address always to the same backend, by a table of preferences (Eisenbud et al. 2016: Maglev, 3.4).
//!
//! Every backend has an order of its own in which it would like the slots of a table, made from its key: an offset and
//! a step, which reach every slot because the size is prime. In rounds, each takes the next slot it likes that is free,
//! until none is. So shares are as even as they can be, and a choice is one hash and one look, however many backends.
//!
//! The price is paid when membership changes: besides the clients of who left, a few others move, some 0.2 % with ten
//! backends, where `ip_hashing` moves none.
//!
//! Rounds go by key, not by position, so that every instance of a fleet answers alike. A backend lighter than the
//! heaviest sits out rounds: it takes part in weight ÷ heaviest of them, and in the first, so that nobody is without
//! a slot.
//!
//! A client whose backend is not available, or has no room where the load is bounded, goes where rendezvous hashing, as
//! in `ip_hashing`, sends it: its backend's clients spread over all others by weight, nobody else moves, and a second
//! loss moves only who had gone there. Walking on in the table does the same while most are available, but may walk all
//! of it when few are, and then chooses by which slots happen to lie side by side. This takes one look at each backend,
//! and only for the clients concerned.

use twox_hash::XxHash3_64;

use super::{Choice, Entry, Policy, client, ip_hashing};
use crate::balance::{Backend, Pool};

pub(super) const ENTRY: Entry = Entry {
    name: "maglev",
    summary: "Like ip_hashing, with more even shares and one look at a table. For pools of dozens and more.",
    keyed: true,
    score: "1 for the client's place in the table; below that, its draw where that one is not available",
    build: |_| Box::new(Maglev { table: Vec::new() }),
};

/// The size of the paper, good for 655 backends; a prime.
const SLOTS_LEAST: u64 = 65_537;
/// Slots for each backend at least: shares are then within 1 %.
const SLOTS_PER_BACKEND: u64 = 100;
/// No backend has this position.
const FREE: u32 = u32::MAX;

#[derive(Clone)]
struct Maglev {
    /// Positions in the pool; empty if no backend has weight.
    table: Vec<u32>,
}

impl Policy for Maglev {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn score(&self, choice: &Choice<'_>, index: usize) -> Option<f64> {
        let draw = ip_hashing::draw_of(choice, index)?;
        Some(if self.place_of(choice)? == index { 1.0 } else { draw / (1.0 + draw) })
    }

    fn copy(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }

    fn pick(&mut self, choice: &Choice<'_>) -> Option<usize> {
        let index = self.place_of(choice)?;
        let is_free = choice.is_available(index) && choice.has_room(&choice.pool().backends()[index]);
        if is_free { Some(index) } else { ip_hashing::best_draw(choice) }
    }

    fn rebuild(&mut self, pool: &Pool) {
        self.table = fill(pool);
    }
}

impl Maglev {
    /// The backend that the client's slot belongs to.
    fn place_of(&self, choice: &Choice<'_>) -> Option<usize> {
        if self.table.is_empty() {
            return None;
        }
        let hash = XxHash3_64::oneshot(&client::octets(choice.client()));
        Some(self.table[(hash % self.table.len() as u64) as usize] as usize)
    }
}

/// One backend on its way through the slots.
struct Walker {
    position: u32,
    weight: u64,
    /// What it has saved towards its next slot, which costs the weight of the heaviest.
    credit: u64,
    next: u64,
    step: u64,
}

impl Walker {
    fn new(position: u32, backend: &Backend, heaviest: u64, slots: u64) -> Walker {
        let weight = u64::from(backend.weight());
        // The key is a hash already; its hash is another.
        let step = XxHash3_64::oneshot(&backend.key.to_le_bytes()) % (slots - 1) + 1;
        // Enough for the first round.
        Walker { position, weight, credit: heaviest - weight, next: backend.key % slots, step }
    }

    /// Takes the next free slot it likes. There must be one.
    fn take(&mut self, table: &mut [u32]) {
        loop {
            let slot = self.next as usize;
            self.next = (self.next + self.step) % table.len() as u64;
            if table[slot] == FREE {
                table[slot] = self.position;
                return;
            }
        }
    }
}

fn fill(pool: &Pool) -> Vec<u32> {
    let backends = || (0_u32..).zip(pool.backends()).filter(|(_, backend)| backend.weight() > 0);
    let Some(heaviest) = backends().map(|(_, backend)| u64::from(backend.weight())).max() else {
        return Vec::new();
    };
    let slots = slots(backends().count() as u64);
    let mut walkers: Vec<Walker> =
        backends().map(|(position, backend)| Walker::new(position, backend, heaviest, slots)).collect();
    let order = |walker: &Walker| order(&pool.backends()[walker.position as usize]);
    walkers.sort_by(|a, b| order(a).cmp(&order(b)));
    let mut table = vec![FREE; slots as usize];
    let mut free = slots;
    loop {
        for walker in &mut walkers {
            walker.credit += walker.weight;
            if walker.credit < heaviest {
                continue;
            }
            walker.credit -= heaviest;
            walker.take(&mut table);
            free -= 1;
            if free == 0 {
                return table;
            }
        }
    }
}

/// By key; by name for those who share one, as unlikely as that is.
fn order(backend: &Backend) -> (u64, &str) {
    (backend.key, &backend.name)
}

/// The size of the table: the first prime that leaves every backend its slots.
fn slots(backends: u64) -> u64 {
    (SLOTS_LEAST.max(backends * SLOTS_PER_BACKEND + 1)..)
        .find(|&number| is_prime(number))
        .unwrap_or(SLOTS_LEAST)
}

fn is_prime(number: u64) -> bool {
    number >= 2
        && (2..)
            .take_while(|divisor| divisor * divisor <= number)
            .all(|divisor| !number.is_multiple_of(divisor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::testing;

    #[test]
    fn tables_are_prime_and_leave_everybody_more_than_a_hundred_slots() {
        assert_eq!([0, 1, 655].map(slots), [65_537; 3]);
        assert_eq!(slots(656), 65_609);
        assert_eq!(slots(10_000), 1_000_003);
        assert!([2, 3, 5, 7, 65_537].into_iter().all(is_prime));
        assert!([0, 1, 4, 9, 65_536, 65_539 * 65_539].into_iter().all(|number| !is_prime(number)));
    }

    /// To the slot: rounds are counted, not left to chance.
    #[test]
    fn everybody_has_its_share_of_slots() {
        let weights = [1, 2, 3, 0, 10];
        let table = fill(&testing::pool(&weights));
        for (position, &weight) in (0..).zip(&weights) {
            let slots = table.iter().filter(|&&owner| owner == position).count() as f64;
            let expected = table.len() as f64 * f64::from(weight) / 16.0;
            assert!((slots - expected).abs() <= 5.0, "weight {weight}: {slots}, not {expected}");
        }
        let table = fill(&testing::pool(&[1, 1_000_000]));
        assert_eq!(table.iter().filter(|&&owner| owner == 0).count(), 1, "nobody is without a slot");
        assert!(fill(&testing::pool(&[0, 0])).is_empty());
    }
}
