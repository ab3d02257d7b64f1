//! The command line.

use std::path::PathBuf;

use clap::Parser;
use clap::builder::RangedU64ValueParser;

/// The longest interval: an hour.
const INTERVAL_MS_MAX: u64 = 60 * 60 * 1000;
/// The kernel counts CPU time in ticks of 10 ms.
const INTERVAL_MS_MIN: u64 = 10;
/// The longest duration: a year.
const DURATION_S_MAX: f64 = 366.0 * 24.0 * 3600.0;

/// Writes down how busy the CPUs are, the machine's and those of given processes, until Ctrl-C.
///
/// Makes two files: "cpu_usage.txt HOST", with the machine's percentage and nothing else on each line, and cpu_usage.csv,
/// with the time and user and system apart, for the machine and for each process. Files of these names are replaced.
///
/// The machine's figures are of all CPUs together, so 100 is the most; those of a process are of one CPU, so that two
/// threads can have 200. A process that has ended leaves its cells empty.
///
/// Examples:
///   cpu_usage                                       # the machine, once a second
///   cpu_usage --name lbproxy --name http_backend    # and all processes of these names, each name together
///   cpu_usage --pid 4711 --interval-ms 100 --duration 30 --dir results
#[derive(Clone, Debug, Parser)]
#[command(name = "cpu_usage", version, verbatim_doc_comment)]
pub struct Arguments {
    /// Time between two samples
    #[arg(long, value_name = "MS", default_value_t = 1000, value_parser = RangedU64ValueParser::<u64>::new().range(INTERVAL_MS_MIN..=INTERVAL_MS_MAX))]
    pub interval_ms: u64,
    /// Processes to look at, by number
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pub pid: Vec<u32>,
    /// Processes to look at, by name; all of one name are one, and those that start later belong to it
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub name: Vec<String>,
    /// Where to write
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub dir: PathBuf,
    /// End after so long [default: at Ctrl-C or SIGTERM]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub duration: Option<f64>,
}

fn seconds(text: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|value| *value > 0.0 && *value <= DURATION_S_MAX);
    value.ok_or_else(|| format!("{text:?} is not a number of seconds, up to {DURATION_S_MAX}"))
}
