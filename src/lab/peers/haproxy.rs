//! HAProxy, and HAProxy that splices.

use std::io;
use std::path::Path;

use super::{Duty, Peer, equivalent};
use crate::config::Mode;
use crate::lab::process::Launch;

pub(super) const PEER: Peer = Peer {
    name: "haproxy",
    program: "haproxy",
    hint: "apt-get install haproxy",
    bulk_only: false,
    modes: &[Mode::Tcp, Mode::Http],
    version: &["-v"],
    configure: |program, duty| launch(program, duty, ""),
};

/// With bytes moved by splice(2): it has to be told, and it pays with large transfers alone.
pub(super) const SPLICING: Peer = Peer {
    name: "haproxy-splice",
    bulk_only: true,
    modes: &[Mode::Tcp],
    configure: |program, duty| launch(program, duty, "option splice-auto"),
    ..PEER
};

fn launch(program: &Path, duty: &Duty, option: &str) -> io::Result<Launch> {
    let file = duty.write("haproxy.cfg", &configuration(duty, option))?;
    Ok(Launch::new(program, ["-db".as_ref(), "-f".as_ref(), file.as_os_str()]))
}

/// 9,500 connections take 19,000 descriptors, which a limit of 20,000 has room for. With a quarter of its descriptors in use,
/// it would stop keeping connections to backends; here, thousands are in use by clients that do nothing.
fn configuration(duty: &Duty, option: &str) -> String {
    let (mode, reuse) = match duty.mode {
        Mode::Tcp => ("tcp", ""),
        Mode::Http => ("http", "http-reuse always"),
    };
    let servers = duty.for_each_backend(|number, backend| {
        format!("    server b{number} {backend} weight {}\n", duty.weight(number))
    });
    let balance = equivalent("haproxy", &duty.policy).unwrap_or("balance roundrobin");
    format!(
        "global
    maxconn 9500
    maxpipes 100
    nbthread {threads}
    tune.maxaccept 64
    tune.pool-low-fd-ratio 98
    tune.pool-high-fd-ratio 99
defaults
    mode {mode}
    timeout connect 5s
    timeout client 600s
    timeout server 600s
    timeout http-keep-alive 600s
    {reuse}
    {option}
listen front
    bind {listen} backlog 8192
    {balance}
{servers}",
        threads = duty.workers,
        listen = duty.listen,
    )
}
