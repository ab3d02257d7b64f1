//! Configuration: a TOML file and command-line flags go in, a typed [`Config`] with nothing optional comes out.

mod resolved;

pub use resolved::{Backend, Config, Frontend, Limits, Listen, Pool, Timeouts};
