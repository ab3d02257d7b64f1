//! The log, written to stderr by a thread of its own: whoever reads stderr too slowly, or not at all, loses lines and
//! never holds up a connection.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use env_logger::fmt::ConfigurableFormat;
use env_logger::{Builder, Target, WriteStyle};
use log::LevelFilter;

/// The target of lines that are whole as they are: one for each HTTP request.
pub const HTTP_ACCESS: &str = "lbproxy::http_access";

/// Lines that may wait for a slow stderr; further ones are dropped and counted.
const QUEUE_LINES: usize = 8_192;
/// Lines are written together up to this size, so that a burst is not a system call per line.
const BATCH_BYTES: usize = 64 * 1024;
/// How long the end of the process waits for the last lines.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

enum Message {
    Line(Vec<u8>),
    /// Answered once everything before it is written.
    Flush(SyncSender<()>),
}

/// Lets the last lines out before the process ends.
#[derive(Clone)]
pub struct Flusher {
    queue: SyncSender<Message>,
}

impl Flusher {
    /// Waits until what was logged so far is written, but not for long.
    pub fn flush(&self) {
        let (written, done) = sync_channel(1);
        if self.queue.try_send(Message::Flush(written)).is_ok() {
            // Too slow a reader has had its chance.
            let _ = done.recv_timeout(FLUSH_TIMEOUT);
        }
    }
}

/// Starts logging at `level`, unless RUST_LOG says otherwise.
///
/// # Errors
/// No thread to be had.
pub fn start(level: LevelFilter) -> io::Result<Flusher> {
    let (queue, lines) = sync_channel(QUEUE_LINES);
    let dropped = Arc::new(AtomicU64::new(0));
    let sink = Sink { queue: queue.clone(), dropped: dropped.clone() };
    std::thread::Builder::new()
        .name("log".into())
        .spawn(move || write_lines(&lines, &dropped, io::stderr()))?;
    let style = if io::stderr().is_terminal() { WriteStyle::Always } else { WriteStyle::Never };
    let mut builder = builder(level, sink);
    builder.write_style(style).parse_default_env().init();
    Ok(Flusher { queue })
}

/// Time, level and target before each message, except before lines of the HTTP access log: log tools expect those as
/// they are, and time is part of them.
fn builder(level: LevelFilter, sink: Sink) -> Builder {
    let with_prefix = ConfigurableFormat::default();
    let mut builder = Builder::new();
    builder.filter_level(level).target(Target::Pipe(Box::new(sink)));
    builder.format(move |out, record| match record.target() {
        HTTP_ACCESS => writeln!(out, "{}", record.args()),
        _ => with_prefix.format(out, record),
    });
    builder
}

/// What env_logger writes to: a whole line per call.
struct Sink {
    queue: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

impl Write for Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Err(TrySendError::Full(_)) = self.queue.try_send(Message::Line(line.to_vec())) {
            self.dropped.fetch_add(1, Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes what comes, as much at a time as is there, for as long as anybody may send.
fn write_lines(lines: &Receiver<Message>, dropped: &AtomicU64, mut out: impl Write) {
    let mut batch = Vec::with_capacity(BATCH_BYTES);
    while let Ok(first) = lines.recv() {
        let mut next = Some(first);
        let mut flushed = Vec::new();
        while let Some(message) = next {
            match message {
                Message::Line(line) => batch.extend_from_slice(&line),
                Message::Flush(done) => flushed.push(done),
            }
            next = if batch.len() < BATCH_BYTES { lines.try_recv().ok() } else { None };
        }
        let lost = dropped.swap(0, Relaxed);
        if lost > 0 {
            batch.extend_from_slice(
                format!("[{lost} log lines dropped: stderr is read too slowly]\n").as_bytes(),
            );
        }
        // With stderr closed there is nobody to tell.
        let _ = out.write_all(&batch);
        batch.clear();
        for done in flushed {
            // Who gave up waiting does not mind.
            let _ = done.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use log::{Level, Log, Metadata, Record};

    use super::*;

    #[test]
    fn lines_come_out_in_order_and_losses_are_told() {
        let (queue, lines) = sync_channel(2);
        let dropped = Arc::new(AtomicU64::new(0));
        let mut sink = Sink { queue: queue.clone(), dropped: dropped.clone() };
        for line in ["one\n", "two\n", "three\n", "four\n"] {
            sink.write_all(line.as_bytes()).unwrap();
        }
        drop((sink, queue));
        let mut out = Vec::new();
        write_lines(&lines, &dropped, &mut out);
        let told = String::from_utf8(out).unwrap();
        assert_eq!(told, "one\ntwo\n[2 log lines dropped: stderr is read too slowly]\n");
    }

    #[test]
    fn a_flush_waits_for_what_came_before() {
        let (queue, lines) = sync_channel(8);
        let mut sink = Sink { queue: queue.clone(), dropped: Arc::default() };
        sink.write_all(b"last words\n").unwrap();
        let written = Arc::new(std::sync::Mutex::new(Vec::new()));
        let out = Shared(written.clone());
        std::thread::spawn(move || write_lines(&lines, &AtomicU64::new(0), out));
        Flusher { queue }.flush();
        assert_eq!(*written.lock().unwrap(), b"last words\n");
    }

    /// What a log at `level` writes for one record.
    fn logged(level: LevelFilter, target: &str, message: &str) -> Vec<String> {
        let (queue, lines) = sync_channel(8);
        let logger = builder(level, Sink { queue, dropped: Arc::default() }).build();
        let mut record = Record::builder();
        let info = Level::Info;
        logger.log(&record.args(format_args!("{message}")).level(info).target(target).build());
        // This is what `log_enabled!` asks.
        let metadata = Metadata::builder().level(info).target(target).build();
        let written: Vec<String> = lines
            .try_iter()
            .filter_map(|message| match message {
                Message::Line(line) => Some(String::from_utf8(line).unwrap()),
                Message::Flush(_) => None,
            })
            .collect();
        assert_eq!(logger.enabled(&metadata), !written.is_empty());
        written
    }

    #[test]
    fn access_lines_are_bare_and_others_say_when_and_how_grave() {
        assert_eq!(logged(LevelFilter::Info, HTTP_ACCESS, "{}"), ["{}\n"]);
        let [line] = <[String; 1]>::try_from(logged(LevelFilter::Info, "lbproxy::access", "x")).unwrap();
        assert!(line.starts_with('[') && line.ends_with(" INFO  lbproxy::access] x\n"), "{line:?}");
    }

    #[test]
    fn quiet_leaves_no_access_line_to_format() {
        assert_eq!(logged(LevelFilter::Warn, HTTP_ACCESS, "{}"), [""; 0]);
    }

    struct Shared(Arc<std::sync::Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
