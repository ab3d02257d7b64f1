//! `experiment`, as whoever runs it meets it: what it leaves, what it refuses, and that nothing outlives it.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use lbproxy::lab::process;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const EXPERIMENT: &str = env!("CARGO_BIN_EXE_experiment");
const DEADLINE: Duration = Duration::from_secs(60);

fn run(arguments: &[&str]) -> Output {
    Command::new(EXPERIMENT).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Processes that have this in their command line, without this one.
fn processes_with(word: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        (pid != std::process::id()).then(|| String::from_utf8_lossy(&line).replace('\0', " "))
    });
    lines.filter(|line| line.contains(word)).collect()
}

#[test]
fn a_short_run_leaves_a_whole_report_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let scenarios = "classic,slow-backend,sinkhole,kill-and-return,weights,membership,burst";
    let policies = "round_robin,fewest_connections,ip_hashing";
    let words = ["--scenario", scenarios, "--policy", policies, "--rounds", "1", "--seconds", "0.8"];
    let ended = run(&[&words[..], &["--out", out.to_str().unwrap()]].concat());
    assert_eq!(ended.status.code(), Some(0), "{}\n{}", text(&ended.stdout), text(&ended.stderr));
    assert!(text(&ended.stdout).contains("checks hold."));
    assert_eq!(processes_with(out.to_str().unwrap()), Vec::<String>::new());

    let results: Value =
        serde_json::from_str(&fs::read_to_string(out.join("results.json")).unwrap()).unwrap();
    let samples = results["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 10 * 3);
    for sample in samples {
        assert!(sample["failure"].is_null(), "{sample}");
        if let Some(count) = sample["transmissions"].as_object() {
            assert_eq!(count["accurate"], count["expected"], "{sample}");
        }
        if let Some(load) = sample["load"].as_object() {
            let errors: u64 = load["errors"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
            assert_eq!(load["requests"].as_u64().unwrap(), load["ok"].as_u64().unwrap() + errors);
            assert!(sample["proxy_cpu_ms"].as_f64().unwrap() > 0.0, "{sample}");
        }
    }
    let checks = results["checks"].as_array().unwrap();
    assert!(checks.len() > samples.len() && checks.iter().all(|check| check["holds"] == true));
    assert!(checks.iter().any(|check| check["what"].as_str().unwrap().contains("every program")));
    // A backend that fails instantly draws those who look at load alone: the report must not hide it.
    let failed = |policy: &str| {
        let is_it = |sample: &&Value| sample["test"] == "sinkhole" && sample["policy"] == policy;
        let sample = samples.iter().find(is_it).unwrap();
        sample["load"]["errors"]["status"].as_f64().unwrap() / sample["load"]["requests"].as_f64().unwrap()
    };
    assert!(failed("fewest_connections") > failed("round_robin"));
    the_folder_is_complete(&out);
    the_report_opens_in_a_browser(&out);
}

fn the_folder_is_complete(out: &Path) {
    let names: Vec<String> =
        fs::read_dir(out).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    for name in ["report.html", "results.json", "commands.sh", "logs", "charts", "programs"] {
        assert!(names.iter().any(|found| found == name), "no {name} in {names:?}");
    }
    let cpu = names.iter().find(|name| name.starts_with("cpu_usage.txt ")).expect("a file of CPU usage");
    let cpu = fs::read_to_string(out.join(cpu)).unwrap();
    assert!(cpu.lines().count() > 1, "{cpu}");
    assert!(cpu.lines().all(|line| (0.0..=100.0).contains(&line.parse::<f64>().unwrap())), "{cpu}");
    let commands = fs::read_to_string(out.join("commands.sh")).unwrap();
    for line in
        ["# latency, round_robin, round 1", "http_backend --port ", "lbproxy --quiet", "loadgen -t2 -c100 "]
    {
        assert!(commands.contains(line), "no {line} in {commands}");
    }
    let checked = Command::new("sh").arg("-n").arg(out.join("commands.sh")).status().unwrap();
    assert!(checked.success(), "the shell does not understand commands.sh");
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    let elsewhere = [" src=\"", "<link rel=\"stylesheet", "@import", "url("];
    assert!(elsewhere.iter().all(|word| !page.contains(word)), "the page needs something from elsewhere");
}

fn the_report_opens_in_a_browser(out: &Path) {
    if process::find("chromium").is_none() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "no chromium");
        eprintln!("SKIPPED: no chromium");
        return;
    }
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new("timeout");
    command.args([
        "55",
        "chromium",
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
    ]);
    command.args([
        "--no-first-run",
        "--disable-background-networking",
        "--enable-logging=stderr",
        "--dump-dom",
    ]);
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    let ended = command.arg(format!("file://{}", out.join("report.html").display())).output().unwrap();
    assert!(ended.status.success(), "{}", text(&ended.stderr));
    let (dom, log) = (text(&ended.stdout), text(&ended.stderr));
    assert!(!log.contains("CONSOLE"), "{log}");
    let charts = fs::read_dir(out.join("charts")).unwrap().count();
    assert!(charts > 30, "{charts}");
    assert_eq!(dom.matches("<svg").count(), charts, "every chart is in the page, once");
    assert_eq!(dom.matches("role=\"img\"").count(), charts);
    assert!(!dom.contains("NaN"));
}

#[test]
fn an_interrupted_run_leaves_nothing_running() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let word = out.to_str().unwrap().to_owned();
    let mut child = Command::new(EXPERIMENT)
        .args(["--scenario", "latency", "--seconds", "60", "--out", &word])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The run itself, four backends, a proxy and two clients.
    let loaded = process::until(DEADLINE, || {
        let running = processes_with(&word);
        running.len() >= 8 && running.iter().filter(|line| line.contains("loadgen")).count() == 2
    });
    let signalled = kill_process(Pid::from_child(&child), Signal::INT);
    let ended = process::until(DEADLINE, || child.try_wait().unwrap().is_some());
    if !ended {
        child.kill().unwrap();
    }
    assert!(loaded && signalled.is_ok() && ended);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    let gone = process::until(DEADLINE, || processes_with(&word).is_empty());
    assert!(gone, "{:?}", processes_with(&word));
}

#[test]
fn what_makes_no_sense_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("precious"), "").unwrap();
    let full = folder.path().to_str().unwrap();
    for (arguments, reason) in [
        (&["--scenario", "nonsense"][..], "--scenario nonsense: there is all, classic, latency, "),
        (&["--policy", "nonsense"], "--policy nonsense: there is round_robin, "),
        (&["--against", "nonsense"], "--against nonsense: there is haproxy, nginx and wrk2"),
        (&["--out", full], "it is not empty"),
        (&["--seconds", "0"], "from 0.2 to 3600"),
    ] {
        let ended = run(arguments);
        let said = text(&ended.stderr);
        assert_eq!((ended.status.code(), said.lines().count()), (Some(2), 1), "{said}");
        assert!(said.contains(reason), "{said}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn it_says_what_there_is_to_run() {
    let ended = run(&["--list"]);
    assert_eq!(ended.status.code(), Some(0));
    for name in ["latency", "messages", "file-stateful", "slow-backend", "sinkhole", "membership", "flapping"]
    {
        assert!(text(&ended.stdout).contains(&format!("  {name} ")), "{name}");
    }
}
