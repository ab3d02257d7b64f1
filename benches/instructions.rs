//! How many instructions the proxy's operations take, counted by valgrind: the same number in every run, however busy the
//! machine is. `cargo bench --bench instructions`; with `-- --check`, a count that went up is an error.

#![allow(unreachable_pub, reason = "a benchmark has no public interface")]

#[path = "instructions/baseline.rs"]
mod baseline;
#[path = "instructions/callgrind.rs"]
mod callgrind;
mod memory;
mod messages;
#[path = "instructions/operations.rs"]
mod operations;

use std::env::consts::{ARCH, OS};
use std::path::Path;
use std::process::{Command, ExitCode};

use baseline::{Baseline, Counts, NAME_WIDTH, difference_percent, judge};
use operations::Operation;

const BASELINE_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.txt");
const USAGE: &str = "cargo bench --bench instructions [-- [NAME-PART] | --check | --save]";

/// What is asked for.
enum Task {
    /// Count those whose names hold this, and show it.
    Show(String),
    /// Fail if a count is above its baseline.
    Check,
    /// Make the counts the baseline.
    Save,
    /// Run everything once, to see that it works.
    Test,
    /// Under valgrind: be counted.
    Count(String),
}

fn main() -> ExitCode {
    let outcome = match task(std::env::args().skip(1).collect()) {
        Ok(Task::Test) => {
            operations::all().into_iter().for_each(run_once);
            Ok(())
        }
        Ok(Task::Count(name)) => match operations::all().into_iter().find(|one| one.name == name) {
            Some(operation) => {
                callgrind::run_counted(operation);
                Ok(())
            }
            None => Err(format!("nothing is called {name}")),
        },
        Ok(task) => with_valgrind(&task),
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Cargo adds `--bench` when it benchmarks, and does not when it tests.
fn task(mut arguments: Vec<String>) -> Result<Task, String> {
    let is_bench = arguments.iter().any(|argument| argument == "--bench");
    arguments.retain(|argument| argument != "--bench");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [callgrind::COUNT, name] => Ok(Task::Count(name.to_owned())),
        ["--test"] => Ok(Task::Test),
        _ if !is_bench => Ok(Task::Test),
        ["--check"] => Ok(Task::Check),
        ["--save"] => Ok(Task::Save),
        [] => Ok(Task::Show(String::new())),
        [part] if !part.starts_with('-') => Ok(Task::Show(part.to_owned())),
        _ => Err(format!("usage: {USAGE}")),
    }
}

fn run_once(operation: Operation) {
    println!("{}", operation.name);
    operation.prepare()();
}

fn with_valgrind(task: &Task) -> Result<(), String> {
    if cfg!(debug_assertions) {
        return Err("counts of a build with assertions mean nothing: leave --profile away".to_owned());
    }
    let Some(valgrind) = callgrind::valgrind() else {
        let missing = "valgrind is not installed (Debian: apt-get install valgrind)";
        if std::env::var_os("CI").is_some_and(|ci| ci == "true") {
            return Err(format!("{missing}, and CI is true"));
        }
        println!("SKIPPED: {missing}");
        return Ok(());
    };
    let baseline = match (std::fs::read_to_string(BASELINE_FILE), task) {
        (Ok(text), _) => Some(Baseline::parse(&text).map_err(|error| format!("{BASELINE_FILE}: {error}"))?),
        (Err(error), Task::Check) => return Err(format!("{BASELINE_FILE}: {error}")),
        (Err(_), _) => None,
    };
    let part = if let Task::Show(part) = task { part } else { "" };
    let counts = show_counts(&valgrind, part, baseline.as_ref())?;
    let made_with = made_with(&valgrind);
    match (task, baseline) {
        (Task::Save, _) => save(Baseline { made_with, counts }),
        (Task::Check, Some(baseline)) => check(&counts, &baseline, &made_with),
        (_, Some(baseline)) => {
            warn_if_not_comparable(&baseline, &made_with);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn show_counts(valgrind: &Path, part: &str, baseline: Option<&Baseline>) -> Result<Counts, String> {
    println!("{:NAME_WIDTH$} {:>12} {:>12} {:>12}", "operation", "instructions", "baseline", "difference");
    let mut counts = Vec::new();
    for operation in operations::all().into_iter().filter(|operation| operation.name.contains(part)) {
        let count = callgrind::count(valgrind, &operation)?;
        let before = baseline.and_then(|baseline| baseline.count(&operation.name));
        let (before, difference) = match before {
            Some(before) => (before.to_string(), format!("{:+.1} %", difference_percent(count, before))),
            None => ("-".to_owned(), "-".to_owned()),
        };
        println!("{:NAME_WIDTH$} {count:>12} {before:>12} {difference:>12}", operation.name);
        counts.push((operation.name, count));
    }
    Ok(counts)
}

fn save(baseline: Baseline) -> Result<(), String> {
    std::fs::write(BASELINE_FILE, baseline.render()).map_err(|error| format!("{BASELINE_FILE}: {error}"))?;
    println!("\nwritten to benches/instructions.txt");
    Ok(())
}

fn check(counts: &Counts, baseline: &Baseline, made_with: &str) -> Result<(), String> {
    if warn_if_not_comparable(baseline, made_with) {
        return Ok(());
    }
    let judgement = judge(counts, baseline);
    if !judgement.gains.is_empty() {
        println!("\nBetter than the baseline, which should be lowered:\n  {}", judgement.gains.join("\n  "));
    }
    if judgement.failures.is_empty() {
        println!("\nNo count is above its baseline.");
        return Ok(());
    }
    Err(format!(
        "\nNot as the baseline has it:\n  {}\n\nWhere the instructions are: callgrind_annotate {}\n\
         If they are worth it: cargo bench --bench instructions -- --save, and commit benches/instructions.txt.",
        judgement.failures.join("\n  "),
        callgrind::profile("NAME").display(),
    ))
}

/// Says loudly that the baseline is another compiler's, if it is.
fn warn_if_not_comparable(baseline: &Baseline, made_with: &str) -> bool {
    let differs = baseline.made_with != made_with;
    if differs {
        println!(
            "\n!!!! NOT COMPARABLE, so nothing is checked. To be able to, count both states of the code here, or save\n\
             !!!! a new baseline.\n\
             !!!! baseline: {}\n\
             !!!! here:     {made_with}",
            baseline.made_with
        );
    }
    differs
}

/// Everything besides our code that decides how many instructions it takes.
fn made_with(valgrind: &Path) -> String {
    let environment = if cfg!(target_env = "musl") { "musl" } else { "gnu" };
    let rustc = first_line(Path::new("rustc"), "-V");
    let libc = first_line(Path::new("getconf"), "GNU_LIBC_VERSION");
    let valgrind = first_line(valgrind, "--version");
    format!("{rustc}, {ARCH}-{OS}-{environment}, {libc}, {valgrind}")
}

fn first_line(program: &Path, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output();
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    said.lines().next().map_or_else(|| format!("unknown {}", program.display()), str::to_owned)
}
