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
//! And apart from these, "down": what checks say, and only checks can take back. Nothing that a connection does changes it.
//!
//! Without this, a backend that fails at once looks idle and draws most of the traffic under `fewest_connections`.
//!
//! The whole state is one word, `until_ms`, that every transition replaces by compare-and-exchange or swap: healthy,
//! or the moment until which everyone passes the backend over, which for one that is down never comes. "Due" is that moment in the past; "on trial" is the
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
/// The value that stands for "down". Penalties end before it.
const DOWN: u64 = u64::MAX;

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
    /// It gave answers that are none, one after the other.
    Errors,
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
    first_ms: AtomicU64,
    max_ms: AtomicU64,
    until_ms: AtomicU64,
    /// Of the last penalty. Written by the winner of `until_ms` just after winning; who reads it in between gets the
    /// previous length, at worst a penalty that fails to double.
    length_ms: AtomicU64,
    /// Failures at once since the last success.
    at_once: AtomicU32,
    /// Errors since the last answer that was none.
    errors: AtomicU32,
}

impl Penalty {
    /// Nothing against it; how long penalties last is to follow.
    pub(super) fn new(base: Instant) -> Penalty {
        Penalty {
            base,
            first_ms: AtomicU64::new(1),
            max_ms: AtomicU64::new(1),
            until_ms: AtomicU64::new(HEALTHY),
            length_ms: AtomicU64::new(1),
            at_once: AtomicU32::new(0),
            errors: AtomicU32::new(0),
        }
    }

    /// How long penalties last from now on.
    pub(super) fn set_backoff(&self, backoff: Backoff) {
        self.first_ms.store(backoff.first_ms, Relaxed);
        self.max_ms.store(backoff.max_ms, Relaxed);
    }

    fn backoff(&self) -> Backoff {
        Backoff { first_ms: self.first_ms.load(Relaxed), max_ms: self.max_ms.load(Relaxed) }
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
        let lease_ms = ends_at(now_ms, self.length_ms.load(Relaxed));
        self.replace(until_ms, lease_ms).then_some(Role::Trial(lease_ms))
    }

    /// A connection failed. The penalty that follows, if one does.
    pub(super) fn failed(&self, failure: Failure, role: Role, now_ms: u64) -> Option<Penalised> {
        if failure == Failure::AtOnce && self.at_once.fetch_add(1, Relaxed) + 1 < AT_ONCE_LIMIT {
            return None;
        }
        let (seen, length_ms) = match role {
            Role::Regular => (HEALTHY, self.backoff().first_ms),
            Role::Trial(lease_ms) => (lease_ms, self.backoff().doubled(self.length_ms.load(Relaxed))),
            Role::Extra => return None,
        };
        if !self.replace(seen, ends_at(now_ms, length_ms)) {
            return None;
        }
        self.length_ms.store(length_ms, Relaxed);
        Some(Penalised { length_ms, first: role == Role::Regular })
    }

    /// The backend answered with an error. True if that makes `limit` in a row, or a failed trial.
    pub(super) fn erred(&self, limit: u32, role: Role) -> bool {
        let errors = self.errors.fetch_add(1, Relaxed).saturating_add(1);
        errors >= limit || matches!(role, Role::Trial(_))
    }

    /// The backend did its job: all is forgiven, but what checks say. True if there was a penalty to forgive.
    pub(super) fn succeeded(&self) -> bool {
        // Reads first: in the common case the cache line stays shared among the workers.
        for run in [&self.at_once, &self.errors] {
            if run.load(Relaxed) != 0 {
                run.store(0, Relaxed);
            }
        }
        let until_ms = self.until_ms.load(Relaxed);
        until_ms != HEALTHY && until_ms != DOWN && self.replace(until_ms, HEALTHY)
    }

    /// Checks have given it up. True if that is news.
    pub(super) fn mark_down(&self) -> bool {
        self.until_ms.swap(DOWN, Relaxed) != DOWN
    }

    /// Checks have found it well again. True if that is news.
    pub(super) fn mark_up(&self) -> bool {
        let was_down = self.replace(DOWN, HEALTHY);
        if was_down {
            self.at_once.store(0, Relaxed);
            self.errors.store(0, Relaxed);
        }
        was_down
    }

    /// Whether checks have given it up.
    pub(super) fn is_down(&self) -> bool {
        self.until_ms.load(Relaxed) == DOWN
    }

    /// Whether it is passed over for now, but not down.
    pub(super) fn is_ejected(&self, now_ms: u64) -> bool {
        let until_ms = self.until_ms.load(Relaxed);
        until_ms != DOWN && now_ms < until_ms
    }

    fn replace(&self, seen: u64, new: u64) -> bool {
        self.until_ms.compare_exchange(seen, new, Relaxed, Relaxed).is_ok()
    }
}

/// When a penalty that starts now ends: never so late that it would pass for "down".
fn ends_at(now_ms: u64, length_ms: u64) -> u64 {
    now_ms.saturating_add(length_ms).min(DOWN - 1)
}

/// Whole milliseconds from `base` to `now`; 0 if `now` is the earlier.
pub(super) fn millis_between(base: Instant, now: Instant) -> u64 {
    millis(now.saturating_duration_since(base))
}

/// Whole milliseconds, as long as they can be counted.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::testing::base;

    fn penalty(first_ms: u64, max_ms: u64) -> Penalty {
        let penalty = Penalty::new(base());
        penalty.set_backoff(Backoff::new(Duration::from_millis(first_ms), Duration::from_millis(max_ms)));
        penalty
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

    #[test]
    fn only_a_check_takes_back_what_a_check_said() {
        let penalty = penalty(100, 1000);
        assert!(penalty.mark_down() && !penalty.mark_down(), "news once");
        assert!(penalty.is_down() && penalty.passed_over(u64::MAX - 1) && !penalty.is_ejected(0));
        assert_eq!(penalty.admit(u64::MAX - 1), None, "no trial ever comes due");
        assert!(!penalty.succeeded(), "a connection made for want of another proves nothing");
        assert_eq!(penalty.failed(Failure::Connect, Role::Regular, 5), None, "chosen before it went down");
        assert!(penalty.is_down());
        assert!(penalty.mark_up() && !penalty.mark_up());
        assert_eq!(penalty.admit(0), Some(Role::Regular));
    }

    #[test]
    fn errors_in_a_row_count_up_to_the_limit_and_a_trial_has_none_to_spare() {
        let penalty = penalty(100, 1000);
        assert!(!penalty.erred(3, Role::Regular) && !penalty.erred(3, Role::Regular));
        assert!(!penalty.succeeded(), "no penalty yet");
        assert!(!penalty.erred(3, Role::Regular) && !penalty.erred(3, Role::Regular), "from the start again");
        assert!(penalty.erred(3, Role::Regular));
        assert_eq!(penalty.failed(Failure::Errors, Role::Regular, 0), first(100));
        let trial = penalty.admit(100).expect("due");
        assert!(penalty.erred(3, trial));
        assert_eq!(
            penalty.failed(Failure::Errors, trial, 100).map(|penalised| penalised.length_ms),
            Some(200)
        );
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
        assert_eq!(endless.admit(u64::MAX - 2), None);
        assert!(
            !endless.is_down() && endless.succeeded(),
            "an endless penalty is not a backend that is down"
        );
        let now = base();
        assert_eq!(millis_between(now + Duration::from_secs(1), now), 0, "an instant before the base");
    }
}
