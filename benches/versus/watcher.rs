//! Who looks into lbproxy while it works: a page that is open, and somebody who scrapes its metrics every second.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use lbproxy::ask;
use lbproxy::config::AdminListen;
use lbproxy::lab::process;

const INTERVAL: Duration = Duration::from_secs(1);

/// Looks until it is dropped.
pub struct Watcher {
    seen: Arc<Seen>,
    threads: Vec<JoinHandle<()>>,
    events: UnixStream,
}

#[derive(Default)]
struct Seen {
    stop: AtomicBool,
    scrapes: AtomicU64,
    event_bytes: AtomicU64,
}

impl Watcher {
    /// Where the endpoint is, of a contestant with this directory.
    pub fn socket(directory: &Path) -> PathBuf {
        directory.join("admin.sock")
    }

    /// Begins to look.
    ///
    /// # Errors
    /// Nobody is there.
    pub fn start(socket: &Path) -> Result<Watcher, String> {
        let cannot = |error| format!("{}: {error}", socket.display());
        let mut events = UnixStream::connect(socket).map_err(cannot)?;
        events.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").map_err(cannot)?;
        let seen = Arc::new(Seen::default());
        let (there, scraped) = (AdminListen::Unix(socket.to_owned()), seen.clone());
        let scraper = std::thread::spawn(move || {
            loop {
                scraped.scrapes.fetch_add(u64::from(ask::get(&there, "/metrics").is_ok()), Relaxed);
                if process::until(INTERVAL, || scraped.stop.load(Relaxed)) {
                    return;
                }
            }
        });
        let (mut stream, read) = (events.try_clone().map_err(cannot)?, seen.clone());
        let page = std::thread::spawn(move || {
            let mut space = [0; 16 * 1024];
            while let Ok(count @ 1..) = stream.read(&mut space) {
                read.event_bytes.fetch_add(count as u64, Relaxed);
            }
        });
        Ok(Watcher { seen, threads: vec![scraper, page], events })
    }

    /// Why it has not seen what it should have; `None` if it has.
    pub fn fault(&self) -> Option<String> {
        let (scrapes, bytes) = (self.seen.scrapes.load(Relaxed), self.seen.event_bytes.load(Relaxed));
        (scrapes == 0 || bytes == 0)
            .then(|| format!("nobody looked: {scrapes} scrapes, {bytes} bytes of events"))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.seen.stop.store(true, Relaxed);
        // Ends the page's thread.
        let _ = self.events.shutdown(std::net::Shutdown::Both);
        self.threads.drain(..).for_each(|thread| _ = thread.join());
    }
}
