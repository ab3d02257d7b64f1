//! The command line.

use std::path::PathBuf;

use clap::Parser;
use clap::builder::RangedU64ValueParser;

use crate::contestants::parse_build;
use crate::rows::{ROWS, Row};

/// Runs lbproxy, other proxies and a bare relay side by side, and compares what they need for the same work.
#[derive(Parser)]
#[command(name = "versus")]
pub struct Arguments {
    /// Rows to run, by name [default: all]
    #[arg(long, value_name = "ROW", value_delimiter = ',')]
    work: Vec<String>,
    /// Samples of each figure; every contestant has one in each round
    #[arg(long, default_value_t = 5, value_parser = RangedU64ValueParser::<u32>::new().range(1..=1000))]
    pub rounds: u32,
    /// How long to load for one sample
    #[arg(long, default_value_t = 4, value_parser = RangedU64ValueParser::<u64>::new().range(1..=3600))]
    pub secs: u64,
    /// Whom to compare with, by name; "none" for nobody; "watched" is lbproxy with its page open and its metrics scraped
    /// every second [default: all that are there, but not that]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub against: Vec<String>,
    /// A build of lbproxy, and what to call it; repeat for several. Others are compared with the first [default: the
    /// one of this source tree]
    #[arg(long, value_name = "NAME=PATH", value_parser = parse_build)]
    pub lbproxy: Vec<(String, PathBuf)>,
    /// Threads or processes of each proxy, with a CPU for each
    #[arg(long, default_value_t = 1, value_parser = RangedU64ValueParser::<u64>::new().range(1..=256))]
    pub workers: u64,
    /// More arguments for every build of lbproxy, separated by blanks
    #[arg(long, value_name = "ARGUMENTS", default_value = "", allow_hyphen_values = true)]
    pub args: String,
    /// Where versus.txt, versus.md, versus.json and versus.svg go [default: target/versus, or, with --test,
    /// target/versus/test]
    #[arg(long, value_name = "DIRECTORY")]
    out: Option<PathBuf>,
    /// Print the rows and who would take part, and end
    #[arg(long)]
    pub list: bool,
    /// See that all of it works, in half a minute; the figures mean nothing
    #[arg(long)]
    pub test: bool,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
    /// Rows with this in their name, as benchmarks are usually filtered
    #[arg(value_name = "FILTER", hide = true)]
    filter: Option<String>,
}

impl Arguments {
    /// A quick run: asked for, or not started by `cargo bench`.
    pub fn is_quick(&self) -> bool {
        self.test || !self.bench
    }

    /// Where the report goes: by default, a quick run leaves alone what a real one has found.
    pub fn out(&self) -> PathBuf {
        let default = if self.is_quick() { "target/versus/test" } else { "target/versus" };
        self.out.clone().unwrap_or_else(|| default.into())
    }

    /// The rows to run.
    ///
    /// # Errors
    /// A name that no row has.
    pub fn rows(&self) -> Result<Vec<&'static Row>, String> {
        if let Some(name) = self.work.iter().find(|name| ROWS.iter().all(|row| row.name != name.as_str())) {
            let known: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
            return Err(format!("--work {name}: there is {}", known.join(", ")));
        }
        let is_wanted = |row: &&Row| {
            let named = self.work.is_empty() || self.work.iter().any(|name| name == row.name);
            named && self.filter.as_ref().is_none_or(|filter| row.name.contains(filter.as_str()))
        };
        Ok(ROWS.iter().filter(is_wanted).collect())
    }
}
