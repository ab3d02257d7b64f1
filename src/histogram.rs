//! How long things took: counts by duration, in the buckets that `/metrics` shows.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What each bucket but the last holds at the most, in microseconds.
pub const BOUNDS_US: [u64; 17] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000,
];
/// Those, and one for all that took longer.
pub const BUCKETS: usize = BOUNDS_US.len() + 1;

/// Durations counted by one thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// By bucket.
    pub counts: [u64; BUCKETS],
    /// All of them together, in microseconds.
    pub sum_us: u64,
}

/// Durations counted by several threads at once.
#[derive(Default)]
pub struct SharedHistogram {
    counts: [AtomicU64; BUCKETS],
    sum_us: AtomicU64,
}

impl Histogram {
    /// Counts one.
    pub fn add(&mut self, time: Duration) {
        let us = micros(time);
        self.counts[bucket(us)] += 1;
        self.sum_us += us;
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// What a share of them (0 to 1) took at the most, in microseconds: evenly spread within a bucket, as Prometheus has
    /// it. `None` where there is none; the largest bound for what lies beyond it.
    pub fn quantile_us(&self, share: f64) -> Option<f64> {
        let wanted = share * self.count() as f64;
        if self.count() == 0 {
            return None;
        }
        let (mut below, mut from_us) = (0.0, 0.0);
        for (count, bound_us) in self.counts.iter().zip(BOUNDS_US) {
            let count = *count as f64;
            if count > 0.0 && below + count >= wanted {
                return Some(from_us + (bound_us as f64 - from_us) * (wanted - below) / count);
            }
            (below, from_us) = (below + count, bound_us as f64);
        }
        Some(from_us)
    }

    /// What was counted since `earlier`.
    pub fn since(&self, earlier: &Histogram) -> Histogram {
        let mut new = self.clone();
        new.counts
            .iter_mut()
            .zip(earlier.counts)
            .for_each(|(count, before)| *count = count.saturating_sub(before));
        new.sum_us = new.sum_us.saturating_sub(earlier.sum_us);
        new
    }
}

impl std::ops::AddAssign<&Histogram> for Histogram {
    fn add_assign(&mut self, other: &Histogram) {
        self.counts.iter_mut().zip(other.counts).for_each(|(ours, theirs)| *ours += theirs);
        self.sum_us += other.sum_us;
    }
}

impl SharedHistogram {
    /// Counts one.
    pub fn add(&self, time: Duration) {
        let us = micros(time);
        self.counts[bucket(us)].fetch_add(1, Relaxed);
        self.sum_us.fetch_add(us, Relaxed);
    }

    /// What has been counted up to now.
    pub fn read(&self) -> Histogram {
        Histogram {
            counts: std::array::from_fn(|bucket| self.counts[bucket].load(Relaxed)),
            sum_us: self.sum_us.load(Relaxed),
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn bucket(us: u64) -> usize {
    BOUNDS_US.partition_point(|bound| us > *bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(times_us: &[u64]) -> Histogram {
        let (mut plain, shared) = (Histogram::default(), SharedHistogram::default());
        for us in times_us {
            plain.add(Duration::from_micros(*us));
            shared.add(Duration::from_micros(*us));
        }
        assert_eq!(plain, shared.read());
        plain
    }

    #[test]
    fn a_duration_is_in_the_first_bucket_that_holds_it() {
        let all = of(&[0, 50, 51, 10_000_000, 10_000_001]);
        assert_eq!((all.counts[0], all.counts[1], all.counts[16], all.counts[17]), (2, 1, 1, 1));
        assert_eq!((all.count(), all.sum_us), (5, 20_000_102));
    }

    #[test]
    fn quantiles_lie_in_the_bucket_of_their_rank() {
        assert_eq!(of(&[]).quantile_us(0.5), None);
        let all = of(&[60, 60, 60, 60, 60, 60, 60, 60, 60, 700]);
        let (half, most) = (all.quantile_us(0.5).unwrap(), all.quantile_us(0.99).unwrap());
        assert!((50.0..=100.0).contains(&half) && (500.0..=1000.0).contains(&most), "{half} {most}");
        assert_eq!(of(&[u64::MAX / 2]).quantile_us(0.5), Some(10_000_000.0));
    }

    #[test]
    fn what_is_new_is_the_difference() {
        let (before, after) = (of(&[1, 70]), of(&[1, 70, 70]));
        assert_eq!(after.since(&before), of(&[70]));
    }
}
