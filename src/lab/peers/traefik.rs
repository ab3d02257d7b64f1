//! Traefik, configured by files.

use std::io;
use std::path::Path;

use super::{Duty, Peer};
use crate::config::Mode;
use crate::lab::process::Launch;

pub(super) const PEER: Peer = Peer {
    name: "traefik",
    program: "traefik",
    hint: "a release from github.com/traefik/traefik, put on PATH",
    bulk_only: false,
    modes: &[Mode::Tcp, Mode::Http],
    version: &["version"],
    configure: launch,
};

/// Go takes as many CPUs as the process may run on: nothing to say about workers.
fn launch(program: &Path, duty: &Duty) -> io::Result<Launch> {
    let routes = duty.write("routes.yaml", &routes(duty))?;
    let text = format!(
        "global: {{ checkNewVersion: false, sendAnonymousUsage: false }}
log: {{ level: ERROR }}
entryPoints:
  front: {{ address: \"{}\" }}
providers:
  file: {{ filename: \"{}\", watch: false }}
",
        duty.listen,
        routes.display()
    );
    let file = duty.write("traefik.yaml", &text)?;
    Ok(Launch::new(program, [format!("--configFile={}", file.display())]))
}

fn routes(duty: &Duty) -> String {
    let (kind, rule, address) = match duty.mode {
        Mode::Tcp => ("tcp", "HostSNI(`*`)", "address: \""),
        Mode::Http => ("http", "PathPrefix(`/`)", "url: \"http://"),
    };
    let servers = duty.for_each_backend(|_, backend| format!("        - {{ {address}{backend}\" }}\n"));
    format!(
        "{kind}:
  routers:
    all: {{ entryPoints: [front], rule: \"{rule}\", service: backends }}
  services:
    backends:
      loadBalancer:
        servers:
{servers}"
    )
}
