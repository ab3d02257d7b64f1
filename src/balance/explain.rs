//! Which backend a client would get now, and why: the real policy, asked as a copy, so that nothing comes of it.

use std::net::IpAddr;
use std::time::Instant;

use super::backend::FULL_PERMILLE;
use super::policy;
use super::{Backend, Balancer, Choice, Tried, decide, lot};

/// A choice that is not made.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The policy's name.
    pub policy: &'static str,
    /// What its scores are.
    pub score_is: &'static str,
    /// The position of the backend that the client would get.
    pub chosen: Option<usize>,
    /// How it came to that, in a sentence.
    pub how: String,
    /// All backends, in the order of the pool.
    pub candidates: Vec<Candidate>,
}

/// A backend in such a choice.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// What the policy goes by; `None` if it knows nothing yet.
    pub score: Option<f64>,
    /// Why it was not asked.
    pub skipped: Option<String>,
}

impl Balancer {
    /// What [`Balancer::choose`] would come to now, for a client without a cookie, if no other worker made a choice before.
    pub fn explain(&self, client: IpAddr, now: Instant) -> Explanation {
        let (mut policy, mut rng) = (self.policy.copy(), self.rng.clone());
        let tried = Tried::default();
        let mut choice = Choice::new(&self.pool, client.to_canonical(), &tried, now);
        let lot = lot(&choice, self.keyed, &mut rng);
        let pick = |policy: &mut dyn policy::Policy, choice: &Choice<'_>| policy.pick(choice);
        let chosen = decide(&mut *policy, self.max_load_percent, &mut choice, lot, pick, pick);
        let mut choice = Choice::new(&self.pool, client.to_canonical(), &tried, now);
        choice.set_lot(lot);
        choice.set_bound(self.max_load_percent);
        let only_backups = chosen.is_some_and(|index| self.pool.backends()[index].is_backup());
        choice.ask_backups(only_backups);
        let candidates = self.pool.backends().iter().enumerate().map(|(index, backend)| Candidate {
            score: self.policy.score(&choice, index),
            skipped: why_not(backend, &choice, only_backups, lot, now),
        });
        let candidates: Vec<Candidate> = candidates.collect();
        let entry = policy::REGISTRY.iter().find(|entry| entry.name == self.policy.name());
        Explanation {
            policy: self.policy.name(),
            score_is: entry.map_or("", |entry| entry.score),
            how: self.how(chosen, &candidates, now),
            chosen,
            candidates,
        }
    }

    fn how(&self, chosen: Option<usize>, candidates: &[Candidate], now: Instant) -> String {
        let Some(index) = chosen else {
            return if self.is_full(&Tried::default(), now) {
                "nobody has room: the client waits in the pool's queue".to_owned()
            } else {
                "nobody is left: the client is turned away".to_owned()
            };
        };
        let asked = candidates.iter().filter(|candidate| candidate.skipped.is_none()).count();
        let backend = &self.pool.backends()[index];
        if backend.is_passed_over(now) {
            "nobody is available, so one that is down or passed over is tried".to_owned()
        } else if backend.is_backup() {
            "none of the others is available, so the backups serve".to_owned()
        } else {
            format!("{} chose among {asked}", self.policy.name())
        }
    }
}

fn why_not(
    backend: &Backend,
    choice: &Choice<'_>,
    only_backups: bool,
    lot: Option<u64>,
    now: Instant,
) -> Option<String> {
    let last_reason = |what: &str| {
        let changes = backend.stats().changes();
        changes.iter().rev().find(|change| change.what == what).map(|change| format!(": {}", change.why))
    };
    let now_ms = choice.now_ms();
    if backend.weight() == 0 {
        return Some(format!("its weight is 0{}", last_reason("drained").unwrap_or_default()));
    }
    if backend.is_down() {
        return Some(format!("checks have given it up{}", last_reason("down").unwrap_or_default()));
    }
    if backend.is_passed_over(now) {
        return Some(format!(
            "it is passed over for a while{}",
            last_reason("passed over").unwrap_or_default()
        ));
    }
    if backend.is_backup() != only_backups {
        let why =
            if only_backups { "only backups are asked" } else { "it is a backup, and others are available" };
        return Some(why.to_owned());
    }
    if !backend.has_room() {
        return Some("it has as many connections as it may".to_owned());
    }
    if lot.is_some_and(|lot| !super::choice::takes_part(backend, lot, now_ms)) {
        let percent = backend.permille(now_ms) * 100 / FULL_PERMILLE;
        return Some(format!(
            "it starts slowly: it is asked in {percent} % of the choices, and not in this one"
        ));
    }
    if !choice.has_room(backend) {
        return Some("it has as much of the load as max_load_percent gives it".to_owned());
    }
    None
}
