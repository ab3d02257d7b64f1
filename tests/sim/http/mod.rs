//! HTTP in simulation: clients that ask, backends that answer, and a book of what was said.

pub mod backend;
pub mod book;
pub mod client;
pub mod knobs;
pub mod model;
mod plan;
mod stream;
mod tunnel;

use fastrand::Rng;

use super::tcp::{Link, PEER, PROXY};
use super::world::World;
use backend::Backend;
use book::Book;
use client::Client;

/// A peer that speaks HTTP.
#[derive(Debug)]
pub enum Party {
    Client(Client),
    Backend(Backend),
}

impl Party {
    /// One step. If another one gets further without anything happening: after how long at most.
    pub fn act(&mut self, link: &mut Link, rng: &mut Rng, book: &mut Book) -> Option<u64> {
        match self {
            _ if self.is_done() => None,
            Party::Client(client) => client.act(link, rng, book),
            Party::Backend(backend) => backend.act(link, rng, book),
        }
    }

    pub fn is_done(&self) -> bool {
        match self {
            Party::Client(client) => client.stream.done,
            Party::Backend(backend) => backend.stream.done,
        }
    }

    /// How long it may take to notice that something happened.
    pub fn pause_us(&self, rng: &mut Rng) -> u64 {
        match self {
            Party::Client(client) => client.stream.pause_us(rng),
            Party::Backend(backend) => backend.stream.pause_us(rng),
        }
    }

    /// Resets before anything was said.
    pub fn quit(&mut self, link: &mut Link) {
        if let Party::Backend(backend) = self {
            link.reset_on_close(PEER);
            backend.stream.close(link);
        }
    }
}

impl World {
    /// The proxy is about to send what may be the start of a request: not on a connection that had something to say
    /// which nobody asked for, if it could know that.
    pub fn begins(&mut self, index: usize, bytes: &[u8]) {
        self.is_heard_of_first(index, bytes);
        let wire = &mut self.wires[index];
        let (Some(Party::Backend(backend)), Some(id)) = (&mut wire.party, book::request_id(bytes)) else {
            return;
        };
        let end = &wire.link.ends[PROXY];
        let heard = end.arrived - end.receive.len() as u64;
        let before = wire.last_request.replace(id);
        if before != Some(id) {
            wire.heard_before = heard;
            self.book.requests[id].sent_to.extend(wire.backend);
        }
        if before.is_none_or(|before| before == id) {
            return;
        }
        assert!(
            backend.ends_at.is_none_or(|at| heard < at),
            "request {id} goes where the last answer was told to be the last"
        );
        assert!(
            backend.stray_from.is_none_or(|stray| heard <= stray || backend.crossed),
            "request {id} goes where it heard what nobody asked for"
        );
        backend.crossed |= backend.stray_from.is_some();
        // What must not be sent twice is not sent without having looked.
        let looked = !self.book.requests[id].is_idempotent();
        let was_told = looked || !end.edge.any() && wire.told_at < self.looks;
        let has_something = !end.receive.is_empty() || end.fin_received || end.reset;
        assert!(!was_told || !has_something, "request {id} goes where the proxy knows of bytes or an end");
    }

    /// Nothing is sent a second time after a backend was heard that got it first.
    fn is_heard_of_first(&self, index: usize, bytes: &[u8]) {
        let Some(id) = book::request_id(bytes).filter(|_| self.wires[index].last_request.is_none()) else {
            return;
        };
        for wire in self.wires.iter().filter(|wire| wire.last_request == Some(id)) {
            let end = &wire.link.ends[PROXY];
            let heard = end.arrived - end.receive.len() as u64;
            assert!(heard <= wire.heard_before, "request {id} is repeated although there was an answer");
        }
    }
}
