//! HTTP mode as its users meet it: the real program on real sockets, with the clients people have.

mod access;
mod answers;
mod balancing;
mod browser;
mod clients;
mod crowd;
mod curl;
mod demo;
mod health;
mod identity;
mod limits;
mod load;
mod operation;
mod origin;
mod partings;
mod rate;
mod reload;
mod routes;
mod slow;
mod stale;
#[path = "../proxy/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests of TCP mode use the rest of it")]
mod support;
mod transfers;
mod upgrade;
mod wire;
