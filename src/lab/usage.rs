//! What programs consume, as the kernel counts it: CPU time and memory of a process group, CPU time of the machine.

use std::fs;
use std::path::Path;

/// Length of the ticks in `/proc/stat` (`USER_HZ`, 100 on every architecture of Linux that this runs on).
const TICK_NS: u64 = 10_000_000;
/// Where in `/proc/PID/stat`, after the name, things stand: the state, the process group, CPU time in user mode and in the
/// kernel, and when it started (proc(5), fields 3, 5, 14, 15 and 22).
const STATE: usize = 0;
const GROUP: usize = 2;
const USER: usize = 11;
const SYSTEM: usize = 12;
const STARTED: usize = 19;

/// CPU time, apart. Counted in ticks of 10 ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// In user mode, in nanoseconds.
    pub user_ns: u64,
    /// In the kernel, in nanoseconds.
    pub system_ns: u64,
}

impl Times {
    fn of_ticks(user: u64, system: u64) -> Times {
        Times { user_ns: user * TICK_NS, system_ns: system * TICK_NS }
    }
}

/// The processes of a group, without those that have ended and only wait to be asked how.
pub fn members(group: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    // One that ends meanwhile is no member.
    pids.filter(|pid| {
        fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| group_of(&stat) == Some(group))
    })
    .collect()
}

/// CPU time that the threads of a process group have had, in user mode and in the kernel, in nanoseconds. Threads that
/// have ended are not in it.
///
/// # Errors
/// The group is gone, or the kernel keeps no such count (it is built without CONFIG_SCHED_INFO).
pub fn cpu_ns(group: u32) -> Result<u64, String> {
    let mut sum_ns = None;
    for pid in members(group) {
        let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for thread in threads.flatten() {
            // A thread that ends meanwhile is not counted.
            if let Ok(text) = fs::read_to_string(thread.path().join("schedstat")) {
                let ns =
                    first_number(&text).ok_or_else(|| format!("/proc/{pid}: schedstat says {text:?}"))?;
                *sum_ns.get_or_insert(0) += ns;
            }
        }
    }
    sum_ns
        .ok_or_else(|| format!("no CPU time of process group {group}: it is gone, or /proc has no schedstat"))
}

/// Memory of a process group: its proportional set size (what it shares with others counts in part), in bytes.
///
/// # Errors
/// The group is gone, or belongs to somebody else.
pub fn pss_bytes(group: u32) -> Result<u64, String> {
    let mut sum_bytes = None;
    for pid in members(group) {
        let text = read(Path::new(&format!("/proc/{pid}/smaps_rollup")))?;
        let bytes = field_kib(&text, "Pss:").ok_or_else(|| format!("/proc/{pid}/smaps_rollup: no Pss"))?;
        *sum_bytes.get_or_insert(0) += bytes * 1024;
    }
    sum_bytes.ok_or_else(|| format!("no memory of process group {group}: it is gone"))
}

/// CPU time that the whole machine has been busy, in nanoseconds. What a proxy makes the kernel do outside its own
/// threads shows here, with everything else.
///
/// # Errors
/// `/proc/stat` is not to be read.
pub fn machine_ns() -> Result<u64, String> {
    machine_times().map(|times| times.user_ns + times.system_ns)
}

/// The same, apart.
///
/// # Errors
/// `/proc/stat` is not to be read.
pub fn machine_times() -> Result<Times, String> {
    busy_times(&read(Path::new("/proc/stat"))?).ok_or_else(|| "/proc/stat: no line of all CPUs".into())
}

/// CPU time that all threads of a process have had, those that have ended too, and when it started: two processes that
/// have the same number one after the other differ in that. `None` if it has ended.
pub fn process_times(pid: u32) -> Option<(Times, u64)> {
    times_of(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The processes that go by a name: what they call themselves (15 bytes of it), or the file they were started from. This
/// one is not among them.
pub fn named(name: &str) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut found: Vec<u32> = pids.filter(|pid| *pid != std::process::id() && goes_by(*pid, name)).collect();
    found.sort_unstable();
    found
}

fn goes_by(pid: u32, name: &str) -> bool {
    // One that ends meanwhile goes by no name.
    let of = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let command = of("cmdline");
    let program = command.split(|&byte| byte == 0).next().unwrap_or_default();
    let file = program.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    file == name.as_bytes() || of("comm").trim_ascii_end() == name.as_bytes()
}

/// How many CPUs the machine has.
///
/// # Errors
/// `/proc/stat` is not to be read.
pub fn cpus() -> Result<usize, String> {
    let text = read(Path::new("/proc/stat"))?;
    Ok(text.lines().filter(|line| line.starts_with("cpu") && !line.starts_with("cpu ")).count().max(1))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The process group in a `/proc/PID/stat`, unless the process has ended.
fn group_of(stat: &str) -> Option<u32> {
    // A name may contain anything, even parentheses: what follows begins at the last one.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    (*fields.get(STATE)? != "Z").then(|| fields.get(GROUP)?.parse().ok())?
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

fn field_kib(text: &str, name: &str) -> Option<u64> {
    first_number(text.lines().find_map(|line| line.strip_prefix(name))?)
}

/// The line of all CPUs (proc(5)): user and nice; system, irq and softirq.
fn busy_times(stat: &str) -> Option<Times> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line.split_whitespace().map_while(|field| field.parse().ok()).collect();
    let sum = |indexes: &[usize]| indexes.iter().map(|&index| ticks.get(index)).sum::<Option<u64>>();
    Some(Times::of_ticks(sum(&[0, 1])?, sum(&[2, 5, 6])?))
}

/// The times in a `/proc/PID/stat`, and the start, unless the process has ended.
fn times_of(stat: &str) -> Option<(Times, u64)> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let is_over = matches!(*fields.get(STATE)?, "Z" | "X");
    (!is_over).then_some(())?;
    Some((Times::of_ticks(number(USER)?, number(SYSTEM)?), number(STARTED)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_look_like_the_fields_after_it() {
        assert_eq!(group_of("7 (a) Z 1 1 (b) S 1 42 42 0 -1"), Some(42));
        assert_eq!(group_of("7 (gone) Z 1 42 42 0 -1"), None);
        assert_eq!(group_of("7 (short) S 1"), None);
        assert_eq!(group_of(""), None);
    }

    #[test]
    fn fields_are_found_by_name() {
        let text =
            "55d0-7ffe ---p 00000000 00:00 0 [rollup]\nRss:     900 kB\nPss:     123 kB\nPss_Dirty: 5 kB\n";
        assert_eq!(field_kib(text, "Pss:"), Some(123));
        assert_eq!(field_kib("Rss: 1 kB\n", "Pss:"), None);
        assert_eq!(first_number("123456 789 10\n"), Some(123_456));
    }

    #[test]
    fn waiting_is_not_being_busy() {
        let times = busy_times("cpu  1 20 300 9999 9999 4000 50000 9999 9 9\ncpu0 1 1\n");
        assert_eq!(times, Some(Times::of_ticks(21, 54_300)));
        assert_eq!(busy_times("cpu0 1 2 3\n"), None);
    }

    #[test]
    fn times_of_a_process_are_apart_and_it_has_a_start() {
        let stat = "7 (a) b) R 1 7 7 0 -1 4194304 105 0 0 0 12 34 0 0 20 0 1 0 5580483 2998272 409";
        assert_eq!(times_of(stat), Some((Times::of_ticks(12, 34), 5_580_483)));
        assert_eq!(times_of(&stat.replace(" R ", " Z ")), None);
        assert_eq!(times_of("7 (a) R 1 7"), None);
    }
}
