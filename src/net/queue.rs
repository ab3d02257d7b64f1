//! How many connections wait in a listening socket's queue.

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd};

/// Those that wait, and how many may.
pub(super) fn depth(listener: &impl AsFd) -> io::Result<(u32, u32)> {
    // SAFETY: `tcp_info` holds numbers only, for all of which zero is one.
    #[allow(unsafe_code)]
    let mut info: libc::tcp_info = unsafe { zeroed() };
    let mut len = size_of::<libc::tcp_info>() as libc::socklen_t;
    let fd = listener.as_fd().as_raw_fd();
    // SAFETY: tcp(7): writes at most `len` bytes to `info`, which has as many, and says in `len` how many it wrote.
    #[allow(unsafe_code)]
    let outcome = unsafe {
        libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut info).cast(), &raw mut len)
    };
    if outcome != 0 {
        return Err(io::Error::last_os_error());
    }
    // For a socket that listens, these two are its queue (tcp_get_info in net/ipv4/tcp.c).
    Ok((info.tcpi_unacked, info.tcpi_sacked))
}
