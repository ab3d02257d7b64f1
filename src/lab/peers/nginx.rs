//! nginx: its stream module for TCP, its proxy module for HTTP.

use std::io;
use std::path::Path;

use super::{Duty, Peer, equivalent};
use crate::config::Mode;
use crate::lab::process::Launch;

pub(super) const PEER: Peer = Peer {
    name: "nginx",
    program: "nginx",
    hint: "apt-get install nginx libnginx-mod-stream",
    bulk_only: false,
    modes: &[Mode::Tcp, Mode::Http],
    version: &["-v"],
    configure: launch,
};

/// Where Debian has what is a part of the program elsewhere.
const STREAM_MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

fn launch(program: &Path, duty: &Duty) -> io::Result<Launch> {
    let module = Path::new(STREAM_MODULE).exists() && duty.mode == Mode::Tcp;
    let file = duty.write("nginx.conf", &configuration(duty, module))?;
    Ok(Launch::new(program, ["-c".as_ref(), file.as_os_str(), "-p".as_ref(), duty.directory.as_os_str()]))
}

fn configuration(duty: &Duty, module: bool) -> String {
    let directory = duty.directory.display();
    let load = if module { format!("load_module {STREAM_MODULE};\n") } else { String::new() };
    // Several workers share the port as lbproxy's do; one needs no master.
    let (processes, reuseport) = match duty.workers {
        1 => ("master_process off;".to_owned(), ""),
        count => (format!("worker_processes {count};"), " reuseport"),
    };
    let listen = format!("listen {} backlog=8192{reuseport};", duty.listen);
    let servers =
        duty.for_each_backend(|number, backend| format!(" server {backend} weight={};", duty.weight(number)));
    let method = equivalent("nginx", &duty.policy).unwrap_or("");
    let service = match duty.mode {
        Mode::Tcp => format!(
            "stream {{
    upstream u {{ {method}{servers} }}
    server {{ {listen} proxy_pass u; }}
}}
"
        ),
        Mode::Http => format!(
            "http {{
    access_log off; keepalive_requests 100000000; keepalive_timeout 600s;
    client_body_temp_path {directory}/t1; proxy_temp_path {directory}/t2; fastcgi_temp_path {directory}/t3;
    uwsgi_temp_path {directory}/t4; scgi_temp_path {directory}/t5;
    upstream u {{ {method}{servers} keepalive 256; keepalive_requests 100000000; }}
    server {{
        {listen}
        location / {{ proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ''; }}
    }}
}}
"
        ),
    };
    format!(
        "daemon off; {processes} pid {directory}/pid; error_log {directory}/error.log crit;
worker_rlimit_nofile 20000;
{load}events {{ worker_connections 19000; multi_accept on; }}
{service}"
    )
}
