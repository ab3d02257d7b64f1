//! Sōzu.

use std::io;
use std::path::Path;

use super::{Duty, Peer};
use crate::config::Mode;
use crate::lab::process::Launch;

pub(super) const PEER: Peer = Peer {
    name: "sozu",
    program: "sozu",
    hint: "cargo install sozu (needs protobuf-compiler)",
    bulk_only: false,
    modes: &[Mode::Tcp, Mode::Http],
    version: &["--version"],
    configure: launch,
};

fn launch(program: &Path, duty: &Duty) -> io::Result<Launch> {
    let file = duty.write("sozu.toml", &configuration(duty))?;
    Ok(Launch::new(program, ["start".as_ref(), "--config".as_ref(), file.as_os_str()]))
}

/// Of buffers it would have 1,000, and a connection takes two or more.
fn configuration(duty: &Duty) -> String {
    let (mode, hostname) = match duty.mode {
        Mode::Tcp => ("tcp", String::new()),
        Mode::Http => ("http", format!(", hostname = \"{}\"", duty.listen.ip())),
    };
    let backends = duty.for_each_backend(|number, backend| {
        format!("    {{ address = \"{backend}\", backend_id = \"b{number}\" }},\n")
    });
    format!(
        "log_level = \"error\"
log_target = \"stdout\"
command_socket = \"{directory}/sozu.sock\"
worker_count = {workers}
worker_automatic_restart = false
handle_process_affinity = false
max_connections = 9500
max_buffers = 40000
front_timeout = 600
back_timeout = 600
request_timeout = 600

[[listeners]]
protocol = \"{mode}\"
address = \"{listen}\"

[clusters.backends]
protocol = \"{mode}\"
load_balancing = \"ROUND_ROBIN\"
frontends = [{{ address = \"{listen}\"{hostname} }}]
backends = [
{backends}]
",
        directory = duty.directory.display(),
        workers = duty.workers,
        listen = duty.listen,
    )
}
