//! The command line.

use std::path::PathBuf;

use clap::Parser;
use clap::builder::RangedU64ValueParser;

use super::assigned::{Assigned, Span, number_in};
use super::distribution::Distribution;

/// The most backends there may be.
const BACKENDS_MAX: u64 = 10_000;
/// The most requests there may be.
const REQUESTS_MAX: u64 = 1_000_000_000;
/// The most instances, and workers of each.
const BALANCERS_MAX: u64 = 1_000;
/// The most places of a backend.
const AT_ONCE_MAX: u64 = 1_000_000;
/// The most clients, drawn or looked at.
const CLIENTS_MAX: u64 = 100_000_000;
/// The heaviest weight, as in the configuration.
const WEIGHT_MAX: u64 = 1_000_000;

/// Shows what balancing policies do, in virtual time: the proxy's own code, in front of backends that are arithmetic.
///
/// Requests come, wait for a place at the backend that the policy picks, are worked on, and are answered. Every policy
/// meets the same requests. Latency counts from when a client comes until it is answered; the network takes no time.
///
/// The same arguments give the same output, byte for byte. How fast it went is told on the standard error stream.
///
/// Examples:
///   simulate                                            # every policy, ten backends, 70 % load
///   simulate --slow 1=10 --out slow.html                # one of ten is ten times slower; with pictures
///   simulate --fail 1=1 --no-guard                      # one of ten fails at once, and nobody notices
///   simulate --requests 1000 --forever                  # connections that stay: balls into bins
///   simulate --leave 10 --policy ip_hashing,maglev      # which clients move when b10 goes away
///   simulate --instances 32 --policy fewest_connections # proxies that know nothing of each other
///   simulate --down 3=10..20 --rate 5000 --service-ms 1 # b3 refuses connections for ten seconds
///   simulate --trace requests.csv                       # requests as they were recorded
///
/// A trace is a CSV file with the columns at_ms (when a request came), service_ms (how long a backend works on it) and, if
/// it likes, client (an address or another name).
///
/// SHAPE is deterministic, exponential, lognormal or lognormal:SIGMA, bimodal or bimodal:SHARE:FACTOR (with 0.1:10, one
/// in ten takes ten times as long). Backends are numbered from 1, and called b1, b2 and so on; INDEX may be a range, as
/// in --slow 1-3=10.
#[derive(Clone, Debug, Parser)]
#[command(name = "simulate", version, verbatim_doc_comment)]
pub struct Arguments {
    /// Policies to show side by side, or "all"
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = "all")]
    pub policy: Vec<String>,
    /// Requests, for each policy [default: 1,000,000, or as many as the trace has]
    #[arg(long, value_parser = ranged(REQUESTS_MAX))]
    pub requests: Option<u64>,
    /// Where all lots come from
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// Backends
    #[arg(long, default_value_t = 10, value_parser = ranged(BACKENDS_MAX), help_heading = "Backends")]
    pub backends: u64,
    /// Weights other than 1
    #[arg(long, value_name = "INDEX=WEIGHT", value_delimiter = ',', value_parser = weight, help_heading = "Backends")]
    pub weight: Vec<Assigned<u32>>,
    /// Backends that take so many times as long
    #[arg(long, value_name = "INDEX=FACTOR", value_delimiter = ',', value_parser = factor, help_heading = "Backends")]
    pub slow: Vec<Assigned<f64>>,
    /// Backends that end a share of requests at once, with an error (1: all of them)
    #[arg(long, value_name = "INDEX=SHARE", value_delimiter = ',', value_parser = share, help_heading = "Backends")]
    pub fail: Vec<Assigned<f64>>,
    /// Backends that go down with all they have, refuse connections, and come back, in seconds
    #[arg(long, value_name = "INDEX=FROM..TO", value_delimiter = ',', value_parser = span, help_heading = "Backends")]
    pub down: Vec<Assigned<Span>>,
    /// Requests that a backend works on at once; others wait for their turn
    #[arg(long, default_value_t = 1, value_parser = ranged(AT_ONCE_MAX), help_heading = "Backends")]
    pub at_once: u64,

    /// Time between requests: exponential makes a Poisson process
    #[arg(long, value_name = "SHAPE", default_value = "exponential", help_heading = "Requests")]
    pub arrivals: Distribution,
    /// Requests a second [default: as --load says]
    #[arg(long, value_parser = rate, conflicts_with = "load", help_heading = "Requests")]
    pub rate: Option<f64>,
    /// Requests in percent of what the backends could do if none were slow
    #[arg(long, value_name = "PERCENT", default_value_t = 70.0, value_parser = load, help_heading = "Requests")]
    pub load: f64,
    /// How long backends work on requests
    #[arg(long, value_name = "SHAPE", default_value = "exponential", help_heading = "Requests")]
    pub service: Distribution,
    /// And on average
    #[arg(long, value_name = "MS", default_value_t = 1.0, value_parser = service_ms, help_heading = "Requests")]
    pub service_ms: f64,
    /// Requests never end, as connections that stay
    #[arg(long, conflicts_with_all = ["service", "service_ms"], help_heading = "Requests")]
    pub forever: bool,
    /// Requests as recorded, over and over if --requests asks for more
    #[arg(
        long,
        value_name = "FILE.csv",
        conflicts_with_all = ["arrivals", "rate", "load", "service", "service_ms", "forever"],
        help_heading = "Requests"
    )]
    pub trace: Option<PathBuf>,
    /// Different clients, each as likely as the others
    #[arg(long, default_value_t = 100_000, value_parser = ranged(CLIENTS_MAX), help_heading = "Requests")]
    pub clients: u64,

    /// Workers, which share counters and penalties
    #[arg(long, default_value_t = 1, value_parser = ranged(BALANCERS_MAX), help_heading = "Proxies")]
    pub workers: u64,
    /// Instances of the proxy, which share nothing; each has so many workers
    #[arg(long, default_value_t = 1, value_parser = ranged(BALANCERS_MAX), help_heading = "Proxies")]
    pub instances: u64,
    /// Do not tell the balancer of failures: what passing over who fails is for
    #[arg(long, help_heading = "Proxies")]
    pub no_guard: bool,
    /// With ip_hashing and maglev: the most of its share of the connections that a backend takes, in percent
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(101..=1000), help_heading = "Proxies")]
    pub max_load_percent: Option<u32>,

    /// Count the clients that move when these backends leave
    #[arg(long, value_name = "INDEX", value_delimiter = ',', help_heading = "Members")]
    pub leave: Vec<u64>,
    /// Count the clients that move when backends of these weights join
    #[arg(long, value_name = "WEIGHT", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=WEIGHT_MAX as i64), help_heading = "Members")]
    pub join: Vec<u32>,
    /// Clients to look at for that
    #[arg(long, default_value_t = 100_000, value_parser = ranged(CLIENTS_MAX), help_heading = "Members")]
    pub keys: u64,

    /// Print JSON instead of tables
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// Draw it: a page (.html), or its pictures alone (.svg)
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub out: Option<PathBuf>,
}

fn ranged(most: u64) -> RangedU64ValueParser<u64> {
    RangedU64ValueParser::new().range(1..=most)
}

fn weight(text: &str) -> Result<Assigned<u32>, String> {
    Assigned::parse(text, |word| {
        let value = word.parse().ok().filter(|weight| (1..=WEIGHT_MAX).contains(&u64::from(*weight)));
        value.ok_or_else(|| format!("{word:?} is not a weight from 1 to {WEIGHT_MAX}"))
    })
}

fn factor(text: &str) -> Result<Assigned<f64>, String> {
    Assigned::parse(text, |word| number_in(word, 0.001..=1e6))
}

fn share(text: &str) -> Result<Assigned<f64>, String> {
    Assigned::parse(text, |word| number_in(word, 0.0..=1.0))
}

fn span(text: &str) -> Result<Assigned<Span>, String> {
    Assigned::parse(text, Span::parse)
}

fn rate(text: &str) -> Result<f64, String> {
    number_in(text, 0.001..=1e9)
}

fn load(text: &str) -> Result<f64, String> {
    number_in(text, 0.1..=1000.0)
}

fn service_ms(text: &str) -> Result<f64, String> {
    number_in(text, 0.001..=1e9)
}
