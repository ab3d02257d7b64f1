//! Every test of what a policy does, in one command: see `experiment --help`.

use std::process::ExitCode;

use lbproxy::lab::experiment::{self, Arguments, programs};
use lbproxy::lab::start;

// Under their names, this program is the others: what it starts is what it was built with.
mod echo_backend;
mod echo_client;
mod file_backend;
mod file_client;
mod http_backend;
mod loadgen;

fn main() -> ExitCode {
    match programs::wanted() {
        Some("lbproxy") => return lbproxy::run::run(std::env::args_os()),
        Some("http_backend") => return http_backend::main(),
        Some("echo_backend") => return echo_backend::main(),
        Some("file_backend") => return file_backend::main(),
        Some("echo_client") => return echo_client::main(),
        Some("file_client") => return file_client::main(),
        Some("loadgen") => return loadgen::main(),
        _ => {}
    }
    let arguments: Arguments = start::parse();
    match experiment::run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => start::refuse(&reason),
    }
}
