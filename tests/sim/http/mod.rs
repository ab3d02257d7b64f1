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

use super::tcp::{Link, PEER};
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
