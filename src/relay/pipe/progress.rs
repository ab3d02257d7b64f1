//! What comes of moving bytes.

use std::io;

use crate::http::Refusal;

/// How a turn of a [`super::Pipe`] went.
#[derive(Debug)]
pub enum Progress {
    /// Nothing more to do until an event.
    Waiting,
    /// The budget is spent with work left: another turn is needed, no event will ask for it.
    Spent,
    /// The gate has seen the end of its message, and all of it is written.
    Done,
    /// The sink has everything, the FIN too.
    Finished,
    /// The source broke. Everything it sent before was written to the sink.
    SourceBroke(io::Error),
    /// The sink broke. Bytes may be lost.
    SinkBroke(io::Error),
    /// The gate does not let this pass. Everything before it was written to the sink.
    Refused(Refusal),
}

/// What came of reading without a sink.
#[derive(Debug)]
pub enum Filled {
    /// So many more bytes.
    More(usize),
    /// Nothing now: an event will follow.
    Nothing,
    /// There is no room for more.
    Full,
    /// The source has finished.
    Ended,
    /// The source broke.
    Broke(io::Error),
}
