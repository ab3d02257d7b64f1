//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// Runs every test of what a balancing policy does, and writes a report with pictures.
///
/// Without arguments: the four classic tests (latency, messages, files over one connection and over one for each), and the
/// scenario slow-backend, for every policy, in less than 90 seconds. All it needs is in this program: backends, clients
/// and the proxy are started and stopped by it, on ports that are free.
///
/// Exits with 0 if all checks hold, 1 if one does not, 2 if it could not start, 130 if it was interrupted.
#[derive(Clone, Debug, Parser)]
#[command(name = "experiment", version)]
pub struct Arguments {
    /// The default: less than 90 seconds on two cores
    #[arg(long, conflicts_with = "full")]
    pub quick: bool,
    /// All tests and scenarios, longer and with more rounds: up to ten minutes
    #[arg(long)]
    pub full: bool,
    /// Tests and scenarios to run, by name; "classic" for the four tests, "all" for everything [see --list]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub scenario: Vec<String>,
    /// Print what there is to run, and end
    #[arg(long)]
    pub list: bool,
    /// Policies to try [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub policy: Vec<String>,
    /// Others to run the same with: haproxy and nginx in the place of lbproxy, wrk2 in that of loadgen (which takes 11
    /// seconds a trial)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub against: Vec<String>,
    /// Rounds of everything; medians are taken over them [default: 2, with --full 3]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: Option<u32>,
    /// How long one trial under load lasts [default: as long as the whole may take]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub seconds: Option<f64>,
    /// Folder for the report; it must be empty or not there yet [default: experiment-DATE-TIME]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if (0.2..=3600.0).contains(&value) { Ok(value) } else { Err("from 0.2 to 3600".into()) }
}
