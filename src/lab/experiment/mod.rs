//! `experiment`: every test of what a policy does, in one command, with pictures.
//!
//! ```text
//! tests (what to do) ─▶ plan (who does it, when, for how long) ─▶ trial: company + clients ─▶ results ─▶ checks
//!                                                                                               └─▶ report
//! ```
//!
//! A trial is one test, done once by one proxy with one policy: fresh backends and proxy (`company`), clients, and
//! everything stopped at its end. Rounds are interleaved, so that whatever drifts on the machine meets everybody alike.
//! What is counted comes from the backends' own statistics and from the clients, so it means the same whoever the proxy is.
//!
//! Backends, clients and lbproxy are this program itself, started under another name ([`programs`]): what is measured is
//! what was built with it, and `cargo run --bin experiment` needs nothing else to be built.

mod against;
mod arguments;
mod charts;
mod checks;
mod clients;
mod commands;
mod company;
mod members;
mod page;
mod plan;
pub mod programs;
mod results;
mod tables;
mod tests;
mod trial;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

pub use arguments::Arguments;

use self::against::Against;
use self::commands::Commands;
use self::plan::{Plan, Who};
use self::results::{Machine, Results, Settings};
use self::trial::Bench;
use super::cpu::{self, Watch};
use super::cpus::{Cpus, Placement};
use super::{process, usage};
use crate::net::os;

/// How often to look how busy the machine is, as the class project did.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// Runs what the arguments ask for, and returns whether all checks hold.
///
/// # Errors
/// An argument that makes no sense, or something without which nothing can be measured. A trial that fails is no error,
/// but a check that does not hold.
pub fn run(arguments: &Arguments) -> Result<bool, String> {
    if arguments.list {
        print!("{}", tests::list());
        return Ok(true);
    }
    let against = Against::find(&arguments.against)?;
    let plan = Plan::new(arguments, &against)?;
    os::raise_fd_limit();
    let out = folder(arguments.out.as_deref())?;
    process::end_all_on_signal().map_err(|error| format!("cannot handle signals: {error}"))?;
    let placement = Placement::new(&Cpus::allowed()?, 1);
    placement.load.pin()?;
    let watch = Watch::start(&out, WATCH_EVERY).map_err(|error| format!("cannot watch the CPUs: {error}"))?;
    let mut bench = Bench::new(&out, placement)?;
    let mut results = Results {
        machine: machine(),
        settings: settings(arguments, &plan),
        tests: plan.tests.iter().map(|test| test.title()).collect(),
        contestants: plan.who.iter().map(Who::label).collect(),
        missing: against.missing,
        ..Results::default()
    };
    let bar = progress(plan.total_ms());
    for step in &plan.steps {
        bar.set_message(format!("{}: {}", step.test.name, step.who.label()));
        results.samples.push(bench.trial(step));
        bar.inc(step.planned_ms());
    }
    bar.finish_and_clear();
    results.cpu_percent = watch.stop();
    results.checks = checks::all(&plan.tests, &results);
    results.checks.push(bench.nothing_is_left());
    write_all(&out, &results, bench.commands())?;
    print!("{}", tables::summary(&results));
    println!("\nOpen {}", out.join("report.html").display());
    Ok(results.checks.iter().all(|check| check.holds))
}

fn settings(arguments: &Arguments, plan: &Plan) -> Settings {
    Settings {
        full: arguments.full,
        rounds: plan.rounds,
        seconds: plan.seconds,
        command: std::env::args().skip(1).collect::<Vec<_>>().join(" "),
    }
}

/// Makes the folder of a run; one that has something in it is not touched.
fn folder(wanted: Option<&Path>) -> Result<PathBuf, String> {
    let path = match wanted {
        Some(path) => path.to_owned(),
        None => format!("experiment-{}", date("+%Y-%m-%d-%H%M%S")).into(),
    };
    let cannot = |error| format!("--out {}: {error}", path.display());
    fs::create_dir_all(&path).map_err(cannot)?;
    if fs::read_dir(&path).map_err(cannot)?.next().is_some() {
        return Err(format!(
            "--out {}: it is not empty; name another folder, or remove this one",
            path.display()
        ));
    }
    path.canonicalize().map_err(cannot)
}

fn write_all(out: &Path, results: &Results, commands: &Commands) -> Result<(), String> {
    let json = serde_json::to_string_pretty(results).map_err(|error| format!("results.json: {error}"))?;
    for (name, text) in [
        ("results.json", json + "\n"),
        ("commands.sh", commands.script()),
        ("report.html", page::html(results, commands)),
    ] {
        let path = out.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let charts = out.join("charts");
    fs::create_dir(&charts).map_err(|error| format!("{}: {error}", charts.display()))?;
    for (name, picture) in charts::all(results) {
        let path = charts.join(format!("{name}.svg"));
        fs::write(&path, picture.standalone()).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

fn progress(total_ms: u64) -> ProgressBar {
    let bar = ProgressBar::new(total_ms);
    bar.enable_steady_tick(Duration::from_millis(200));
    match ProgressStyle::with_template("{wide_bar} {percent} %, {eta} left  {msg:32!}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn machine() -> Machine {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    Machine {
        host: cpu::host(),
        date: date("+%F %T"),
        kernel: kernel.trim().to_owned(),
        cpu: model.map_or(std::env::consts::ARCH, |(_, model)| model.trim()).to_owned(),
        cpus: usage::cpus().unwrap_or(0),
    }
}

fn date(format: &str) -> String {
    let output = Command::new("date").args(["--utc", format]).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
