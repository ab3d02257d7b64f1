//! What it takes to measure a proxy: programs that start and stop, what they consume, and a crowd of idle clients.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use lbproxy::config::Mode;
use lbproxy::lab::cpus::Cpus;
use lbproxy::lab::crowd::Crowd;
use lbproxy::lab::http::{Http, Options};
use lbproxy::lab::peers::{self, Duty, PEERS};
use lbproxy::lab::process::{self, Launch, Process};
use lbproxy::lab::server::Server;
use lbproxy::lab::usage;
use tempfile::TempDir;

use crate::support::{DEADLINE, HTTP_BACKEND};

const MS: u64 = 1_000_000;

/// A shell that runs this script, and the directory of its log.
fn shell(script: &str) -> (Process, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let launch = Launch::new("sh", ["-c", script]);
    let process = Process::start(&launch, &Cpus::allowed().unwrap(), &directory.path().join("log")).unwrap();
    (process, directory)
}

#[test]
fn cpu_time_of_a_program_and_its_children_is_counted() {
    let (process, _directory) = shell("while :; do :; done & while :; do :; done");
    let group = process.group();
    let busy = process::until(DEADLINE, || usage::cpu_ns(group).is_ok_and(|ns| ns > 100 * MS));
    assert!(busy, "{:?}", usage::cpu_ns(group));
    assert!(process::until(DEADLINE, || usage::members(group).len() == 2));
    assert!(usage::machine_ns().unwrap() > 100 * MS);
    assert!(usage::pss_bytes(group).unwrap() > 10_000);
    drop(process);
    assert_eq!(usage::members(group), Vec::<u32>::new());
    assert!(usage::cpu_ns(group).unwrap_err().contains("it is gone"));
    assert!(usage::pss_bytes(group).unwrap_err().contains("it is gone"));
}

#[test]
fn a_program_that_does_not_want_to_end_is_ended() {
    let (process, directory) = shell("trap '' TERM; (trap '' TERM; sleep 1000) & echo ready; sleep 1000");
    let log = directory.path().join("log");
    assert!(process::until(DEADLINE, || fs::read_to_string(&log).is_ok_and(|text| text == "ready\n")));
    let group = process.group();
    assert!(usage::members(group).len() >= 2);
    drop(process);
    assert_eq!(usage::members(group), Vec::<u32>::new());
}

#[test]
fn output_is_what_was_put_out() {
    let (process, _directory) = shell("echo this; echo that >&2");
    assert_eq!(process.output(DEADLINE).unwrap(), "this\nthat\n");
    let (process, _directory) = shell("echo one; echo two; echo three; echo four; exit 3");
    assert_eq!(process.output(DEADLINE).unwrap_err(), "it ended (exit status: 3): two / three / four");
    let (process, _directory) = shell("sleep 1000");
    assert_eq!(process.output(Duration::ZERO).unwrap_err(), "it still runs after 0 s");
}

#[test]
fn a_server_is_awaited_until_it_listens_or_ends() {
    let address = process::free_address().unwrap();
    let (mut process, _directory) =
        shell(&format!("sleep 0.2; exec {HTTP_BACKEND} --port {}", address.port()));
    process.wait_for(address).unwrap();
    let (mut process, _directory) = shell("echo no such port; exit 1");
    let free = process::free_address().unwrap();
    assert_eq!(process.wait_for(free).unwrap_err(), "it ended (exit status: 1): no such port");
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let launch = Launch::new("/nowhere/proxy", [""; 0]);
    let started = Process::start(&launch, &Cpus::allowed().unwrap(), &directory.path().join("log"));
    // With setpriv in between, it is the one that tells.
    let error = match started {
        Ok(process) => process.output(DEADLINE).unwrap_err(),
        Err(error) => error,
    };
    assert!(error.contains("/nowhere/proxy"), "{error}");
    assert_eq!(process::find("no-such-program-anywhere"), None);
    assert!(process::find("sh").is_some());
}

#[test]
fn a_crowd_has_asked_once_and_stays() {
    let backend = |name: &str| {
        let service = Http::new(&Options { name: name.into(), ..Options::default() }).unwrap();
        Server::bind("127.0.0.1:0".parse().unwrap()).unwrap().spawn(service).unwrap()
    };
    let running = backend("b1");
    let crowd = Crowd::gather(running.address(), 200, 64, "b1.\n").unwrap();
    assert_eq!(crowd.lost(), 0);
    let refused = Crowd::gather(running.address(), 3, 3, "b2.\n").err().unwrap();
    assert!(refused.starts_with("connection 1 of 3 that shall stay idle: "), "{refused}");
    running.stop().unwrap();
    assert!(process::until(DEADLINE, || crowd.lost() == 200));
}

fn duty(mode: Mode, workers: usize, directory: PathBuf) -> Duty {
    let backends = ["127.0.0.1:7001", "127.0.0.1:7002"].map(|address| address.parse().unwrap()).into();
    Duty {
        mode,
        listen: "127.0.0.1:7000".parse().unwrap(),
        backends,
        weights: Vec::new(),
        policy: "round_robin".into(),
        workers,
        directory,
    }
}

/// Every word of the command, and of the files it is told of.
fn all_words(launch: &Launch, directory: &std::path::Path) -> String {
    let files =
        fs::read_dir(directory).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let words = launch.arguments.iter().map(|word| word.to_string_lossy().into_owned());
    words.chain(files).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_proxy_is_told_where_to_listen_and_of_both_backends() {
    for mode in [Mode::Tcp, Mode::Http] {
        for peer in PEERS.iter().filter(|peer| peer.serves(mode)) {
            let directory = tempfile::tempdir().unwrap();
            let duty = duty(mode, 1, directory.path().to_owned());
            let launch = peer.launch(peer.program.as_ref(), &duty).unwrap();
            let words = all_words(&launch, directory.path());
            for port in ["7000", "7001", "7002"] {
                assert!(words.contains(port), "{} {mode:?}: no {port} in {words}", peer.name);
            }
        }
        let directory = PathBuf::from("/nowhere");
        let launch = peers::launch_lbproxy("lbproxy".as_ref(), &duty(mode, 2, directory), &["-v".into()]);
        let line = launch.arguments.join(" ".as_ref()).into_string().unwrap();
        assert!(
            line.contains("--listen 127.0.0.1:7000 --workers 2 --backend 127.0.0.1:7001 --backend"),
            "{line}"
        );
        assert!(line.ends_with(" -v"), "{line}");
    }
}

#[test]
fn a_configuration_that_cannot_be_written_is_an_error() {
    let duty = duty(Mode::Tcp, 1, "/nowhere/at/all".into());
    let error = PEERS[0].launch("haproxy".as_ref(), &duty).unwrap_err();
    assert!(error.starts_with("configuration of haproxy in /nowhere/at/all: "), "{error}");
}

/// Programs of this host that can check a configuration do.
#[test]
fn configurations_are_valid() {
    let checks: [(&str, &[&str]); 3] =
        [("haproxy", &["-c"]), ("nginx", &["-t"]), ("envoy", &["--mode", "validate"])];
    for (name, check) in checks {
        let peer = PEERS.iter().find(|peer| peer.name == name).unwrap();
        let Some(program) = peer.find() else {
            eprintln!("SKIPPED: no {name}");
            continue;
        };
        for (mode, workers) in [(Mode::Tcp, 1), (Mode::Http, 1), (Mode::Tcp, 2), (Mode::Http, 2)] {
            let directory = tempfile::tempdir().unwrap();
            let mut launch = peer.launch(&program, &duty(mode, workers, directory.path().into())).unwrap();
            launch.arguments.extend(check.iter().map(Into::into));
            let log = directory.path().join("log");
            let process = Process::start(&launch, &Cpus::allowed().unwrap(), &log).unwrap();
            if let Err(error) = process.output(DEADLINE) {
                panic!(
                    "{name} {mode:?} with {workers} workers: {error}\n{}",
                    fs::read_to_string(&log).unwrap()
                );
            }
        }
    }
}
