//! What decides how much of what was read may be passed on.

use super::Buffer;
use crate::http::Refusal;

/// Stands between reading and writing in a [`super::Pipe`]: it knows where a message ends.
pub trait Gate {
    /// Room to leave in front of what is read, for what the gate puts before it.
    const HEADROOM_BYTES: usize;
    /// Room to leave behind it.
    const TAILROOM_BYTES: usize;

    /// Looks at what `held` holds behind its first `from` bytes, and may rewrite it. How much more may be written now.
    ///
    /// # Errors
    /// These bytes may not be passed on, and nothing that follows them: asked again, it says so again.
    fn pass(&mut self, held: &mut Buffer, from: usize) -> Result<usize, Refusal>;

    /// The source has finished. How much more may be written now.
    ///
    /// # Errors
    /// Not in the middle of a message.
    fn end(&mut self, held: &mut Buffer) -> Result<usize, Refusal>;

    /// Whether the message is complete: what follows it stays where it is.
    fn is_done(&self) -> bool;

    /// How many of the bytes that come next pass as they are, whatever they are.
    fn unseen_bytes(&self) -> u64;

    /// So many of them have passed.
    fn pass_unseen(&mut self, count: u64);
}

/// Everything passes, and so does its end.
pub struct Open;

impl Gate for Open {
    const HEADROOM_BYTES: usize = 0;
    const TAILROOM_BYTES: usize = 0;

    fn pass(&mut self, held: &mut Buffer, from: usize) -> Result<usize, Refusal> {
        Ok(held.filled().len() - from)
    }

    fn end(&mut self, _: &mut Buffer) -> Result<usize, Refusal> {
        Ok(0)
    }

    fn is_done(&self) -> bool {
        false
    }

    fn unseen_bytes(&self) -> u64 {
        u64::MAX
    }

    fn pass_unseen(&mut self, _: u64) {}
}
