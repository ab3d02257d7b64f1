//! Workers: the same loop in N threads, over listening sockets that the kernel balances and backends they share.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use mio::Waker;
use mio::net::TcpListener;

use crate::balance::policy::{self, Seed};
use crate::balance::{Balancer, Pool};
use crate::config::{Config, Listen};
use crate::ctx::Ctx;
use crate::metrics::Metrics;
use crate::net::os::{self, OsNet, SocketOptions};
use crate::proxy::Proxy;

/// A proxy at work in threads of its own.
pub struct Running {
    /// Where it listens, in the order of the configuration; port 0 replaced by what the kernel picked.
    pub addresses: Vec<SocketAddr>,
    stopper: Stopper,
    workers: Vec<JoinHandle<io::Result<Metrics>>>,
}

/// Asks a running proxy to stop, from any thread.
#[derive(Clone)]
pub struct Stopper {
    shared: Arc<Shared>,
}

struct Shared {
    stopping: AtomicBool,
    /// Workers whose listeners are open.
    listening: AtomicUsize,
    wakers: Vec<Waker>,
}

/// A worker's listeners are open. Dropped, they are not, and the others are told.
struct Listening(Arc<Shared>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.listening.fetch_sub(1, Ordering::AcqRel);
        self.0.wake();
    }
}

impl Shared {
    fn wake(&self) {
        for waker in &self.wakers {
            if let Err(error) = waker.wake() {
                log::error!("cannot wake a worker: {error}");
            }
        }
    }
}

impl Stopper {
    /// Stops accepting; open connections may finish until `drain_timeout_ms` is over.
    pub fn drain(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.wake();
    }
}

impl Running {
    /// The handle that stops it.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Waits until every worker has drained, and sums up what they did.
    ///
    /// # Errors
    /// The event queue of a worker failed; the others were drained.
    pub fn wait(self) -> io::Result<Metrics> {
        let mut total = Metrics::default();
        let mut failure = None;
        for worker in self.workers {
            match worker.join() {
                Ok(Ok(metrics)) => total += &metrics,
                Ok(Err(error)) => failure = Some(error),
                Err(_) => failure = Some(io::Error::other("a worker panicked")),
            }
        }
        failure.map_or(Ok(total), Err)
    }
}

/// Opens the listening sockets and starts the workers.
///
/// # Errors
/// With the address in its text, what the kernel says about listening there; or no descriptors for the event queues.
pub fn start(config: Config) -> io::Result<Running> {
    let config = Arc::new(config);
    let options = SocketOptions::new(&config.timeouts);
    let (listeners, addresses) = open_listeners(&config, &options)?;
    let base = os::now();
    let pools: Vec<Arc<Pool>> =
        config.pools.iter().map(|pool| Arc::new(Pool::new(pool, &config.timeouts, base))).collect();

    let (nets, wakers): (Vec<_>, Vec<_>) =
        (0..config.workers).map(|_| OsNet::new(options)).collect::<io::Result<Vec<_>>>()?.into_iter().unzip();
    let (stopping, open) = (AtomicBool::new(false), AtomicUsize::new(config.workers));
    let stopper = Stopper { shared: Arc::new(Shared { stopping, listening: open, wakers }) };
    let mut workers = Vec::new();
    for (index, (net, listeners)) in nets.into_iter().zip(listeners).enumerate() {
        let ctx = context(net, index, &pools, &config);
        let proxy = Proxy::new(ctx, listeners, share(config.limits.max_connections, index, config.workers))?;
        let (stopper, listening) = (stopper.clone(), Listening(stopper.shared.clone()));
        let run = move || run(proxy, listening, &stopper);
        workers.push(std::thread::Builder::new().name(format!("worker-{index}")).spawn(run)?);
    }
    Ok(Running { addresses, stopper, workers })
}

/// For each worker its listeners, each with the index of its frontend; and where they all listen.
type Opened = (Vec<Vec<(TcpListener, usize)>>, Vec<SocketAddr>);

fn open_listeners(config: &Config, options: &SocketOptions) -> io::Result<Opened> {
    let mut by_worker: Vec<Vec<_>> = (0..config.workers).map(|_| Vec::new()).collect();
    let mut addresses = Vec::new();
    for (index, frontend) in config.frontends.iter().enumerate() {
        for listen in &frontend.listen {
            let listeners = os::listen(*listen, config.limits.backlog, config.workers, options)
                .map_err(|error| cannot_listen(*listen, &error))?;
            addresses.push(listeners[0].local_addr()?);
            by_worker.iter_mut().zip(listeners).for_each(|(worker, listener)| worker.push((listener, index)));
        }
    }
    Ok((by_worker, addresses))
}

fn cannot_listen(listen: Listen, error: &io::Error) -> io::Error {
    let Listen { address, .. } = listen;
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => " (stop what listens there, or choose another port)",
        io::ErrorKind::PermissionDenied => " (ports below 1024 need CAP_NET_BIND_SERVICE)",
        io::ErrorKind::AddrNotAvailable => " (no interface of this host has that address)",
        _ => "",
    };
    io::Error::new(error.kind(), format!("cannot listen on {address}: {error}{advice}"))
}

fn context(net: OsNet, worker: usize, pools: &[Arc<Pool>], config: &Arc<Config>) -> Ctx<OsNet> {
    let balancers = pools.iter().zip(&config.pools).map(|(pool, settings)| {
        let seed = Seed { worker, random: fastrand::u64(..) };
        let policy =
            policy::build(settings.policy, seed).expect("the configuration only holds registered policies");
        Balancer::new(pool.clone(), policy)
    });
    Ctx::new(net, balancers.collect(), config.clone())
}

/// What worker `index` of `workers` gets of `total`: they add up, and nobody goes without.
fn share(total: usize, index: usize, workers: usize) -> usize {
    (total / workers + usize::from(index < total % workers)).max(1)
}

fn run(mut proxy: Proxy<OsNet>, listening: Listening, stopper: &Stopper) -> io::Result<Metrics> {
    let shared = &stopper.shared;
    let mut listening = Some(listening);
    while !proxy.is_drained() {
        if let Err(error) = proxy.turn() {
            log::error!("the event queue failed, stopping: {error}");
            stopper.drain();
            return Err(error);
        }
        if shared.stopping.load(Ordering::Acquire) {
            proxy.close_listeners();
            drop(listening.take());
            // Clients that are sent away come back at once. Where a listener is still open they would be queued, to be
            // reset when it closes; where there is none, they are refused and know where they are.
            if shared.listening.load(Ordering::Acquire) == 0 {
                proxy.drain();
            }
        }
    }
    Ok(proxy.metrics().clone())
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn shares_add_up_and_nobody_goes_without() {
        assert_eq!([0, 1, 2].map(|index| share(10, index, 3)), [4, 3, 3]);
        assert_eq!([0, 1, 2].map(|index| share(1, index, 3)), [1, 1, 1]);
    }
}
