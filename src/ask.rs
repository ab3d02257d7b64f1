//! Asks the admin endpoint of a proxy that runs, from another process.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use socket2::Socket;

use crate::config::AdminListen;

/// How long to wait for a connection, and for each part of an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most that an answer may be: it is held in memory.
const ANSWER_BYTES_MOST: u64 = 64 * 1024 * 1024;

/// The content of what `target` (a path and query) is there.
///
/// # Errors
/// Nobody answers, or not with 200: in one line, with what to do.
pub fn get(admin: &AdminListen, target: &str) -> Result<String, String> {
    ask(admin, "GET", target, None)
}

/// Changes something, with the token that it needs, if it needs one.
///
/// # Errors
/// As those of [`get`].
pub fn post(admin: &AdminListen, target: &str, token: Option<&str>) -> Result<String, String> {
    ask(admin, "POST", target, token)
}

fn ask(admin: &AdminListen, method: &str, target: &str, token: Option<&str>) -> Result<String, String> {
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let host =
        if let AdminListen::Tcp(address) = admin { address.to_string() } else { "localhost".to_owned() };
    let request =
        format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{authorization}Connection: close\r\n\r\n");
    let answer = exchange(admin, request.as_bytes()).map_err(|error| {
        format!(
            "nobody answers at {admin}: {error}; a proxy that can be asked is started with --admin {admin}"
        )
    })?;
    let (head, content) = answer
        .split_once("\r\n\r\n")
        .filter(|(head, _)| head.starts_with("HTTP/1.1 "))
        .ok_or_else(|| format!("what answers at {admin} is no admin endpoint of lbproxy"))?;
    match head["HTTP/1.1 ".len()..].split(' ').next() {
        Some("200") => Ok(content.to_owned()),
        _ => Err(format!("{admin}: {}", content.trim_end())),
    }
}

/// The answer is all there is until the end: it is asked for like that.
fn exchange(admin: &AdminListen, request: &[u8]) -> io::Result<String> {
    let mut stream: Socket = match admin {
        AdminListen::Tcp(address) => TcpStream::connect_timeout(address, PATIENCE)?.into(),
        AdminListen::Unix(path) => UnixStream::connect(path)?.into(),
    };
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(request)?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MOST).read_to_string(&mut answer)?;
    Ok(answer)
}
