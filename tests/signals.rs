//! Signals, as supervisors send them: whenever they like.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// The line that says where it listens is what supervisors and tests wait for; a drain must be possible from then on.
#[test]
fn whoever_sees_it_listen_may_stop_it() {
    for _ in 0..20 {
        let mut proxy = Command::new(env!("CARGO_BIN_EXE_lbproxy"))
            .args(["--listen", "127.0.0.1:0", "--backend", "127.0.0.1:9"])
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let log = BufReader::new(proxy.stderr.take().expect("piped"));
        let listening =
            log.lines().find(|line| line.as_ref().is_ok_and(|line| line.contains("listening on")));
        assert!(listening.is_some(), "it never said where");
        kill_process(Pid::from_child(&proxy), Signal::TERM).expect("it runs");
        assert_eq!(proxy.wait().expect("it ends").code(), Some(0), "killed instead of drained");
    }
}
