//! How long a backend takes for a request, and how many it works on at once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use clap::ValueEnum;

/// How service times are spread around their mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// All alike
    #[default]
    Constant,
    /// Memoryless: often short, now and then several times the mean
    Exponential,
    /// One in ten takes ten times as long as the other nine
    Bimodal,
}

/// Service times with this mean and shape, for so many requests at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServiceTime {
    /// The mean.
    pub mean: Duration,
    /// How they are spread.
    pub shape: Shape,
    /// Requests worked on at once; those beyond wait for their turn. `None` for no limit.
    pub at_once: Option<usize>,
}

/// Says when a request that comes in will be done: with service times known in advance, a queue is arithmetic.
pub struct Desk {
    time: ServiceTime,
    /// When each place is free again, the earliest first. As long as `at_once`, at most.
    free_at: BinaryHeap<Reverse<Instant>>,
    rng: fastrand::Rng,
}

impl Desk {
    /// A desk where nobody waits. `seed` makes the drawn times repeatable.
    pub fn new(time: ServiceTime, seed: u64) -> Desk {
        Desk { time, free_at: BinaryHeap::new(), rng: fastrand::Rng::with_seed(seed) }
    }

    /// When a request that comes now is done. `None` if that takes no time.
    pub fn done_at(&mut self, now: Instant) -> Option<Instant> {
        if self.time.mean.is_zero() {
            return None;
        }
        let takes = self.time.mean.mul_f64(factor(self.time.shape, &mut self.rng));
        let Some(places) = self.time.at_once else { return Some(now + takes) };
        let begins = if self.free_at.len() < places.max(1) {
            now
        } else {
            self.free_at.pop().map_or(now, |Reverse(moment)| moment.max(now))
        };
        self.free_at.push(Reverse(begins + takes));
        Some(begins + takes)
    }
}

/// What to multiply the mean with.
fn factor(shape: Shape, rng: &mut fastrand::Rng) -> f64 {
    match shape {
        Shape::Constant => 1.0,
        // The lot is never 1, so the logarithm is finite.
        Shape::Exponential => -(1.0 - rng.f64()).ln(),
        // Nine of x and one of 10 x have the mean 1.9 x.
        Shape::Bimodal => (if rng.f64() < 0.1 { 10.0 } else { 1.0 }) / 1.9,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::os;

    #[test]
    fn every_shape_has_the_mean_it_is_told() {
        for shape in [Shape::Constant, Shape::Exponential, Shape::Bimodal] {
            let mut rng = fastrand::Rng::with_seed(1);
            let mean = (0..100_000).map(|_| factor(shape, &mut rng)).sum::<f64>() / 100_000.0;
            assert!((mean - 1.0).abs() < 0.02, "{shape:?}: {mean}");
        }
    }

    #[test]
    fn whoever_finds_all_places_taken_waits_for_the_first_that_is_free() {
        let mean = Duration::from_millis(10);
        let mut desk = Desk::new(ServiceTime { mean, shape: Shape::Constant, at_once: Some(2) }, 1);
        let start = os::now();
        let done = |desk: &mut Desk, at_ms| {
            (desk.done_at(start + Duration::from_millis(at_ms)).unwrap() - start).as_millis()
        };
        let found = [0, 1, 2, 3, 100, 101, 102].map(|at_ms| done(&mut desk, at_ms));
        assert_eq!(found, [10, 11, 20, 21, 110, 111, 120]);
        assert_eq!(Desk::new(ServiceTime::default(), 1).done_at(start), None);
    }
}
