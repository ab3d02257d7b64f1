//! Passing over a backend that fails: exponential back-off, then one trial at a time.
//!
//! ```text
//! healthy ──failure──▶ in back-off ──time is up──▶ trial due ──claimed──▶ on trial
//!    ▲                  ▲                              ▲                   │  │  │
//!    │                  └──── failure: twice as long ──┼───────────────────┘  │  │
//!    │                                                 └── no verdict in time ┘  │
//!    └──────────────────────────────── success (from any state) ─────────────────┘
//! ```
//!
//! Without this, a backend that fails at once looks idle and draws most of the traffic under `fewest_connections`.
//!
//! The whole state is one word, `until_ms`, that every transition replaces by compare-and-exchange or swap: healthy,
//! or the moment until which everyone passes the backend over. "Due" is that moment in the past; "on trial" is the
//! moment moved ahead by whoever claimed the trial, which reads like back-off to everyone else. The word a connection
//! saw when it was chosen is its say in the matter (see [`Role`]): a verdict about a state that has ended is void, so
//! a hundred connections that fail together count as one failure.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Failures at once, without a success in between, that penalise. The client may have caused one, by sending what the
/// backend refuses; it is less likely to have caused this many in a row.
pub(super) const AT_ONCE_LIMIT: u32 = 3;

/// The value of `until_ms` that stands for "nothing against it". Penalties end later than the base, never at it.
const HEALTHY: u64 = 0;

/// How long penalties last.
#[derive(Clone, Copy)]
pub(super) struct Backoff {
    first_ms: u64,
    max_ms: u64,
}

impl Backoff {
    /// At least a millisecond, the resolution of it all, and a cap below the start means the cap.
    pub(super) fn new(first: Duration, max: Duration) -> Backoff {
        let max_ms = millis(max).max(1);
        Backoff { first_ms: millis(first).clamp(1, max_ms), max_ms }
    }

    fn doubled(self, length_ms: u64) -> u64 {
        length_ms.saturating_mul(2).min(self.max_ms)
    }
}

/// How a connection failed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// No connection came about.
    Connect,
    /// It came about, and the backend ended it within moments, without a byte.
    AtOnce,
}

/// What a connection's failure may change, by the state in which its backend was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Chosen while healthy: its failure starts a penalty.
    Regular,
    /// The trial, by the value it put into `until_ms`: its failure doubles the penalty.
    Trial(u64),
    /// Chosen in spite of the penalty, for want of another: its failure is no news.
    Extra,
}

/// A penalty that has just begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Penalised {
    pub(super) length_ms: u64,
    /// The backend was healthy until now, rather than on trial.
    pub(super) first: bool,
}

/// What is held against one backend. Shared by all workers.
pub(super) struct Penalty {
    base: Instant,
    backoff: Backoff,
    until_ms: AtomicU64,
    /// Of the last penalty. Written by the winner of `until_ms` just after winning; who reads it in between gets the
    /// previous length, at worst a penalty that fails to double.
    length_ms: AtomicU64,
    /// Failures at once since the last success.
    at_once: AtomicU32,
}

impl Penalty {
    pub(super) fn new(backoff: Backoff, base: Instant) -> Penalty {
        let (until_ms, at_once) = (AtomicU64::new(HEALTHY), AtomicU32::new(0));
        Penalty { base, backoff, until_ms, length_ms: AtomicU64::new(backoff.first_ms), at_once }
    }

    /// Milliseconds since the base, the unit of everything here.
    pub(super) fn millis(&self, now: Instant) -> u64 {
        millis_between(self.base, now)
    }

    /// Whether a regular pick must leave the backend alone.
    pub(super) fn passed_over(&self, now_ms: u64) -> bool {
        now_ms < self.until_ms.load(Relaxed)
    }

    /// Lets a picked backend's connection in: as a regular one, or as the trial if one is due. `None` if it must be
    /// passed over, be it that another worker got there first.
    pub(super) fn admit(&self, now_ms: u64) -> Option<Role> {
        let until_ms = self.until_ms.load(Relaxed);
        if until_ms == HEALTHY {
            return Some(Role::Regular);
        }
        if now_ms < until_ms {
            return None;
        }
        let lease_ms = now_ms.saturating_add(self.length_ms.load(Relaxed));
        self.replace(until_ms, lease_ms).then_some(Role::Trial(lease_ms))
    }

    /// A connection failed. The penalty that follows, if one does.
    pub(super) fn failed(&self, failure: Failure, role: Role, now_ms: u64) -> Option<Penalised> {
        if failure == Failure::AtOnce && self.at_once.fetch_add(1, Relaxed) + 1 < AT_ONCE_LIMIT {
            return None;
        }
        let (seen, length_ms) = match role {
            Role::Regular => (HEALTHY, self.backoff.first_ms),
            Role::Trial(lease_ms) => (lease_ms, self.backoff.doubled(self.length_ms.load(Relaxed))),
            Role::Extra => return None,
        };
        if !self.replace(seen, now_ms.saturating_add(length_ms)) {
            return None;
        }
        self.length_ms.store(length_ms, Relaxed);
        Some(Penalised { length_ms, first: role == Role::Regular })
    }

    /// The backend did its job: all is forgiven. True if there was a penalty to forgive.
    pub(super) fn succeeded(&self) -> bool {
        // Reads first: in the common case the cache line stays shared among the workers.
        if self.at_once.load(Relaxed) != 0 {
            self.at_once.store(0, Relaxed);
        }
        self.until_ms.load(Relaxed) != HEALTHY && self.until_ms.swap(HEALTHY, Relaxed) != HEALTHY
    }

    fn replace(&self, seen: u64, new: u64) -> bool {
        self.until_ms.compare_exchange(seen, new, Relaxed, Relaxed).is_ok()
    }
}

/// Whole milliseconds from `base` to `now`; 0 if `now` is the earlier.
pub(super) fn millis_between(base: Instant, now: Instant) -> u64 {
    millis(now.saturating_duration_since(base))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::testing::base;

    fn penalty(first_ms: u64, max_ms: u64) -> Penalty {
        Penalty::new(Backoff::new(Duration::from_millis(first_ms), Duration::from_millis(max_ms)), base())
    }

    fn first(length_ms: u64) -> Option<Penalised> {
        Some(Penalised { length_ms, first: true })
    }

    #[test]
    fn each_role_has_its_say_and_no_more() {
        let penalty = penalty(100, 1000);
        assert_eq!(penalty.admit(0), Some(Role::Regular));
        assert_eq!(penalty.failed(Failure::Connect, Role::Regular, 0), first(100));
        assert_eq!(penalty.failed(Failure::Connect, Role::Regular, 50), None, "chosen before the penalty");
        assert_eq!(penalty.failed(Failure::Connect, Role::Extra, 50), None, "chosen in spite of it");
        assert_eq!(penalty.admit(99), None);
        let trial = penalty.admit(100).expect("due");
        assert_eq!(trial, Role::Trial(200));
        assert_eq!(penalty.admit(199), None);
        let second = penalty.admit(200).expect("the first ran out");
        assert_eq!(
            penalty.failed(Failure::Connect, trial, 201),
            None,
            "a trial that ran out has lost its say"
        );
        let doubled = Some(Penalised { length_ms: 200, first: false });
        assert_eq!(penalty.failed(Failure::Connect, second, 201), doubled);
        assert!(penalty.passed_over(400) && !penalty.passed_over(401));
        assert!(penalty.succeeded() && !penalty.succeeded(), "forgiven once");
        assert_eq!(penalty.admit(0), Some(Role::Regular));
        assert_eq!(penalty.failed(Failure::Connect, Role::Regular, 300), first(100), "from the start again");
    }

    /// An inconclusive failure at once leaves the trial's claim to run out; it does not end it.
    #[test]
    fn a_trial_that_fails_at_once_for_the_first_time_is_no_verdict() {
        let penalty = penalty(100, 1000);
        assert!(penalty.failed(Failure::Connect, Role::Regular, 0).is_some());
        for (now_ms, length_ms) in [(100, None), (200, None), (300, Some(200))] {
            let trial = penalty.admit(now_ms).expect("due");
            let penalised = penalty.failed(Failure::AtOnce, trial, now_ms);
            assert_eq!(penalised.map(|penalised| penalised.length_ms), length_ms);
        }
    }

    /// Two threads kept in step, one a little later each round, so that in some they meet between load and exchange:
    /// if the machine runs them on two CPUs, that is. On one, this can only pass.
    #[test]
    fn of_two_who_claim_at_once_one_wins() {
        const ROUNDS: u64 = 20_000;
        let (penalty, arrived, wins) = (penalty(1, 1), AtomicU64::new(0), AtomicU64::new(0));
        assert!(penalty.failed(Failure::Connect, Role::Regular, 0).is_some());
        let race = |lag: u64| {
            for round in 1..=ROUNDS {
                arrived.fetch_add(1, Relaxed);
                let mut spins = 0_u32;
                while arrived.load(Relaxed) < 2 * round {
                    spins += 1;
                    if spins.is_multiple_of(100) {
                        std::thread::yield_now(); // with a single CPU, the other one needs it
                    }
                }
                (0..lag * (round % 200)).for_each(|n| _ = std::hint::black_box(n));
                wins.fetch_add(penalty.admit(round).is_some().into(), Relaxed);
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(|| race(0));
            scope.spawn(|| race(1));
        });
        assert_eq!(wins.into_inner(), ROUNDS);
    }

    #[test]
    fn extreme_settings_and_instants_are_harmless() {
        let zero = penalty(0, 0);
        assert_eq!(zero.failed(Failure::Connect, Role::Regular, 0), first(1));
        let capped = penalty(500, 20);
        assert_eq!(capped.failed(Failure::Connect, Role::Regular, 0), first(20));
        let endless = penalty(u64::MAX, u64::MAX);
        assert_eq!(endless.failed(Failure::Connect, Role::Regular, 7), first(u64::MAX));
        assert_eq!(endless.admit(u64::MAX - 1), None);
        let now = base();
        assert_eq!(millis_between(now + Duration::from_secs(1), now), 0, "an instant before the base");
    }
}
