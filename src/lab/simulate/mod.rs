//! `simulate`: what a policy does, in virtual time.
//!
//! ```text
//! workload (from the seed) ─▶ engine ─▶ Balancer::choose ─▶ backend: places, queue ─▶ counts ─▶ table, page, JSON
//!                               ▲ time                             │ end: latency, success or failure
//!                               └──────────────────────────────────┘
//! ```
//!
//! The balancers are the proxy's own, with their pools, leases and penalties; so are the policies. What is simulated is
//! the rest: clients, backends and time. Every policy meets the same requests, since they are drawn before anybody
//! chooses. Policies run side by side, each in a thread, and do not know of each other: so the seed decides everything,
//! and only how fast it goes is up to the machine.

mod arguments;
mod assigned;
mod backend;
mod charts;
mod counts;
mod distribution;
mod engine;
mod found;
mod gauge;
mod members;
mod moved;
mod page;
mod plan;
mod table;
mod trace;
mod workload;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::Duration;

pub use arguments::Arguments;

use self::found::Found;
use self::plan::Plan;
use super::report::Progress;
use crate::net::os;

/// How often to look how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Runs what the arguments ask for, and prints what was found.
///
/// # Errors
/// An argument that makes no sense, a trace that cannot be read, or a file that cannot be written.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    let plan = Plan::new(arguments)?;
    let started = os::now();
    let found = all(&plan);
    let seconds = (os::now() - started).as_secs_f64();
    if let Some(picture) = &plan.picture {
        page::write(picture, &plan, &found)?;
    }
    if arguments.json {
        let text = serde_json::to_string_pretty(&found).map_err(|error| error.to_string())?;
        println!("{text}");
    } else {
        print!("{}", table::all(&plan, &found));
    }
    let requests = plan.world.kind.requests * found.len() as u64;
    eprintln!(
        "{requests} requests in {seconds:.2} s: {:.2} million a second",
        requests as f64 / seconds / 1e6
    );
    Ok(())
}

/// One after the other takes the next policy, in as many threads as there are CPUs.
fn all(plan: &Plan) -> Vec<Found> {
    let base = os::now();
    let (next, done) = (AtomicUsize::new(0), AtomicU64::new(0));
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(plan.policies.len());
    let (sender, receiver) = mpsc::channel();
    let mut found: Vec<(usize, Found)> = Vec::new();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, next, done) = (sender.clone(), &next, &done);
            scope.spawn(move || {
                let tell = |more| {
                    done.fetch_add(more, Relaxed);
                };
                loop {
                    let position = next.fetch_add(1, Relaxed);
                    let Some(policy) = plan.policies.get(position) else { break };
                    // It is heard to the end: the receiver outlives the threads.
                    let _ = sender.send((position, plan.play(policy, base, tell)));
                }
            });
        }
        drop(sender);
        let total = plan.world.kind.requests * plan.policies.len() as u64;
        let mut progress = Progress::new(total, os::now());
        loop {
            match receiver.recv_timeout(LOOK_EVERY) {
                Ok(one) => found.push(one),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
            progress.show(done.load(Relaxed), os::now());
        }
    });
    found.sort_by_key(|(position, _)| *position);
    found.into_iter().map(|(_, found)| found).collect()
}
