//! How many retries are affordable: a share of the requests, so that retries never multiply an overload.

use std::time::{Duration, Instant};

/// Retries that are always allowed in a second, so that a trickle of requests survives a dead backend.
const FREE_PER_S: f64 = 10.0;
/// What may be saved up.
const MOST: f64 = 100.0;

/// A token bucket: each request puts a part of a retry in, time puts in a few, and a retry takes one out (after
/// Finagle's `RetryBudget`).
pub(super) struct RetryBudget {
    per_request: f64,
    retries: f64,
    filled_at: Option<Instant>,
}

impl RetryBudget {
    /// `percent` retries for every hundred requests.
    pub(super) fn new(percent: u32) -> RetryBudget {
        let mut budget = RetryBudget { per_request: 0.0, retries: FREE_PER_S, filled_at: None };
        budget.set_percent(percent);
        budget
    }

    /// From now on, `percent` retries for every hundred requests.
    pub(super) fn set_percent(&mut self, percent: u32) {
        self.per_request = f64::from(percent) / 100.0;
    }

    /// A request came.
    pub(super) fn deposit(&mut self) {
        self.retries = (self.retries + self.per_request).min(MOST);
    }

    /// Takes a retry, if there is one.
    pub(super) fn withdraw(&mut self, now: Instant) -> bool {
        let since =
            self.filled_at.replace(now).map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.retries = (self.retries + since.as_secs_f64() * FREE_PER_S).min(MOST);
        let granted = self.retries >= 1.0;
        if granted {
            self.retries -= 1.0;
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::testing::base;

    fn granted(budget: &mut RetryBudget, requests: u32, now: Instant) -> u32 {
        (0..requests).map(|_| (budget.deposit(), u32::from(budget.withdraw(now))).1).sum()
    }

    #[test]
    fn retries_are_a_share_of_requests_and_a_few_a_second() {
        let (mut budget, now) = (RetryBudget::new(20), base());
        let first = granted(&mut budget, 1000, now);
        assert!((200..=212).contains(&first), "{first}: a fifth, and what is free at the start");
        let second = granted(&mut budget, 1000, now + Duration::from_secs(5));
        assert!((248..=252).contains(&second), "{second}: a fifth, and ten for each second");
    }

    #[test]
    fn another_share_is_for_requests_to_come() {
        let (mut budget, now) = (RetryBudget::new(20), base());
        while budget.withdraw(now) {}
        budget.set_percent(50);
        assert!(!budget.withdraw(now), "what is spent is spent");
        assert_eq!(granted(&mut budget, 1000, now), 500);
    }

    #[test]
    fn a_trickle_may_always_retry() {
        let (mut budget, mut now) = (RetryBudget::new(0), base());
        for _ in 0..1000 {
            now += Duration::from_secs(1);
            assert!(budget.withdraw(now));
        }
    }
}
