//! What must be so, whatever the machine: counts that are complete, shares within bounds.

use super::results::{Check, Results, Sample};
use super::tests::Test;

/// How far from its weight a share may be, in percentage points, where every turn counts.
const TURNS_OFF_MAX: f64 = 2.0;
/// The same where lots are drawn or load decides.
const LOTS_OFF_MAX: f64 = 8.0;

/// Every check of every contestant in every test.
pub(super) fn all(tests: &[&Test], results: &Results) -> Vec<Check> {
    let mut checks = Vec::new();
    for test in tests {
        for who in &results.contestants {
            for sample in
                results.samples.iter().filter(|sample| sample.test == test.name && sample.who == *who)
            {
                checks.extend(of(test, sample));
            }
        }
    }
    checks.extend(slow_backend(results));
    checks
}

/// Whoever looks at latencies must do far better with a slow backend than whoever looks at nothing.
fn slow_backend(results: &Results) -> Option<Check> {
    let p99_ms = |policy: &str| {
        let figure = |sample: &Sample| Some(sample.load.as_ref()?.latency_us.p99 / 1000.0);
        Some(results.spread("slow-backend", policy, figure)?.median)
    };
    let (aware, blind) = (p99_ms("peak_ewma")?, p99_ms("round_robin")?);
    Some(Check {
        test: "slow-backend".into(),
        who: "peak_ewma".into(),
        what: "its p99 is less than a quarter of round_robin's, in the median".into(),
        holds: aware < blind / 4.0,
        found: format!("{aware:.1} ms, {blind:.1} ms"),
    })
}

fn of(test: &Test, sample: &Sample) -> Vec<Check> {
    let check = |what: &str, holds: bool, found: String| Check {
        test: test.name.into(),
        who: format!("{}, round {}", sample.who, sample.round),
        what: what.into(),
        holds,
        found,
    };
    if let Some(failure) = &sample.failure {
        return vec![check("the trial took place", false, failure.clone())];
    }
    let mut checks = Vec::new();
    if let Some(count) = &sample.transmissions {
        let found = format!("{} of {}", count.accurate, count.expected);
        checks.push(check("everything came back, and accurate", count.accurate == count.expected, found));
    }
    if let Some(load) = &sample.load {
        let wrong: u64 = load.errors.values().sum();
        let found = format!("{} = {} + {wrong}", load.requests, load.ok);
        checks.push(check(
            "every request was answered or failed for a reason",
            load.requests == load.ok + wrong,
            found,
        ));
        checks.push(check("requests were answered", load.ok > 0, load.ok.to_string()));
        let bound = errors_max(test.name, sample);
        if let Some(bound) = bound {
            checks.push(check(
                &format!("at most {bound} requests failed"),
                wrong <= bound,
                format!("{:?}", sample.errors()),
            ));
        }
    }
    if let Some(members) = &sample.members {
        let found = format!("{} of {}", members.clients - members.unserved, members.clients);
        checks.push(check("every client was served", members.unserved == 0, found));
        if ["ip_hashing", "maglev"].contains(&sample.policy.as_str()) && sample.proxy == "lbproxy" {
            // Rendezvous hashing moves nobody without need; Maglev very few.
            let bound = if sample.policy == "maglev" { members.clients / 10 } else { 0 };
            let holds = members.moved_without_need <= bound;
            let what = format!("at most {bound} clients moved that did not have to");
            checks.push(check(&what, holds, members.moved_without_need.to_string()));
        }
    }
    checks.extend(shares(test.name, sample, &check));
    checks
}

/// How many requests may fail in a test: where no backend fails, none; where one is killed, those it was working on.
fn errors_max(test: &str, sample: &Sample) -> Option<u64> {
    let connections = sample.load.as_ref()?.connections;
    match test {
        "latency" | "weights" => Some(0),
        // One life taken costs at most what is in flight.
        "kill-and-return" => Some(connections),
        "flapping" => Some(3 * connections),
        _ => None,
    }
}

fn shares(test: &str, sample: &Sample, check: &impl Fn(&str, bool, String) -> Check) -> Vec<Check> {
    let shares = sample.shares();
    let furthest = shares.iter().map(|(share, due)| (share - due).abs()).fold(0.0, f64::max);
    let policy = sample.policy.as_str();
    let bound = match (test, policy) {
        ("latency" | "weights" | "burst" | "file-stateless", "round_robin") => Some(TURNS_OFF_MAX),
        ("latency" | "weights", "random") | ("burst", "fewest_connections") => Some(LOTS_OFF_MAX),
        _ => None,
    };
    let mut checks = Vec::new();
    if let Some(bound) = bound {
        let what = format!("each backend's share is within {bound} points of its weight");
        checks.push(check(&what, furthest <= bound, format!("{furthest:.1} off")));
    }
    if test == "slow-backend" && ["fewest_connections", "peak_ewma"].contains(&policy) {
        // A tenth of the speed deserves a 31st of the work: between that and half of a fair share is sane.
        let slow = shares.last().map_or(0.0, |share| share.0);
        checks.push(check(
            "the slow backend has less than half of a fair share",
            slow < 12.5,
            format!("{slow:.1} %"),
        ));
    }
    if test == "messages" || test == "file-stateful" {
        let busy = sample.backends.iter().filter(|seen| seen.requests > 0).count();
        checks.push(check("one connection stays with one backend", busy == 1, format!("{busy} backends")));
    }
    checks
}
