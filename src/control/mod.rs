//! From signals, and from names that change their addresses, to what a running proxy does about them.
//!
//! | signal | what follows |
//! |---|---|
//! | SIGTERM, SIGINT | drain; a second one ends the process at once |
//! | SIGHUP | the configuration is read again; what is wrong with it changes nothing |
//! | SIGUSR2 | another process, of the program as it lies there now, takes over; then this one drains |

mod answers;
mod desk;
mod reload;

use std::io;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR2};

use self::reload::{Request as ReloadRequest, Requests};
use crate::cli::Source;
use crate::logging::Flusher;
use crate::net::os;
use crate::notify;
use crate::upgrade::Program;
use crate::worker::{Control, DeskEnd};

/// A signal so soon after the first is the same one again: timeout(1), for one, signals the process and then its group.
const ECHO: Duration = Duration::from_millis(200);

/// Signals that are kept for who will ask for them.
pub struct Signals(signal_hook::iterator::Signals);

impl Signals {
    /// From here on, none of them does what it does by default.
    ///
    /// # Errors
    /// No descriptor for it.
    pub fn watch() -> io::Result<Signals> {
        signal_hook::iterator::Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR2]).map(Signals)
    }
}

/// Heeds signals, answers at the admin endpoint, reloads and looks up names again, in threads of their own. Without a
/// `source` there is nothing to read again; a desk comes with the token that changes need, if they need one.
///
/// # Errors
/// No thread to be had.
pub fn start(
    signals: Signals,
    control: Control,
    desk: Option<(DeskEnd, Option<String>)>,
    source: Option<Source>,
    log: Flusher,
) -> io::Result<()> {
    let reloads = source.map(|source| reload::start(control.clone(), source)).transpose()?;
    if let Some((end, token)) = desk {
        desk::start(control.clone(), end, token, reloads.clone(), os::raise_fd_limit())?;
    }
    if let Some(interval) = notify::watchdog() {
        let control = control.clone();
        std::thread::Builder::new()
            .name("watchdog".into())
            .spawn(move || keep_alive(&control, interval / 2))?;
    }
    let program = Program::this()?;
    let watch = move || heed(signals, &control, &program, reloads.as_ref(), &log);
    std::thread::Builder::new().name("signals".into()).spawn(watch)?;
    Ok(())
}

fn heed(
    mut signals: Signals,
    control: &Control,
    program: &Program,
    reloads: Option<&Requests>,
    log: &Flusher,
) {
    let mut first = None;
    for signal in signals.0.forever() {
        match signal {
            SIGHUP => {
                match reloads {
                    // It never ends before this process does.
                    Some(reloads) => _ = reloads.send(ReloadRequest::Reload(None)),
                    None => log::error!("not reloaded: there is no file to read again"),
                }
                continue;
            }
            SIGUSR2 => {
                upgrade(control, program);
                continue;
            }
            _ => {}
        }
        let now = os::now();
        match request(first, now) {
            Request::Echo => {}
            Request::Drain => {
                log::info!("draining: no new connections, a second signal ends those that are left");
                notify::stopping();
                control.drain();
                first = Some(now);
            }
            Request::EndNow => {
                log::warn!("second signal: ending now");
                log.flush();
                std::process::exit(1);
            }
        }
    }
}

/// What a signal asks for.
#[derive(Debug, PartialEq)]
enum Request {
    Drain,
    EndNow,
    /// What the first one asked for, once more.
    Echo,
}

/// The first signal drains, a second one ends the process at once.
fn request(first: Option<Instant>, now: Instant) -> Request {
    match first {
        None => Request::Drain,
        Some(first) if now - first < ECHO => Request::Echo,
        Some(_) => Request::EndNow,
    }
}

/// Lets another process take over, and drains; or goes on, if that one does not serve.
fn upgrade(control: &Control, program: &Program) {
    let sockets = match control.lend_listeners() {
        Ok(sockets) => sockets,
        Err(error) => return log::error!("not upgraded: {error}"),
    };
    log::info!("upgrading: starting the process that is to take over");
    match program.take_over(sockets) {
        Ok(id) => {
            log::info!("upgraded: process {id} serves new connections, draining");
            control.drain_gently();
        }
        Err(why) => log::error!("not upgraded, this process goes on: {why}"),
    }
}

/// Tells the service manager every so often that all workers are at work, as long as they are.
fn keep_alive(control: &Control, interval: Duration) {
    loop {
        if control.is_alive(interval) {
            notify::alive();
        } else {
            log::error!("a worker has not finished a turn for {} ms", interval.as_millis());
        }
        std::thread::park_timeout(interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_of_the_first_signal_is_not_a_second_one() {
        let first = os::now();
        assert_eq!(request(None, first), Request::Drain);
        assert_eq!(request(Some(first), first + ECHO / 2), Request::Echo);
        assert_eq!(request(Some(first), first + ECHO), Request::EndNow);
    }
}
