//! HTTP conformance: what is sent by a client and by backends, and what must come of it, case by case.
//!
//! Every case runs as it is written, split in two at every byte that the client or a backend sends, and byte by byte.
//! A failure names its case and its split: `CASE=te_te SPLIT=client:17 cargo test --test conformance` runs it alone.

#![allow(unreachable_pub, missing_docs, reason = "a test crate has no public interface")]

mod canonical;
mod case;
mod check;
mod chunks;
mod fields;
mod lines;
mod message;
mod net;
mod plain;
mod responses;
mod run;
mod setup;
mod shorthand;
mod smoke;
mod smuggling;
mod targets;
mod wire;

use case::Case;

/// All cases, by theme.
const THEMES: &[(&str, fn() -> Vec<Case>)] = &[
    ("chunks", chunks::cases),
    ("plain", plain::cases),
    ("smuggling", smuggling::cases),
    ("lines", lines::cases),
    ("targets", targets::cases),
    ("fields", fields::cases),
    ("responses", responses::cases),
];

#[test]
#[ignore = "HTTP mode is on its way"]
fn what_the_specification_says() {
    let cases: Vec<Case> = THEMES.iter().flat_map(|(_, cases)| cases()).collect();
    check::check_all(&cases);
}

#[test]
fn cases_are_well_formed() {
    let mut names = std::collections::HashSet::new();
    for case in THEMES.iter().flat_map(|(_, cases)| cases()) {
        check::check_expectations(&case);
        assert!(names.insert(case.name.clone()), "two cases are called {}", case.name);
    }
    println!("{} cases", names.len());
    assert!(names.len() >= 170);
}
