//! `simulate`, the program: against what is known of queues and of policies, and what it does with what it is given.

mod input;
mod policies;
mod queues;

use std::collections::HashMap;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs the program with these words.
fn run(words: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_simulate")).args(words.split_whitespace()).output().expect("it starts")
}

/// What it found, by policy.
fn found(words: &str) -> HashMap<String, Value> {
    let ended = run(&format!("{words} --json"));
    assert!(ended.status.success(), "{words}: {}", String::from_utf8_lossy(&ended.stderr));
    let all: Vec<Value> = serde_json::from_slice(&ended.stdout).expect("JSON");
    assert!(!all.is_empty());
    for one in &all {
        let count = |name: &str| one[name].as_u64().unwrap();
        let over = count("answered") + count("errors") + count("unserved");
        assert!(words.contains("--forever") || over == count("requests"), "every request is over: {words}");
    }
    all.into_iter().map(|one| (one["policy"].as_str().unwrap().to_owned(), one)).collect()
}

/// A figure of a policy, by its path in the JSON.
fn figure(found: &HashMap<String, Value>, policy: &str, path: &str) -> f64 {
    let value = found[policy].pointer(path).and_then(Value::as_f64);
    value.unwrap_or_else(|| panic!("{policy}: no figure {path} in {}", found[policy]))
}

fn assert_near(value: f64, expected: f64, tolerance: f64) {
    assert!((value - expected).abs() <= tolerance, "{value}, not {expected} ± {tolerance}");
}
