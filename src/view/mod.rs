//! What a proxy at work looks like: one picture of it, taken once a second, and shown as JSON, to Prometheus, as a page and in
//! words.
//!
//! ```text
//! workers, pools ──▶ Sampler (rates, history) ──▶ Stats ──▶ JSON, prometheus, saturation
//! ```

mod entrance;
pub mod explained;
pub mod page;
mod process;
pub mod prometheus;
mod sampler;
pub mod saturation;
pub mod stats;

pub use self::sampler::{Measured, Sampler};
pub use self::stats::Stats;
