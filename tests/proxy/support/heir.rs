//! Whoever takes over.

use rustix::process::{Pid, Signal, kill_process};

use super::Proxy;

/// A process that the test did not start itself, and ends.
pub(crate) struct Heir(Pid);

impl Heir {
    /// The process that the one before announces, as the `count`-th.
    pub(crate) fn announced(proxy: &Proxy, count: usize) -> Heir {
        let ids = proxy.stderr.wait_for_many("a process that takes over", count, |line| {
            line.split_once("upgraded: process ")?.1.split(' ').next()?.parse().ok()
        });
        Heir(Pid::from_raw(ids[count - 1]).unwrap())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.as_raw_nonzero().get() as u32
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.0, signal).unwrap();
    }
}

impl Drop for Heir {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = kill_process(self.0, Signal::KILL);
    }
}
