//! Sessions: what happens to one client, from accept to close.
//!
//! A session never touches the loop or another session. What it wants done to itself is a return value.

mod connect;
mod duplex;
mod reason;
mod tcp;

pub use connect::{Connect, Link, Outcome, Seeker};
pub use duplex::{Duplex, Verdict};
pub use reason::{Cause, Ender, Reason};
pub use tcp::Tcp;

/// What a session wants after its turn.
#[derive(Debug)]
pub enum Next {
    /// Nothing until an event or its deadline.
    Wait,
    /// Another turn soon: it stopped early so that others get theirs.
    Again,
    /// To be removed.
    Close(Reason),
}
