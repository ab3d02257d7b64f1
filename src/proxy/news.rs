//! What workers have to tell each other about backends: that there is room, that one is down. The news itself is in the
//! pools, which all share; here it is heeded, once a turn.

use crate::balance::Pool;
use crate::config::{self, Check, OnDown};
use crate::ctx::Ctx;
use crate::net::Net;
use crate::token::SessionId;

use super::Proxy;

/// What this worker knows, for each pool.
#[derive(Default)]
pub(super) struct News {
    seen: Vec<Seen>,
    /// There may be news at all: some pool has caps or checks.
    is_awaited: bool,
    /// Others are to look at what this worker has found.
    for_others: bool,
}

/// The numbers that the pool's news had when they were heeded last.
#[derive(Clone, Copy)]
struct Seen {
    room: u64,
    outages: u64,
}

impl News {
    /// Everything up to now is known.
    pub(super) fn new<N: Net>(ctx: &Ctx<N>) -> News {
        let seen = |pool: &Pool| Seen { room: pool.room_news(), outages: pool.outage_news() };
        let seen = ctx.pools.iter().map(|balancer| seen(balancer.pool())).collect();
        News { seen, is_awaited: is_awaited(ctx), for_others: false }
    }
}

impl News {
    /// There are so many pools now; what is new is known up to now.
    pub(super) fn extend<N: Net>(&mut self, ctx: &Ctx<N>) {
        self.is_awaited = is_awaited(ctx);
        for balancer in ctx.pools.iter().skip(self.seen.len()) {
            let pool = balancer.pool();
            self.seen.push(Seen { room: pool.room_news(), outages: pool.outage_news() });
        }
    }
}

fn is_awaited<N: Net>(ctx: &Ctx<N>) -> bool {
    let has_news = |pool: &config::Pool| {
        pool.health.check != Check::Off
            || pool.backends.iter().any(|backend| backend.max_connections.is_some())
    };
    // Who waits in a line may do so in a pool that had caps before a reload.
    ctx.config.pools.iter().any(has_news) || !ctx.waiting.is_empty()
}

impl<N: Net> Proxy<N> {
    /// Whether other workers are to be woken, since what happened here concerns them too. True once for each occasion.
    pub fn take_news_for_others(&mut self) -> bool {
        std::mem::take(&mut self.news.for_others)
    }

    /// Whether there may be room for somebody who waits, here or elsewhere.
    pub(super) fn has_news(&self) -> bool {
        if !self.news.is_awaited {
            return false;
        }
        let pools =
            self.news.seen.iter().zip(&self.ctx.pools).map(|(seen, balancer)| (seen, balancer.pool()));
        pools.into_iter().any(|(seen, pool)| pool.room_news() != seen.room && pool.waiting() > 0)
    }

    /// Serves who waits where there may be room, and ends what is to be ended where a backend is down.
    pub(super) fn heed_news(&mut self) {
        if !self.news.is_awaited {
            return;
        }
        for pool in 0..self.news.seen.len() {
            let shared = self.ctx.pools[pool].pool();
            let (room, outages, waiting) = (shared.room_news(), shared.outage_news(), shared.waiting());
            let seen = std::mem::replace(&mut self.news.seen[pool], Seen { room, outages });
            if outages != seen.outages {
                self.news.for_others = true;
                if self.ctx.config.pools[pool].health.on_down == OnDown::Close {
                    self.abandon_those_down();
                }
            }
            if room != seen.room && waiting > 0 {
                self.news.for_others |= waiting > self.ctx.waiting.len(pool);
                self.serve_line(pool);
            }
        }
    }

    /// Gives everybody in a pool's line a turn, the first one first, as long as somebody has room.
    fn serve_line(&mut self, pool: usize) {
        let mut last = None;
        while let Some((place, id)) = self.ctx.waiting.next(pool, last)
            && self.ctx.pools[pool].pool().has_room()
        {
            last = Some(place);
            self.step(id);
        }
    }

    /// Takes sessions away from backends that are down.
    fn abandon_those_down(&mut self) {
        let is_down = |id: &SessionId| {
            let tenant = self.sessions.get(*id);
            tenant.and_then(|tenant| tenant.session.backend()).is_some_and(|backend| backend.is_down())
        };
        let ids: Vec<SessionId> = self.sessions.ids().into_iter().filter(is_down).collect();
        for id in ids {
            self.give(id, |session, ctx| session.abandon(ctx));
        }
    }
}
