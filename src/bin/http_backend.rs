//! An HTTP/1.1 backend that names itself: see `http_backend --help`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use lbproxy::lab::http::{Http, Options};
use lbproxy::lab::service_time::{ServiceTime, Shape};
use lbproxy::lab::start::{self, BackendArguments};

/// Answers every HTTP/1.1 request with a short text that names this backend.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    backend: BackendArguments,
    /// Close each connection after one response
    #[arg(long)]
    close: bool,
    /// Size of the response body: the text, repeated or cut [default: the text once]
    #[arg(long, value_name = "BYTES")]
    body_bytes: Option<usize>,
    /// Time to let pass before each response, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    delay_ms: u32,
    /// How these times are spread, with --delay-ms as their mean
    #[arg(long, value_enum, default_value_t)]
    delay_shape: Shape,
    /// Requests worked on at once; the others wait [default: no limit]
    #[arg(long, value_name = "REQUESTS")]
    at_once: Option<usize>,
    /// Status of every response [default: 200]
    #[arg(long, value_name = "CODE")]
    status: Option<u16>,
}

pub(crate) fn main() -> ExitCode {
    let arguments: Arguments = start::parse();
    start::serve(&arguments.backend, |name| {
        Http::new(&Options {
            name,
            close: arguments.close,
            body_bytes: arguments.body_bytes,
            status: arguments.status,
            time: ServiceTime {
                mean: Duration::from_millis(arguments.delay_ms.into()),
                shape: arguments.delay_shape,
                at_once: arguments.at_once,
            },
        })
    })
}
