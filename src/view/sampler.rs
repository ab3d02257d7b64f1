//! Takes the picture, and remembers earlier ones for rates and history.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::entrance::{Entrance, entrances};
use super::process::{Occupation, Process};
use super::saturation;
use super::stats::{self, Change, Ended, Second, Stats, Totals};
use crate::balance::{Backend, Pool};
use crate::config::{Config, Mode};
use crate::histogram::Histogram;
use crate::metrics::{FrontendCounts, Metrics};
use crate::net::os;
use crate::proxy::Observed;
use crate::worker::{Control, WantedByName};

/// Seconds of history.
const HISTORY: usize = 60;
/// Seconds over which shares are counted.
const SHARE_OVER: usize = 10;

/// Takes pictures of one proxy.
pub struct Sampler {
    control: Control,
    started: Instant,
    fd_limit: u64,
    token_needed: bool,
    process: Process,
    taken: Option<Instant>,
    backends: HashMap<usize, Memory>,
    frontends: HashMap<String, (FrontendCounts, f64, f64)>,
    workers: HashMap<usize, (Histogram, Occupation, Option<f64>)>,
}

/// How long things took, over all time.
pub struct Measured {
    /// The answers of each backend, with its pool and name.
    pub answers: Vec<(String, String, Histogram)>,
    /// The turns of each worker.
    pub lag: Vec<(usize, Histogram)>,
}

/// What was counted for a backend, and its last minute.
#[derive(Default)]
struct Memory {
    chosen: u64,
    errors: u64,
    bytes: u64,
    answers: Histogram,
    history: VecDeque<(Second, u64)>,
    errors_per_s: f64,
    bytes_per_s: f64,
}

impl Sampler {
    /// Of a proxy that may have so many descriptors; whether changes need a token is for the page to know.
    pub fn new(control: Control, fd_limit: u64, token_needed: bool) -> Sampler {
        Sampler {
            control,
            started: os::now(),
            fd_limit,
            token_needed,
            process: Process::default(),
            taken: None,
            backends: HashMap::new(),
            frontends: HashMap::new(),
            workers: HashMap::new(),
        }
    }

    /// A second is over: what was counted in it becomes rates and history. The picture has none of the latter.
    pub fn tick(&mut self) -> Stats {
        let (now, observed) = (os::now(), self.control.observe());
        let elapsed_s = (now - self.taken.replace(now).unwrap_or(self.started)).as_secs_f64().max(0.001);
        let (_, pools, _) = self.control.present();
        let mut known = HashMap::new();
        for backend in pools.iter().flat_map(|pool| pool.backends()) {
            let key = Arc::as_ptr(backend).addr();
            let memory = self.backends.remove(&key);
            known.insert(key, Memory::of(memory, backend, elapsed_s));
        }
        self.backends = known;
        for (worker, observed) in &observed {
            let occupation = self.process.occupation(*worker).unwrap_or_default();
            let lag = observed.metrics.lag.clone();
            let before = self.workers.remove(worker).map(|(before, ..)| before).unwrap_or_default();
            let p99_ms = lag.since(&before).quantile_us(0.99).map(|us| us / 1000.0);
            self.workers.insert(*worker, (lag, occupation, p99_ms));
        }
        for Entrance { name, counts, .. } in entrances(&observed) {
            let (before, ..) = self.frontends.remove(&name).unwrap_or_default();
            let per_s = |now: u64, then: u64| now.saturating_sub(then) as f64 / elapsed_s;
            let accepted = per_s(counts.accepted, before.accepted);
            let responses = per_s(counts.responses.iter().sum(), before.responses.iter().sum());
            self.frontends.insert(name, (counts, accepted, responses));
        }
        self.picture(&observed, false)
    }

    /// The proxy as it is now, with the last minute of each backend.
    pub fn take(&mut self) -> Stats {
        let observed = self.control.observe();
        self.picture(&observed, true)
    }

    /// The same for who keeps a history of its own, with all that was ever measured.
    pub fn take_measured(&mut self) -> (Stats, Measured) {
        let observed = self.control.observe();
        let stats = self.picture(&observed, false);
        let lag = observed.into_iter().map(|(worker, observed)| (worker, observed.metrics.lag)).collect();
        (stats, Measured { answers: self.answers(), lag })
    }

    /// Whether a client would be sent to anybody in any pool.
    pub fn is_anybody_available(&self) -> bool {
        let (_, pools, _) = self.control.present();
        let now = os::now();
        pools.iter().flat_map(|pool| pool.backends()).any(|backend| stats::is_available(state(backend, now)))
    }

    fn picture(&mut self, observed: &[(usize, Observed)], with_history: bool) -> Stats {
        let (config, pools, wanted) = self.control.present();
        let mut total = Metrics::default();
        observed.iter().for_each(|(_, one)| total += &one.metrics);
        let now = os::now();
        let state = if self.control.is_stopping() { "draining" } else { "serving" };
        let mut stats = Stats {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            at_unix_ms: os::unix_time().as_millis() as u64,
            uptime_s: (now - self.started).as_secs(),
            state: state.to_owned(),
            token_needed: self.token_needed,
            open_fds: self.process.open_fds(),
            max_fds: self.fd_limit,
            workers: observed.iter().map(|(worker, observed)| self.worker(*worker, observed)).collect(),
            frontends: self.frontends_of(&config, observed),
            pools: config
                .pools
                .iter()
                .zip(&pools)
                .map(|(settings, pool)| self.pool(settings.policy, pool, &wanted, now, with_history))
                .collect(),
            connections_ended: ended(&total.connections_ended),
            requests_ended: ended(&total.requests_ended),
            totals: totals(&total),
            ..Stats::default()
        };
        (stats.saturation, stats.headroom) = (saturation::lines(&stats), saturation::headroom(&stats));
        stats
    }

    fn answers(&self) -> Vec<(String, String, Histogram)> {
        let (_, pools, _) = self.control.present();
        let of = |pool: &Arc<Pool>| {
            let name = pool.name.clone();
            let backends = pool.backends().iter();
            let rows = backends.map(|one| (name.clone(), one.name.clone(), one.stats().answers.read()));
            rows.collect::<Vec<_>>()
        };
        pools.iter().flat_map(of).collect()
    }

    fn worker(&self, worker: usize, observed: &Observed) -> stats::Worker {
        let (_, occupation, lag_p99_ms) = self.workers.get(&worker).cloned().unwrap_or_default();
        stats::Worker {
            worker,
            sessions: observed.sessions,
            max_connections: observed.max_connections,
            run_queue: observed.run_queue,
            buffers: observed.buffers,
            links: observed.links,
            turns: observed.metrics.turns,
            busy: occupation.busy,
            starved: occupation.starved,
            lag_p99_ms,
        }
    }

    fn frontends_of(&self, config: &Config, observed: &[(usize, Observed)]) -> Vec<stats::Frontend> {
        let of = |entrance: Entrance| {
            let Entrance { name, counts, listen, queue, queue_most } = entrance;
            let settings = config.frontends.iter().find(|frontend| frontend.name == name);
            let (_, connections_per_s, responses_per_s) =
                self.frontends.get(&name).cloned().unwrap_or_default();
            stats::Frontend {
                mode: settings
                    .map_or("gone", |one| if one.mode == Mode::Http { "http" } else { "tcp" })
                    .to_owned(),
                listen: listen.iter().map(ToString::to_string).collect(),
                pool: settings.map_or(String::new(), |one| config.pools[one.pool].name.clone()),
                open: counts.accepted - counts.closed,
                accepted: counts.accepted,
                responses: counts.responses,
                queue,
                queue_most,
                connections_per_s,
                responses_per_s,
                name,
            }
        };
        entrances(observed).into_iter().map(of).collect()
    }

    fn pool(
        &self,
        policy: &str,
        pool: &Pool,
        wanted: &WantedByName,
        now: Instant,
        with_history: bool,
    ) -> stats::Pool {
        let memory = |backend: &Arc<Backend>| self.backends.get(&Arc::as_ptr(backend).addr());
        let lately: Vec<u64> =
            pool.backends().iter().map(|backend| memory(backend).map_or(0, Memory::lately)).collect();
        let all_lately: u64 = lately.iter().sum();
        let fair = |backend: &Backend| match state(backend, now) {
            state if stats::is_available(state) && !backend.is_backup() => f64::from(backend.weight()),
            _ => 0.0,
        };
        let all_fair: f64 = pool.backends().iter().map(|backend| fair(backend)).sum();
        let backends = pool.backends().iter().zip(&lately).map(|(backend, lately)| {
            let wanted = wanted.get(&(pool.name.clone(), backend.name.clone())).copied().unwrap_or_default();
            let mut one = describe(backend, now);
            one.share = (all_lately > 0).then(|| *lately as f64 / all_lately as f64);
            one.fair_share = if all_fair > 0.0 { fair(backend) / all_fair } else { 0.0 };
            (one.drained, one.weight_set) = (wanted.drained, wanted.weight);
            if wanted.drained {
                one.why = Some("an operator has drained it".to_owned());
            }
            if let Some(memory) = memory(backend) {
                memory.fill(&mut one, with_history);
            }
            one
        });
        stats::Pool {
            name: pool.name.clone(),
            policy: policy.to_owned(),
            waiting: pool.waiting(),
            backends: backends.collect(),
        }
    }
}

impl Memory {
    fn of(before: Option<Memory>, backend: &Backend, elapsed_s: f64) -> Memory {
        // One that was not there before has counted since it came.
        let mut memory = before.unwrap_or_default();
        let stats = backend.stats();
        let chosen = stats.chosen.load(Relaxed);
        let errors = stats.connects_failed.load(Relaxed) + stats.responses[5].load(Relaxed);
        let bytes = stats.up_bytes.load(Relaxed) + stats.down_bytes.load(Relaxed);
        let answers = stats.answers.read();
        let new = answers.since(&memory.answers);
        let ms = |share| new.quantile_us(share).map(|us| us / 1000.0);
        let given = chosen.saturating_sub(memory.chosen);
        let per_s = given as f64 / elapsed_s;
        if memory.history.len() == HISTORY {
            memory.history.pop_front();
        }
        memory.history.push_back((Second { per_s, p50_ms: ms(0.5), p99_ms: ms(0.99) }, given));
        memory.errors_per_s = errors.saturating_sub(memory.errors) as f64 / elapsed_s;
        memory.bytes_per_s = bytes.saturating_sub(memory.bytes) as f64 / elapsed_s;
        Memory { chosen, errors, bytes, answers, ..memory }
    }

    /// What it was given in the last ten seconds.
    fn lately(&self) -> u64 {
        self.history.iter().rev().take(SHARE_OVER).map(|(_, given)| given).sum()
    }

    fn fill(&self, one: &mut stats::Backend, with_history: bool) {
        (one.errors_per_s, one.bytes_per_s) = (self.errors_per_s, self.bytes_per_s);
        if let Some((last, _)) = self.history.back() {
            (one.per_s, one.p50_ms, one.p99_ms) = (last.per_s, last.p50_ms, last.p99_ms);
        }
        if with_history {
            one.history = self.history.iter().map(|(second, _)| *second).collect();
        }
    }
}

/// What a backend is, in a word or two.
fn state(backend: &Backend, now: Instant) -> &'static str {
    if backend.is_gone() {
        "leaving"
    } else if backend.weight() == 0 {
        "drained"
    } else if backend.is_down() {
        "down"
    } else if backend.is_passed_over(now) {
        "passed over"
    } else if backend.share_permille(now) < 1000 {
        "starting"
    } else {
        "up"
    }
}

fn describe(backend: &Backend, now: Instant) -> stats::Backend {
    let (counts, state) = (backend.stats(), state(backend, now));
    let unix = os::unix_time();
    let changes = counts.changes().into_iter().map(|change| Change {
        at_unix_ms: (unix.saturating_sub(now.saturating_duration_since(change.at))).as_millis() as u64,
        what: change.what.to_owned(),
        why: change.why,
    });
    let changes: Vec<Change> = changes.collect();
    let why = match state {
        "down" | "passed over" => {
            changes.iter().rev().find(|change| change.what == state).map(|change| change.why.clone())
        }
        "drained" => Some("its weight is 0".to_owned()),
        "starting" => Some(format!("it has {} % of its share so far", backend.share_permille(now) / 10)),
        _ => None,
    };
    stats::Backend {
        name: backend.name.clone(),
        address: backend.address.to_string(),
        state: state.to_owned(),
        why,
        weight: backend.weight(),
        backup: backend.is_backup(),
        in_flight: backend.connections(),
        max_connections: backend.max_connections(),
        chosen: counts.chosen.load(Relaxed),
        connects_failed: counts.connects_failed.load(Relaxed),
        responses: std::array::from_fn(|class| counts.responses[class].load(Relaxed)),
        up_bytes: counts.up_bytes.load(Relaxed),
        down_bytes: counts.down_bytes.load(Relaxed),
        changes,
        ..stats::Backend::default()
    }
}

fn ended(endings: &crate::metrics::Endings) -> Vec<Ended> {
    let one =
        |(side, cause, count): (&str, &str, u64)| Ended { side: side.into(), cause: cause.into(), count };
    let mut all: Vec<Ended> = endings.iter().map(one).collect();
    all.sort_by(|a, b| (&a.side, &a.cause).cmp(&(&b.side, &b.cause)));
    all
}

fn totals(metrics: &Metrics) -> Totals {
    Totals {
        accepted: metrics.accepted,
        closed: metrics.closed,
        requests: metrics.requests,
        refused: metrics.refused,
        reused: metrics.reused,
        retries: metrics.retries,
        connects_failed: metrics.connects_failed,
        checks_failed: metrics.checks_failed,
        unserved: metrics.unserved,
        queued: metrics.queued,
        queue_refused: metrics.queue_refused,
        client_limited: metrics.client_limited,
        accept_pauses: metrics.accept_pauses,
        limit_reached: metrics.limit_reached,
        cut: metrics.cut,
        admin_requests: metrics.admin_requests,
        events_dropped: metrics.events_dropped,
    }
}
