//! What a proxy at work is configured by: its file, read again when that is asked for, and the addresses of names, looked up
//! again and again.
//!
//! All of it happens in a thread of its own: a resolver may take long, and neither clients nor signals wait for it.

use std::collections::BTreeSet;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

use serde_json::{Value, json};

use crate::cli::{Run, Source};
use crate::config::Missing;
use crate::net::os;
use crate::notify;
use crate::worker::{Control, Reloaded};

/// Asks for a reload, from any thread.
pub(super) type Requests = Sender<Request>;
/// Who wants to know what came of it.
pub(super) type Report = Box<dyn FnOnce(Result<Value, String>) + Send>;

/// What may be asked for.
pub(super) enum Request {
    /// To read the file again, and go on with what it says.
    Reload(Option<Report>),
    /// To say what that would change.
    Preview(Report),
}

/// Starts the thread. `source` is what the proxy was configured by.
///
/// # Errors
/// No thread to be had.
pub(super) fn start(control: Control, source: Source) -> io::Result<Requests> {
    let (requests, requested) = channel();
    let keeper = Keeper { control, source, missing: BTreeSet::new(), refused: None };
    std::thread::Builder::new().name("reload".into()).spawn(move || keeper.keep(&requested))?;
    Ok(requests)
}

struct Keeper {
    control: Control,
    source: Source,
    /// The names that were not found the last time: each is news once.
    missing: BTreeSet<String>,
    /// What was wrong with what the names stood for the last time, likewise.
    refused: Option<String>,
}

impl Keeper {
    fn keep(mut self, requested: &Receiver<Request>) {
        loop {
            // No event tells when a name has got another address.
            let request = match self.source.resolve_interval() {
                Some(interval) => requested.recv_timeout(interval),
                None => requested.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match request {
                Ok(request) => {
                    let waiting: Vec<Request> = requested.try_iter().collect();
                    self.serve(std::iter::once(request).chain(waiting));
                }
                Err(RecvTimeoutError::Timeout) => self.resolve(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn serve(&mut self, requests: impl Iterator<Item = Request>) {
        let (mut reload, mut reports) = (false, Vec::new());
        for request in requests {
            match request {
                Request::Preview(report) => report(self.preview()),
                // Asked for several times meanwhile, it is still one.
                Request::Reload(report) => {
                    reload = true;
                    reports.extend(report);
                }
            }
        }
        if reload {
            let outcome = self.reload();
            reports.into_iter().for_each(|report| report(outcome.clone()));
        }
    }

    /// Reads the file again, and goes on with what it says now.
    fn reload(&mut self) -> Result<Value, String> {
        notify::reloading();
        let outcome = match self.source.read_again(os::raise_fd_limit()) {
            Ok(run) => {
                run.warnings.iter().for_each(|warning| log::warn!("{warning}"));
                self.apply(run, "reloaded").map(|Reloaded { changes, left, .. }| {
                    for left in &left {
                        log::warn!("reloaded, but not this, which takes a restart: {left}");
                    }
                    json!({ "changes": changes, "left": left })
                })
            }
            Err(failure) => {
                log::error!("not reloaded, nothing has changed: {failure}");
                Err(failure.to_string())
            }
        };
        // Whatever came of it, it serves.
        notify::ready("serving");
        outcome
    }

    /// What a reload would change, and whom it would concern.
    fn preview(&self) -> Result<Value, String> {
        let run = self.source.read_again(os::raise_fd_limit()).map_err(|failure| failure.to_string())?;
        let preview = self.control.preview(run.config)?;
        let counted = |all: &[(String, u64)]| -> Vec<Value> {
            all.iter().map(|(name, count)| json!({ "name": name, "connections": count })).collect()
        };
        Ok(json!({
            "changes": preview.changes, "left": preview.left, "warnings": run.warnings,
            "backends_that_drain": counted(&preview.draining), "frontends_that_close": counted(&preview.closing),
        }))
    }

    /// Looks the names up again, and goes on with what they stand for now, if that is something else. The file may say
    /// something new by now: that is none of this.
    fn resolve(&mut self) {
        if self.control.is_stopping() {
            return;
        }
        let (source, missing) = self.source.look_up_again();
        self.note_missing(missing);
        if source == self.source {
            return;
        }
        match source.resolve(os::raise_fd_limit()) {
            Ok(run) => {
                self.refused = None;
                // What takes a restart was said when the file was read.
                let _left = self.apply(run, "resolved");
            }
            Err(failure) => {
                let why = failure.to_string();
                if self.refused.as_ref() != Some(&why) {
                    log::warn!("not resolved, backends stay as they are: {why}");
                }
                self.refused = Some(why);
            }
        }
    }

    fn note_missing(&mut self, missing: Vec<Missing>) {
        for Missing { host, why } in missing.iter().filter(|one| !self.missing.contains(&one.host)) {
            log::warn!("{host:?} cannot be resolved, its backends stay as they are: {why}");
        }
        self.missing = missing.into_iter().map(|one| one.host).collect();
    }

    /// Goes on with this.
    fn apply(&mut self, run: Run, what: &str) -> Result<Reloaded, String> {
        match self.control.reload(run.config) {
            Ok(reloaded) => {
                let Reloaded { changes, opened, .. } = &reloaded;
                opened.iter().for_each(|address| log::info!("listening on {address}"));
                changes.iter().for_each(|change| log::info!("{what}: {change}"));
                let plural = if changes.len() == 1 { "" } else { "s" };
                log::info!("{what}: {} change{plural}", changes.len());
                self.source = run.source;
                Ok(reloaded)
            }
            Err(why) => {
                log::error!("not {what}, nothing has changed: {why}");
                Err(why)
            }
        }
    }
}
