//! The proxy as its users meet it: the real program, on real sockets, in front of real and of misbehaving backends.

mod backpressure;
mod bounded;
mod check;
mod clients;
mod demo;
mod drain;
mod exhaustion;
mod failures;
mod fewest_connections;
mod half_close;
mod hashing;
mod health;
mod listening;
mod log;
mod many;
mod outages;
mod peak_ewma;
mod policies;
mod queue;
mod reload;
mod resets;
mod resolve;
mod splice;
mod start;
#[allow(dead_code, reason = "the tests of HTTP mode use the rest of it")]
mod support;
mod timeouts;
mod upgrade;
