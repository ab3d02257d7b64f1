//! Programs that end with the test, peers that the test plays itself, and waiting that is always for something.

mod heir;
mod hosts;
mod lbproxy;
mod peers;
mod proc;
mod program;
mod streams;

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use ::lbproxy::net::os::now;

pub(crate) use self::heir::Heir;
pub(crate) use self::hosts::Hosts;
pub(crate) use self::lbproxy::{Access, Proxy};
pub(crate) use self::peers::{
    Blackhole, Refusing, Scripted, Served, greeter, greeter_on, on_one_port, serve, serve_on,
};
pub(crate) use self::program::{Ended, Program, finish, run};
pub(crate) use self::streams::*;

/// How long anything may take before the test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) const LBPROXY: &str = env!("CARGO_BIN_EXE_lbproxy");
pub(crate) const ECHO_BACKEND: &str = env!("CARGO_BIN_EXE_echo_backend");
pub(crate) const HTTP_BACKEND: &str = env!("CARGO_BIN_EXE_http_backend");
pub(crate) const FILE_BACKEND: &str = env!("CARGO_BIN_EXE_file_backend");
pub(crate) const ECHO_CLIENT: &str = env!("CARGO_BIN_EXE_echo_client");
pub(crate) const FILE_CLIENT: &str = env!("CARGO_BIN_EXE_file_client");

/// What `look` finds, as soon as it finds it.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(now() < deadline, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// Returns as soon as `holds` does.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    wait_for(what, || holds().then_some(()));
}

/// Says that this test shows nothing, and why: past the harness, which keeps what passing tests print to itself.
pub(crate) fn skipped(why: &str) {
    let thread = std::thread::current();
    let _ = writeln!(std::io::stderr(), "SKIPPED {}: {why}", thread.name().unwrap_or("a test"));
}

/// Whether a program that is no part of this project is installed. Where it must be, in CI, its absence is a failure.
pub(crate) fn require(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::env::split_paths(&path).any(|directory| directory.join(program).is_file());
    let ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(installed || !ci, "{program} is not installed, and CI=true says that it must be");
    if !installed {
        skipped(&format!("{program} is not installed"));
    }
    installed
}

/// Closed listeners are seen from outside only by who is refused.
pub(crate) fn wait_until_refused(address: SocketAddr) {
    wait_until("connections to be refused", || TcpStream::connect(address).map(reset).is_err());
}
