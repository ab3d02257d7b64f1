//! What is the bottleneck, in words.

use super::stats::{Backend, Pool, Stats};

/// Nearly all of something is in use.
const NEARLY: f64 = 0.9;
/// A worker that waits this part of its time for a CPU has too little of it.
const STARVED: f64 = 0.2;

/// What is short now, one line each, and what to do about it; empty if nothing is.
pub fn lines(stats: &Stats) -> Vec<String> {
    let mut lines = Vec::new();
    if stats.max_fds > 0 && stats.open_fds as f64 > NEARLY * stats.max_fds as f64 {
        lines.push(format!(
            "file descriptors: {} of {} are open: raise the limit (ulimit -n), or lower max_connections",
            stats.open_fds, stats.max_fds
        ));
    }
    for worker in &stats.workers {
        if worker.sessions >= worker.max_connections {
            lines.push(format!(
                "max_connections: worker {} has all {} that it may, further clients wait in the kernel's queue",
                worker.worker, worker.max_connections
            ));
        }
        if worker.busy > NEARLY {
            lines.push(format!(
                "loop: worker {} is busy {:.0} % of the time: add --workers, if there are cores",
                worker.worker,
                worker.busy * 100.0
            ));
        }
        if worker.starved > STARVED {
            lines.push(format!(
                "CPU: worker {} waits {:.0} % of the time for a core that others have",
                worker.worker,
                worker.starved * 100.0
            ));
        }
    }
    for frontend in &stats.frontends {
        if frontend.queue > 0 && f64::from(frontend.queue) > f64::from(frontend.queue_most) / 2.0 {
            lines.push(format!(
                "accept queue: {} of {} places of frontend {} are taken: the loop does not keep up, or clients are at their limit",
                frontend.queue, frontend.queue_most, frontend.name
            ));
        }
    }
    stats.pools.iter().for_each(|pool| add_pool(pool, &mut lines));
    lines
}

fn add_pool(pool: &Pool, lines: &mut Vec<String>) {
    if !pool.backends.iter().any(Backend::is_available) {
        lines.push(format!("pool {}: none of its {} backends is available", pool.name, pool.backends.len()));
    }
    if pool.waiting > 0 {
        lines.push(format!(
            "pool {}: {} wait, since every backend has its max_connections",
            pool.name, pool.waiting
        ));
    }
    for backend in pool.backends.iter().filter(|backend| backend.is_available()) {
        if backend.max_connections.is_some_and(|most| backend.in_flight >= most) {
            lines.push(format!(
                "backend {} of pool {}: has all {} that it may",
                backend.name, pool.name, backend.in_flight
            ));
        }
    }
}

/// How much there is to spare, in a sentence.
pub fn headroom(stats: &Stats) -> String {
    let busiest = stats.workers.iter().map(|worker| worker.busy).fold(0.0, f64::max) * 100.0;
    let sessions: usize = stats.workers.iter().map(|worker| worker.sessions).sum();
    let most: usize = stats.workers.iter().map(|worker| worker.max_connections).sum();
    format!(
        "the busiest loop is busy {busiest:.0} % of the time; {sessions} of {most} connections and {} of {} file descriptors are open",
        stats.open_fds, stats.max_fds
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::stats::{Frontend, Worker};

    fn well() -> Stats {
        let backend = |name: &str| Backend { name: name.into(), state: "up".into(), ..Backend::default() };
        Stats {
            open_fds: 10,
            max_fds: 100,
            workers: vec![Worker { max_connections: 10, sessions: 9, busy: 0.5, ..Worker::default() }],
            frontends: vec![Frontend { name: "f".into(), queue: 1, queue_most: 8, ..Frontend::default() }],
            pools: vec![Pool {
                name: "p".into(),
                backends: vec![backend("a"), backend("b")],
                ..Pool::default()
            }],
            ..Stats::default()
        }
    }

    #[test]
    fn each_shortage_has_its_line_and_nothing_else_has() {
        assert_eq!(lines(&well()), [""; 0]);
        assert!(
            headroom(&well()).starts_with("the busiest loop is busy 50 % of the time; 9 of 10 connections")
        );
        let of = |change: &dyn Fn(&mut Stats)| {
            let mut stats = well();
            change(&mut stats);
            let lines = lines(&stats);
            assert_eq!(lines.len(), 1, "{lines:?}");
            lines[0].split(':').next().unwrap().to_owned()
        };
        assert_eq!(of(&|stats| stats.open_fds = 91), "file descriptors");
        assert_eq!(of(&|stats| stats.workers[0].sessions = 10), "max_connections");
        assert_eq!(of(&|stats| stats.workers[0].busy = 0.95), "loop");
        assert_eq!(of(&|stats| stats.workers[0].starved = 0.3), "CPU");
        assert_eq!(of(&|stats| stats.frontends[0].queue = 5), "accept queue");
        assert_eq!(of(&|stats| stats.pools[0].waiting = 1), "pool p");
        assert_eq!(of(&|stats| stats.pools[0].backends[1].max_connections = Some(0)), "backend b of pool p");
        let down = |stats: &mut Stats| {
            stats.pools[0].backends.iter_mut().for_each(|backend| backend.state = "down".into());
        };
        assert_eq!(of(&down), "pool p");
    }
}
