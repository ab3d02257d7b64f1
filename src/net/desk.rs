//! The listening socket of the admin endpoint: TCP, or a unix socket.

use std::fs::{self, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

use mio::net::TcpListener;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::config::AdminListen;

/// Operators are few.
const BACKLOG: i32 = 128;

/// Opens it. `taking_over`: another process of ours listens there, and will go.
///
/// # Errors
/// With the address in its text, what the kernel says: `AddrInUse` if somebody else listens there.
pub fn listen(listen: &AdminListen, taking_over: bool) -> io::Result<TcpListener> {
    let socket = match listen {
        AdminListen::Tcp(address) => listen_tcp(*address, taking_over),
        AdminListen::Unix(path) => listen_unix(path, taking_over),
    };
    let socket = socket.map_err(|error| {
        io::Error::new(error.kind(), format!("the admin endpoint cannot listen on {listen}: {error}"))
    })?;
    Ok(TcpListener::from_std(socket.into()))
}

fn listen_tcp(address: SocketAddr, taking_over: bool) -> io::Result<Socket> {
    if !taking_over && address.port() != 0 {
        // A shared port would let us in beside a stranger unnoticed; an exclusive bind does not.
        drop(bind_tcp(address, false)?);
    }
    let socket = bind_tcp(address, true)?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

fn bind_tcp(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking().cloexec(), None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn listen_unix(path: &Path, taking_over: bool) -> io::Result<Socket> {
    if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        // What a process left behind that is gone is in the way of nobody else.
        if !taking_over && UnixStream::connect(path).is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        fs::remove_file(path)?;
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    // Before anybody can connect.
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_process_left_is_replaced_and_what_a_living_one_has_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let listen_there = |taking_over| listen(&AdminListen::Unix(path.clone()), taking_over);
        let first = listen_there(false).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let refused = listen_there(false).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse, "{refused}");
        let second = listen_there(true).unwrap();
        drop((first, second));
        listen_there(false).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        assert!(listen_there(false).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }

    #[test]
    fn a_port_of_somebody_else_is_not_shared() {
        let first = listen(&AdminListen::Tcp(([127, 0, 0, 1], 0).into()), false).unwrap();
        let there = AdminListen::Tcp(first.local_addr().unwrap());
        assert_eq!(listen(&there, false).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        listen(&there, true).unwrap();
    }
}
