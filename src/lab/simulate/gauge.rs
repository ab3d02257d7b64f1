//! Requests in flight over all backends: how uneven they are, on average over time, without ever looking at all of them.
//!
//! A request comes or goes one at a time, so the fullest and the emptiest move by one at most: it takes no more than the
//! number of backends that have so many in flight, for every number.

/// Counts requests in flight.
pub(super) struct Gauge {
    /// By position.
    in_flight: Vec<u32>,
    /// How many backends have so many in flight, by that number.
    having: Vec<u32>,
    fullest: u32,
    emptiest: u32,
    total: u64,
    changed_at_ns: u64,
    /// Requests × nanoseconds, of the fullest, the emptiest and all.
    fullest_sum: f64,
    emptiest_sum: f64,
    total_sum: f64,
}

/// What a gauge found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Reading {
    /// Over time: what the fullest backend had beyond the mean of all.
    pub(super) max_minus_mean: f64,
    /// Over time: what the fullest had beyond the emptiest.
    pub(super) max_minus_min: f64,
    /// Over time: the mean of all.
    pub(super) mean: f64,
    /// At the end: what the fullest had beyond the mean of all.
    pub(super) end_max_minus_mean: f64,
}

impl Gauge {
    pub(super) fn new(backends: usize) -> Gauge {
        Gauge {
            in_flight: vec![0; backends],
            having: vec![backends as u32, 0],
            fullest: 0,
            emptiest: 0,
            total: 0,
            changed_at_ns: 0,
            fullest_sum: 0.0,
            emptiest_sum: 0.0,
            total_sum: 0.0,
        }
    }

    /// A request was sent to the backend at this position.
    pub(super) fn enter(&mut self, position: usize, at_ns: u64) {
        self.pass(at_ns);
        let before = self.in_flight[position];
        let after = before + 1;
        self.in_flight[position] = after;
        self.total += 1;
        if self.having.len() <= after as usize {
            self.having.push(0);
        }
        self.having[before as usize] -= 1;
        self.having[after as usize] += 1;
        self.fullest = self.fullest.max(after);
        if self.having[self.emptiest as usize] == 0 {
            self.emptiest = after;
        }
    }

    /// A request has left it.
    pub(super) fn leave(&mut self, position: usize, at_ns: u64) {
        self.pass(at_ns);
        let before = self.in_flight[position];
        let after = before - 1;
        self.in_flight[position] = after;
        self.total -= 1;
        self.having[before as usize] -= 1;
        self.having[after as usize] += 1;
        self.emptiest = self.emptiest.min(after);
        if self.having[self.fullest as usize] == 0 {
            self.fullest = after;
        }
    }

    /// What the fullest backend has in flight now.
    pub(super) fn fullest(&self) -> u32 {
        self.fullest
    }

    /// What was found up to this moment.
    pub(super) fn read(&mut self, at_ns: u64) -> Reading {
        self.pass(at_ns);
        let over = |sum: f64| sum / (at_ns as f64).max(1.0);
        let backends = self.in_flight.len() as f64;
        let mean = over(self.total_sum) / backends;
        Reading {
            max_minus_mean: over(self.fullest_sum) - mean,
            max_minus_min: over(self.fullest_sum) - over(self.emptiest_sum),
            mean,
            end_max_minus_mean: f64::from(self.fullest) - self.total as f64 / backends,
        }
    }

    fn pass(&mut self, at_ns: u64) {
        let since = (at_ns - self.changed_at_ns) as f64;
        self.changed_at_ns = at_ns;
        self.fullest_sum += since * f64::from(self.fullest);
        self.emptiest_sum += since * f64::from(self.emptiest);
        self.total_sum += since * self.total as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against a look at all of them, at every step.
    #[test]
    fn the_fullest_and_the_emptiest_are_known_at_every_step() {
        let mut rng = fastrand::Rng::with_seed(1);
        let (mut gauge, mut model) = (Gauge::new(5), [0_u32; 5]);
        for step in 0..20_000 {
            let position = rng.usize(..5);
            // More come than go, for a while; then the other way round.
            if rng.f64() < if step < 10_000 { 0.55 } else { 0.45 } {
                gauge.enter(position, step);
                model[position] += 1;
            } else if model[position] > 0 {
                gauge.leave(position, step);
                model[position] -= 1;
            }
            let (fullest, emptiest) = (*model.iter().max().unwrap(), *model.iter().min().unwrap());
            assert_eq!((gauge.fullest, gauge.emptiest), (fullest, emptiest), "{model:?}");
        }
        assert!(gauge.having.len() > 50);
    }

    #[test]
    fn what_lasts_longer_weighs_more() {
        let mut gauge = Gauge::new(2);
        gauge.enter(0, 0);
        gauge.enter(0, 0);
        gauge.enter(1, 60);
        let reading = gauge.read(100);
        assert!((reading.mean - 1.2).abs() < 1e-9, "2 in flight for 60 %, 3 for 40 %, over two: {reading:?}");
        assert!((reading.max_minus_min - 1.6).abs() < 1e-9, "{reading:?}");
        assert!((reading.max_minus_mean - 0.8).abs() < 1e-9, "{reading:?}");
        assert!((reading.end_max_minus_mean - 0.5).abs() < 1e-9, "{reading:?}");
    }
}
