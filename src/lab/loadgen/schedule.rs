//! When the requests of one connection are due.

use std::time::{Duration, Instant};

/// A request at a time: the next is due at a fixed time, or when the last one was answered.
pub(super) enum Schedule {
    /// An open loop: so long after the start for the first, so much longer for each further one.
    Fixed { start: Instant, first_ns: f64, period_ns: f64, count: u64 },
    /// A closed loop.
    Following { next: Instant },
}

impl Schedule {
    /// That of connection `number` out of `connections`, which share a rate evenly and take turns.
    pub(super) fn new(start: Instant, rate: Option<f64>, number: usize, connections: usize) -> Schedule {
        match rate {
            None => Schedule::Following { next: start },
            Some(rate) => {
                let step_ns = 1e9 / rate;
                let (first_ns, period_ns) = (step_ns * number as f64, step_ns * connections as f64);
                Schedule::Fixed { start, first_ns, period_ns, count: 0 }
            }
        }
    }

    /// When the next request is due.
    pub(super) fn due(&self) -> Instant {
        match self {
            Schedule::Following { next } => *next,
            Schedule::Fixed { start, first_ns, period_ns, count } => {
                *start + Duration::from_nanos((first_ns + period_ns * *count as f64) as u64)
            }
        }
    }

    /// The last one is done with: on to the next.
    pub(super) fn advance(&mut self, now: Instant) {
        match self {
            Schedule::Following { next } => *next = now,
            Schedule::Fixed { count, .. } => *count += 1,
        }
    }

    /// Nothing more before `then` in a closed loop: what failed at once would fail again.
    pub(super) fn rest_until(&mut self, then: Instant) {
        if let Schedule::Following { next } = self {
            *next = then;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::os;

    #[test]
    fn connections_take_turns_and_together_keep_the_rate() {
        let start = os::now();
        let mut all: Vec<u128> = Vec::new();
        for number in 0..3 {
            let mut schedule = Schedule::new(start, Some(1000.0), number, 3);
            for _ in 0..100 {
                all.push((schedule.due() - start).as_micros());
                schedule.advance(start);
            }
        }
        all.sort_unstable();
        let expected: Vec<u128> = (0..300).map(|n| n * 1000).collect();
        assert!(all.iter().zip(&expected).all(|(found, wanted)| found.abs_diff(*wanted) <= 1), "{all:?}");
    }
}
