//! How busy the CPUs are, over time, in files: see `cpu_usage --help`.

use std::process::ExitCode;

use lbproxy::lab::cpu::{self, Arguments};
use lbproxy::lab::start;

fn main() -> ExitCode {
    let arguments: Arguments = start::parse();
    match cpu::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => start::refuse(&reason),
    }
}
