//! `HOST:PORT`: what an operator writes, and the socket addresses it stands for.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

/// How names become addresses: the system's resolver, what it said before, or a test's.
pub type Lookup<'a> = &'a dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

/// Names a file of hosts(5) format that is asked before the system: for hosts whose own files cannot be written, and
/// for tests.
const HOSTS_FILE: &str = "LBPROXY_HOSTS";

/// Asks the file that `LBPROXY_HOSTS` names, if it does, and then the system's resolver (`/etc/hosts`, DNS: whatever this
/// host is set up for). Blocks.
pub fn system_lookup(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Some(file) = std::env::var_os(HOSTS_FILE) {
        let text = std::fs::read_to_string(&file).map_err(|error| {
            io::Error::new(error.kind(), format!("{HOSTS_FILE}={}: {error}", file.display()))
        })?;
        let found = in_hosts(&text, host);
        if !found.is_empty() {
            return Ok(found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect());
        }
    }
    Ok((host, port).to_socket_addrs()?.collect())
}

/// The addresses of a name in a text of hosts(5) format.
fn in_hosts(text: &str, host: &str) -> Vec<IpAddr> {
    let addresses = text.lines().filter_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address = words.next()?.parse().ok()?;
        words.any(|name| name.eq_ignore_ascii_case(host)).then_some(address)
    });
    addresses.collect()
}

/// All addresses of a backend, sorted, at least one. The error says what is wrong with `text`, without repeating
/// where it stood.
///
/// A name with IPv4 addresses stands for these alone: a server that listens on both families would otherwise count
/// as two, and get twice its share.
pub(super) fn resolve_backend(text: &str, lookup: Lookup<'_>) -> Result<Vec<SocketAddr>, String> {
    let (host, port) = match text.parse::<SocketAddr>() {
        Ok(address) if address.port() == 0 => return Err(port_zero(text)),
        Ok(address) => return Ok(vec![address]),
        Err(_) => split_host_and_port(text)?,
    };
    let found = lookup(host, port)
        .map_err(|error| format!("cannot resolve {host:?}: {error}: check the name, or write an address"))?;
    let any_v4 = found.iter().any(SocketAddr::is_ipv4);
    let mut addresses: Vec<SocketAddr> = found.into_iter().filter(|a| a.is_ipv4() == any_v4).collect();
    addresses.sort();
    addresses.dedup();
    if addresses.is_empty() {
        return Err(format!(
            "cannot resolve {host:?}: it has no address: check the name, or write an address"
        ));
    }
    Ok(addresses)
}

/// The name in the address of a backend, and its port; `None` if it is given by its address, or not at all.
pub(super) fn name_in(text: &str) -> Option<(&str, u16)> {
    if text.parse::<SocketAddr>().is_ok() {
        return None;
    }
    split_host_and_port(text).ok()
}

/// An address to listen on: numeric, because which interface to bind is not a question for a resolver.
pub(super) fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("{text:?} is not ADDRESS:PORT: write 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080 (port 0: any free one)")
    })
}

/// Takes apart a `text` that is no numeric address, and refuses what a resolver would misread.
fn split_host_and_port(text: &str) -> Result<(&str, u16), String> {
    if text.contains("://") {
        return Err(format!("{text:?} is a URL: write HOST:PORT, such as 127.0.0.1:9001"));
    }
    if text.starts_with('[') {
        return Err(format!("{text:?} is not [IPv6]:PORT: write for example [::1]:9001"));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(format!("{text:?} has no port: write HOST:PORT, such as 127.0.0.1:9001"));
    };
    if host.contains(':') {
        return Err(format!("{text:?} looks like IPv6: put the address in brackets, as in [::1]:9001"));
    }
    if host.is_empty() {
        return Err(format!("{text:?} has no host: write HOST:PORT, such as 127.0.0.1:9001"));
    }
    if !is_host_name(host) {
        return Err(format!("{host:?} is neither an IP address nor a host name: check its spelling"));
    }
    match port.parse() {
        Ok(0) => Err(port_zero(text)),
        Ok(port) => Ok((host, port)),
        Err(_) => Err(format!("{port:?} is not a port: use 1 to 65535")),
    }
}

/// Letters, digits, `-`, `_` and dots, and not digits alone: some resolvers take `127.1` or `10.0.0.300` for an
/// address of their own invention.
fn is_host_name(host: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    host.chars().all(allowed) && host.chars().any(|c| c.is_ascii_alphabetic())
}

fn port_zero(text: &str) -> String {
    format!("{text:?} has port 0, where nothing can be reached: use 1 to 65535")
}
