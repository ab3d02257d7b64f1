//! Which backend serves this client: pools of backends, what is known about each, and the policies that choose.
//!
//! ```text
//! Balancer::choose ─▶ Choice (who is available) ─▶ Policy::pick ─▶ Lease (counted until dropped)
//!                                                                   │ connect_failed, failed_at_once, succeeded
//!                                    Penalty (passed over, trial) ◀─┘
//! Balancer::observe ─▶ Policy::observe (how long a backend took)
//! ```
//!
//! A [`Pool`] is shared by all workers: its backends hold the load counters and the penalties, as atomics. A
//! [`Balancer`] belongs to one worker: it holds the policy, whose state is private and needs no lock. A policy only
//! chooses among what [`Choice`] says is available; it knows nothing of failures or retries.
//!
//! Nothing here reads the clock, opens a socket or allocates once it is set up.

mod backend;
mod bound;
mod budget;
mod choice;
mod common;
mod explain;
mod latency;
mod lease;
mod penalty;
pub mod policy;
mod pool;
mod stats;
mod tried;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

pub use backend::{Backend, BackendId};
use budget::RetryBudget;
pub use choice::Choice;
pub use common::Ticket;
pub use explain::{Candidate, Explanation};
pub use latency::Sample;
pub use lease::Lease;
pub use policy::Policy;
pub use pool::Pool;
pub use stats::{Change, Stats};
pub use tried::{MAX_CONNECT_ATTEMPTS, Tried};

/// Where the lots of slow starts begin: any number will do.
const SLOW_START_SEED: u64 = 0x51_0e_57_a7;

/// One worker's way into one pool: the shared backends, and a policy of its own.
pub struct Balancer {
    pool: Arc<Pool>,
    policy: Box<dyn Policy>,
    budget: RetryBudget,
    max_load_percent: Option<u32>,
    /// The same client gets the same backend, so the same lot as well.
    keyed: bool,
    rng: fastrand::Rng,
}

impl Balancer {
    /// Puts `policy` in front of `pool`.
    pub fn new(pool: Arc<Pool>, mut policy: Box<dyn Policy>) -> Balancer {
        policy.rebuild(&pool);
        let keyed = policy::keyed().any(|name| name == policy.name());
        let rng = fastrand::Rng::with_seed(SLOW_START_SEED);
        Balancer { pool, policy, budget: RetryBudget::new(0), max_load_percent: None, keyed, rng }
    }

    /// Goes on with the pool that has taken the old one's place, and with another policy if there is to be one.
    pub fn succeed(&mut self, pool: Arc<Pool>, policy: Option<Box<dyn Policy>>) {
        if let Some(policy) = policy {
            self.policy = policy;
            self.keyed = policy::keyed().any(|name| name == self.policy.name());
        }
        self.policy.rebuild(&pool);
        self.pool = pool;
    }

    /// The backend with this id, a former one included as long as it has connections.
    pub fn backend(&self, id: BackendId) -> Option<&Arc<Backend>> {
        self.pool.backend(id)
    }

    /// Allows this many retries for every hundred requests, besides the few a second that are always allowed. What has been
    /// saved up, or spent, stays so.
    pub fn set_retry_budget(&mut self, percent: u32) {
        self.budget.set_percent(percent);
    }

    /// Lets no backend have more than `percent` of its share of the connections, by weight and rounded up, as long as
    /// there are others; `None`: as many as the policy gives it.
    pub fn set_max_load(&mut self, percent: Option<u32>) {
        self.max_load_percent = percent;
    }

    /// Tells the policy what came, by `now`, of what a backend of this pool was asked at `since`.
    pub fn observe(&mut self, backend: &Backend, sample: Sample, since: Instant, now: Instant) {
        if sample != Sample::Wait {
            backend.stats().answers.add(now.saturating_duration_since(since));
        }
        self.policy.observe(backend, sample, since, now);
    }

    /// Counts a request towards the retry budget.
    pub fn note_request(&mut self) {
        self.budget.deposit();
    }

    /// Takes one retry out of the budget, if it holds one.
    pub fn may_retry(&mut self, now: Instant) -> bool {
        self.budget.withdraw(now)
    }

    /// Chooses a backend for `client` and counts the connection against it from this moment, connecting included.
    ///
    /// The backend whose key is `preferred` is chosen if it is available, whatever the policy says.
    /// Backends in `tried`, of weight 0, without room, in back-off, down or at their bound are passed over, and so, in a part
    /// of the choices, are those that start slowly. When that leaves none, backups are asked, unless somebody is merely
    /// full; and then, unless the pool refuses that, back-off is ignored (fail open): one more refusal costs little, and
    /// never serving would be worse. `None` when even then there is nobody left, or nobody who has room:
    /// [`Balancer::is_full`] tells.
    pub fn choose(
        &mut self,
        client: IpAddr,
        preferred: Option<u64>,
        tried: &Tried,
        now: Instant,
    ) -> Option<Lease> {
        // A dual-stack listener shows IPv4 clients as ::ffff:a.b.c.d; they are the same clients.
        let mut choice = Choice::new(&self.pool, client.to_canonical(), tried, now);
        if let Some(key) = preferred
            && let Some(backend) = self.pool.backends().iter().find(|backend| backend.key == key)
            && choice.may_return_to(backend)
            && let Some(lease) = Lease::claim(backend, choice.now_ms())
        {
            return Some(lease);
        }
        let lot = lot(&choice, self.keyed, &mut self.rng);
        decide(&mut *self.policy, self.max_load_percent, &mut choice, lot, claim, open)
    }

    /// Whether [`Balancer::choose`] found nobody for want of room alone: it is worth waiting.
    pub fn is_full(&self, tried: &Tried, now: Instant) -> bool {
        let settings = self.pool.settings();
        if !settings.is_capped {
            return false;
        }
        // Whom a client comes from does not matter here.
        let mut choice = Choice::new(&self.pool, IpAddr::from([0; 4]), tried, now);
        let anybody_full = |choice: &mut Choice<'_>| {
            [false, true].into_iter().any(|backups| {
                choice.ask_backups(backups);
                choice.is_somebody_full()
            })
        };
        if anybody_full(&mut choice) {
            return true;
        }
        choice.ignore_backoff();
        !settings.refuses && anybody_full(&mut choice)
    }

    /// The backend answered with `status`, and the rest may follow.
    pub fn answered(&self, lease: &Lease, status: u16, now: Instant) {
        lease.backend().stats().count_response(status);
        let counts_errors = self.pool.settings().eject_errors > 0;
        if !counts_errors {
            lease.succeeded(now);
        } else if status >= 500 {
            self.erred(lease, now);
        }
    }

    /// All of the answer with this status is there.
    pub fn completed(&self, lease: &Lease, status: u16, now: Instant) {
        if status < 500 && self.pool.settings().eject_errors > 0 {
            lease.succeeded(now);
        }
    }

    /// The backend gave no answer, or not all of it.
    pub fn erred(&self, lease: &Lease, now: Instant) {
        let limit = self.pool.settings().eject_errors;
        if limit > 0 {
            lease.erred(limit, || self.pool.may_eject(now), now);
        }
    }

    /// The backends, as all workers share them.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// The policy's name in the registry.
    pub fn policy_name(&self) -> &'static str {
        self.policy.name()
    }
}

/// What decides whether a backend that starts slowly takes part in a choice, where there may be one.
fn lot(choice: &Choice<'_>, keyed: bool, rng: &mut fastrand::Rng) -> Option<u64> {
    choice.pool().has_slow_starters(choice.now_ms()).then(|| {
        // The same client gets the same backend from a policy that hashes, so the same lot too.
        if keyed { policy::client_key(choice.client()) } else { rng.u64(..) }
    })
}

/// What a choice comes to, the stages that [`Balancer::choose`] tells of one after the other; `claim` takes whom the
/// policy picks, `open` takes him penalised or not.
fn decide<T>(
    policy: &mut dyn Policy,
    percent: Option<u32>,
    choice: &mut Choice<'_>,
    lot: Option<u64>,
    claim: impl Fn(&mut dyn Policy, &Choice<'_>) -> Option<T>,
    open: impl Fn(&mut dyn Policy, &Choice<'_>) -> Option<T>,
) -> Option<T> {
    let settings = choice.pool().settings();
    if lot.is_some() {
        choice.set_lot(lot);
    }
    if let Some(found) = within_bound(policy, percent, choice, &claim) {
        return Some(found);
    }
    if lot.is_some() {
        choice.set_lot(None);
        if let Some(found) = within_bound(policy, percent, choice, &claim) {
            return Some(found);
        }
    }
    for backups in [false, true] {
        // Backups are for those who are gone, not for those who are busy.
        if settings.is_capped && choice.is_somebody_full() {
            return None;
        }
        if !backups && settings.has_backups {
            choice.ask_backups(true);
            if let Some(found) = within_bound(policy, percent, choice, &claim) {
                return Some(found);
            }
        }
    }
    if settings.refuses {
        return None;
    }
    choice.ignore_backoff();
    for backups in [false, settings.has_backups] {
        choice.ask_backups(backups);
        if let Some(found) = within_bound(policy, percent, choice, &open) {
            return Some(found);
        }
    }
    None
}

/// What `pick` finds where the load is within its bound, if it has one; or else what it finds anywhere: other workers
/// may have used up the room that there was.
fn within_bound<T>(
    policy: &mut dyn Policy,
    percent: Option<u32>,
    choice: &mut Choice<'_>,
    pick: impl Fn(&mut dyn Policy, &Choice<'_>) -> Option<T>,
) -> Option<T> {
    if percent.is_some() {
        choice.set_bound(percent);
        let found = pick(policy, choice);
        choice.set_bound(None);
        if found.is_some() {
            return found;
        }
    }
    pick(policy, choice)
}

/// Picks until a pick can be had. Another worker may claim the same trial, or penalise the same backend, between our
/// look and our claim; each such loss leaves one backend fewer to lose, hence the bound.
fn claim(policy: &mut dyn Policy, choice: &Choice<'_>) -> Option<Lease> {
    let backends = choice.pool().backends();
    for _ in 0..backends.len() {
        let index = policy.pick(choice)?;
        let lease = Lease::claim(&backends[index], choice.now_ms());
        if lease.is_some() {
            return lease;
        }
    }
    None
}

/// Picks whoever there is, penalised or not.
fn open(policy: &mut dyn Policy, choice: &Choice<'_>) -> Option<Lease> {
    let index = policy.pick(choice)?;
    Lease::open(&choice.pool().backends()[index], choice.now_ms())
}

/// Pools for the unit tests of this module and its policies.
#[cfg(test)]
mod testing {
    use std::net::Ipv4Addr;
    use std::time::{Duration, Instant};

    use super::Pool;
    use crate::config;

    /// The only look at the clock: tests compute every other instant.
    pub(super) fn base() -> Instant {
        crate::net::os::now()
    }

    /// Backends b0, b1 … with these weights.
    pub(super) fn pool(weights: &[u32]) -> Pool {
        let backend = |(port, &weight): (u16, &u32)| {
            config::Backend::new(format!("b{}", port - 9001), (Ipv4Addr::LOCALHOST, port).into(), weight)
        };
        let backends = (9001..).zip(weights).map(backend).collect();
        let second = Duration::from_secs(1);
        let timeouts =
            config::Timeouts { backoff: second, backoff_max: second, ..config::Timeouts::default() };
        Pool::new(&config::Pool::new("test", "", backends), &timeouts, base())
    }
}
