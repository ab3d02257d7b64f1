//! The client's side of the file protocol (see [`file`](super::file)): asks for a file again and again, and compares
//! every byte with the local copy.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::client::Conversation;
use super::connection::{Next, Wire};
use super::file::{LINE_BYTES_MAX, Line, line};
use super::report::Tally;

/// Bytes compared at once.
const PIECE_BYTES: usize = 8 * 1024;

/// The local copy. It is read piece by piece as the other one arrives (from the page cache, mostly), so that any
/// number of connections may compare a file of any size.
pub struct Local {
    file: File,
    bytes: u64,
    request: Vec<u8>,
}

impl Local {
    /// Opens the copy at `path` of what the backend has as `name`.
    ///
    /// # Errors
    /// The file cannot be opened, or `name` cannot be asked for.
    pub fn open(path: &Path, name: &[u8]) -> io::Result<Self> {
        let request = [b"GET ", name, b"\n"].concat();
        if name.is_empty() || name.contains(&b'\n') || name.ends_with(b"\r") || request.len() > LINE_BYTES_MAX
        {
            return Err(io::Error::new(ErrorKind::InvalidInput, "a name that a request line cannot carry"));
        }
        if !path.metadata()?.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "not a file"));
        }
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Local { file, bytes, request })
    }

    /// Whether these bytes are the ones at this offset.
    fn holds(&self, offset_bytes: u64, bytes: &[u8]) -> bool {
        let mut scratch = [0; PIECE_BYTES];
        bytes.chunks(PIECE_BYTES).enumerate().all(|(index, piece)| {
            let copy = &mut scratch[..piece.len()];
            let at = offset_bytes + (index * PIECE_BYTES) as u64;
            self.file.read_exact_at(copy, at).is_ok() && copy == piece
        })
    }
}

/// Requests for one file, one after the other on one connection.
pub struct Fetches {
    local: Arc<Local>,
    left: u64,
    stage: Stage,
    started: Option<Instant>,
}

enum Stage {
    /// So many bytes of the request are out.
    Asking(usize),
    Answer,
    Contents {
        received_bytes: u64,
        total_bytes: u64,
        accurate: bool,
    },
}

impl Fetches {
    /// Asks `count` times.
    pub fn new(local: Arc<Local>, count: u64) -> Self {
        Fetches { local, left: count, stage: Stage::Asking(0), started: None }
    }

    /// What an answer line announces: contents, or, after counting the refusal, the next request. `None` if it is
    /// not an answer at all.
    fn answered(&mut self, text: &str, now: Instant, tally: &mut Tally) -> Option<Stage> {
        if text.starts_with("ERR ") {
            tally.fault(&format!("the backend answered {text:?}"));
            return Some(self.counted(false, now, tally));
        }
        let total_bytes = text.strip_prefix("OK ")?.parse().ok()?;
        Some(Stage::Contents { received_bytes: 0, total_bytes, accurate: total_bytes == self.local.bytes })
    }

    fn counted(&mut self, accurate: bool, now: Instant, tally: &mut Tally) -> Stage {
        let started = self.started.take().unwrap_or(now);
        tally.count(accurate, now - started);
        self.left -= 1;
        Stage::Asking(0)
    }
}

impl Conversation for Fetches {
    fn advance(&mut self, wire: &mut Wire, tally: &mut Tally) -> Next {
        loop {
            self.stage = match &mut self.stage {
                Stage::Asking(_) if !wire.input.is_empty() => {
                    tally.fault("more came than was asked for");
                    return Next::Close;
                }
                Stage::Asking(_) if self.left == 0 => return Next::Close,
                Stage::Asking(sent_bytes) => {
                    self.started.get_or_insert(wire.now);
                    *sent_bytes += wire.output.push(&self.local.request[*sent_bytes..]);
                    if *sent_bytes < self.local.request.len() {
                        return Next::Write;
                    }
                    Stage::Answer
                }
                Stage::Answer => {
                    let (text, line_bytes) = match line(wire.input) {
                        Line::Complete(text, line_bytes) => {
                            (String::from_utf8_lossy(text).into_owned(), line_bytes)
                        }
                        Line::Partial => return Next::Read,
                        Line::TooLong => (String::new(), 0),
                    };
                    wire.input.consumed(line_bytes);
                    let Some(stage) = self.answered(&text, wire.now, tally) else {
                        tally.fault("the backend does not speak the file protocol");
                        return Next::Close;
                    };
                    stage
                }
                Stage::Contents { received_bytes, total_bytes, accurate }
                    if received_bytes == total_bytes =>
                {
                    let accurate = *accurate;
                    self.counted(accurate, wire.now, tally)
                }
                Stage::Contents { .. } if wire.input.is_empty() => return Next::Read,
                Stage::Contents { received_bytes, total_bytes, accurate } => {
                    let arrived = wire.input.filled();
                    let owed_bytes = usize::try_from(*total_bytes - *received_bytes).unwrap_or(usize::MAX);
                    let piece = &arrived[..arrived.len().min(owed_bytes)];
                    *accurate = *accurate && self.local.holds(*received_bytes, piece);
                    *received_bytes += piece.len() as u64;
                    let piece_bytes = piece.len();
                    wire.input.consumed(piece_bytes);
                    continue;
                }
            }
        }
    }
}
