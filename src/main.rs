//! lbproxy, the program: see `lbproxy --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lbproxy::run::run(std::env::args_os())
}
