//! The file protocol, and the backend that speaks it.
//!
//! A client asks with one line, `GET name\n`, and gets one of
//!
//! ```text
//! OK 12345\n        followed by exactly that many bytes: the contents
//! ERR reason\n      and nothing else
//! ```
//!
//! and may then ask again, or have asked already: requests are answered in order. A carriage return before the line
//! feed is ignored. The name is everything after the first space, spaces included, relative to the root; one that
//! leaves the root, by `..`, as an absolute path or through a symbolic link, is refused. A line that is too long gets
//! its `ERR` and the connection is closed, since where the next one starts is anyone's guess.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::connection::{Next, Wire};
use super::server::Service;
use crate::relay::Buffer;

/// The longest request or answer line, its line feed included.
pub const LINE_BYTES_MAX: usize = 4096;

/// Files under one directory. Contents go from the disk to the buffer piece by piece, so their size does not matter.
/// Reading from a disk blocks the loop, for one piece at a time. Whoever may change the tree while it is served is
/// trusted: a directory swapped for a link between check and opening would be followed.
pub struct Files {
    root: PathBuf,
    /// One request for each connection.
    close: bool,
}

/// What is being sent on one connection.
#[derive(Default)]
pub enum Sending {
    /// Nothing: waiting for a request.
    #[default]
    Nothing,
    /// This file, of which so many bytes are owed.
    Contents(File, u64),
    /// Whatever the output holds, and then no more.
    Last,
}

impl Files {
    /// Serves what is under `root`; if `close`, one request for each connection.
    ///
    /// # Errors
    /// `root` does not exist or is not a directory.
    pub fn new(root: &Path, close: bool) -> io::Result<Self> {
        let root = root.canonicalize()?;
        if !root.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory));
        }
        Ok(Files { root, close })
    }

    fn answer(&self, line: &[u8], output: &mut Buffer) -> Sending {
        let after = if self.close { Sending::Last } else { Sending::Nothing };
        let opened = match line.strip_prefix(b"GET ") {
            Some(name) => self.open_file(Path::new(OsStr::from_bytes(name))),
            None => Err("not a request"),
        };
        match opened {
            Ok((file, bytes)) => {
                say(output, format_args!("OK {bytes}\n"));
                Sending::Contents(file, bytes)
            }
            Err(reason) => {
                say(output, format_args!("ERR {reason}\n"));
                after
            }
        }
    }

    fn open_file(&self, name: &Path) -> Result<(File, u64), &'static str> {
        let stays = |component| matches!(component, Component::Normal(_) | Component::CurDir);
        if !name.components().all(stays) {
            return Err("outside the root");
        }
        // Resolves links: the path that is checked is the one that is opened.
        let path = self.root.join(name).canonicalize().map_err(|error| reason(&error))?;
        if !path.starts_with(&self.root) {
            return Err("outside the root");
        }
        // Asked before opening, because opening a named pipe would wait for its writer.
        if !path.is_file() {
            return Err("not a file");
        }
        let file = File::open(path).map_err(|error| reason(&error))?;
        let bytes = file.metadata().map_err(|error| reason(&error))?.len();
        Ok((file, bytes))
    }
}

impl Service for Files {
    type Session = Sending;

    fn open(&mut self) -> Sending {
        Sending::Nothing
    }

    fn advance(&mut self, sending: &mut Sending, wire: &mut Wire) -> Next {
        loop {
            *sending = match sending {
                Sending::Last => return Next::Close,
                Sending::Contents(_, 0) if self.close => Sending::Last,
                Sending::Contents(_, 0) => Sending::Nothing,
                Sending::Contents(..) if wire.output.room_bytes() == 0 => return Next::Write,
                Sending::Contents(file, owed_bytes) => match copy_some(file, *owed_bytes, wire.output) {
                    Some(copied_bytes) => {
                        *owed_bytes -= copied_bytes;
                        continue;
                    }
                    None => Sending::Last,
                },
                Sending::Nothing if wire.output.room_bytes() < LINE_BYTES_MAX => return Next::Write,
                Sending::Nothing => match line(wire.input) {
                    Line::Complete(text, line_bytes) => {
                        let answered = self.answer(text, wire.output);
                        wire.input.consumed(line_bytes);
                        answered
                    }
                    Line::Partial => return Next::Read,
                    Line::TooLong => {
                        say(wire.output, format_args!("ERR line too long\n"));
                        Sending::Last
                    }
                },
            }
        }
    }
}

/// A line of the protocol, as far as it has come in.
pub(super) enum Line<'a> {
    /// Its text without the ending, and the bytes it takes up with it.
    Complete(&'a [u8], usize),
    Partial,
    TooLong,
}

pub(super) fn line(input: &Buffer) -> Line<'_> {
    let filled = input.filled();
    let within = &filled[..filled.len().min(LINE_BYTES_MAX)];
    match within.iter().position(|&byte| byte == b'\n') {
        Some(end) => Line::Complete(filled[..end].strip_suffix(b"\r").unwrap_or(&filled[..end]), end + 1),
        None if filled.len() < LINE_BYTES_MAX => Line::Partial,
        None => Line::TooLong,
    }
}

/// Reads the next piece of a file into the output. `None` if the file is shorter than it was, or fails: the client
/// was promised more and learns from the early end that it will not come.
fn copy_some(file: &mut File, owed_bytes: u64, output: &mut Buffer) -> Option<u64> {
    let room = output.make_room();
    let limit_bytes = usize::try_from(owed_bytes).unwrap_or(usize::MAX).min(room.len());
    match file.read(&mut room[..limit_bytes]) {
        Ok(copied_bytes) if copied_bytes > 0 => {
            output.produced(copied_bytes);
            Some(copied_bytes as u64)
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Some(0),
        _ => None,
    }
}

/// Puts a short line into the output. The caller has seen to it that there is room.
fn say(output: &mut Buffer, text: std::fmt::Arguments) {
    let mut room = output.make_room();
    let before_bytes = room.len();
    if room.write_fmt(text).is_ok() {
        let said_bytes = before_bytes - room.len();
        output.produced(said_bytes);
    }
}

fn reason(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "not found",
        io::ErrorKind::PermissionDenied => "not permitted",
        io::ErrorKind::InvalidInput => "not a name",
        _ => "not readable",
    }
}
