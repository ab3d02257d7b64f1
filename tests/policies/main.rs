//! Every statement about balancing that a client or an operator could hold us to, as a test.
//!
//! All of it is deterministic: instants are computed, generators seeded, property tests run from a fixed seed.

mod all_policies;
mod bounded;
mod explain;
mod fewest_connections;
mod health;
mod ip_hashing;
mod maglev;
mod outages;
mod peak_ewma;
mod penalties;
mod random;
mod reloads;
mod round_robin;
mod support;
mod two_choices;
