//! The listening socket of the admin endpoint: TCP, or a unix socket.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

use mio::net::TcpListener;
use socket2::{Domain, SockAddr, Socket, Type};

use super::os::{self, SocketOptions};
use crate::config::{AdminListen, Listen};

/// Operators are few.
const BACKLOG: u32 = 128;

/// Opens it, or takes the one that was passed to this process, if that is there.
///
/// # Errors
/// With the address in its text, what the kernel says: `AddrInUse` if somebody else listens there.
pub fn listen(
    listen: &AdminListen,
    passed: Option<Socket>,
    options: &SocketOptions,
) -> io::Result<TcpListener> {
    let listener = match (listen, passed) {
        (_, Some(passed)) if stands_for(listen, &passed) => Ok(TcpListener::from_std(passed.into())),
        (AdminListen::Tcp(address), _) => {
            let alone = Listen { address: *address, dual_stack: false };
            os::listen(alone, BACKLOG, 1, options).map(|mut listeners| listeners.remove(0))
        }
        (AdminListen::Unix(path), _) => listen_unix(path),
    };
    listener.map_err(|error| {
        io::Error::new(error.kind(), format!("the admin endpoint cannot listen on {listen}: {error}"))
    })
}

/// Whether a socket is where the configuration wants one. Port 0 is any port.
fn stands_for(listen: &AdminListen, socket: &Socket) -> bool {
    let Ok(there) = socket.local_addr() else { return false };
    match listen {
        AdminListen::Tcp(wanted) => there
            .as_socket()
            .is_some_and(|there| there.ip() == wanted.ip() && [0, there.port()].contains(&wanted.port())),
        AdminListen::Unix(path) => there.as_pathname() == Some(path),
    }
}

fn listen_unix(path: &Path) -> io::Result<TcpListener> {
    if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        // What a process left behind that is gone is in the way of nobody else.
        if UnixStream::connect(path).is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        fs::remove_file(path)?;
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    // Before anybody can connect.
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    socket.listen(BACKLOG as i32)?;
    Ok(TcpListener::from_std(socket.into()))
}

#[cfg(test)]
mod tests {
    use socket2::SockRef;

    use super::{AdminListen, PermissionsExt, Socket, SocketOptions, TcpListener, UnixStream, fs, io};
    use crate::config::Timeouts;

    /// Another descriptor of a listening socket, as it is passed on.
    fn passed(listener: &TcpListener) -> Socket {
        SockRef::from(listener).try_clone().unwrap()
    }

    fn listen(listen: &AdminListen, passed: Option<Socket>) -> io::Result<TcpListener> {
        super::listen(listen, passed, &SocketOptions::new(&Timeouts::default()))
    }

    #[test]
    fn what_a_dead_process_left_is_replaced_and_what_a_living_one_has_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let listen_there = |passed| listen(&AdminListen::Unix(path.clone()), passed);
        let first = listen_there(None).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let refused = listen_there(None).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse, "{refused}");
        let second = listen_there(Some(passed(&first))).unwrap();
        drop(first);
        UnixStream::connect(&path).unwrap();
        drop(second);
        listen_there(None).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        assert!(listen_there(None).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }

    #[test]
    fn a_port_of_somebody_else_is_not_shared_and_one_that_was_passed_is_taken() {
        let anywhere = AdminListen::Tcp(([127, 0, 0, 1], 0).into());
        let first = listen(&anywhere, None).unwrap();
        let address = first.local_addr().unwrap();
        let there = AdminListen::Tcp(address);
        assert_eq!(listen(&there, None).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        for wanted in [&there, &anywhere] {
            assert_eq!(listen(wanted, Some(passed(&first))).unwrap().local_addr().unwrap(), address);
        }
        let elsewhere = AdminListen::Tcp(([127, 0, 0, 2], 0).into());
        assert_ne!(listen(&elsewhere, Some(passed(&first))).unwrap().local_addr().unwrap(), address);
    }
}
