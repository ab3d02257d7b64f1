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
}

fn main() -> ExitCode {
    let arguments: Arguments = start::parse();
    start::serve(&arguments.backend, |_name| Ok(Echo))
}
