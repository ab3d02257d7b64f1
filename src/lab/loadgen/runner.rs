//! One thread: a loop over its lanes, which begins requests when they are due and takes in answers as they come.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use rustix::time::{timerfd_create, timerfd_settime};

use super::Load;
use super::found::{Failure, Found, histogram};
use super::gather::Report;
use super::lane::{BUFFER_BYTES, Ground, Lane, Noted, Turn};
use super::schedule::Schedule;
use crate::net::os;

/// The alarm's place among the lanes' tokens.
const ALARM: usize = usize::MAX - 1;
/// Events taken from the kernel at a time.
const EVENT_BATCH: usize = 256;
/// Between two looks for what no event tells: requests that take too long, a signal, the end.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What is due so soon is waited for without sleeping: going to sleep and waking up takes as long.
const IMMINENT: Duration = Duration::from_micros(20);
/// A connection that could not be made is not tried again at once in a closed loop.
const REST: Duration = Duration::from_millis(20);
const SECOND: Duration = Duration::from_secs(1);

/// A thread's work.
pub(super) struct Runner {
    load: Load,
    start: Instant,
    lanes: Vec<Lane>,
    /// Lanes without a request under way, by when the next one is due.
    waiting: BinaryHeap<Reverse<(Instant, usize)>>,
    under_way: usize,
    poll: Poll,
    alarm: OwnedFd,
    /// When the alarm goes off; none if it has.
    alarm_at: Option<Instant>,
    buffer: Vec<u8>,
    found: Found,
    second: Report,
    tell: Sender<Report>,
    stop: Arc<AtomicBool>,
}

/// What a thread returns.
pub(super) struct Ended {
    pub(super) found: Found,
    pub(super) ended: Instant,
}

impl Runner {
    /// Thread `index`, whose first second begins at `start`.
    pub(super) fn new(
        load: &Load,
        index: usize,
        start: Instant,
        tell: Sender<Report>,
        stop: Arc<AtomicBool>,
    ) -> Result<Runner, String> {
        let numbers = (index..load.connections).step_by(load.threads);
        let lane = |number| {
            let schedule = Schedule::new(start, load.rate, number, load.connections);
            Lane::new(number, schedule, &load.target, start)
        };
        let lanes: Vec<Lane> = numbers.map(lane).collect();
        let waiting = lanes.iter().enumerate().map(|(at, lane)| Reverse((lane.schedule.due(), at))).collect();
        let cannot = |error: io::Error| format!("no event queue: {error}");
        let poll = Poll::new().map_err(cannot)?;
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let alarm = timerfd_create(TimerfdClockId::Monotonic, flags).map_err(|error| cannot(error.into()))?;
        poll.registry()
            .register(&mut SourceFd(&alarm.as_raw_fd()), Token(ALARM), Interest::READABLE)
            .map_err(cannot)?;
        Ok(Runner {
            load: load.clone(),
            start,
            lanes,
            waiting,
            under_way: 0,
            poll,
            alarm,
            alarm_at: None,
            buffer: vec![0; BUFFER_BYTES],
            found: Found::new()?,
            second: Report::new(0, histogram()?),
            tell,
            stop,
        })
    }

    /// Until everything that was due is done with, or given up.
    pub(super) fn run(&mut self) -> Result<Ended, String> {
        let mut events = Events::with_capacity(EVENT_BATCH);
        let end = self.start + self.load.duration;
        let give_up_at = end + self.load.timeout;
        let mut look_at = self.start;
        let mut now = os::now();
        while !self.stop.load(Relaxed) && (self.under_way > 0 || !self.waiting.is_empty()) {
            if now >= give_up_at {
                self.give_up(end, now);
                break;
            }
            let wait = self.set_alarm(now)?;
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(format!("the event queue failed: {error}"));
                }
                _ => {}
            }
            for event in &events {
                match event.token() {
                    Token(ALARM) => self.alarm_at = None,
                    Token(at) => {
                        let now = os::now();
                        let noted = Noted {
                            readable: event.is_readable(),
                            writable: event.is_writable(),
                            closed: event.is_read_closed(),
                        };
                        self.with(at, now, |lane, ground| lane.note(noted, ground));
                    }
                }
            }
            self.begin_due(end);
            now = os::now();
            self.report(now);
            if now >= look_at {
                look_at = now + LOOK_EVERY;
                self.end_late(now);
            }
        }
        self.finish_second();
        let found = std::mem::replace(&mut self.found, Found::new()?);
        Ok(Ended { found, ended: now })
    }

    /// Lets a lane do something, and takes in what comes of it.
    fn with(&mut self, at: usize, now: Instant, act: impl FnOnce(&mut Lane, &mut Ground<'_>) -> Turn) {
        let lane = &mut self.lanes[at];
        let was_busy = lane.begun().is_some();
        let mut ground = Ground {
            target: &self.load.target,
            registry: self.poll.registry(),
            buffer: &mut self.buffer,
            bytes: &mut self.found.bytes,
            now,
        };
        let turn = act(lane, &mut ground);
        let failure = match turn {
            Turn::Wait => {
                let is_busy = lane.begun().is_some();
                self.under_way = self.under_way + usize::from(is_busy) - usize::from(was_busy);
                return;
            }
            Turn::Answered { status, uncorrected } => {
                let latency = now.saturating_duration_since(lane.schedule.due());
                self.found.answered(status, latency, uncorrected);
                let is_right = status.is_none_or(|status| status < 400);
                self.second.count(is_right.then_some(latency));
                None
            }
            Turn::Failed(failure) => {
                self.found.failed(failure);
                self.second.count(None);
                Some(failure)
            }
        };
        self.under_way -= usize::from(was_busy);
        lane.schedule.advance(now);
        if failure.is_some() {
            lane.schedule.rest_until(now + REST);
        }
        self.waiting.push(Reverse((lane.schedule.due(), at)));
    }

    /// Begins what is due by now; who has nothing due before the end is done.
    fn begin_due(&mut self, end: Instant) {
        // The clock is read for each, so that a long row of them does not shift the last ones.
        while let Some(&Reverse((due, at))) = self.waiting.peek() {
            let now = os::now();
            if due >= end {
                self.waiting.pop();
                continue;
            }
            if due > now {
                return;
            }
            self.waiting.pop();
            self.with(at, now, |lane, ground| lane.begin(at, ground));
        }
    }

    /// How long to wait at most; if something is due before, an alarm goes off then.
    fn set_alarm(&mut self, now: Instant) -> Result<Duration, String> {
        let Some(&Reverse((due, _))) = self.waiting.peek() else { return Ok(LOOK_EVERY) };
        let left = due.saturating_duration_since(now);
        if left <= IMMINENT {
            return Ok(Duration::ZERO);
        }
        if left < LOOK_EVERY && self.alarm_at != Some(due) {
            let nothing = Timespec { tv_sec: 0, tv_nsec: 0 };
            let left = Timespec { tv_sec: 0, tv_nsec: left.as_nanos() as _ };
            let alarm = Itimerspec { it_interval: nothing, it_value: left };
            timerfd_settime(&self.alarm, TimerfdTimerFlags::empty(), &alarm)
                .map_err(|error| format!("no alarm: {error}"))?;
            self.alarm_at = Some(due);
        }
        Ok(LOOK_EVERY)
    }

    /// Ends requests that have waited for too long.
    fn end_late(&mut self, now: Instant) {
        for at in 0..self.lanes.len() {
            if self.lanes[at]
                .begun()
                .is_some_and(|begun| now.saturating_duration_since(begun) > self.load.timeout)
            {
                self.with(at, now, |lane, _| lane.fail(Failure::Timeout));
            }
        }
    }

    /// Nothing is waited for any longer: what is under way has failed, and so has what should have been sent.
    fn give_up(&mut self, end: Instant, now: Instant) {
        for at in 0..self.lanes.len() {
            if self.lanes[at].begun().is_some() {
                self.with(at, now, |lane, _| lane.fail(Failure::Timeout));
            }
            let schedule = &mut self.lanes[at].schedule;
            while matches!(schedule, Schedule::Fixed { .. }) && schedule.due() < end {
                schedule.advance(now);
                self.found.failed(Failure::Timeout);
                self.second.count(None);
            }
        }
    }

    /// Tells of seconds that are over.
    fn report(&mut self, now: Instant) {
        while now.saturating_duration_since(self.start) >= SECOND * (self.second.index + 1) {
            self.second.whole = true;
            self.finish_second();
        }
    }

    fn finish_second(&mut self) {
        let next = Report::new(self.second.index + 1, empty_like(&self.second.latency_us));
        // Nobody listens once the run is given up.
        let _ = self.tell.send(std::mem::replace(&mut self.second, next));
    }
}

fn empty_like(histogram: &Histogram<u64>) -> Histogram<u64> {
    Histogram::new_from(histogram)
}
