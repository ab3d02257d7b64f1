//! That the check of instruction counts can fail: what `benches/instructions.rs` makes of counts and their baseline.

#![allow(unreachable_pub, reason = "a test crate has no public interface")]

#[path = "../benches/instructions/baseline.rs"]
mod baseline;

use baseline::{Baseline, Counts, Judgement, difference_percent, judge};

fn counts(counts: &[(&str, u64)]) -> Counts {
    counts.iter().map(|(name, count)| (name.to_string(), *count)).collect()
}

fn baseline(of: &[(&str, u64)]) -> Baseline {
    Baseline { made_with: "rustc 1.2.3 (abc), a machine".to_owned(), counts: counts(of) }
}

#[test]
fn what_is_saved_can_be_read() {
    let saved = baseline(&[("head", 6031), ("a_name_longer_than_its_column", 7)]);
    assert_eq!(Baseline::parse(&saved.render()), Ok(saved));
}

#[test]
fn what_is_no_baseline_is_refused() {
    for (text, why) in [
        ("head 6031\n", "no line that starts with"),
        ("# Counted with x\nhead\n", "not a name and a count: \"head\""),
        ("# Counted with x\nhead many\n", "not a name and a count: \"head many\""),
        ("# Counted with x\nhead 0\n", "not a name and a count: \"head 0\""),
    ] {
        let error = Baseline::parse(text).expect_err(text);
        assert!(error.starts_with(why), "{error}");
    }
}

/// The repository's own: whatever it was counted with.
#[test]
fn the_baseline_of_the_repository_is_one() {
    let baseline = Baseline::parse(include_str!("../benches/instructions.txt")).expect("a baseline");
    assert!(!baseline.counts.is_empty());
}

#[test]
fn three_percent_are_let_pass() {
    let judgement =
        judge(&counts(&[("up", 1030), ("down", 970)]), &baseline(&[("up", 1000), ("down", 1000)]));
    assert_eq!(judgement, Judgement::default());
    assert_eq!(difference_percent(1250, 1000), 25.0);
}

#[test]
fn more_is_a_failure_and_less_is_a_gain() {
    let judgement =
        judge(&counts(&[("up", 1031), ("down", 969)]), &baseline(&[("up", 1000), ("down", 1000)]));
    assert_eq!(judgement.failures, ["up: 1031 instructions instead of 1000, +3.1 %"]);
    assert_eq!(judgement.gains, ["down: 969 instructions instead of 1000, -3.1 %"]);
}

#[test]
fn names_must_be_the_same() {
    let judgement = judge(&counts(&[("new", 1)]), &baseline(&[("old", 1)]));
    assert_eq!(judgement.failures, ["new has no baseline", "old has a baseline, and is not counted"]);
}
