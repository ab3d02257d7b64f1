//! Who is served by whom, asked by clients from many addresses.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::results::Members;
use crate::lab::client;

const TIMEOUT: Duration = Duration::from_secs(5);

/// The name of the backend that serves each client, empty if none does.
pub(super) fn ask(server: SocketAddr, clients: u32) -> Vec<String> {
    let address = |number: u32| IpAddr::V4(Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 0, 2, 1)) + number));
    (0..clients).map(|number| name(server, address(number)).unwrap_or_default()).collect()
}

fn name(server: SocketAddr, source: IpAddr) -> std::io::Result<String> {
    let socket = client::socket(server, Some(source))?;
    socket.connect_timeout(&server.into(), TIMEOUT)?;
    let mut stream = std::net::TcpStream::from(socket);
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let name = text.split_once("I am ").and_then(|(_, rest)| rest.split_once('.'));
    Ok(name.map_or(String::new(), |(name, _)| name.to_owned()))
}

/// Who has moved now that `gone` is.
pub(super) fn compare(before: &[String], after: &[String], gone: &str) -> Members {
    let pairs = || before.iter().zip(after);
    let count = |holds: fn(&str, &str, &str) -> bool| {
        pairs().filter(|(old, new)| holds(old, new, gone)).count() as u64
    };
    Members {
        clients: before.len() as u64,
        orphans: count(|old, _, gone| old == gone),
        moved_without_need: count(|old, new, gone| old != gone && old != new),
        unserved: count(|old, new, _| old.is_empty() || new.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_of_the_one_that_is_gone_had_to_move() {
        let names = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let found = compare(&names("a b c c"), &names("a c a b"), "c");
        assert_eq!(found, Members { clients: 4, orphans: 2, moved_without_need: 1, unserved: 0 });
    }
}
