//! A frontend over all workers.

use std::net::SocketAddr;

use crate::metrics::FrontendCounts;
use crate::proxy::Observed;

/// What its workers say together.
#[derive(Default)]
pub(super) struct Entrance {
    pub(super) name: String,
    pub(super) counts: FrontendCounts,
    /// Where it listens; empty if it has gone, and only its clients are still there.
    pub(super) listen: Vec<SocketAddr>,
    /// Connections in the kernel's queue.
    pub(super) queue: u32,
    /// And how many may be.
    pub(super) queue_most: u32,
}

/// All of them, in their order.
pub(super) fn entrances(observed: &[(usize, Observed)]) -> Vec<Entrance> {
    let mut all: Vec<Entrance> = Vec::new();
    for (_, one) in observed {
        for (name, counts) in &one.frontends {
            let known = all.iter().position(|known| known.name == *name).unwrap_or_else(|| {
                all.push(Entrance { name: name.clone(), ..Entrance::default() });
                all.len() - 1
            });
            all[known].counts += counts;
        }
        for listening in &one.listeners {
            if let Some(known) = all.iter_mut().find(|known| known.name == listening.frontend) {
                known.queue += listening.queue;
                known.queue_most += listening.queue_most;
                // Each worker has a socket of its own there.
                if !known.listen.contains(&listening.address) {
                    known.listen.push(listening.address);
                }
            }
        }
    }
    all
}
