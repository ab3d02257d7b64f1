//! The handle on a running proxy: stop it, or give it another configuration.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use super::look::{WantedByName, with_wanted};
use super::sockets::Open;
use super::{Lent, Order, Shared, seed, share};
use crate::balance::Pool;
use crate::clients::Clients;
use crate::config::{Config, diff};
use crate::net::os::SocketOptions;
use crate::proxy::Renewal;

/// Controls a running proxy, from any thread.
#[derive(Clone)]
pub struct Control {
    pub(super) shared: Arc<Shared>,
    pub(super) present: Arc<Mutex<Present>>,
}

/// What the proxy runs with.
pub(super) struct Present {
    /// As it was configured.
    pub(super) base: Config,
    /// What operators want otherwise.
    pub(super) wanted: WantedByName,
    /// Both together.
    pub(super) config: Arc<Config>,
    pub(super) pools: Vec<Arc<Pool>>,
    pub(super) clients: Vec<Option<Arc<Clients>>>,
    pub(super) open: Open,
    pub(super) options: SocketOptions,
    /// To each worker.
    pub(super) orders: Vec<mpsc::Sender<Order>>,
}

/// What came of a new configuration.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// What is different now, one line each.
    pub changes: Vec<String>,
    /// What is not, because it cannot change while a process runs.
    pub left: Vec<String>,
    /// Where it listens that it did not before.
    pub opened: Vec<SocketAddr>,
}

impl Control {
    pub(super) fn new(shared: Arc<Shared>, present: Present) -> Control {
        Control { shared, present: Arc::new(Mutex::new(present)) }
    }

    /// Stops accepting; open connections may finish until `drain_timeout_ms` is over.
    pub fn drain(&self) {
        self.shared.drain();
    }

    /// The same, where another process has taken over: nobody is in a hurry, and who might say something just now is not
    /// cut off.
    pub fn drain_gently(&self) {
        self.shared.gently.store(true, Ordering::Release);
        self.shared.drain();
    }

    /// Another descriptor for every listening socket: whoever has it shares the queue.
    ///
    /// # Errors
    /// It is stopping, or there are no descriptors left.
    pub fn lend_listeners(&self) -> io::Result<Lent> {
        let present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        if self.shared.stopping.load(Ordering::Acquire) {
            return Err(io::Error::other("it is stopping"));
        }
        let (to, lent) = mpsc::channel();
        self.order(&present, |_| Order::Lend { to: to.clone() });
        drop(to);
        let mut all = Lent::default();
        for (is_desk, socket) in lent {
            if is_desk {
                all.desk = Some(socket?);
            } else {
                all.listeners.push(socket?);
            }
        }
        Ok(all)
    }

    /// Whether every worker goes on with its work within this time.
    pub fn is_alive(&self, within: Duration) -> bool {
        let present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let (done, answers) = mpsc::channel();
        self.order(&present, |_| Order::Answer { _done: done.clone() });
        drop(done);
        answers.recv_timeout(within) == Err(mpsc::RecvTimeoutError::Disconnected)
    }

    pub(super) fn order(&self, present: &Present, mut order: impl FnMut(usize) -> Order) {
        for (index, orders) in present.orders.iter().enumerate() {
            // A worker that is gone has stopped them all.
            let _ = orders.send(order(index));
        }
        self.shared.orders.fetch_add(1, Ordering::AcqRel);
        self.shared.wake();
    }

    /// Whether it was told to drain.
    pub fn is_stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::Acquire)
    }

    /// Goes on with another configuration, and returns when every worker does. What both have in common is not touched:
    /// its listeners and backends lose no connection and no count. Backends that are gone keep the connections they have.
    ///
    /// # Errors
    /// Why nothing has changed, as one line.
    pub fn reload(&self, new: Config) -> Result<Reloaded, String> {
        self.change("a reload", |present| (new, present.wanted.clone()))
    }

    /// Goes on with what `change` makes of the configuration as it was given, and of what operators want otherwise. `by`: who
    /// wants it, for the history of backends.
    pub(super) fn change(
        &self,
        by: &str,
        change: impl FnOnce(&Present) -> (Config, WantedByName),
    ) -> Result<Reloaded, String> {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        if self.shared.stopping.load(Ordering::Acquire) {
            return Err("it is stopping".to_owned());
        }
        let (base, mut wanted) = change(&present);
        // Who comes back later, comes back as the file has it.
        wanted.retain(|(pool, backend), _| {
            let mut pools = base.pools.iter().filter(|one| one.name == *pool);
            pools.any(|pool| pool.backends.iter().any(|one| one.name == *backend))
        });
        let (config, left) = present.config.keep_what_cannot_change(with_wanted(base.clone(), &wanted))?;
        let changes = diff::lines(&present.config, &config);
        if changes.is_empty() {
            (present.base, present.wanted) = (base, wanted);
            return Ok(Reloaded { left, ..Reloaded::default() });
        }
        let config = Arc::new(config);
        let (open, listeners) =
            present.open.renewed(&config, &present.options, Vec::new()).map_err(|error| error.to_string())?;
        let pools = present.successors(&config);
        note_weights(&present.config, &config, &pools, by);
        let clients = present.clients_of(&config);
        let has_gone = |old: &&Arc<Pool>| !pools.iter().any(|pool| pool.succeeds(old));
        present.pools.iter().filter(has_gone).for_each(|pool| pool.retire());
        let (done, failures) = mpsc::channel();
        let mut listeners = listeners.into_iter();
        self.order(&present, |index| {
            let max_connections = share(config.limits.max_connections, index, config.workers);
            let renewal = Renewal {
                config: Arc::clone(&config),
                pools: pools.clone(),
                clients: clients.clone(),
                listeners: listeners.next().unwrap_or_default(),
                max_connections,
                seed: seed(index),
            };
            Order::Renew { renewal: Box::new(renewal), makes_checks: index == 0, done: done.clone() }
        });
        drop(done);
        let before = present.open.addresses();
        let opened = open.addresses().into_iter().filter(|address| !before.contains(address)).collect();
        (present.config, present.pools, present.clients, present.open) = (config, pools, clients, open);
        (present.base, present.wanted) = (base, wanted);
        // Until each has dropped its end.
        failures.iter().for_each(|error| log::error!("a worker cannot watch a listener: {error}"));
        Ok(Reloaded { changes, left, opened })
    }
}

/// Remembers which backends have another weight.
fn note_weights(old: &Config, new: &Config, pools: &[Arc<Pool>], by: &str) {
    for (settings, pool) in new.pools.iter().zip(pools) {
        let before = old.pools.iter().filter(|one| one.name == settings.name).flat_map(|one| &one.backends);
        for backend in pool.backends() {
            let mut known =
                before.clone().filter(|one| one.name == backend.name && one.address == backend.address);
            let Some(then) = known.next().map(|one| one.weight) else { continue };
            let what = match (then, backend.weight()) {
                (then, now) if then == now => continue,
                (_, 0) => "drained",
                (0, _) => "enabled",
                _ => "weighed",
            };
            let why = format!("by {by}: weight {then} -> {}", backend.weight());
            backend.stats().note(what, why, crate::net::os::now());
        }
    }
}

impl Present {
    fn clients_of(&self, new: &Config) -> Vec<Option<Arc<Clients>>> {
        let named = self.config.frontends.iter().zip(&self.clients);
        let before: Vec<_> =
            named.filter_map(|(frontend, clients)| Some((&*frontend.name, clients.clone()?))).collect();
        super::clients(new, &before, crate::net::os::now())
    }

    /// The pools of a new configuration: the same where nothing about them has changed, successors where something has.
    fn successors(&self, new: &Config) -> Vec<Arc<Pool>> {
        let is_as_before = (&self.config.timeouts.backoff, &self.config.timeouts.backoff_max)
            == (&new.timeouts.backoff, &new.timeouts.backoff_max);
        let successor = |of_one: &crate::config::Pool| {
            let known = self.config.pools.iter().zip(&self.pools).find(|(old, _)| old.name == of_one.name);
            Arc::new(match known {
                Some((old, pool)) if old == of_one && is_as_before => return Arc::clone(pool),
                Some((_, pool)) => pool.successor(of_one, &new.timeouts),
                None => Pool::new(of_one, &new.timeouts, crate::net::os::now()),
            })
        };
        new.pools.iter().map(successor).collect()
    }
}
