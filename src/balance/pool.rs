//! Backends that serve the same thing, and what their configuration says about who is chosen.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backend::{Backend, BackendId};
use super::common::{Common, Ticket};
use super::penalty::Backoff;
use crate::config;

/// Backends that serve the same thing, shared by all workers. A reload makes a new one that goes on with the backends and
/// the counters of the old one.
pub struct Pool {
    /// For logs.
    pub name: String,
    backends: Vec<Arc<Backend>>,
    /// Those that have left it with the last reload, or earlier and still have connections.
    former: Vec<Arc<Backend>>,
    base: Instant,
    common: Arc<Common>,
    settings: Settings,
}

/// What a pool's configuration says about who is chosen, as it is used.
pub(super) struct Settings {
    /// Some backend may be full.
    pub(super) is_capped: bool,
    pub(super) has_backups: bool,
    /// Nobody is sent to a backend that is down, or passed over, if there is no other.
    pub(super) refuses: bool,
    pub(super) eject_errors: u32,
    eject_max_percent: u32,
    queue: usize,
    /// How long somebody waits for room.
    pub(super) queue_timeout: Duration,
}

impl Settings {
    /// There is nothing to look at but weight, penalty and who was tried.
    pub(super) fn is_plain(&self) -> bool {
        !self.is_capped && !self.has_backups
    }

    fn new(config: &config::Pool) -> Settings {
        Settings {
            is_capped: config.backends.iter().any(|backend| backend.max_connections.is_some()),
            has_backups: config.backends.iter().any(|backend| backend.backup),
            refuses: config.health.on_all_down == config::OnAllDown::Refuse,
            eject_errors: config.health.eject_errors,
            eject_max_percent: config.health.eject_max_percent,
            queue: config.queue,
            queue_timeout: config.queue_timeout,
        }
    }
}

impl Pool {
    /// A pool with nothing connected and nothing penalised. `base` is any instant not after the first one that the
    /// pool gets to see: penalties count in milliseconds from it.
    pub fn new(config: &config::Pool, timeouts: &config::Timeouts, base: Instant) -> Pool {
        let none = Pool {
            name: String::new(),
            backends: Vec::new(),
            former: Vec::new(),
            base,
            common: Arc::default(),
            settings: Settings::new(config),
        };
        none.successor(config, timeouts)
    }

    /// The pool that takes this one's place when the configuration has changed. Backends that stay, by name and address, keep
    /// what is known of them and counted against them, and so do those that come back while they have connections; what is
    /// said about them is changed in both pools at once. Those that are gone keep the connections they have.
    ///
    /// Of pools that follow each other, no two may be in use with a third between them.
    pub fn successor(&self, config: &config::Pool, timeouts: &config::Timeouts) -> Pool {
        let backoff = Backoff::new(timeouts.backoff, timeouts.backoff_max);
        let known: HashMap<_, _> = self.everybody().map(|one| ((&*one.name, one.address), one)).collect();
        // Workers may still ask for those that go now, so their ids are not given away before the next time.
        let taken: HashSet<BackendId> = self.everybody().map(|backend| backend.id).collect();
        let mut free = (0..).map(BackendId).filter(|id| !taken.contains(id));
        let backends = config.backends.iter().filter_map(|of_one| {
            let backend = match known.get(&(&*of_one.name, of_one.address)) {
                Some(backend) => Arc::clone(backend),
                None => Arc::new(Backend::new(free.next()?, of_one, self.base, Arc::clone(&self.common))),
            };
            backend.configure(of_one, config.health.slow_start, backoff);
            Some(backend)
        });
        let backends: Vec<Arc<Backend>> = backends.collect();
        let present: HashSet<BackendId> = backends.iter().map(|backend| backend.id).collect();
        let has_left = |backend: &&Arc<Backend>| !present.contains(&backend.id);
        let leaving = self.backends.iter().filter(has_left).inspect(|backend| backend.retire());
        let earlier = self.former.iter().filter(has_left).filter(|backend| backend.connections() > 0);
        let former = leaving.chain(earlier).cloned().collect();
        // Who waits for room may find it now.
        self.common.note_room();
        let (name, settings) = (config.name.clone(), Settings::new(config));
        Pool { name, backends, former, base: self.base, common: Arc::clone(&self.common), settings }
    }

    /// No pool takes this one's place: its backends are gone.
    pub fn retire(&self) {
        self.backends.iter().for_each(|backend| backend.retire());
    }

    /// Whether this pool came from that one, by one reload or several.
    pub fn succeeds(&self, other: &Pool) -> bool {
        Arc::ptr_eq(&self.common, &other.common)
    }

    /// Whether a backend is one of these, and has not gone with all of them.
    pub fn contains(&self, id: BackendId) -> bool {
        self.backends.iter().any(|backend| backend.id == id && !backend.is_gone())
    }

    /// The backend with this id, a former one included as long as it has connections.
    pub fn backend(&self, id: BackendId) -> Option<&Arc<Backend>> {
        self.everybody().find(|backend| backend.id == id)
    }

    fn everybody(&self) -> impl Iterator<Item = &Arc<Backend>> {
        self.backends.iter().chain(&self.former)
    }

    /// All backends, available or not, in the order of the configuration.
    pub fn backends(&self) -> &[Arc<Backend>] {
        &self.backends
    }

    /// Checks have given up a backend of this pool.
    pub fn mark_down(&self, backend: &Backend, why: &str, now: Instant) {
        if backend.penalty().mark_down() {
            backend.stats().note("down", why.to_owned(), now);
            self.common.note_outage();
        }
    }

    /// Checks have found a backend of this pool well again.
    pub fn mark_up(&self, backend: &Backend, now: Instant) {
        if backend.penalty().mark_up() {
            backend.stats().note("up", "checks find it well".to_owned(), now);
            backend.start_slowly(now);
            self.common.note_room();
        }
    }

    /// A number that changes whenever there may be room where there was none.
    pub fn room_news(&self) -> u64 {
        self.common.room_news()
    }

    /// A number that changes whenever a backend goes down.
    pub fn outage_news(&self) -> u64 {
        self.common.outage_news()
    }

    /// Whether some backend that is neither down nor of weight 0 has room.
    pub fn has_room(&self) -> bool {
        self.backends.iter().any(|backend| backend.weight() > 0 && !backend.is_down() && backend.has_room())
    }

    /// A place among those who wait for room, unless there are enough of them.
    pub fn ticket(&self) -> Option<Ticket> {
        Ticket::draw(&self.common, self.settings.queue)
    }

    /// Those who wait for room, over all workers.
    pub fn waiting(&self) -> usize {
        self.common.waiting()
    }

    /// How long somebody waits for room.
    pub fn queue_timeout(&self) -> Duration {
        self.settings.queue_timeout
    }

    /// Whether one more backend may be passed over for its errors.
    pub(super) fn may_eject(&self, now: Instant) -> bool {
        let now_ms = self.millis(now);
        let ejected = self.backends.iter().filter(|backend| backend.penalty().is_ejected(now_ms)).count();
        (ejected + 1) * 100 <= self.backends.len() * self.settings.eject_max_percent as usize
    }

    /// Whether some backend may have less than its share now.
    pub(super) fn has_slow_starters(&self, now_ms: u64) -> bool {
        self.common.has_slow_starters(now_ms)
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn millis(&self, now: Instant) -> u64 {
        super::penalty::millis_between(self.base, now)
    }
}
