//! Answers of the proxy's own: short, canned, and without a word about what is behind it.

/// What an answer of ours depends on.
#[derive(Clone, Copy, Debug)]
pub struct Reply {
    /// The status: one of 400 408 413 414 417 431 500 501 502 503 504 505.
    pub status: u16,
    /// JSON instead of plain text.
    pub json: bool,
    /// The connection ends with it (`Connection: close`).
    pub close: bool,
    /// It answers HEAD: the head only, `Content-Length` as if there were a body.
    pub head_only: bool,
    /// `Retry-After`, in seconds.
    pub retry_after_s: Option<u32>,
}

impl Reply {
    /// Appends the whole answer.
    pub fn write(&self, out: &mut Vec<u8>) {
        let _ = out;
        todo!()
    }
}

/// The standard reason phrase (RFC 9110, 15).
pub fn reason_phrase(status: u16) -> &'static str {
    let _ = status;
    todo!()
}
