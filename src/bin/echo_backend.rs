//! A stateful echo backend: see `echo_backend --help`.

use std::process::ExitCode;

use clap::Parser;
use lbproxy::lab::echo::Echo;
use lbproxy::lab::start::{self, BackendArguments};

/// Sends back every byte it receives.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    backend: BackendArguments,
    /// End each connection at once, without a byte: a server that accepts and fails
    #[arg(long)]
    hang_up: bool,
}

pub(crate) fn main() -> ExitCode {
    let arguments: Arguments = start::parse();
    start::serve(&arguments.backend, |_name| Ok(Echo { hang_up: arguments.hang_up }))
}
