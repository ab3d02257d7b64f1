//! What is run, in which order, and for how long.

use super::arguments::Arguments;
use super::tests::{TESTS, Test};
use crate::balance::policy;
use crate::lab::peers::equivalent;

/// What all trials together may take, in seconds, and what of it one trial takes besides its load: programs start and end.
const QUICK_S: f64 = 75.0;
const FULL_S: f64 = 540.0;
const OVERHEAD_S: f64 = 0.45;
/// The shortest and the longest trial under load, unless one is asked for.
const SECONDS_MIN: f64 = 0.8;
const SECONDS_MAX: f64 = 30.0;
/// The scenario that is run without being asked for.
const QUICK_SCENARIO: &str = "slow-backend";

/// A proxy with a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Who {
    pub(super) proxy: &'static str,
    pub(super) policy: &'static str,
}

impl Who {
    /// What it is called in tables.
    pub(super) fn label(&self) -> String {
        match self.proxy {
            "lbproxy" => self.policy.to_owned(),
            other => format!("{other} {}", self.policy),
        }
    }
}

/// One trial to come.
pub(super) struct Step {
    pub(super) test: &'static Test,
    pub(super) who: Who,
    pub(super) round: u32,
    pub(super) seconds: f64,
}

impl Step {
    pub(super) fn planned_ms(&self) -> u64 {
        let load_s = if self.test.is_timed() { self.seconds } else { 0.0 };
        ((load_s + OVERHEAD_S) * 1000.0) as u64
    }
}

/// All trials.
pub(super) struct Plan {
    pub(super) tests: Vec<&'static Test>,
    pub(super) who: Vec<Who>,
    pub(super) rounds: u32,
    pub(super) seconds: f64,
    pub(super) steps: Vec<Step>,
}

impl Plan {
    /// # Errors
    /// A test or policy that is not there.
    pub(super) fn new(arguments: &Arguments, proxies: &[&'static str]) -> Result<Plan, String> {
        let tests = tests(arguments)?;
        let who = who(arguments, proxies)?;
        let rounds = arguments.rounds.unwrap_or(if arguments.full { 3 } else { 2 });
        let trials = (tests.len() * who.len()) as f64 * f64::from(rounds);
        let timed = tests.iter().filter(|test| test.is_timed()).count().max(1) as f64;
        let budget_s = if arguments.full { FULL_S } else { QUICK_S } - trials * OVERHEAD_S;
        let share_s = budget_s / (timed * who.len() as f64 * f64::from(rounds));
        let seconds = arguments.seconds.unwrap_or_else(|| share_s.clamp(SECONDS_MIN, SECONDS_MAX));
        let mut steps = Vec::new();
        for &test in &tests {
            for round in 1..=rounds {
                steps.extend(who.iter().cloned().map(|who| Step { test, who, round, seconds }));
            }
        }
        Ok(Plan { tests, who, rounds, seconds, steps })
    }

    pub(super) fn total_ms(&self) -> u64 {
        self.steps.iter().map(Step::planned_ms).sum()
    }
}

fn tests(arguments: &Arguments) -> Result<Vec<&'static Test>, String> {
    let is_known =
        |name: &str| name == "all" || name == "classic" || TESTS.iter().any(|test| test.name == name);
    if let Some(name) = arguments.scenario.iter().find(|name| !is_known(name)) {
        let names: Vec<&str> = TESTS.iter().map(|test| test.name).collect();
        return Err(format!("--scenario {name}: there is all, classic, {}", names.join(", ")));
    }
    let named = |name: &str| arguments.scenario.iter().any(|wanted| wanted == name);
    let by_default = arguments.scenario.is_empty();
    let is_wanted = |test: &&Test| {
        named(test.name)
            || named("all")
            || (test.classic && named("classic"))
            || (by_default && (arguments.full || test.classic || test.name == QUICK_SCENARIO))
    };
    Ok(TESTS.iter().filter(is_wanted).collect())
}

fn who(arguments: &Arguments, proxies: &[&'static str]) -> Result<Vec<Who>, String> {
    if let Some(name) =
        arguments.policy.iter().find(|name| policy::names().all(|known| known != name.as_str()))
    {
        let names: Vec<&str> = policy::names().collect();
        return Err(format!("--policy {name}: there is {}", names.join(", ")));
    }
    let is_wanted =
        |name: &&str| arguments.policy.is_empty() || arguments.policy.iter().any(|wanted| wanted == name);
    let pairs = policy::names().filter(is_wanted).flat_map(|policy| {
        let able =
            proxies.iter().filter(move |&&proxy| proxy == "lbproxy" || equivalent(proxy, policy).is_some());
        able.map(move |proxy| Who { proxy, policy })
    });
    Ok(pairs.collect())
}
