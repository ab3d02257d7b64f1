//! Looking into a running proxy, and the changes that operators make to it without its file.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, mpsc};
use std::time::Duration;

use super::{Answers, Control, Order, Reloaded};
use crate::balance::Pool;
use crate::config::{Config, diff};
use crate::proxy::{Explained, Observed, Question};

/// How long a worker may take to answer: it has a turn to finish first.
const PATIENCE: Duration = Duration::from_secs(2);

/// What an operator wants of a backend, whatever the file says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Nothing new goes to it.
    pub drained: bool,
    /// Its weight otherwise.
    pub weight: Option<u32>,
}

/// What is wanted, by pool and backend.
pub type WantedByName = BTreeMap<(String, String), Wanted>;

/// What a configuration would change, and whom that concerns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// One line for each difference.
    pub changes: Vec<String>,
    /// What would stay as it is until a restart.
    pub left: Vec<String>,
    /// Backends that would drain, as `pool/backend`, with the connections or requests they have now.
    pub draining: Vec<(String, u64)>,
    /// Frontends that would go, with the connections they have now.
    pub closing: Vec<(String, u64)>,
}

/// The configuration with what operators want on top.
pub(super) fn with_wanted(mut config: Config, wanted: &WantedByName) -> Config {
    for pool in &mut config.pools {
        for backend in &mut pool.backends {
            if let Some(wanted) = wanted.get(&(pool.name.clone(), backend.name.clone())) {
                backend.weight = if wanted.drained { 0 } else { wanted.weight.unwrap_or(backend.weight) };
            }
        }
    }
    config
}

impl Control {
    /// What every worker looks like now. Those that do not answer in time are left out.
    pub fn observe(&self) -> Vec<(usize, Observed)> {
        self.ask(|worker, to| Order::Observe { worker, to })
    }

    /// Which backend a client would get now, from each worker.
    pub fn explain(&self, question: &Question) -> Vec<(usize, Result<Explained, String>)> {
        self.ask(|worker, to| Order::Explain { worker, question: question.clone(), to })
    }

    /// What the workers answer, in their order, each with its number.
    fn ask<T>(&self, order: impl Fn(usize, Answers<T>) -> Order) -> Vec<(usize, T)> {
        let (to, answers) = mpsc::channel();
        {
            let present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
            self.order(&present, |worker| order(worker, to.clone()));
        }
        drop(to);
        let mut all = Vec::new();
        while let Ok(answer) = answers.recv_timeout(PATIENCE) {
            all.push(answer);
        }
        all.sort_by_key(|(worker, _)| *worker);
        all
    }

    /// The configuration it runs with, its pools in the same order, and what operators want.
    pub fn present(&self) -> (Arc<Config>, Vec<Arc<Pool>>, WantedByName) {
        let present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        (Arc::clone(&present.config), present.pools.clone(), present.wanted.clone())
    }

    /// Changes what is wanted of a backend.
    ///
    /// # Errors
    /// Why nothing has changed, as one line.
    pub fn want(
        &self,
        pool: &str,
        backend: &str,
        change: impl FnOnce(&mut Wanted),
    ) -> Result<Reloaded, String> {
        self.change("an operator", |present| {
            let (mut all, key) = (present.wanted.clone(), (pool.to_owned(), backend.to_owned()));
            let mut wanted = all.remove(&key).unwrap_or_default();
            change(&mut wanted);
            if wanted != Wanted::default() {
                all.insert(key, wanted);
            }
            (present.base.clone(), all)
        })
    }

    /// What [`Control::reload`] would change.
    ///
    /// # Errors
    /// Why it would change nothing.
    pub fn preview(&self, new: Config) -> Result<Preview, String> {
        let (config, pools, wanted) = self.present();
        let (new, left) = config.keep_what_cannot_change(with_wanted(new, &wanted))?;
        let mut preview = Preview { changes: diff::lines(&config, &new), left, ..Preview::default() };
        for (settings, pool) in config.pools.iter().zip(&pools) {
            let then = new.pools.iter().find(|one| one.name == settings.name);
            for backend in pool.backends() {
                let stays = then.is_some_and(|pool| {
                    let mut backends = pool.backends.iter();
                    backends.any(|one| {
                        one.name == backend.name && one.address == backend.address && one.weight > 0
                    })
                });
                if !stays && backend.weight() > 0 {
                    let name = format!("{}/{}", settings.name, backend.name);
                    preview.draining.push((name, backend.connections().into()));
                }
            }
        }
        let goes = |name: &str| !new.frontends.iter().any(|frontend| frontend.name == name);
        let mut closing = BTreeMap::new();
        for (_, observed) in self.observe() {
            for (name, counts) in observed.frontends.into_iter().filter(|(name, _)| goes(name)) {
                *closing.entry(name).or_default() += counts.accepted - counts.closed;
            }
        }
        preview.closing = closing.into_iter().collect();
        Ok(preview)
    }

    /// Wakes the worker that has the admin endpoint: there is an answer.
    pub fn wake_desk(&self) {
        if let Some(waker) = self.shared.wakers.first()
            && let Err(error) = waker.wake()
        {
            log::error!("cannot wake a worker: {error}");
        }
    }
}
