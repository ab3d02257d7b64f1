//! A backend that serves files by name: see `file_backend --help`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use lbproxy::lab::file::Files;
use lbproxy::lab::start::{self, BackendArguments};

/// Serves the files of one directory: to `GET name` it answers `OK bytes` and the contents, or `ERR reason`.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    backend: BackendArguments,
    /// The directory; nothing outside of it is served
    #[arg(long, value_name = "DIRECTORY")]
    root: PathBuf,
    /// Close each connection after one request
    #[arg(long)]
    close: bool,
}

pub(crate) fn main() -> ExitCode {
    let arguments: Arguments = start::parse();
    start::serve(&arguments.backend, |_name| {
        let root = &arguments.root;
        Files::new(root, arguments.close).map_err(|error| format!("{}: {error}", root.display()))
    })
}
