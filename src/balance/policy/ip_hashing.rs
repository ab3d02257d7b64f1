//! The same client address always to the same backend, by weighted rendezvous hashing (highest random weight).
//!
//! Every backend draws a number from the client's address and its own name, and the best draw wins: no table, no
//! state, nothing that depends on order. A backend that leaves hands over its own clients and moves nobody else's; a
//! backend that joins takes only what it wins. Every instance of a fleet answers alike.
//!
//! The draw is XXH3 as u in (0, 1), the score −weight ÷ ln(u): weight ÷ an exponential variate, whose maximum falls
//! to each with probability weight ÷ total (Thaler & Ravishankar 1998; Schindelhauer & Schomaker 2005).

use std::net::IpAddr;

use twox_hash::XxHash3_64;

use super::{Choice, Entry, Policy, client};
use crate::balance::Backend;

pub(super) const ENTRY: Entry = Entry {
    name: "ip_hashing",
    summary: "The same client address always to the same backend. For backends that keep something per client.",
    keyed: true,
    score: "the client's draw for it: the highest",
    build: |_| Box::new(IpHashing),
};

#[derive(Clone)]
struct IpHashing;

impl Policy for IpHashing {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn score(&self, choice: &Choice<'_>, index: usize) -> Option<f64> {
        draw_of(choice, index)
    }

    fn copy(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }

    fn pick(&mut self, choice: &Choice<'_>) -> Option<usize> {
        best_draw(choice)
    }
}

/// The position of the available backend with the client's best draw, of those that have room.
pub(super) fn best_draw(choice: &Choice<'_>) -> Option<usize> {
    let best = best_of(choice, |_| true)?;
    // Room is looked for only where it lacks: without a bound, nobody pays for one.
    if choice.has_room(&choice.pool().backends()[best]) {
        return Some(best);
    }
    best_of(choice, |backend| choice.has_room(backend))
}

/// What the client's draw makes of the backend at this position.
pub(super) fn draw_of(choice: &Choice<'_>, index: usize) -> Option<f64> {
    let backend = choice.pool().backends().get(index)?;
    let u = Client::new(choice.client()).draw(backend.key);
    Some(-f64::from(backend.weight()) / u.ln())
}

fn best_of(choice: &Choice<'_>, takes_part: impl Fn(&Backend) -> bool) -> Option<usize> {
    let client = Client::new(choice.client());
    let mut lead: Option<usize> = None;
    // Equal scores are unlikely, but the answer may not depend on the order then either.
    let mut best = (0.0, 0);
    for (index, backend) in choice.available().filter(|(_, backend)| takes_part(backend)) {
        let u = client.draw(backend.key);
        let weight = f64::from(backend.weight());
        if lead.is_some() && cannot_beat(best.0, weight, u) {
            continue;
        }
        let score = (-weight / u.ln(), backend.key);
        if lead.is_none() || score > best {
            (lead, best) = (Some(index), score);
        }
    }
    lead
}

/// Spares the logarithm for all but a few: −ln(u) ≥ 1 − u, so the score is at most weight ÷ (1 − u). The margin keeps
/// rounding from deciding, and with it the order of backends.
fn cannot_beat(best: f64, weight: f64, u: f64) -> bool {
    const MARGIN: f64 = 1.0 + 1e-9;
    weight * MARGIN < best * (1.0 - u)
}

/// What is hashed, with seed 0: the backend's key, little-endian, then the address (see [`client::octets`]).
///
/// The layout is part of the answer: another would move nearly all clients of everyone.
struct Client {
    address: [u8; 16],
}

impl Client {
    fn new(address: IpAddr) -> Client {
        Client { address: client::octets(address) }
    }

    /// Uniform in (0, 1), both ends excluded. 52 bits and a half, so that 1 − u is exact too.
    fn draw(&self, key: u64) -> f64 {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&key.to_le_bytes());
        bytes[8..].copy_from_slice(&self.address);
        let hash = XxHash3_64::oneshot(&bytes);
        ((hash >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::{Tried, testing};

    #[test]
    fn the_draw_stays_inside_its_interval_and_is_about_uniform() {
        let client = Client::new(IpAddr::from([10, 0, 0, 1]));
        let draws: Vec<f64> = (0..10_000).map(|key| client.draw(key)).collect();
        assert!(draws.iter().all(|&u| u > 0.0 && u < 1.0));
        assert!((draws.iter().sum::<f64>() / 10_000.0 - 0.5).abs() < 0.01);
        let ends = [0_u64, (1 << 52) - 1].map(|bits| (bits as f64 + 0.5) / (1_u64 << 52) as f64);
        assert!(ends.iter().all(|&u| u > 0.0 && u < 1.0 && u.ln() < 0.0 && 1.0 - (1.0 - u) == u));
    }

    #[test]
    fn all_sixteen_bytes_of_an_ipv6_address_count() {
        let draw = |address: [u8; 16]| Client::new(IpAddr::from(address)).draw(1).to_bits();
        for byte in 0..16 {
            let mut address = [7; 16];
            address[byte] = 8;
            assert_ne!(draw(address), draw([7; 16]), "byte {byte}");
        }
    }

    /// The short cut is one: the answer is that of the formula, for any order of candidates.
    #[test]
    fn the_short_cut_changes_no_answer() {
        let weights: Vec<u32> = (0..50).map(|i| [1, 2, 3, 1000, 1_000_000][i % 5]).collect();
        let pool = testing::pool(&weights);
        let (tried, now) = (Tried::default(), testing::base());
        for n in 0..2000_u32 {
            let address = IpAddr::from(n.to_be_bytes());
            let client = Client::new(address);
            let score = |i: &usize| {
                let backend = &pool.backends()[*i];
                -f64::from(backend.weight()) / client.draw(backend.key).ln()
            };
            let best = (0..50).max_by(|a, b| score(a).total_cmp(&score(b)));
            assert_eq!(IpHashing.pick(&Choice::new(&pool, address, &tried, now)), best);
        }
    }
}
