//! A new configuration for a worker at work: nothing that stays is touched.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use super::layout::Layout;
use super::{ACCEPT_BATCH, Proxy};
use crate::balance::policy::{self, Seed};
use crate::balance::{Balancer, Pool};
use crate::clients::Clients;
use crate::config::Config;
use crate::ctx::Ctx;
use crate::health::Checks;
use crate::metrics::FrontendCounts;
use crate::net::Net;

/// What a worker goes on with.
pub struct Renewal<L> {
    /// The new configuration. What cannot change while a process runs is as it was.
    pub config: Arc<Config>,
    /// Its pools, in its order: successors of those that stay.
    pub pools: Vec<Arc<Pool>>,
    /// What clients have, for each of its frontends that limits it.
    pub clients: Vec<Option<Arc<Clients>>>,
    /// Where clients come in, and by which of its frontends. Listeners that are not among these are closed.
    pub listeners: Vec<(Source<L>, usize)>,
    /// Clients at once, in this worker.
    pub max_connections: usize,
    /// For policies that are new.
    pub seed: Seed,
}

/// Where a listener comes from.
pub enum Source<L> {
    /// It is there already, in this slot.
    Kept(usize),
    /// It is new.
    New(L),
}

impl<N: Net> Proxy<N> {
    /// Goes on with a new configuration. Sessions stay with what they began with where that is gone.
    ///
    /// # Errors
    /// A new listener cannot be watched. The others are.
    pub fn renew(&mut self, renewal: Renewal<N::Listener>) -> io::Result<()> {
        let Renewal { config, pools, clients, listeners, max_connections, seed } = renewal;
        let (in_use, pools_in_use) = self.in_use();
        let has_other_queues = config.limits.backlog != self.ctx.config.limits.backlog;
        // A pool of the same name that does not succeed it is another one: one that was gone and has come back.
        let own_place = |pool: &Arc<Pool>| self.ctx.pools.iter().position(|old| pool.succeeds(old.pool()));
        let layout = Layout::new(
            &self.ctx.config,
            &config,
            pools.iter().map(own_place).collect(),
            |frontend| in_use.contains(&frontend),
            |pool| pools_in_use.contains(&pool) || self.ctx.waiting.len(pool) > 0,
        );
        let replaced = renew_pools(&mut self.ctx, &layout, pools, seed);
        // Those that are gone take nobody in.
        self.ctx.clients = vec![None; layout.config.frontends.len()];
        clients
            .into_iter()
            .zip(&layout.frontends)
            .for_each(|(clients, &place)| self.ctx.clients[place] = clients);
        self.ctx.departed =
            (0..self.ctx.clients.len()).map(|place| !layout.frontends.contains(&place)).collect();
        // Who takes a place begins to count.
        for (place, frontend) in layout.config.frontends.iter().enumerate() {
            if self.ctx.config.frontends.get(place).is_some_and(|old| old.name != frontend.name) {
                *self.ctx.metrics.frontend(place) = FrontendCounts::default();
            }
        }
        self.ctx.config = Arc::new(layout.config);
        self.news.extend(&self.ctx);
        self.renew_links(&replaced);
        self.max_connections = max_connections;
        self.full = false;
        self.ctx.links.limit(max_connections);
        let outcome = self.renew_listeners(listeners, &layout.frontends);
        if has_other_queues {
            self.renew_queues();
        }
        self.hurry_those_that_are_left();
        outcome
    }

    /// Whose frontend has gone has less time from now on to ask for something.
    fn hurry_those_that_are_left(&mut self) {
        if !self.ctx.departed.contains(&true) {
            return;
        }
        for id in self.sessions.ids() {
            let tenant = self.sessions.get(id);
            if tenant.is_some_and(|tenant| self.ctx.is_leaving(tenant.session.frontend())) {
                self.step(id);
            }
        }
    }

    fn renew_queues(&self) {
        let backlog = self.ctx.config.limits.backlog;
        for (_, listener) in self.listeners.sockets() {
            if let Err(error) = self.ctx.net.set_backlog(listener, backlog) {
                log::warn!("a listener's queue stays as long as it was: {error}");
            }
        }
    }

    /// What the clients of each frontend have, where that is limited.
    pub fn limit_clients(&mut self, clients: Vec<Option<Arc<Clients>>>) {
        self.ctx.clients = clients;
    }

    /// Gives this worker the checks of backends to make.
    pub fn make_checks(&mut self, checks: Checks<N::Socket>) {
        self.checks = Some(checks).filter(|checks| !checks.is_empty());
    }

    /// The same after a reload: what is known of those that stay is not forgotten.
    pub fn renew_checks(&mut self, config: &Config, pools: &[Arc<Pool>], seed: u64) {
        let fresh = Checks::new(config, pools, seed, self.ctx.now);
        let checks = match self.checks.take() {
            Some(old) => fresh.after(old),
            None => fresh,
        };
        self.make_checks(checks);
    }

    /// The frontends and pools that sessions name, or will: clients may wait in the queues of listeners that are to go.
    fn in_use(&self) -> (HashSet<usize>, HashSet<usize>) {
        let (mut frontends, mut pools) = (self.listeners.frontends().collect::<HashSet<_>>(), HashSet::new());
        for id in self.sessions.ids() {
            if let Some(tenant) = self.sessions.get(id) {
                frontends.insert(tenant.session.frontend());
                pools.insert(tenant.session.pool(&self.ctx));
            }
        }
        (frontends, pools)
    }

    /// Connections that wait for a backend that has gone wait in vain.
    fn renew_links(&mut self, replaced: &[usize]) {
        let Ctx { links, pools, config, .. } = &mut self.ctx;
        let (max_idle, timeout) = (config.limits.max_idle, config.timeouts.backend_idle);
        links.renew(max_idle, timeout, |(pool, backend)| {
            !replaced.contains(&pool)
                && pools.get(pool).is_some_and(|balancer| balancer.pool().contains(backend))
        });
    }

    /// Closes the listeners that are gone, and opens those that are new; `places` says where their frontends stand.
    fn renew_listeners(
        &mut self,
        listeners: Vec<(Source<N::Listener>, usize)>,
        places: &[usize],
    ) -> io::Result<()> {
        let kept: HashSet<usize> = listeners
            .iter()
            .filter_map(|(source, _)| match source {
                Source::Kept(slot) => Some(*slot),
                Source::New(_) => None,
            })
            .collect();
        for slot in 0..self.listeners.len() {
            if !kept.contains(&slot) {
                self.close_listener(slot);
            }
        }
        let mut outcome = Ok(());
        for (source, frontend) in listeners {
            match source {
                Source::Kept(slot) => self.listeners.assign(slot, places[frontend]),
                Source::New(socket) => {
                    let added = self.listeners.add(socket, places[frontend], &mut self.ctx.net);
                    outcome = outcome.and(added);
                }
            }
        }
        self.first_listener = 0;
        outcome
    }

    /// Takes what the kernel has queued, and closes: closing resets the rest.
    fn close_listener(&mut self, slot: usize) {
        self.listeners.expect(slot);
        // As many as can be queued now; under a flood, more would come for ever.
        let rounds = self.ctx.config.limits.backlog as usize / ACCEPT_BATCH + 1;
        let _ = (0..rounds).all(|_| self.accept_batch(slot));
        self.listeners.remove(slot);
    }
}

/// Puts pools in their places. Those places that had another pool before are returned.
fn renew_pools<N: Net>(ctx: &mut Ctx<N>, layout: &Layout, pools: Vec<Arc<Pool>>, seed: Seed) -> Vec<usize> {
    let mut replaced = Vec::new();
    for (pool, &place) in pools.into_iter().zip(&layout.pools) {
        let settings = &layout.config.pools[place];
        let fresh = || {
            policy::build(settings.policy, seed).expect("the configuration only holds registered policies")
        };
        match ctx.pools.get_mut(place) {
            // Nothing about it has changed: not even whose turn it is.
            Some(balancer) if Arc::ptr_eq(balancer.pool(), &pool) => {}
            Some(balancer) if pool.succeeds(balancer.pool()) => {
                let policy = (balancer.policy_name() != settings.policy).then(fresh);
                balancer.succeed(pool, policy);
            }
            Some(balancer) => {
                *balancer = Balancer::new(pool, fresh());
                replaced.push(place);
            }
            None => ctx.pools.push(Balancer::new(pool, fresh())),
        }
        ctx.pools[place].set_retry_budget(layout.config.limits.retry_budget_percent);
        ctx.pools[place].set_max_load(settings.max_load_percent);
    }
    replaced
}
