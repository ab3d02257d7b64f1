//! The floors of the house: who may know whom, and how big a room may get. ARCHITECTURE.md says why.
//!
//! A file names only what lives on a floor below its own, or in its own room. Unit tests (`#[cfg(test)]`) may name
//! anything: they do not ship.

#![allow(unreachable_pub, reason = "a test crate has no public interface")]

#[path = "floors/source.rs"]
mod source;

use std::fs;
use std::path::Path;

/// Every file of `src/`, by itself or with its folder, and its floor. A file's own entry goes before its folder's;
/// `x.rs` and `x/` are one room.
const FLOORS: &[(&str, u32)] = &[
    ("token.rs", 0),
    ("timers.rs", 0),
    ("notify.rs", 0),
    ("table.rs", 1),
    ("logging.rs", 0),
    ("access.rs", 0),
    ("histogram.rs", 0),
    ("config/", 0),
    ("http/", 0),
    ("balance/", 1),
    ("ask.rs", 1),
    ("clients.rs", 1),
    ("waiting.rs", 1),
    ("metrics.rs", 1),
    ("net/", 2),
    ("relay/", 3),
    ("ctx.rs", 4),
    ("lab/", 4),
    ("admin/", 5),
    ("health/", 5),
    ("session/", 5),
    ("proxy/", 6),
    ("worker/", 7),
    ("cli.rs", 8),
    ("cli/", 8),
    ("demo.rs", 8),
    ("reach.rs", 8),
    ("upgrade.rs", 8),
    ("view/", 8),
    ("control/", 9),
    ("top/", 9),
    ("run.rs", 10),
    ("lib.rs", 11),
    ("main.rs", 12),
    ("bin/", 12),
];

/// Rooms that stand beside the proxy: only these others may name them, whatever their floor.
const BESIDE: &[(&str, &[&str])] = &[("lab/", &["demo.rs", "bin/"])];

const UNSAFE_ALLOWED: &[&str] = &["net/"];
/// Shared ownership and hidden state: sessions are owned by the loop and borrow the rest.
const BANNED: &[&str] = &["RefCell", "Rc", "thread_local"];

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// A source file: its path below `src/`, with forward slashes, and its text.
type File = (String, String);

#[test]
fn imports_go_down() {
    report(&floor_violations(FLOORS, &sources()));
}

#[test]
fn files_and_functions_fit_a_screen() {
    report(&size_violations(&sources()));
}

#[test]
fn unsafe_code_and_shared_ownership_stay_where_they_belong() {
    report(&word_violations(&sources()));
}

fn report(violations: &[String]) {
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}

fn sources() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src can be listed") {
            let path = entry.expect("src can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).expect("below src").to_str().expect("a plain name");
                files.push((name.to_owned(), fs::read_to_string(&path).expect("a readable file")));
            }
        }
    }
    assert!(files.iter().any(|(path, _)| path == "lib.rs"), "no sources in {}", root.display());
    files.sort();
    files
}

/// What is wrong with the table, and every name that goes up or sideways.
fn floor_violations(floors: &[(&str, u32)], files: &[File]) -> Vec<String> {
    let mut violations = Vec::new();
    for (entry, _) in floors {
        if !files.iter().any(|(path, _)| entry_covers(entry, path)) {
            violations.push(format!("FLOORS names {entry}, which is gone: remove the entry"));
        }
    }
    for (path, text) in files {
        let Some(home) = entry_of(floors, path) else {
            violations.push(format!("src/{path} has no floor: add it to FLOORS in tests/floors.rs"));
            continue;
        };
        let code = source::without_tests(&source::code(text));
        for line in source::inline_modules(&code) {
            violations
                .push(format!("src/{path}:{line}: a module opened in place: give it a file, and a floor"));
        }
        for named in source::paths(&code, &["crate", "lbproxy", "super"]) {
            let target = target(path, &named.segments, files);
            let Some(neighbour) = entry_of(floors, &target) else { continue };
            if let Some(rule) = broken_rule(home, neighbour) {
                let name = named.segments.join("::");
                violations.push(format!("src/{path}:{}: `{name}`: {rule}", named.line));
            }
        }
    }
    violations
}

/// The rule that a file of `home` breaks by naming something of `neighbour`.
fn broken_rule(home: &(&str, u32), neighbour: &(&str, u32)) -> Option<String> {
    let ((ours, our_floor), (theirs, their_floor)) = (*home, *neighbour);
    if room(ours) == room(theirs) {
        return None;
    }
    if their_floor >= our_floor {
        let way = if their_floor == our_floor { "sideways" } else { "up" };
        return Some(format!(
            "{ours} (floor {our_floor}) looks {way} to {theirs} (floor {their_floor}): move what both need to a \
             lower floor, or let a higher one hand it in"
        ));
    }
    let (_, guests) = BESIDE.iter().find(|(beside, _)| *beside == theirs)?;
    (!guests.contains(&ours)).then(|| {
        let guests = guests.join(" and ");
        format!(
            "{theirs} stands beside the proxy, for {guests} only: move what {ours} needs to a room of its own"
        )
    })
}

fn entry_of<'a>(floors: &'a [(&'a str, u32)], path: &str) -> Option<&'a (&'a str, u32)> {
    floors.iter().find(|(entry, _)| entry_covers(entry, path))
}

fn entry_covers(entry: &str, path: &str) -> bool {
    if entry.ends_with('/') { path.starts_with(entry) } else { path == entry }
}

fn room(entry: &str) -> &str {
    entry.trim_end_matches('/').trim_end_matches(".rs")
}

/// The file that a path written in `file` leads to: the innermost module on it that has one.
fn target(file: &str, segments: &[String], files: &[File]) -> String {
    let mut module: Vec<&str> = module_of(file);
    for segment in segments {
        match segment.as_str() {
            "crate" | "lbproxy" => module.clear(),
            "super" => drop(module.pop()),
            "self" => {}
            name => module.push(name),
        }
    }
    while !module.is_empty() {
        let path = module.join("/");
        let candidates = [format!("{path}.rs"), format!("{path}/mod.rs")];
        if let Some(found) = candidates.into_iter().find(|path| files.iter().any(|(name, _)| name == path)) {
            return found;
        }
        module.pop();
    }
    "lib.rs".to_owned()
}

/// `["relay", "buffer"]` for `relay/buffer.rs`, `["relay"]` for `relay/mod.rs`.
fn module_of(file: &str) -> Vec<&str> {
    let mut module: Vec<&str> = room(file).split('/').collect();
    if matches!(module.last(), Some(&("mod" | "lib" | "main"))) {
        module.pop();
    }
    module
}

fn size_violations(files: &[File]) -> Vec<String> {
    let mut violations = Vec::new();
    for (path, text) in files {
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            violations
                .push(format!("src/{path}: {lines} lines, more than {FILE_LINES_MAX}: it is two ideas"));
        }
        for function in source::functions(&source::code(text)) {
            let source::Function { line, name, lines } = function;
            if lines > FUNCTION_LINES_MAX {
                let most = FUNCTION_LINES_MAX;
                violations.push(format!(
                    "src/{path}:{line}: `{name}` has {lines} lines, more than {most}: split it"
                ));
            }
        }
    }
    violations
}

fn word_violations(files: &[File]) -> Vec<String> {
    let mut violations = Vec::new();
    for (path, text) in files {
        let code = source::code(text);
        if !UNSAFE_ALLOWED.iter().any(|entry| entry_covers(entry, path)) {
            for line in source::lines_with(&code, "unsafe") {
                let places = UNSAFE_ALLOWED.join(" and ");
                violations.push(format!("src/{path}:{line}: unsafe code lives in {places} only"));
            }
        }
        for word in BANNED {
            for line in source::lines_with(&code, word) {
                violations.push(format!(
                    "src/{path}:{line}: {word}: let the loop own it, and hand out ids or borrows"
                ));
            }
        }
    }
    violations
}

fn planted(files: &[(&str, &str)]) -> Vec<File> {
    files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect()
}

#[test]
fn planted_imports_are_caught() {
    let floors = [
        ("low.rs", 0),
        ("side.rs", 1),
        ("room/low.rs", 0),
        ("room/", 1),
        ("lab/", 1),
        ("top.rs", 2),
        ("lib.rs", 3),
    ];
    let others = [
        ("lib.rs", ""),
        ("low.rs", ""),
        ("side.rs", ""),
        ("room/mod.rs", ""),
        ("room/low.rs", ""),
        ("room/deep/mod.rs", ""),
        ("lab/mod.rs", ""),
        ("top.rs", ""),
    ];
    let outcome = |path: &str, text: &str| {
        let mut files = planted(&others);
        files.iter_mut().filter(|(name, _)| name == path).for_each(|(_, own)| *own = text.to_owned());
        floor_violations(&floors, &files)
    };
    for (path, text) in [
        ("low.rs", "//! See [`crate::top`].\n#[cfg(test)]\nmod tests {\n    use crate::top::X;\n}"),
        ("room/mod.rs", "use crate::low::X;\nuse super::low::Y;\nmod low;\nuse low::Z;"),
        ("room/deep/mod.rs", "use super::super::low;\nuse crate::room::X;\nuse crate::room::low::Y;"),
        (
            "top.rs",
            "use crate::{low, room::{self, deep::X}, side::Y};\nfn f() { crate::low::f(\"crate::lab\") }",
        ),
    ] {
        assert_eq!(outcome(path, text), Vec::<String>::new(), "{path}: {text}");
    }
    for (path, text, line, what) in [
        (
            "low.rs",
            "\nuse crate::side::X;",
            2,
            "`crate::side::X`: low.rs (floor 0) looks up to side.rs (floor 1)",
        ),
        ("low.rs", "use crate::*;", 1, "`crate`: low.rs (floor 0) looks up to lib.rs (floor 3)"),
        (
            "side.rs",
            "use crate::{low::X, room::Y};",
            1,
            "`crate::room::Y`: side.rs (floor 1) looks sideways to room/",
        ),
        (
            "side.rs",
            "fn f() {\n    crate::top::f();\n}",
            2,
            "`crate::top::f`: side.rs (floor 1) looks up to top.rs",
        ),
        ("room/low.rs", "use super::X;", 1, "`super::X`: room/low.rs (floor 0) looks up to room/ (floor 1)"),
        (
            "room/deep/mod.rs",
            "use super::super::side;",
            1,
            "`super::super::side`: room/ (floor 1) looks sideways",
        ),
        (
            "top.rs",
            "use crate::lab::X;",
            1,
            "`crate::lab::X`: lab/ stands beside the proxy, for demo.rs and bin/ only",
        ),
        ("top.rs", "mod inner {\n    use super::super::lab;\n}", 1, "a module opened in place"),
    ] {
        let violations = outcome(path, text);
        let expected = format!("src/{path}:{line}: {what}");
        assert!(violations.iter().any(|found| found.starts_with(&expected)), "{expected}: {violations:?}");
    }
}

#[test]
fn a_table_that_does_not_match_the_tree_is_caught() {
    let violations = floor_violations(&[("a.rs", 0), ("b/", 1)], &planted(&[("a.rs", ""), ("c.rs", "")]));
    let expected = [
        "FLOORS names b/, which is gone: remove the entry",
        "src/c.rs has no floor: add it to FLOORS in tests/floors.rs",
    ];
    assert_eq!(violations, expected);
}

#[test]
fn planted_sizes_and_words_are_caught() {
    let long = format!("fn long() {{\n{}}}\n", "    f();\n".repeat(FUNCTION_LINES_MAX - 1));
    let expected = "src/a.rs:1: `long` has 71 lines, more than 70: split it";
    assert_eq!(size_violations(&planted(&[("a.rs", &long)])), [expected]);
    let lines = "\n".repeat(FILE_LINES_MAX + 1);
    assert_eq!(size_violations(&planted(&[("a.rs", &lines)])).len(), 1);
    assert_eq!(size_violations(&planted(&[("a.rs", &lines[1..])])).len(), 0);

    let text =
        "// unsafe RefCell\nuse std::cell::RefCell;\nstd::thread_local! {}\nuse std::rc::Rc;\nunsafe {}\nArc";
    assert_eq!(word_violations(&planted(&[("a.rs", text)])).len(), 4);
    assert_eq!(
        word_violations(&planted(&[("net/os.rs", "unsafe {}"), ("x.rs", "#![deny(unsafe_code)]")])).len(),
        0
    );
}
