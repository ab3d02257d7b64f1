//! lbproxy beside other proxies: CPU time per request and memory per connection, in interleaved rounds.
//!
//! `cargo bench --bench versus -- --help`

#![allow(unreachable_pub, reason = "a program has no public interface")]

mod arguments;
mod chart;
mod contestants;
mod floor;
mod machine;
mod results;
mod rows;
mod run;
mod sample;
mod table;
mod watcher;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lbproxy::lab::cpus::{Cpus, Placement};
use lbproxy::lab::process;
use lbproxy::lab::start;
use lbproxy::net::os;

use arguments::Arguments;
use contestants::{Contestant, Field};
use results::{Report, RowTitle, Settings};
use rows::{ROWS, Row};
use sample::{Bench, Sizes};

/// The build that this benchmark was built with.
const OURS: &str = env!("CARGO_BIN_EXE_lbproxy");

const FULL: Sizes = Sizes { secs: 4, warm_up_secs: 1, idle: 4000, open: 9000 };
const QUICK: Sizes = Sizes { secs: 1, warm_up_secs: 0, idle: 200, open: 300 };

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if words.get(1).is_some_and(|word| word == floor::ARGUMENT) {
        return conclude(floor::run(&words[2..]).map(|()| true));
    }
    conclude(run(&start::parse()))
}

/// Exit codes: 0 all is well, 1 a figure is missing or doubtful, 2 the benchmark could not run.
fn conclude(result: Result<bool, String>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => start::refuse(&reason),
    }
}

/// Whether all samples are good.
fn run(arguments: &Arguments) -> Result<bool, String> {
    let rows = arguments.rows()?;
    let field = contestants::gather(&builds(arguments), &extra(arguments), &arguments.against)?;
    if arguments.list {
        list(&field);
        return Ok(true);
    }
    if let Some(what) = lacking() {
        if !arguments.is_quick() || std::env::var("CI").is_ok_and(|value| value == "true") {
            return Err(what);
        }
        println!("SKIPPED: {what}");
        return Ok(true);
    }
    os::raise_fd_limit();
    process::end_all_on_signal().map_err(|error| format!("cannot handle signals: {error}"))?;
    let out = directory(&arguments.out())?;
    let workers = usize::try_from(arguments.workers).unwrap_or(usize::MAX);
    let placement = Placement::new(&Cpus::allowed()?, workers);
    placement.load.pin()?;
    let sizes = if arguments.is_quick() { QUICK } else { Sizes { secs: arguments.secs, ..FULL } };
    let bench = Bench::start(placement, workers, sizes, &directory(&out.join("run"))?)?;
    let rounds = if arguments.is_quick() { 1 } else { arguments.rounds };
    let mut report = empty_report(&bench, &rows, &field, rounds);
    report.samples =
        run::samples(&bench, &run::plan(&rows, &field.contestants, rounds, arguments.is_quick()));
    write_all(&report, &out)?;
    print!("{}", table::text(&report));
    if arguments.is_quick() {
        println!("\nThis was a quick run, to see that everything works: the figures mean nothing.");
    }
    println!("\nIn {}: versus.txt, versus.md, versus.json, versus.svg", out.display());
    Ok(report.troubles().is_empty())
}

fn builds(arguments: &Arguments) -> Vec<(String, PathBuf)> {
    if arguments.lbproxy.is_empty() {
        vec![("lbproxy".to_owned(), PathBuf::from(OURS))]
    } else {
        arguments.lbproxy.clone()
    }
}

fn extra(arguments: &Arguments) -> Vec<String> {
    arguments.args.split_whitespace().map(str::to_owned).collect()
}

fn list(field: &Field) {
    println!("Rows:");
    ROWS.iter().for_each(|row| println!("  {:10}  {}", row.name, row.what));
    println!("Contestants:");
    field.contestants.iter().for_each(|contestant| println!("  {} {}", contestant.name, contestant.version));
    if !field.missing.is_empty() {
        println!("Not there:");
        field.missing.iter().for_each(|missing| println!("  {missing}"));
    }
}

/// What nothing can be measured without.
fn lacking() -> Option<String> {
    let lacking: Vec<&str> =
        ["wrk", "nginx"].into_iter().filter(|program| process::find(program).is_none()).collect();
    let names = lacking.join(" and ");
    (!lacking.is_empty()).then(|| {
        format!(
            "no {names} on PATH, the load and the backends: apt-get install wrk nginx libnginx-mod-stream"
        )
    })
}

/// Makes a directory, and returns its absolute path: programs are told of it that may run elsewhere.
fn directory(path: &Path) -> Result<PathBuf, String> {
    let made = fs::create_dir_all(path).and_then(|()| path.canonicalize());
    made.map_err(|error| format!("{}: {error}", path.display()))
}

fn empty_report(bench: &Bench, rows: &[&Row], field: &Field, rounds: u32) -> Report {
    let title = |row: &&Row| RowTitle { name: row.name.into(), what: row.what.into(), unit: row.unit() };
    Report {
        machine: machine::describe(),
        settings: Settings {
            rounds,
            secs: bench.sizes.secs,
            workers: bench.workers,
            proxy_cpus: bench.placement.proxy.to_string(),
            load_cpus: bench.placement.load.to_string(),
        },
        contestants: field.contestants.iter().map(Contestant::entrant).collect(),
        missing: field.missing.clone(),
        rows: rows.iter().map(title).collect(),
        samples: Vec::new(),
    }
}

fn write_all(report: &Report, out: &Path) -> Result<(), String> {
    let json = serde_json::to_string_pretty(report).map_err(|error| format!("versus.json: {error}"))?;
    for (name, text) in [
        ("versus.txt", table::text(report)),
        ("versus.md", table::markdown(report)),
        ("versus.json", json + "\n"),
        ("versus.svg", chart::svg(report)),
    ] {
        let path = out.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}
