//! Pingora: a library, so the program is ours (`benches/versus/pingora`), and as short as can be. HTTP only.

use super::Peer;
use crate::config::Mode;
use crate::lab::process::Launch;

pub(super) const PEER: Peer = Peer {
    name: "pingora",
    program: "pingora-peer",
    hint: "cargo install --path benches/versus/pingora (needs cmake)",
    bulk_only: false,
    modes: &[Mode::Http],
    version: &["--version"],
    configure: |program, duty| {
        let mut arguments = vec!["--port".to_owned(), duty.listen.port().to_string()];
        arguments.extend(["--workers".to_owned(), duty.workers.to_string()]);
        arguments.extend(duty.backends.iter().flat_map(|backend| ["--backend".into(), backend.to_string()]));
        Ok(Launch::new(program, arguments))
    },
};
