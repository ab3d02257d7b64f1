//! What one worker looks like at a moment, for whoever shows it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};

use super::Proxy;
use crate::admin::{Asked, Desk, Told};
use crate::balance::{Explanation, Pool};
use crate::config::Mode;
use crate::metrics::{FrontendCounts, LAG_EVERY, Metrics};
use crate::net::Net;

/// One worker between two turns.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Its counters.
    pub metrics: Metrics,
    /// Clients connected.
    pub sessions: usize,
    /// Those it may have.
    pub max_connections: usize,
    /// Sessions that wait for another turn.
    pub run_queue: usize,
    /// Relay buffers that hold something.
    pub buffers: usize,
    /// Connections to backends, those that wait for reuse included.
    pub links: usize,
    /// What came in on each frontend, by name, those included that are gone and still have clients.
    pub frontends: Vec<(String, FrontendCounts)>,
    /// Where it listens.
    pub listeners: Vec<Listening>,
}

/// A listening socket.
#[derive(Clone, Debug)]
pub struct Listening {
    /// The name of its frontend.
    pub frontend: String,
    /// Where it is.
    pub address: SocketAddr,
    /// Connections in its queue.
    pub queue: u32,
    /// And how many may be.
    pub queue_most: u32,
}

/// Who would get which backend?
#[derive(Clone, Debug)]
pub struct Question {
    /// The client.
    pub client: IpAddr,
    /// Where it comes in; `None`: on the first frontend.
    pub frontend: Option<String>,
    /// Whom its request is for, in HTTP mode.
    pub host: String,
    /// What it asks for.
    pub target: String,
}

/// The answer.
pub struct Explained {
    /// Where the client comes in.
    pub frontend: String,
    /// The pool it is sent to.
    pub pool: Arc<Pool>,
    /// And there.
    pub explanation: Explanation,
}

impl<N: Net> Proxy<N> {
    /// Opens the admin endpoint here: requests go into `asked`, answers come from `told`.
    ///
    /// # Errors
    /// The listener cannot be watched.
    pub fn open_desk(
        &mut self,
        listener: N::Listener,
        asked: SyncSender<Asked>,
        told: Receiver<Told>,
    ) -> io::Result<()> {
        self.desk = Some(Box::new(Desk::open(listener, asked, told, &mut self.ctx.net)?));
        Ok(())
    }

    /// Where visitors of the admin endpoint come in.
    pub fn desk_listener(&self) -> Option<&N::Listener> {
        self.desk.as_ref()?.listener()
    }

    /// Which backend a client would get now, if it came to this worker.
    ///
    /// # Errors
    /// There is no such frontend.
    pub fn explain(&self, question: &Question) -> Result<Explained, String> {
        let is_there = |place: &usize| !self.ctx.departed.get(*place).is_some_and(|departed| *departed);
        let mut places = (0..self.ctx.config.frontends.len()).filter(is_there);
        let frontends = &self.ctx.config.frontends;
        let place = match &question.frontend {
            None => places.next(),
            Some(name) => places.find(|place| frontends[*place].name == *name),
        };
        let Some(frontend) = place.map(|place| &frontends[place]) else {
            let names: Vec<&str> = frontends.iter().map(|frontend| &*frontend.name).collect();
            let wanted = question.frontend.as_deref().unwrap_or_default();
            return Err(format!("there is no frontend {wanted:?}: there is {}", names.join(", ")));
        };
        let pool = match frontend.mode {
            Mode::Tcp => frontend.pool,
            Mode::Http => frontend.route(&question.host, &question.target),
        };
        let balancer = &self.ctx.pools[pool];
        Ok(Explained {
            frontend: frontend.name.clone(),
            pool: Arc::clone(balancer.pool()),
            explanation: balancer.explain(question.client, self.ctx.now),
        })
    }

    /// What it looks like now.
    pub fn observe(&self) -> Observed {
        let name = |place: usize| self.ctx.config.frontends.get(place).map(|one| one.name.clone());
        let is_there = |place: usize| !self.ctx.departed.get(place).is_some_and(|departed| *departed);
        let counts = |place: usize| self.ctx.metrics.frontends.get(place).cloned().unwrap_or_default();
        let frontends = (0..self.ctx.config.frontends.len())
            .map(|place| (place, counts(place)))
            .filter(|(place, counts)| is_there(*place) || counts.accepted > counts.closed)
            .filter_map(|(place, counts)| Some((name(place)?, counts)));
        let listeners = self.listeners.with_frontends().filter_map(|(socket, frontend)| {
            let (queue, queue_most) = self.ctx.net.queue_depth(socket)?;
            let address = self.ctx.net.address(socket)?;
            Some(Listening { frontend: name(frontend)?, address, queue, queue_most })
        });
        Observed {
            metrics: self.ctx.metrics.clone(),
            sessions: self.sessions.len(),
            max_connections: self.max_connections,
            run_queue: self.run_queue.len(),
            buffers: self.ctx.buffers.in_use(),
            links: self.ctx.links.len(),
            frontends: frontends.collect(),
            listeners: listeners.collect(),
        }
    }

    /// Measures how long this turn took, once in a while.
    pub(super) fn measure_turn(&mut self) {
        self.ctx.metrics.turns += 1;
        if self.ctx.metrics.turns.is_multiple_of(LAG_EVERY) {
            let took = self.ctx.net.now().saturating_duration_since(self.ctx.now);
            self.ctx.metrics.lag.add(took);
        }
    }
}
