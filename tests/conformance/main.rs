//! HTTP conformance: what is sent by a client and by backends, and what must come of it, case by case.
//!
//! Every case runs as it is written, split in two at every byte that the client or a backend sends, and byte by byte.
//! A failure names its case and its split: `CASE=te_te SPLIT=client:17 cargo test --test conformance` runs it alone.

#![allow(unreachable_pub, missing_docs, reason = "a test crate has no public interface")]

mod broken;
mod canonical;
mod case;
mod check;
mod chunks;
mod errors;
mod expect;
mod fields;
mod forwarding;
mod leaving;
mod lines;
#[path = "../strict/mod.rs"]
mod message;
mod old;
mod pipelining;
mod plain;
mod responses;
mod reuse;
mod run;
#[path = "../scripted/mod.rs"]
mod scripted;
mod setup;
mod shorthand;
mod smoke;
mod smuggling;
mod targets;
mod timeouts;
mod upgrade;

use std::collections::HashSet;

use case::Case;

type Theme = fn() -> Vec<Case>;

/// Where requests begin and end.
const REQUESTS: &[Theme] = &[
    plain::cases,
    smuggling::cases,
    chunks::cases,
    lines::cases,
    targets::cases,
    fields::cases,
    expect::cases,
];
/// What comes back, and what goes on after it.
const ANSWERS: &[Theme] =
    &[responses::cases, broken::cases, errors::cases, old::cases, pipelining::cases, reuse::cases];
/// Everything else.
const OTHERS: &[Theme] = &[upgrade::cases, forwarding::cases, timeouts::cases, leaving::cases];

fn all(themes: &[Theme]) -> Vec<Case> {
    themes.iter().flat_map(|theme| theme()).collect()
}

#[test]
fn requests() {
    check::check_all(&all(REQUESTS));
}

#[test]
fn answers() {
    check::check_all(&all(ANSWERS));
}

#[test]
fn others() {
    check::check_all(&all(OTHERS));
}

#[test]
fn cases_are_well_formed() {
    let (mut names, mut runs) = (HashSet::new(), 0);
    for case in [REQUESTS, ANSWERS, OTHERS].into_iter().flat_map(all) {
        check::check_expectations(&case);
        runs += run::Split::all(&case).len();
        assert!(names.insert(case.name.clone()), "two cases are called {}", case.name);
    }
    println!("{} cases, {runs} runs", names.len());
    assert!(names.len() >= 781, "only {} cases", names.len());
}
