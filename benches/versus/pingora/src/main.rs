//! The shortest proxy that Pingora makes: HTTP, round robin over its backends, no log.

use std::sync::Arc;

use async_trait::async_trait;
use clap::Parser;
use pingora::lb::LoadBalancer;
use pingora::lb::selection::RoundRobin;
use pingora::prelude::*;
use pingora::server::configuration::ServerConf;

/// Pingora as a peer of lbproxy's benchmark: an HTTP proxy.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Port to listen on, at 127.0.0.1
    #[arg(long)]
    port: u16,
    /// Threads that serve
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// HOST:PORT of a backend; repeat for more
    #[arg(long = "backend", required = true)]
    backends: Vec<String>,
}

struct Peer(Arc<LoadBalancer<RoundRobin>>);

#[async_trait]
impl ProxyHttp for Peer {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _session: &mut Session, _ctx: &mut ()) -> Result<Box<HttpPeer>> {
        let backend = self.0.select(b"", 256).ok_or_else(|| Error::explain(ErrorType::ConnectNoRoute, "no backend"))?;
        Ok(Box::new(HttpPeer::new(backend, false, String::new())))
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let backends = LoadBalancer::try_from_iter(&arguments.backends).expect("--backend HOST:PORT");
    let settings = ServerConf { threads: arguments.workers, upstream_keepalive_pool_size: 256, ..ServerConf::default() };
    let mut server = Server::new_with_opt_and_conf(None, settings);
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, Peer(Arc::new(backends)));
    service.add_tcp(&format!("127.0.0.1:{}", arguments.port));
    server.add_service(service);
    server.run_forever()
}
