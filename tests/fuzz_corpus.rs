//! The corpus of the fuzz targets, replayed without a fuzzer.

#[path = "strict/checks.rs"]
mod checks;
#[path = "exchange/mod.rs"]
mod exchange;
#[path = "strict/mod.rs"]
mod strict;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

#[test]
fn chunked_body() {
    replay("chunked_body", checks::chunked_body);
}

#[test]
fn head() {
    replay("head", checks::head);
}

#[test]
fn exchange() {
    replay("exchange", exchange::exchange);
}

fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut failed = Vec::new();
    let mut replayed = 0;
    for entry in fs::read_dir(&folder).expect("a folder of inputs") {
        let path = entry.expect("a folder of inputs").path();
        let bytes = fs::read(&path).expect("a readable input");
        if catch_unwind(|| check(&bytes)).is_err() {
            failed.push(path.display().to_string());
        }
        replayed += 1;
    }
    assert!(replayed >= 20, "only {replayed} inputs in {}", folder.display());
    assert!(failed.is_empty(), "{} of {replayed} inputs:\n{}", failed.len(), failed.join("\n"));
}
