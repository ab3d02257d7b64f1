//! Workers: the same loop in N threads, over listening sockets that the kernel balances and backends they share.
//!
//! ```text
//! Control ──orders, and a waker──▶ worker 0 … N-1: Proxy::turn, and after it what was ordered
//! ```

mod control;
mod look;
mod sockets;

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Instant;

use mio::Waker;
use mio::net::TcpListener;

use self::control::Present;
pub use self::control::{Control, Reloaded};
pub use self::look::{Preview, Wanted, WantedByName};
use self::sockets::Open;
use crate::admin::{ASKED_MOST, Asked, Told};
use crate::balance::policy::{self, Seed};
use crate::balance::{Balancer, Pool};
use crate::clients::Clients;
use crate::config::{AdminListen, Config, Frontend};
use crate::ctx::Ctx;
use crate::health::Checks;
use crate::metrics::Metrics;
use crate::net::os::{self, OsNet, SocketOptions};
use crate::net::{self, inherited};
use crate::proxy::{Explained, Observed, Proxy, Question, Renewal};

/// A proxy at work in threads of its own.
pub struct Running {
    /// Where it listens, in the order of the configuration; port 0 replaced by what the kernel picked.
    pub addresses: Vec<SocketAddr>,
    /// The other end of the admin endpoint, if there is one.
    pub desk: Option<DeskEnd>,
    control: Control,
    workers: Vec<JoinHandle<io::Result<Metrics>>>,
}

/// What the admin endpoint's requests come out of, and answers go into.
pub struct DeskEnd {
    /// Where it listens.
    pub listen: AdminListen,
    /// Requests.
    pub asked: mpsc::Receiver<Asked>,
    /// Answers; the worker is to be woken: see [`Control::wake_desk`].
    pub told: mpsc::Sender<Told>,
}

/// What the threads of a proxy have in common.
struct Shared {
    stopping: AtomicBool,
    /// Nobody who might say something just now is to be cut off: another process has taken over, and there is no hurry.
    gently: AtomicBool,
    /// Workers whose listeners are open.
    listening: AtomicUsize,
    /// Orders given so far, to each worker.
    orders: AtomicUsize,
    wakers: Vec<Waker>,
}

/// What a worker is to do between two turns. It drops the order's `done` when it has done so.
enum Order {
    /// Go on with another configuration.
    Renew {
        renewal: Box<Renewal<TcpListener>>,
        /// The checks of backends are this worker's to make.
        makes_checks: bool,
        done: mpsc::Sender<io::Error>,
    },
    /// Hand out another descriptor for each listening socket, and say whether it is the admin endpoint's.
    Lend { to: mpsc::Sender<(bool, io::Result<OwnedFd>)> },
    /// Tell what it looks like.
    Observe { worker: usize, to: Answers<Observed> },
    /// Tell which backend a client would get.
    Explain { worker: usize, question: Question, to: Answers<Result<Explained, String>> },
    /// Nothing: who drops this is alive.
    Answer { _done: mpsc::Sender<()> },
}

/// Where workers answer, each with its number.
type Answers<T> = mpsc::Sender<(usize, T)>;

/// Descriptors of what a process listens on, for another one.
#[derive(Debug, Default)]
pub struct Lent {
    /// Where clients come in.
    pub listeners: Vec<OwnedFd>,
    /// Where operators do.
    pub desk: Option<OwnedFd>,
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

    /// Stops accepting; open connections may finish until `drain_timeout_ms` is over.
    fn drain(&self) {
        self.stopping.store(true, Ordering::Release);
        self.wake();
    }
}

impl Running {
    /// The handle that controls it, from any thread.
    pub fn control(&self) -> Control {
        self.control.clone()
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
    let (open, listeners) = Open::all(&config, &options, inherited::listeners(&options)?)?;
    let addresses = open.addresses();
    let mut desk_listener = open_desk(&config, &options)?;
    let mut desk = None;
    let base = os::now();
    let pools: Vec<Arc<Pool>> =
        config.pools.iter().map(|pool| Arc::new(Pool::new(pool, &config.timeouts, base))).collect();

    let (nets, wakers): (Vec<_>, Vec<_>) =
        (0..config.workers).map(|_| OsNet::new(options)).collect::<io::Result<Vec<_>>>()?.into_iter().unzip();
    let shared = Arc::new(Shared {
        stopping: AtomicBool::new(false),
        gently: AtomicBool::new(false),
        listening: AtomicUsize::new(config.workers),
        orders: AtomicUsize::new(0),
        wakers,
    });
    let clients = clients(&config, &[], base);
    let (mut workers, mut orders) = (Vec::new(), Vec::new());
    for (index, (net, listeners)) in nets.into_iter().zip(listeners).enumerate() {
        let mut ctx = context(net, index, &pools, &config);
        ctx.clients.clone_from(&clients);
        let most = share(config.limits.max_connections, index, config.workers);
        let mut proxy = Proxy::new(ctx, listeners, most)?;
        if index == 0 {
            proxy.make_checks(Checks::new(&config, &pools, fastrand::u64(..), base));
            if let Some((listener, listen)) = desk_listener.take() {
                let ((asking, asked), (told, telling)) = (mpsc::sync_channel(ASKED_MOST), mpsc::channel());
                proxy.open_desk(listener, asking, telling)?;
                desk = Some(DeskEnd { listen, asked, told });
            }
        }
        let (sender, receiver) = mpsc::channel();
        orders.push(sender);
        let (shared, listening) = (shared.clone(), Listening(shared.clone()));
        let run = move || run(proxy, listening, &shared, &receiver);
        workers.push(std::thread::Builder::new().name(format!("worker-{index}")).spawn(run)?);
    }
    let (base, wanted) = ((*config).clone(), WantedByName::new());
    let present = Present { base, wanted, config, pools, clients, open, options, orders };
    Ok(Running { addresses, desk, control: Control::new(shared, present), workers })
}

/// The listener of the admin endpoint, and where it is: of port 0, the one that the kernel picked.
fn open_desk(config: &Config, options: &SocketOptions) -> io::Result<Option<(TcpListener, AdminListen)>> {
    let Some(admin) = &config.admin else { return Ok(None) };
    let listener = net::desk::listen(&admin.listen, inherited::desk()?, options)?;
    let listen = match &admin.listen {
        AdminListen::Tcp(_) => AdminListen::Tcp(listener.local_addr()?),
        unix => unix.clone(),
    };
    Ok(Some((listener, listen)))
}

fn context(net: OsNet, worker: usize, pools: &[Arc<Pool>], config: &Arc<Config>) -> Ctx<OsNet> {
    let balancers = pools.iter().zip(&config.pools).map(|(pool, settings)| {
        let policy = policy::build(settings.policy, seed(worker))
            .expect("the configuration only holds registered policies");
        Balancer::new(pool.clone(), policy)
    });
    Ctx::new(net, balancers.collect(), config.clone())
}

/// What the clients of each frontend have: where it is limited and was before, what they had before.
fn clients(config: &Config, before: &[(&str, Arc<Clients>)], base: Instant) -> Vec<Option<Arc<Clients>>> {
    let of_frontend = |frontend: &Frontend| {
        if frontend.clients.is_empty() {
            return None;
        }
        let known = before.iter().find(|(name, _)| *name == frontend.name);
        Some(match known {
            Some((_, clients)) => {
                clients.set_limits(frontend.clients);
                Arc::clone(clients)
            }
            None => Arc::new(Clients::new(frontend.clients, fastrand::u64(..), base)),
        })
    };
    config.frontends.iter().map(of_frontend).collect()
}

fn seed(worker: usize) -> Seed {
    Seed { worker, random: fastrand::u64(..) }
}

/// What worker `index` of `workers` gets of `total`: they add up, and nobody goes without.
fn share(total: usize, index: usize, workers: usize) -> usize {
    (total / workers + usize::from(index < total % workers)).max(1)
}

fn run(
    mut proxy: Proxy<OsNet>,
    listening: Listening,
    shared: &Shared,
    orders: &mpsc::Receiver<Order>,
) -> io::Result<Metrics> {
    let mut listening = Some(listening);
    let mut heard = 0;
    while !proxy.is_drained() {
        if let Err(error) = proxy.turn() {
            log::error!("the event queue failed, stopping: {error}");
            shared.drain();
            return Err(error);
        }
        if proxy.take_news_for_others() {
            // Itself included: that costs it one turn, and them nothing.
            shared.wake();
        }
        if shared.orders.load(Ordering::Acquire) != heard {
            heard += orders.try_iter().map(|order| follow(order, &mut proxy)).count();
        }
        if shared.stopping.load(Ordering::Acquire) {
            proxy.close_listeners();
            drop(listening.take());
            // Clients that are sent away come back at once. Where a listener is still open they would be queued, to be
            // reset when it closes; where there is none, they are refused and know where they are.
            if shared.listening.load(Ordering::Acquire) == 0 {
                proxy.drain(shared.gently.load(Ordering::Acquire));
            }
        }
    }
    Ok(proxy.metrics().clone())
}

fn follow(order: Order, proxy: &mut Proxy<OsNet>) {
    match order {
        Order::Renew { renewal, makes_checks, done } => {
            let (config, pools) = (Arc::clone(&renewal.config), renewal.pools.clone());
            if let Err(error) = proxy.renew(*renewal) {
                // Whoever ordered it may have stopped listening.
                let _ = done.send(error);
            }
            if makes_checks {
                proxy.renew_checks(&config, &pools, fastrand::u64(..));
            }
        }
        // Whoever asked may have stopped listening.
        Order::Lend { to } => {
            proxy.listeners().for_each(|(_, listener)| _ = to.send((false, os::duplicate(listener))));
            proxy.desk_listener().into_iter().for_each(|desk| _ = to.send((true, os::duplicate(desk))));
        }
        Order::Observe { worker, to } => _ = to.send((worker, proxy.observe())),
        Order::Explain { worker, question, to } => _ = to.send((worker, proxy.explain(&question))),
        Order::Answer { .. } => {}
    }
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
