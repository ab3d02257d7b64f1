//! What this process was started with: listening sockets, from the service manager (sd_listen_fds(3)) or from the process
//! whose place it takes, and a pipe on which that one waits.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

use mio::net::TcpListener;
use socket2::{SockRef, Socket};

use super::os::SocketOptions;

/// Names the variable that lists the sockets of an upgrade, by descriptor.
pub const SOCKETS: &str = "LBPROXY_SOCKETS";
/// Names the variable that holds the descriptor of the admin endpoint's listening socket, in an upgrade.
pub const DESK: &str = "LBPROXY_ADMIN_SOCKET";
/// Names the variable that holds the descriptor of the pipe.
pub const READY: &str = "LBPROXY_READY";

/// The listening sockets that were passed to this process, set to what the operator wants of them. To be called once.
///
/// # Errors
/// One of them is no listening socket.
pub fn listeners(options: &SocketOptions) -> io::Result<Vec<TcpListener>> {
    let passed: Vec<RawFd> = match std::env::var_os(SOCKETS) {
        Some(list) => parse(&list)?,
        None => sd_notify::listen_fds()?.collect(),
    };
    passed
        .into_iter()
        .map(|fd| {
            let socket = take_listener(fd)?;
            options.apply(&SockRef::from(&socket))?;
            Ok(TcpListener::from_std(socket.into()))
        })
        .collect()
}

/// The listening socket of the admin endpoint, if one was passed to this process. To be called once.
///
/// # Errors
/// It is no listening socket.
pub fn desk() -> io::Result<Option<Socket>> {
    std::env::var_os(DESK).map(|number| take_listener(parse_one(DESK, &number)?)).transpose()
}

fn parse_one(name: &str, number: &OsStr) -> io::Result<RawFd> {
    let number = number.to_string_lossy();
    number.parse().map_err(|_| io::Error::other(format!("{name}={number} is no descriptor")))
}

fn parse(list: &OsStr) -> io::Result<Vec<RawFd>> {
    let list = list.to_string_lossy();
    let numbers = list.split(',').filter(|number| !number.is_empty()).map(|number| number.parse().ok());
    numbers
        .collect::<Option<_>>()
        .ok_or_else(|| io::Error::other(format!("{SOCKETS}={list} is no list of descriptors")))
}

fn take_listener(fd: RawFd) -> io::Result<Socket> {
    let what = |error: &dyn std::fmt::Display| {
        io::Error::other(format!("descriptor {fd} was passed to listen on: {error}"))
    };
    let socket = Socket::from(take(fd).map_err(|error| what(&error))?);
    if !socket.is_listener().map_err(|error| what(&error))? {
        return Err(what(&"it is not a listening socket"));
    }
    socket.set_nonblocking(true)?;
    socket.set_cloexec(true)?;
    Ok(socket)
}

/// Tells the process whose place this one takes, if there is one, that it may go. To be called once.
///
/// # Errors
/// The pipe that was named is none, or nobody waits at its other end.
pub fn report_ready() -> io::Result<()> {
    let Some(number) = std::env::var_os(READY) else { return Ok(()) };
    File::from(take(parse_one(READY, &number)?)?).write_all(READY_WORD)
}

/// What is written to the pipe.
pub const READY_WORD: &[u8] = b"ready";

/// Takes a descriptor that whoever started this process left open for it.
fn take(fd: RawFd) -> io::Result<OwnedFd> {
    const FIRST: RawFd = 3;
    if fd < FIRST {
        return Err(io::Error::other("that is a standard stream"));
    }
    // SAFETY: borrowed for this call alone, which fails if it is not open.
    #[allow(unsafe_code)]
    rustix::io::fcntl_getfd(unsafe { BorrowedFd::borrow_raw(fd) })?;
    // SAFETY: it is open, and, by the protocol of its variable, this process's to own: nothing here has opened it. Each is
    // taken once, as the callers' docs demand.
    #[allow(unsafe_code)]
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
