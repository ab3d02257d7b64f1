//! `--save`: a histogram for each second, in the log format of HdrHistogram (version 1.3), which its other tools read.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriter, IntervalLogWriterBuilder};

use crate::net::os;

/// Of the column that people read: milliseconds, where the histograms have microseconds.
const MAX_DIVISOR: f64 = 1000.0;

/// A file to write to.
pub(super) struct Log {
    name: String,
    file: BufWriter<File>,
    serializer: V2DeflateSerializer,
}

/// A log that was begun.
pub(super) struct Writer<'a> {
    name: &'a str,
    log: IntervalLogWriter<'a, 'a, BufWriter<File>, V2DeflateSerializer>,
}

impl Log {
    /// # Errors
    /// The file cannot be made.
    pub(super) fn create(path: &Path) -> Result<Log, String> {
        let name = format!("--save {}", path.display());
        let file = File::create(path).map_err(|error| format!("{name}: {error}"))?;
        Ok(Log { name, file: BufWriter::new(file), serializer: V2DeflateSerializer::new() })
    }

    /// Writes what stands at its start: that it starts now.
    pub(super) fn begin(&mut self) -> Result<Writer<'_>, String> {
        let now = UNIX_EPOCH + os::unix_time();
        let log = IntervalLogWriterBuilder::new()
            .add_comment("latency in microseconds, from when requests were due")
            .with_start_time(now)
            .with_base_time(now)
            .with_max_value_divisor(MAX_DIVISOR)
            .begin_log_with(&mut self.file, &mut self.serializer)
            .map_err(|error| format!("{}: {error}", self.name))?;
        Ok(Writer { name: &self.name, log })
    }
}

impl Writer<'_> {
    /// Adds the second that began so long after the start.
    pub(super) fn add(&mut self, since: Duration, latency_us: &Histogram<u64>) -> Result<(), String> {
        let written = self.log.write_histogram(latency_us, since, Duration::from_secs(1), None);
        written.map_err(|error| format!("{}: {error}", self.name))
    }
}
