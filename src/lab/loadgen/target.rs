//! What is loaded: where it is, and what is said to it.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use mio::net::TcpStream;

use crate::lab::client;

/// The longest message to an echo backend.
const MESSAGE_BYTES_MAX: u64 = 16 << 20;
/// A message has its number in it.
const MESSAGE_BYTES_MIN: u64 = 16;

/// A server, and what to say there.
pub(super) struct Target {
    /// As it was named.
    pub(super) name: String,
    server: SocketAddr,
    /// In turn; empty: the kernel chooses.
    sources: Vec<IpAddr>,
    pub(super) speech: Speech,
}

pub(super) enum Speech {
    /// The whole request.
    Http(Vec<u8>),
    /// Messages of so many bytes, which are to come back.
    Echo(usize),
}

impl Target {
    /// `url` as on the command line, and further header fields.
    pub(super) fn http(url: &str, sources: &[IpAddr], headers: &[String]) -> Result<Target, String> {
        let rest = url
            .strip_prefix("http://")
            .ok_or_else(|| format!("{url}: not http://HOST[:PORT][/PATH] (https is not spoken here)"))?;
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        let server = if has_port { authority.to_owned() } else { format!("{authority}:80") };
        let slash = if path.starts_with('/') { "" } else { "/" };
        if path.contains(|c: char| !c.is_ascii_graphic()) {
            return Err(format!("{url}: spaces and other signs must be written as %20 and so on"));
        }
        let mut request = format!("GET {slash}{path} HTTP/1.1\r\n");
        let is_host = |header: &String| header.to_ascii_lowercase().starts_with("host:");
        if !headers.iter().any(is_host) {
            request += &format!("Host: {authority}\r\n");
        }
        for header in headers {
            let is_field =
                header.split_once(':').is_some_and(|(name, _)| !name.is_empty() && !name.contains(' '));
            if !is_field || header.contains(['\r', '\n']) {
                return Err(format!("-H {header:?}: not \"Name: value\""));
            }
            request += &format!("{header}\r\n");
        }
        request += "\r\n";
        let speech = Speech::Http(request.into_bytes());
        Ok(Target { name: url.into(), server: resolve(&server, sources)?, sources: sources.into(), speech })
    }

    /// An echo backend at `server`, as on the command line.
    pub(super) fn echo(server: &str, sources: &[IpAddr], message_bytes: u64) -> Result<Target, String> {
        if !(MESSAGE_BYTES_MIN..=MESSAGE_BYTES_MAX).contains(&message_bytes) {
            return Err(format!(
                "--message-bytes {message_bytes}: from {MESSAGE_BYTES_MIN} to {MESSAGE_BYTES_MAX}"
            ));
        }
        let speech = Speech::Echo(message_bytes as usize);
        Ok(Target { name: server.into(), server: resolve(server, sources)?, sources: sources.into(), speech })
    }

    /// Starts the connection with this number.
    pub(super) fn connect(&self, number: usize) -> io::Result<TcpStream> {
        let source = (!self.sources.is_empty()).then(|| self.sources[number % self.sources.len()]);
        client::connect(self.server, source)
    }
}

/// The address behind a name; of its addresses the first of the sources' family, IPv4 before IPv6.
fn resolve(server: &str, sources: &[IpAddr]) -> Result<SocketAddr, String> {
    let fits = |address: &SocketAddr| sources.iter().all(|source| source.is_ipv4() == address.is_ipv4());
    let found = server.to_socket_addrs().map_err(|error| format!("{server}: {error}"))?;
    let mut fitting: Vec<SocketAddr> = found.filter(fits).collect();
    fitting.sort_by_key(SocketAddr::is_ipv6);
    fitting.first().copied().ok_or_else(|| format!("{server}: no address of the sources' family"))
}
