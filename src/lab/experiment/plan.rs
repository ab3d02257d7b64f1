//! What is run, in which order, and for how long.

use super::against::{Against, Generator};
use super::arguments::Arguments;
use super::tests::{TESTS, Test};
use crate::balance::policy;
use crate::lab::peers::equivalent;
use crate::lab::wrk2;

/// What all trials together may take, in seconds, and what of it one trial takes besides its load: programs start and end.
const QUICK_S: f64 = 75.0;
const FULL_S: f64 = 540.0;
const OVERHEAD_S: f64 = 0.45;
/// The shortest and the longest trial under load, unless one is asked for.
const SECONDS_MIN: f64 = 0.8;
const SECONDS_MAX: f64 = 30.0;
/// The scenario that is run without being asked for.
const QUICK_SCENARIO: &str = "slow-backend";

/// A proxy with a policy, and what it is loaded by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Who {
    pub(super) proxy: &'static str,
    pub(super) policy: &'static str,
    pub(super) generator: Generator,
}

impl Who {
    /// What it is called in tables.
    pub(super) fn label(&self) -> String {
        match (self.proxy, self.generator) {
            ("lbproxy", Generator::Loadgen) => self.policy.to_owned(),
            (_, Generator::Wrk2) => format!("wrk2 {}", self.policy),
            (other, Generator::Loadgen) => format!("{other} {}", self.policy),
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
    /// A test or policy that is not there, or too short a time.
    pub(super) fn new(arguments: &Arguments, against: &Against) -> Result<Plan, String> {
        let tests = tests(arguments)?;
        let who = who(arguments, against)?;
        let rounds = arguments.rounds.unwrap_or(if arguments.full { 3 } else { 2 });
        let trials = (tests.len() * who.len()) as f64 * f64::from(rounds);
        let timed = tests.iter().filter(|test| test.is_timed()).count().max(1) as f64;
        let budget_s = if arguments.full { FULL_S } else { QUICK_S } - trials * OVERHEAD_S;
        let share_s = budget_s / (timed * who.len() as f64 * f64::from(rounds));
        let least_s = if against.wrk2 { wrk2::SECONDS_MIN } else { SECONDS_MIN };
        let seconds = arguments.seconds.unwrap_or_else(|| share_s.clamp(least_s, SECONDS_MAX));
        if against.wrk2 && seconds < wrk2::SECONDS_MIN {
            return Err(format!(
                "--seconds {seconds}: with --against wrk2 it takes {} or more, because wrk2 measures nothing in its \
                 first ten",
                wrk2::SECONDS_MIN
            ));
        }
        let mut steps = Vec::new();
        for &test in &tests {
            for round in 1..=rounds {
                let able = who.iter().filter(|who| who.generator.can(test, who.policy)).cloned();
                steps.extend(able.map(|who| Step { test, who, round, seconds }));
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

fn who(arguments: &Arguments, against: &Against) -> Result<Vec<Who>, String> {
    if let Some(name) =
        arguments.policy.iter().find(|name| policy::names().all(|known| known != name.as_str()))
    {
        let names: Vec<&str> = policy::names().collect();
        return Err(format!("--policy {name}: there is {}", names.join(", ")));
    }
    let is_wanted =
        |name: &&str| arguments.policy.is_empty() || arguments.policy.iter().any(|wanted| wanted == name);
    let mut who = Vec::new();
    for policy in policy::names().filter(is_wanted) {
        let ours = |generator| Who { proxy: "lbproxy", policy, generator };
        who.push(ours(Generator::Loadgen));
        who.extend(against.wrk2.then(|| ours(Generator::Wrk2)));
        let able = against.proxies.iter().filter(|proxy| equivalent(proxy, policy).is_some());
        who.extend(able.map(|proxy| Who { proxy, policy, generator: Generator::Loadgen }));
    }
    Ok(who)
}
