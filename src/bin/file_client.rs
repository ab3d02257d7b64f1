//! A client that compares what a file backend serves with a local copy: see `file_client --help`.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use lbproxy::lab::fetch::{Fetches, Local};
use lbproxy::lab::start::{self, ClientArguments};

/// Asks a file backend for a file, compares every byte with the local copy, and counts accurate transmissions.
///
/// Exits with 0 if all were accurate, 1 if any was wrong or missing, 2 if it could not start.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    /// The local copy
    #[arg(long, value_name = "PATH")]
    file: PathBuf,
    /// What the backend calls it [default: the local file's name]
    #[arg(long)]
    name: Option<String>,
    /// Open a new connection for each request, as a backend with `--close` needs it
    #[arg(long)]
    reconnect: bool,
}

pub(crate) fn main() -> ExitCode {
    let arguments: Arguments = start::parse();
    let client = &arguments.client;
    let own_name = || arguments.file.file_name().map(OsStrExt::as_bytes).unwrap_or_default();
    let name = arguments.name.as_ref().map_or_else(own_name, String::as_bytes);
    let local = match Local::open(&arguments.file, name) {
        Ok(local) => Arc::new(local),
        Err(error) => return start::refuse(&format!("{}: {error}", arguments.file.display())),
    };
    let (conversations, count) =
        if arguments.reconnect { (client.expected(), 1) } else { (client.connections, client.count) };
    start::converse(client, (0..conversations).map(|_| Fetches::new(local.clone(), count)))
}
