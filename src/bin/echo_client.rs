//! A client that counts what an echo backend returns: see `echo_client --help`.

use std::process::ExitCode;

use clap::Parser;
use lbproxy::lab::echo::Messages;
use lbproxy::lab::start::{self, ClientArguments};

/// Sends messages to an echo backend, compares what comes back, and counts accurate transmissions.
///
/// Exits with 0 if all were accurate, 1 if any was wrong or missing, 2 if it could not start.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    /// What each message starts with; the numbers of its connection and of the message follow
    #[arg(long, value_name = "TEXT", default_value = "Hello, world!")]
    message: String,
}

pub(crate) fn main() -> ExitCode {
    let arguments: Arguments = start::parse();
    let client = &arguments.client;
    let messages =
        (0..client.connections).map(|number| Messages::new(&arguments.message, number, client.count));
    start::converse(client, messages)
}
