//! What the kernel knows of a process.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// Open file descriptors.
pub(super) fn fds(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// Open ends of kernel pipes.
pub(super) fn pipes(pid: u32) -> usize {
    open(pid, "pipe:")
}

/// Open sockets.
pub(super) fn sockets(pid: u32) -> usize {
    open(pid, "socket:")
}

/// Open file descriptors of the kind that their links in /proc start with.
fn open(pid: u32, kind: &str) -> usize {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let targets = links.filter_map(|link| fs::read_link(link.unwrap().path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with(kind)).count()
}

/// Memory in use at this moment, and the most there ever was.
pub(super) fn memory_bytes(pid: u32) -> (u64, u64) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
    };
    (field("VmRSS:"), field("VmHWM:"))
}

/// CPU time used so far, in clock ticks of 10 ms.
pub(super) fn cpu_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, after_name) = stat.rsplit_once(") ").unwrap();
    // proc(5): after pid and name, utime is the 12th field and stime the 13th.
    after_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

/// Whether a signal has stopped all of its threads.
pub(super) fn is_stopped(pid: u32) -> bool {
    let mut tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    tasks.all(|task| {
        let stat = fs::read_to_string(task.unwrap().path().join("stat")).unwrap();
        stat.rsplit_once(") ").unwrap().1.starts_with('T')
    })
}

/// The threads of a process by name, each with how often it was given a CPU.
pub(super) fn threads(pid: u32) -> BTreeMap<String, u64> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| {
        let name = fs::read_to_string(path.join("comm")).unwrap().trim().to_owned();
        let schedstat = fs::read_to_string(path.join("schedstat")).unwrap();
        (name, schedstat.split_whitespace().last().unwrap().parse().unwrap())
    };
    tasks.map(read).collect()
}
