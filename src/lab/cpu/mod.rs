//! How busy the machine and some processes are, over time, in files: what `cpu_usage` writes, and `experiment` beside its
//! report.
//!
//! ```text
//! /proc ─▶ usage ─▶ Sampler: a share of the time since the last look ─▶ Files: cpu_usage.txt HOST, cpu_usage.csv
//!                      └──────────── record: every so often, until told to stop ────────────┘
//! ```

mod arguments;
mod files;
mod program;
mod record;
mod sampler;

pub use arguments::Arguments;
pub use files::{Files, host};
pub use program::run;
pub use record::{Watch, record};
pub use sampler::{Sample, Sampler, Share, Target};
