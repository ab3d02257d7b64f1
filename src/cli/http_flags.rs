//! The flags of HTTP mode.

use clap::Args;

use super::flags::whole_number;

#[derive(Args, Debug)]
#[command(next_help_heading = "HTTP mode")]
pub(super) struct HttpFlags {
    /// tcp: bytes, and a backend for each connection. http: HTTP/1.1, and a backend for each request; backend
    /// connections are reused, and backends learn who the client is [default: tcp]
    #[arg(long, value_name = "tcp|http")]
    pub(super) mode: Option<String>,

    /// Whose word about earlier hops is believed: a range such as 10.0.0.0/8, or one address (repeatable)
    /// [default: nobody's]
    #[arg(long = "trusted-proxy", value_name = "CIDR")]
    pub(super) trusted_proxies: Vec<String>,

    /// How backends learn who the client is: x_forwarded (X-Forwarded-For, -Proto, -Host), rfc7239 (Forwarded), both
    /// or off [default: x_forwarded]
    #[arg(long, value_name = "STYLE")]
    pub(super) forwarded: Option<String>,

    /// A cookie that brings a client back to the backend it had; the policy chooses for those without
    #[arg(long, value_name = "NAME")]
    pub(super) sticky_cookie: Option<String>,

    /// The line that each request leaves: combined (what log tools know from Apache and nginx) or json
    /// [default: combined]
    #[arg(long, value_name = "FORMAT")]
    pub(super) access_format: Option<String>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "HTTP mode: timeouts, in milliseconds")]
pub(super) struct HttpTimeoutFlags {
    /// From the first byte of a request's head to its last [default: 10000]
    #[arg(long, value_name = "MS", value_parser = whole_number, allow_negative_numbers = true)]
    pub(super) head_timeout_ms: Option<i64>,

    /// A body, either way, of which no byte moves [default: 30000]
    #[arg(long, value_name = "MS", value_parser = whole_number, allow_negative_numbers = true)]
    pub(super) body_timeout_ms: Option<i64>,

    /// From the end of a request to the head of its response [default: 60000]
    #[arg(long, value_name = "MS", value_parser = whole_number, allow_negative_numbers = true)]
    pub(super) response_timeout_ms: Option<i64>,

    /// A client's connection between two requests [default: 60000]
    #[arg(long, value_name = "MS", value_parser = whole_number, allow_negative_numbers = true)]
    pub(super) keep_alive_timeout_ms: Option<i64>,

    /// A backend's connection that waits for reuse: keep it below the backend's own limit [default: 30000]
    #[arg(long, value_name = "MS", value_parser = whole_number, allow_negative_numbers = true)]
    pub(super) backend_idle_timeout_ms: Option<i64>,

    /// A whole request and its response; 0: no such limit [default: 0]
    #[arg(long, value_name = "MS", value_parser = whole_number, allow_negative_numbers = true)]
    pub(super) request_timeout_ms: Option<i64>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "HTTP mode: limits")]
pub(super) struct HttpLimitFlags {
    /// The head of a request or response; a buffer has to hold it with 4096 bytes to spare [default: 16384]
    #[arg(long, value_name = "BYTES", value_parser = whole_number, allow_negative_numbers = true)]
    pub(super) max_head_bytes: Option<i64>,

    /// The target in a request line [default: 8192]
    #[arg(long, value_name = "BYTES", value_parser = whole_number, allow_negative_numbers = true)]
    pub(super) max_target_bytes: Option<i64>,

    /// Header fields in a head [default: 100]
    #[arg(long, value_name = "N", value_parser = whole_number, allow_negative_numbers = true)]
    pub(super) max_fields: Option<i64>,

    /// The body of a request; 0: no such limit [default: 0]
    #[arg(long, value_name = "BYTES", value_parser = whole_number, allow_negative_numbers = true)]
    pub(super) max_body_bytes: Option<i64>,

    /// Connections to one backend that wait for reuse, in each event loop; 0: no reuse [default: 256]
    #[arg(long, value_name = "N", value_parser = whole_number, allow_negative_numbers = true)]
    pub(super) max_idle: Option<i64>,

    /// Retries, in percent of requests: more would finish off backends that struggle [default: 20]
    #[arg(long, value_name = "N", value_parser = whole_number, allow_negative_numbers = true)]
    pub(super) retry_budget_percent: Option<i64>,
}
