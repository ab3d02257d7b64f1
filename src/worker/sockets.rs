//! Where clients come in: the listening sockets of all workers, opened together.

use std::io;
use std::net::SocketAddr;

use mio::net::TcpListener;

use crate::config::{Config, Listen};
use crate::net::os::{self, SocketOptions};
use crate::proxy::{Source, free_slot};

/// The addresses that are listened on, by slot: every worker has its own socket for each, in the same slot.
#[derive(Clone, Default)]
pub(super) struct Open {
    slots: Vec<Option<Address>>,
}

#[derive(Clone, Copy)]
struct Address {
    /// As the configuration has it.
    listen: Listen,
    /// What came of it: a port where it has none.
    bound: SocketAddr,
}

/// For each worker its listeners, each with the index of its frontend.
type ByWorker<L> = Vec<Vec<(L, usize)>>;

impl Open {
    /// Opens everything that a configuration asks for, or takes it from what was inherited.
    pub(super) fn all(
        config: &Config,
        options: &SocketOptions,
        inherited: Vec<TcpListener>,
    ) -> io::Result<(Open, ByWorker<TcpListener>)> {
        let (open, listeners) = Open::default().renewed(config, options, inherited)?;
        let fresh = |(source, frontend)| match source {
            Source::New(listener) => Some((listener, frontend)),
            Source::Kept(_) => None,
        };
        let listeners = listeners.into_iter().map(|of_one| of_one.into_iter().filter_map(fresh).collect());
        Ok((open, listeners.collect()))
    }

    /// What is open when a new configuration has come: those that are listened on already are kept, and the others opened.
    pub(super) fn renewed(
        &self,
        config: &Config,
        options: &SocketOptions,
        mut inherited: Vec<TcpListener>,
    ) -> io::Result<(Open, ByWorker<Source<TcpListener>>)> {
        let mut by_worker: ByWorker<Source<TcpListener>> = (0..config.workers).map(|_| Vec::new()).collect();
        let wanted = config.frontends.iter().enumerate();
        let wanted: Vec<(usize, Listen)> = wanted
            .flat_map(|(index, frontend)| frontend.listen.iter().map(move |listen| (index, *listen)))
            .collect();
        let mut open = Open { slots: vec![None; self.slots.len()] };
        // Before anything is opened: a slot that is free now may be one that is kept.
        let kept: Vec<Vec<usize>> = wanted.iter().map(|(_, listen)| self.keep(*listen, &mut open)).collect();
        for ((frontend, listen), kept) in wanted.into_iter().zip(kept) {
            for slot in &kept {
                by_worker.iter_mut().for_each(|worker| worker.push((Source::Kept(*slot), frontend)));
            }
            if !kept.is_empty() {
                continue;
            }
            let rounds = match take_over(listen, &mut inherited, config.workers)? {
                rounds if rounds.is_empty() => vec![
                    os::listen(listen, config.limits.backlog, config.workers, options)
                        .map_err(|error| cannot_listen(listen, &error))?,
                ],
                rounds => rounds,
            };
            for listeners in rounds {
                open.add(Address { listen, bound: listeners[0].local_addr()? });
                let fresh = listeners.into_iter().map(Source::New);
                by_worker.iter_mut().zip(fresh).for_each(|(worker, source)| worker.push((source, frontend)));
            }
        }
        for stray in inherited {
            log::warn!("no frontend listens on {}, whose socket was passed on: closed", stray.local_addr()?);
        }
        Ok((open, by_worker))
    }

    fn add(&mut self, address: Address) {
        let slot = free_slot(&self.slots);
        if slot == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[slot] = Some(address);
    }

    /// The slots in which this is listened on already, if nobody else has claimed them.
    fn keep(&self, listen: Listen, open: &mut Open) -> Vec<usize> {
        let is_it = |slot: &usize| {
            open.slots[*slot].is_none() && self.slots[*slot].is_some_and(|address| address.listen == listen)
        };
        let Some(first) = (0..self.slots.len()).find(is_it) else { return Vec::new() };
        // What was inherited may have more sockets for one address than there are workers.
        let bound = self.slots[first].map(|address| address.bound);
        let slots = (first..self.slots.len()).filter(is_it);
        let slots: Vec<usize> =
            slots.filter(|slot| self.slots[*slot].map(|address| address.bound) == bound).collect();
        slots.iter().for_each(|slot| open.slots[*slot] = self.slots[*slot]);
        slots
    }

    /// Where it listens.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.slots.iter().flatten().map(|address| address.bound).collect()
    }
}

/// The inherited sockets for this address, a round for all workers at a time: each socket is served by somebody, and each
/// worker has one, if need be the same as another worker.
fn take_over(
    listen: Listen,
    inherited: &mut Vec<TcpListener>,
    workers: usize,
) -> io::Result<Vec<Vec<TcpListener>>> {
    let mut bound = None;
    let mut ours = Vec::new();
    for listener in std::mem::take(inherited) {
        let address = listener.local_addr()?;
        if stands_for(listen, address) && *bound.get_or_insert(address) == address {
            ours.push(listener);
        } else {
            inherited.push(listener);
        }
    }
    let rounds = ours.len().div_ceil(workers);
    let mut all = (0..rounds * workers).map(|number| {
        let socket = os::duplicate(&ours[number % ours.len()])?;
        Ok(TcpListener::from_std(std::net::TcpListener::from(socket)))
    });
    (0..rounds).map(|_| all.by_ref().take(workers).collect()).collect()
}

/// Whether a socket bound there is what a configuration asks for. Port 0 is any port.
fn stands_for(listen: Listen, bound: SocketAddr) -> bool {
    let wanted = listen.address;
    let same_port = wanted.port() == bound.port() || wanted.port() == 0;
    // Where there is no IPv6, a port for both families is one for IPv4.
    let everywhere = listen.dual_stack && bound.ip().is_unspecified();
    same_port && (wanted.ip() == bound.ip() || everywhere)
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
