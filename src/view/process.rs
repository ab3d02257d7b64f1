//! What the kernel says of this process: its descriptors, and how much of the CPU its workers get.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use crate::net::os;

const FDS: &str = "/proc/self/fd";
/// Where they have to be counted one by one, that may take a thousandth of the time, no more.
const COST_FACTOR: u32 = 1000;

/// The process, as it was looked at last.
#[derive(Default)]
pub(super) struct Process {
    open_fds: usize,
    count_again_at: Option<Instant>,
    /// The worker's thread, by its name.
    threads: HashMap<usize, u32>,
    /// Nanoseconds on a CPU, and waiting for one; when that was.
    before: HashMap<usize, (u64, u64, Instant)>,
}

/// How a worker spent the time since it was looked at last: parts of 1.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Occupation {
    /// On a CPU.
    pub(super) busy: f64,
    /// Waiting for one that others had.
    pub(super) starved: f64,
}

impl Process {
    /// Descriptors open, counted anew if that is not too much work.
    pub(super) fn open_fds(&mut self) -> usize {
        // Since Linux 6.2, the size of the directory is their number (proc_readfd_count in fs/proc/fd.c).
        if let Ok(told @ 1..) = fs::metadata(FDS).map(|folder| folder.len()) {
            return told as usize;
        }
        let began = os::now();
        if self.count_again_at.is_none_or(|at| at <= began) {
            // The one that lists them is one of them.
            self.open_fds = fs::read_dir(FDS).map_or(0, |entries| entries.count().saturating_sub(1));
            let ended = os::now();
            self.count_again_at = Some(ended + (ended - began) * COST_FACTOR);
        }
        self.open_fds
    }

    /// What a worker has done since the last time; `None` the first time, or where the kernel does not say.
    pub(super) fn occupation(&mut self, worker: usize) -> Option<Occupation> {
        let thread = self.thread(worker)?;
        let text = fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?;
        let mut numbers = text.split_whitespace().map_while(|number| number.parse::<u64>().ok());
        let (ran_ns, waited_ns, now) = (numbers.next()?, numbers.next()?, os::now());
        let (ran_before, waited_before, then) = self.before.insert(worker, (ran_ns, waited_ns, now))?;
        let elapsed_ns = (now - then).max(Duration::from_micros(1)).as_nanos() as f64;
        let part = |now: u64, before: u64| (now.saturating_sub(before) as f64 / elapsed_ns).min(1.0);
        Some(Occupation { busy: part(ran_ns, ran_before), starved: part(waited_ns, waited_before) })
    }

    fn thread(&mut self, worker: usize) -> Option<u32> {
        if let Some(thread) = self.threads.get(&worker) {
            return Some(*thread);
        }
        let name = format!("worker-{worker}");
        let tasks = fs::read_dir("/proc/self/task").ok()?;
        let mut ids = tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse::<u32>().ok());
        let is_it = |id: &u32| {
            fs::read_to_string(format!("/proc/self/task/{id}/comm")).is_ok_and(|comm| comm.trim_end() == name)
        };
        let thread = ids.find(is_it)?;
        self.threads.insert(worker, thread);
        Some(thread)
    }
}
