//! Load at a constant rate: see `loadgen --help`.

use std::process::ExitCode;

pub(crate) fn main() -> ExitCode {
    lbproxy::lab::loadgen::main()
}
