//! lbproxy itself, of whatever build.

use std::ffi::OsString;
use std::path::Path;

use super::Duty;
use crate::config::Mode;
use crate::lab::process::Launch;

/// The command that starts this lbproxy: without its log of connections, for nobody else keeps one, with clients that may
/// stay as long as anybody else's, and with these arguments besides.
pub fn launch(program: &Path, duty: &Duty, extra: &[String]) -> Launch {
    let mode = match duty.mode {
        Mode::Tcp => "tcp",
        Mode::Http => "http",
    };
    let mut arguments: Vec<String> =
        ["--quiet", "--policy", &duty.policy, "--mode", mode].map(Into::into).into();
    arguments.extend(["--listen".into(), duty.listen.to_string()]);
    arguments.extend(["--workers".into(), duty.workers.to_string()]);
    arguments.extend(duty.backends.iter().enumerate().flat_map(|(number, backend)| {
        // A backend with a name has the same clients in every run, whatever its port.
        let more = match duty.weights.get(number) {
            Some(weight) => format!(",weight={weight},name=b{}", number + 1),
            None => String::new(),
        };
        ["--backend".into(), format!("{backend}{more}")]
    }));
    if duty.mode == Mode::Http {
        arguments.extend(["--keep-alive-timeout-ms".into(), "600000".into()]);
    }
    arguments.extend_from_slice(extra);
    Launch::new(program, arguments.into_iter().map(OsString::from))
}
