//! What the arguments ask for, checked and complete.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::Instant;

use super::arguments::Arguments;
use super::assigned::{self, Assigned};
use super::backend::Nature;
use super::engine::{self, World};
use super::found::Found;
use super::members::Size;
use super::moved::{self, Change};
use super::page::File as Picture;
use super::trace;
use super::workload::{Kind, Source};
use crate::balance::policy;
use crate::lab::chart::number;

/// Requests unless asked for otherwise.
const REQUESTS: u64 = 1_000_000;
/// Backends over all balancers: each knows its own, at some 200 bytes, and a table or two.
const KNOWN_MAX: u64 = 1_000_000;

/// A run of several policies.
#[derive(Debug)]
pub(super) struct Plan {
    /// Names of the registry, each once.
    pub(super) policies: Vec<&'static str>,
    pub(super) world: World,
    pub(super) change: Option<Change>,
    pub(super) picture: Option<Picture>,
    /// What it is, in words.
    pub(super) words: String,
}

impl Plan {
    /// # Errors
    /// An argument that makes no sense, or a trace that cannot be read.
    pub(super) fn new(arguments: &Arguments) -> Result<Plan, String> {
        let policies = policies(&arguments.policy)?;
        let known = arguments.backends * arguments.instances * arguments.workers;
        if known > KNOWN_MAX {
            return Err(format!(
                "--backends × --instances × --workers is {known}, more than {KNOWN_MAX}: lower one of them"
            ));
        }
        let natures = natures(arguments)?;
        let change = change(arguments, natures.len())?;
        let picture = arguments.out.as_deref().map(Picture::new).transpose()?;
        let (source, requests) = source(arguments)?;
        let size = Size { instances: arguments.instances as usize, workers: arguments.workers as usize };
        let world = World {
            kind: Kind {
                requests,
                source,
                clients: arguments.clients as u32,
                balancers: size.instances * size.workers,
                seed: arguments.seed,
            },
            size,
            natures,
            at_once: arguments.at_once as usize,
            guard: !arguments.no_guard,
            max_load_percent: arguments.max_load_percent,
        };
        let words = words(arguments, requests);
        Ok(Plan { policies, world, change, picture, words })
    }

    /// Lets one policy do it all.
    pub(super) fn play(&self, policy: &str, base: Instant, tell: impl Fn(u64)) -> Found {
        let members = self.world.members();
        let counts = engine::run(&self.world, policy, base, tell);
        let mut found = counts.told(policy, &members, self.world.kind.requests);
        let change = self.change.as_ref();
        found.moved =
            change.and_then(|change| moved::count(policy, &members, change, self.world.kind.seed, base));
        found
    }
}

fn policies(wanted: &[String]) -> Result<Vec<&'static str>, String> {
    let mut found = Vec::new();
    for name in wanted {
        let known = || policy::names().filter(|known| known == name || name == "all");
        if known().next().is_none() {
            let names = policy::names().collect::<Vec<_>>().join(", ");
            return Err(format!("--policy {name}: there is all, {names}"));
        }
        found.extend(known());
    }
    let mut seen = Vec::new();
    found.retain(|name| {
        !seen.contains(name) && {
            seen.push(*name);
            true
        }
    });
    Ok(found)
}

fn natures(arguments: &Arguments) -> Result<Vec<Nature>, String> {
    let backends = arguments.backends as usize;
    let mut natures = vec![Nature::default(); backends];
    Assigned::each(&arguments.weight, backends, "--weight", |n, weight| natures[n].weight = *weight)?;
    Assigned::each(&arguments.slow, backends, "--slow", |n, factor| natures[n].slowness = *factor)?;
    Assigned::each(&arguments.fail, backends, "--fail", |n, share| natures[n].fails = *share)?;
    Assigned::each(&arguments.down, backends, "--down", |n, span| natures[n].down.push(*span))?;
    for (number, nature) in (1..).zip(&mut natures) {
        nature.down.sort_by_key(|span| span.from_ns);
        if nature.down.windows(2).any(|pair| pair[1].from_ns < pair[0].to_ns) {
            return Err(format!("--down {number}: it goes down again before it has come back"));
        }
    }
    Ok(natures)
}

fn change(arguments: &Arguments, backends: usize) -> Result<Option<Change>, String> {
    let leave: Vec<usize> = arguments.leave.iter().map(|number| *number as usize).collect();
    leave.iter().try_for_each(|number| assigned::check(*number, backends, "--leave"))?;
    if (1..=backends).all(|number| leave.contains(&number)) && arguments.join.is_empty() {
        return Err("--leave: nobody would be left to serve anybody".into());
    }
    let is_wanted = !leave.is_empty() || !arguments.join.is_empty();
    Ok(is_wanted.then(|| Change { keys: arguments.keys as u32, leave, join: arguments.join.clone() }))
}

/// Where requests come from, and how many.
fn source(arguments: &Arguments) -> Result<(Source, u64), String> {
    if let Some(path) = &arguments.trace {
        let rows = recorded(path)?;
        let requests = arguments.requests.unwrap_or(rows.len() as u64);
        return Ok((Source::Recorded(rows), requests));
    }
    // Requests that never end come as fast as those of the default length would.
    let at_most_per_ms = (arguments.backends * arguments.at_once) as f64 / arguments.service_ms;
    let gap_ms = match arguments.rate {
        Some(per_s) => 1000.0 / per_s,
        None => 100.0 / (arguments.load * at_most_per_ms),
    };
    let source = Source::Drawn {
        gaps: arguments.arrivals,
        gap_ns: gap_ms * 1e6,
        service: arguments.service,
        service_ns: if arguments.forever { f64::INFINITY } else { arguments.service_ms * 1e6 },
    };
    Ok((source, arguments.requests.unwrap_or(REQUESTS)))
}

fn recorded(path: &Path) -> Result<Vec<trace::Row>, String> {
    let name = format!("--trace {}", path.display());
    let file = File::open(path).map_err(|error| format!("{name}: {error}"))?;
    trace::read(BufReader::new(file), &name)
}

fn words(arguments: &Arguments, requests: u64) -> String {
    let many = |count: u64, what: &str| {
        let plural = if count == 1 { "" } else { "s" };
        format!("{} {what}{plural}", number(count as f64, 1.0))
    };
    let mut words = format!(
        "{} to {}, {} at once each",
        many(requests, "request"),
        many(arguments.backends, "backend"),
        arguments.at_once
    );
    let balancers = [(arguments.instances, "instance"), (arguments.workers, "worker")];
    for (count, what) in balancers.into_iter().filter(|(count, _)| *count > 1) {
        words += &format!(", {}", many(count, what));
    }
    if arguments.no_guard {
        words += ", failures untold";
    }
    format!("{words}, seed {}", arguments.seed)
}
