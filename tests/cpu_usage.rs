//! `cpu_usage`, the program: whom it sees at work, what it writes, and how it ends.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use lbproxy::lab::cpu::{Sampler, Target, host};
use lbproxy::lab::process;
use rustix::process::{Pid, Signal, kill_process};

const DEADLINE: Duration = Duration::from_secs(30);
const SPIN: &str = "while :; do :; done";

/// A program that does not outlive the test.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Guard {
    fn start(program: impl AsRef<Path>, arguments: &[&str]) -> Guard {
        let mut command = Command::new(program.as_ref());
        Guard(command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

fn cpu_usage(folder: &Path, words: &[&str]) -> Guard {
    let words = [words, &["--interval-ms", "50", "--dir", folder.to_str().unwrap()]].concat();
    Guard::start(env!("CARGO_BIN_EXE_cpu_usage"), &words)
}

fn run(folder: &Path, words: &[&str]) -> Output {
    let mut words: Vec<&str> = words.to_vec();
    words.extend(["--dir", folder.to_str().unwrap()]);
    Command::new(env!("CARGO_BIN_EXE_cpu_usage")).args(words).output().unwrap()
}

/// The cells of the CSV file, the head apart. A last line without an end is none.
fn table(folder: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let text = fs::read_to_string(folder.join("cpu_usage.csv")).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut lines = whole.lines().map(|line| line.split(',').map(String::from).collect::<Vec<_>>());
    (lines.next().unwrap_or_default(), lines.collect())
}

/// The mean of a column, of the rows that have a figure there.
fn mean(folder: &Path, column: &str) -> f64 {
    let (head, rows) = table(folder);
    let position =
        head.iter().position(|name| name == column).unwrap_or_else(|| panic!("no {column} in {head:?}"));
    let figures: Vec<f64> = rows.iter().filter_map(|row| row[position].parse().ok()).collect();
    assert!(!figures.is_empty(), "no figures of {column}");
    figures.iter().sum::<f64>() / figures.len() as f64
}

fn assert_complete(folder: &Path) {
    let text = fs::read_to_string(folder.join(format!("cpu_usage.txt {}", host()))).unwrap();
    assert!(text.ends_with('\n') && !text.contains("\n\n"), "{text:?}");
    assert!(text.lines().all(|line| (0.0..=100.0).contains(&line.parse::<f64>().unwrap())), "{text}");
    assert!(fs::read_to_string(folder.join("cpu_usage.csv")).unwrap().ends_with('\n'));
    let (head, rows) = table(folder);
    assert_eq!(head[..3], ["unix_s", "machine_user_percent", "machine_system_percent"]);
    assert_eq!(rows.len(), text.lines().count(), "a row for each line");
    assert!(rows.iter().all(|row| row.len() == head.len()), "{rows:?}");
    let moments: Vec<f64> = rows.iter().map(|row| row[0].parse().unwrap()).collect();
    assert!(moments.is_sorted() && moments[0] > 1.7e9, "{moments:?}");
}

#[test]
fn whoever_spins_is_seen_and_whoever_sleeps_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (spinner, sleeper) = (Guard::start("sh", &["-c", SPIN]), Guard::start("sleep", &["60"]));
    let (spins, sleeps) = (spinner.pid(), sleeper.pid());
    let ended =
        run(folder.path(), &["--pid", &spins, "--pid", &sleeps, "--duration", "2", "--interval-ms", "500"]);
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_complete(folder.path());
    let of = |pid: &str, mode: &str| mean(folder.path(), &format!("pid_{pid}_{mode}_percent"));
    let (user, system) = (of(&spins, "user"), of(&spins, "system"));
    assert!(user > 5.0 && user > 4.0 * system, "user {user}, system {system}");
    let asleep = of(&sleeps, "user") + of(&sleeps, "system");
    assert!(asleep < user / 4.0, "{asleep} of one that sleeps, {user} of one that spins");
    let machine = mean(folder.path(), "machine_user_percent");
    assert!(machine > 1.0, "the spinner is a part of it: {machine}");
    let said = String::from_utf8(ended.stdout).unwrap();
    assert!(
        said.contains("sampling every 500 ms into ") && said.contains(" samples, the machine was busy "),
        "{said}"
    );
}

/// What works for the kernel shows as such.
#[test]
fn user_and_system_are_apart() {
    let worker = Guard::start("dd", &["if=/dev/zero", "of=/dev/null", "bs=4M"]);
    let targets = [Target::Pid(worker.0.id())];
    let mut sampler = Sampler::new(&targets, lbproxy::net::os::now()).unwrap();
    let mut share = None;
    let seen = process::until(DEADLINE, || {
        let sample = sampler.sample(lbproxy::net::os::now()).unwrap();
        share = sample.targets[0];
        share.is_some_and(|share| {
            share.system_percent > 5.0 && share.system_percent > 2.0 * share.user_percent
        })
    });
    assert!(seen, "{share:?}");
}

#[test]
fn one_that_ends_leaves_its_cells_empty_and_one_that_starts_joins_its_name() {
    let folder = tempfile::tempdir().unwrap();
    // A name that nobody else goes by, and longer than what the kernel keeps of it.
    let program = folder.path().join(format!("lbproxy-test-sleeper-{}", std::process::id()));
    fs::copy(process::find("sleep").expect("sleep"), &program).unwrap();
    let name = program.file_name().unwrap().to_str().unwrap();
    let mut first = Guard::start(&program, &["60"]);
    // It goes by its name once it runs.
    assert!(process::until(DEADLINE, || !lbproxy::lab::usage::named(name).is_empty()));
    let pid = first.pid();
    let watching = cpu_usage(folder.path(), &["--pid", &pid, "--name", name]);
    // Machine, process, name: two cells each, after the time.
    let last = || table(folder.path()).1.last().cloned().unwrap_or_default();
    let is = |cells: std::ops::Range<usize>, there: bool| {
        let row = last();
        row.len() == 7 && row[cells].iter().all(|cell| cell.is_empty() != there)
    };
    assert!(process::until(DEADLINE, || is(3..7, true)), "{:?}", last());
    first.0.kill().unwrap();
    first.0.wait().unwrap();
    assert!(process::until(DEADLINE, || is(3..7, false)), "{:?}", last());
    let _second = Guard::start(&program, &["60"]);
    assert!(process::until(DEADLINE, || is(5..7, true) && is(3..5, false)), "{:?}", last());
    ends_well(watching, Signal::INT);
    assert_complete(folder.path());
}

fn ends_well(mut watching: Guard, signal: Signal) {
    watching.signal(signal);
    assert!(process::until(DEADLINE, || watching.0.try_wait().unwrap().is_some()));
    assert_eq!(watching.0.wait().unwrap().code(), Some(0));
}

#[test]
fn ctrl_c_and_sigterm_leave_complete_files() {
    for signal in [Signal::INT, Signal::TERM] {
        let folder = tempfile::tempdir().unwrap();
        let watching = cpu_usage(folder.path(), &[]);
        assert!(process::until(DEADLINE, || table(folder.path()).1.len() >= 3));
        ends_well(watching, signal);
        assert_complete(folder.path());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}

#[test]
fn what_is_not_there_is_refused_and_nothing_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("cpu_usage.csv");
    fs::write(&table, "of another day").unwrap();
    let mut gone = Guard::start("true", &[]);
    let pid = gone.pid();
    gone.0.wait().unwrap();
    for (words, reason) in [
        (&["--pid", &pid][..], format!("--pid {pid}: there is no such process")),
        (
            &["--name", "nobody-of-that-name"],
            "--name nobody-of-that-name: no process goes by that name".into(),
        ),
        (&["--pid", "x"], "invalid value 'x' for '--pid <PID>'".into()),
        (&["--duration", "0.5"], "--duration 0.5: it is shorter than --interval-ms 1000".into()),
        (&["--duration", "0"], "\"0\" is not a number of seconds".into()),
        (&["--interval-ms", "5"], "5 is not in 10..=3600000".into()),
    ] {
        let ended = run(folder.path(), words);
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!((ended.status.code(), said.lines().count()), (Some(2), 1), "{said}");
        assert!(said.contains(&reason), "{said}");
    }
    let nowhere = folder.path().join("nowhere");
    let ended = run(&nowhere, &["--duration", "1"]);
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains("cannot make ") && said.contains("No such file"), "{said}");
    assert_eq!(fs::read_to_string(table).unwrap(), "of another day");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
