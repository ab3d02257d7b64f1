//! Kernel pipes, through which long transfers pass without being copied into the proxy: splice(2).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};

/// A kernel pipe. What is in it is not known here: whoever holds it counts.
#[derive(Debug)]
pub struct Duct {
    exit: OwnedFd,
    entry: OwnedFd,
}

/// What a duct should hold at least. The kernel counts in pages of whatever was received, and some are nearly empty; an
/// unprivileged user may have some such pipes, and gets smaller ones after that (pipe(7)).
const SIZE_BYTES: usize = 1024 * 1024;

impl Duct {
    /// An empty one.
    ///
    /// # Errors
    /// No descriptors for it.
    pub fn new() -> io::Result<Duct> {
        let (exit, entry) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC)?;
        if let Err(error) = fcntl_setpipe_size(&entry, SIZE_BYTES) {
            log::debug!("a pipe stays small: {error}");
        }
        Ok(Duct { exit, entry })
    }

    /// Where bytes come out.
    pub fn exit(&self) -> BorrowedFd<'_> {
        self.exit.as_fd()
    }

    /// Where they go in.
    pub fn entry(&self) -> BorrowedFd<'_> {
        self.entry.as_fd()
    }
}
