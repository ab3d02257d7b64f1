//! The backends behind every proxy that is measured: nginx, one process each, serving a few things from memory.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use super::cpus::Cpus;
use super::process::{self, Launch, Process};

/// What `/` answers.
pub const SMALL: &str = "Hello, world! I am a backend.\n";
/// A file of 16 KiB.
pub const MEDIUM_PATH: &str = "/16k";
/// A file of 1 MiB.
pub const LARGE_PATH: &str = "/1m";

const FILES: [(&str, usize); 2] = [(MEDIUM_PATH, 16 * 1024), (LARGE_PATH, 1024 * 1024)];

/// A backend that runs until it is dropped.
pub struct Origin {
    /// Where it listens.
    pub address: SocketAddr,
    _process: Process,
}

impl Origin {
    /// Starts one on these CPUs, with its files in `directory`, which is made if need be.
    ///
    /// # Errors
    /// nginx is not there or does not start, or the directory cannot be written.
    pub fn start(cpus: &Cpus, directory: &Path) -> Result<Origin, String> {
        let cannot = |error| format!("{}: {error}", directory.display());
        let address = process::free_address().map_err(|error| format!("no port for a backend: {error}"))?;
        let files = directory.join("www");
        fs::create_dir_all(&files).map_err(cannot)?;
        for (name, bytes) in FILES {
            fs::write(files.join(&name[1..]), vec![b'x'; bytes]).map_err(cannot)?;
        }
        let configuration = directory.join("nginx.conf");
        fs::write(&configuration, configure(address, directory)).map_err(cannot)?;
        let nginx = process::find("nginx").ok_or("nginx, the backend, is missing: apt-get install nginx")?;
        let launch = Launch::new(
            nginx,
            ["-c".as_ref(), configuration.as_os_str(), "-p".as_ref(), directory.as_os_str()],
        );
        let mut process = Process::start(&launch, cpus, &directory.join("log"))?;
        process.wait_for(address).map_err(|error| format!("backend: {error}"))?;
        Ok(Origin { address, _process: process })
    }
}

fn configure(address: SocketAddr, directory: &Path) -> String {
    let directory = directory.display();
    let small = SMALL.replace('\n', "\\n");
    format!(
        "daemon off; master_process off; pid {directory}/pid; error_log {directory}/error.log crit;
worker_rlimit_nofile 20000;
events {{ worker_connections 19000; multi_accept on; }}
http {{
    access_log off; keepalive_requests 100000000; keepalive_timeout 600s; sendfile on; tcp_nopush on;
    client_body_temp_path {directory}/t1; proxy_temp_path {directory}/t2; fastcgi_temp_path {directory}/t3;
    uwsgi_temp_path {directory}/t4; scgi_temp_path {directory}/t5;
    server {{
        listen {address} backlog=8192; default_type text/plain;
        location = / {{ return 200 \"{small}\"; }}
        location / {{ root {directory}/www; }}
    }}
}}
"
    )
}
