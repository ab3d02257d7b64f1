//! What a policy does to ten backends or ten thousand, in virtual time: see `simulate --help`.

use std::process::ExitCode;

use lbproxy::lab::simulate::{self, Arguments};
use lbproxy::lab::start;

fn main() -> ExitCode {
    let arguments: Arguments = start::parse();
    match simulate::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => start::refuse(&reason),
    }
}
