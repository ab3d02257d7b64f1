//! The access log as the tests read it: every session must leave one line, with a reason.

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Once;

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

struct Recorder;

impl log::Log for Recorder {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        ["lbproxy::access", "lbproxy::http_access"].contains(&metadata.target())
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            LINES.with_borrow_mut(|lines| lines.push(record.args().to_string()));
        }
    }

    fn flush(&self) {}
}

/// One session's line.
#[derive(Debug)]
pub struct Line {
    text: String,
}

impl Line {
    /// The value of `key=value`.
    pub fn field(&self, key: &str) -> &str {
        let found = self.text.split(' ').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("no {key} in: {}", self.text))
    }

    /// Who asked.
    pub fn client(&self) -> IpAddr {
        let address = self.text.split(' ').next().and_then(|address| address.parse().ok());
        address.expect("an address")
    }

    /// The target of a request; empty of one that could not be read.
    pub fn target(&self) -> &str {
        self.text.split('"').nth(1).and_then(|request| request.split(' ').nth(1)).unwrap_or_default()
    }

    /// What the client was told.
    pub fn status(&self) -> u16 {
        self.number_after_request(0) as u16
    }

    /// Bytes of content that the client was sent.
    pub fn content_bytes(&self) -> u64 {
        self.number_after_request(1)
    }

    fn number_after_request(&self, index: usize) -> u64 {
        let after = self.text.split('"').nth(2).and_then(|rest| rest.split_whitespace().nth(index));
        after.and_then(|number| number.parse().ok()).expect("a number")
    }

    pub fn number(&self, key: &str) -> u64 {
        self.field(key).parse().expect("a number")
    }
}

/// Starts a fresh record in this thread.
pub fn start() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        log::set_boxed_logger(Box::new(Recorder)).expect("the first logger");
        log::set_max_level(log::LevelFilter::Info);
    });
    LINES.take();
}

/// What was recorded since.
pub fn take() -> Vec<Line> {
    LINES.take().into_iter().map(|text| Line { text }).collect()
}
