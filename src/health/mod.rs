//! Checks of backends: one worker asks them, in its own loop, and what it finds goes into what all workers share.
//!
//! ```text
//!        due                      connected, answered, or late
//! wait ───────▶ Probe (a socket) ─────────────────────────────▶ Tally: rise, fall ──flip──▶ Backend::mark_up / mark_down
//!  ▲                                                               │
//!  └────────────────── interval, a tenth more or less ◀────────────┘
//! ```
//!
//! A check is as simple as a client could be: what it finds is what a client would find. Each has a connection of its own,
//! because one that waits for reuse would prove that the backend lived a while ago.

mod probe;
mod tally;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::probe::{Outcome, Probe};
use self::tally::Tally;
use crate::balance::{Backend, Pool};
use crate::config::{Check, Config, Health};
use crate::ctx::Ctx;
use crate::net::{Event, Net, Socket};
use crate::timers::Timers;
use crate::token::Token;

/// All that is checked by this process.
pub struct Checks<S> {
    subjects: Vec<Subject<S>>,
    timers: Timers,
    rng: fastrand::Rng,
}

/// One backend, and how it has done.
struct Subject<S> {
    pool: Arc<Pool>,
    backend: Arc<Backend>,
    health: Health,
    request: Vec<u8>,
    tally: Tally,
    probe: Option<Probe<S>>,
    /// Tells the events of this probe's socket from those of the one before.
    turn: u16,
    /// When the next check is due, or this one is late.
    at: Instant,
}

impl<S: Socket> Checks<S> {
    /// The checks that `config` asks for, of the backends of `pools` (in the same order); the first ones spread over a tenth
    /// of their interval, by lots drawn from `seed`. Backends that nobody checks any more are no longer down.
    pub fn new(config: &Config, pools: &[Arc<Pool>], seed: u64, now: Instant) -> Checks<S> {
        let mut checks =
            Checks { subjects: Vec::new(), timers: Timers::default(), rng: fastrand::Rng::with_seed(seed) };
        for (pool, settings) in pools.iter().zip(&config.pools) {
            let health = &settings.health;
            for backend in pool.backends() {
                if health.check == Check::Off {
                    pool.mark_up(backend, now);
                } else {
                    checks.add(pool, backend, health, now);
                }
            }
        }
        checks
    }

    /// These, with what `old` ones have found out about backends that are checked as before.
    pub fn after(mut self, old: Checks<S>) -> Checks<S> {
        // Their probes end here, in their order.
        let known: HashMap<*const Backend, (Check, Tally)> = old
            .subjects
            .into_iter()
            .map(|subject| (Arc::as_ptr(&subject.backend), (subject.health.check, subject.tally)))
            .collect();
        for subject in &mut self.subjects {
            if let Some((check, tally)) = known.get(&Arc::as_ptr(&subject.backend))
                && *check == subject.health.check
            {
                subject.tally = *tally;
            }
        }
        self
    }

    /// Whether nothing is checked.
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty()
    }

    fn add(&mut self, pool: &Arc<Pool>, backend: &Arc<Backend>, health: &Health, now: Instant) {
        let slot = self.subjects.len() as u32;
        let at = now + self.lot(health.interval / 10);
        self.subjects.push(Subject {
            pool: Arc::clone(pool),
            backend: Arc::clone(backend),
            request: probe::request(&health.check, backend.address),
            health: health.clone(),
            tally: Tally::new(backend.is_down()),
            probe: None,
            turn: 0,
            at,
        });
        self.timers.arm(slot, at);
    }

    /// Any time up to `most`.
    fn lot(&mut self, most: Duration) -> Duration {
        most.mul_f64(self.rng.f64())
    }

    /// Takes in an event of a check's socket, and goes on with the check.
    pub fn note<N: Net<Socket = S>>(&mut self, slot: u32, turn: u16, event: &Event, ctx: &mut Ctx<N>) {
        let Some(subject) = self.subjects.get_mut(slot as usize) else { return };
        if let Some(probe) = &mut subject.probe
            && subject.turn == turn
        {
            probe.note(event);
            self.step(slot, ctx);
        }
    }

    /// When [`Checks::expire`] wants to be called.
    pub fn deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Begins the checks that are due, and gives up those that are late.
    pub fn expire<N: Net<Socket = S>>(&mut self, ctx: &mut Ctx<N>) {
        while let Some(slot) = self.timers.pop_due(ctx.now) {
            let Some(subject) = self.subjects.get_mut(slot as usize) else { continue };
            if subject.at > ctx.now {
                self.timers.arm(slot, subject.at);
            } else if let Some(probe) = &subject.probe {
                let timeout_ms = subject.health.timeout.as_millis();
                let why = format!("{} within {timeout_ms} ms", probe.awaits());
                self.conclude(slot, Some(why), ctx);
            } else {
                self.begin(slot, ctx);
            }
        }
    }

    fn begin<N: Net<Socket = S>>(&mut self, slot: u32, ctx: &mut Ctx<N>) {
        let Some(subject) = self.subjects.get_mut(slot as usize) else { return };
        subject.turn = subject.turn.wrapping_add(1) % Token::PROBE_TURNS;
        subject.at = ctx.now + subject.health.timeout;
        self.timers.arm(slot, subject.at);
        let token = Token::Probe { slot, turn: subject.turn };
        match open_socket(subject.backend.address, token, ctx) {
            Ok(socket) => subject.probe = Some(Probe::new(socket)),
            // It says nothing about the backend that this host has no descriptor left, or no memory.
            Err(error) if crate::net::is_exhaustion(&error) => {
                log::warn!("no socket for a check of {}: {error}", subject.backend);
                self.rest(slot, ctx.now);
            }
            Err(error) => self.conclude(slot, Some(format!("connect failed: {error}")), ctx),
        }
    }

    fn step<N: Net<Socket = S>>(&mut self, slot: u32, ctx: &mut Ctx<N>) {
        let Some(subject) = self.subjects.get_mut(slot as usize) else { return };
        let Some(probe) = &mut subject.probe else { return };
        match probe.turn(&subject.health.check, &subject.request, subject.backend.address) {
            Outcome::Pending => {}
            Outcome::Well => self.conclude(slot, None, ctx),
            Outcome::Ill(why) => self.conclude(slot, Some(why), ctx),
        }
    }

    /// A check is over; `why` says what is wrong with the backend, if something is.
    fn conclude<N: Net<Socket = S>>(&mut self, slot: u32, why: Option<String>, ctx: &mut Ctx<N>) {
        let Some(subject) = self.subjects.get_mut(slot as usize) else { return };
        let Subject { pool, backend, health, tally, .. } = subject;
        if let Some(why) = &why {
            ctx.metrics.checks_failed += 1;
            log::debug!("check of {backend} in pool {} failed: {why}", pool.name);
        }
        if tally.flips(why.is_none(), health.rise, health.fall) {
            match why {
                Some(why) => {
                    log::warn!("backend {backend} of pool {} is down: {why}", pool.name);
                    pool.mark_down(backend, &why, ctx.now);
                }
                None => {
                    log::info!("backend {backend} of pool {} is up again", pool.name);
                    pool.mark_up(backend, ctx.now);
                }
            }
        }
        self.rest(slot, ctx.now);
    }

    /// Lets a backend alone until the next check: a little longer or shorter each time, so that proxies that started
    /// together do not go on together.
    fn rest(&mut self, slot: u32, now: Instant) {
        let Some(subject) = self.subjects.get(slot as usize) else { return };
        let interval = subject.health.interval(subject.tally.is_down());
        let pause = interval * 9 / 10 + self.lot(interval / 5);
        let Some(subject) = self.subjects.get_mut(slot as usize) else { return };
        subject.probe = None;
        subject.at = now + pause;
        self.timers.arm(slot, subject.at);
    }
}

fn open_socket<N: Net>(address: SocketAddr, token: Token, ctx: &mut Ctx<N>) -> std::io::Result<N::Socket> {
    let mut socket = ctx.net.connect(address)?;
    ctx.net.register(&mut socket, token)?;
    Ok(socket)
}
