//! One look at the CPUs: who had them since the last one.

use std::collections::HashMap;
use std::fmt;
use std::time::Instant;

use crate::lab::usage::{self, Times};

/// Whose CPU time is looked at, besides the machine's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One process.
    Pid(u32),
    /// All processes of a name, whenever they start.
    Name(String),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Pid(pid) => write!(f, "pid_{pid}"),
            Target::Name(name) => f.write_str(name),
        }
    }
}

/// A share of the time, in percent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share {
    /// In user mode.
    pub user_percent: f64,
    /// In the kernel.
    pub system_percent: f64,
}

impl Share {
    /// Both together.
    pub fn percent(self) -> f64 {
        self.user_percent + self.system_percent
    }

    fn of(before: Times, after: Times, available_ns: f64) -> Share {
        let percent = |before: u64, after: u64| 100.0 * after.saturating_sub(before) as f64 / available_ns;
        Share {
            user_percent: percent(before.user_ns, after.user_ns),
            system_percent: percent(before.system_ns, after.system_ns),
        }
    }

    /// No more than there is: time is counted in ticks, and a look may fall between two.
    fn at_most_all(self) -> Share {
        let part = (100.0 / self.percent()).min(1.0);
        if part < 1.0 {
            return Share {
                user_percent: self.user_percent * part,
                system_percent: self.system_percent * part,
            };
        }
        self
    }
}

/// What was seen at one look.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Of all CPUs together: 100 is all of them, all the time.
    pub machine: Share,
    /// Of one CPU, for each target: 100 is one, all the time, and two threads may take 200. `None` if there is no such
    /// process.
    pub targets: Vec<Option<Share>>,
}

/// Looks at the CPUs, again and again.
pub struct Sampler {
    cpus: f64,
    looked_at: Instant,
    machine: Times,
    targets: Vec<(Target, Seen)>,
}

/// The CPU time of processes at the last look, with their start.
type Seen = HashMap<u32, (Times, u64)>;

impl Sampler {
    /// Takes the first look, with which all others are compared.
    ///
    /// # Errors
    /// There is no such process now, or no /proc to look into.
    pub fn new(targets: &[Target], now: Instant) -> Result<Sampler, String> {
        let mut sampler = Sampler {
            cpus: usage::cpus()? as f64,
            looked_at: now,
            machine: usage::machine_times()?,
            targets: Vec::new(),
        };
        for target in targets {
            let seen = look(target, None);
            match target {
                Target::Pid(pid) if seen.is_empty() => {
                    return Err(format!("--pid {pid}: there is no such process"));
                }
                Target::Name(name) if seen.is_empty() => {
                    return Err(format!("--name {name}: no process goes by that name"));
                }
                _ => sampler.targets.push((target.clone(), seen)),
            }
        }
        Ok(sampler)
    }

    /// What has been since the last look.
    ///
    /// # Errors
    /// /proc is gone.
    pub fn sample(&mut self, now: Instant) -> Result<Sample, String> {
        let elapsed_ns = (now.saturating_duration_since(self.looked_at).as_nanos() as f64).max(1.0);
        let machine = usage::machine_times()?;
        let share = Share::of(self.machine, machine, elapsed_ns * self.cpus).at_most_all();
        let of_target = |(target, seen): &mut (Target, Seen)| {
            let before = std::mem::replace(seen, look(target, Some(seen)));
            let sum = seen.iter().map(|(pid, (after, _))| {
                // Of one that is new, the time until now may be older than the last look.
                let (before, _) = before.get(pid).copied().unwrap_or((*after, 0));
                Share::of(before, *after, elapsed_ns)
            });
            (!seen.is_empty()).then(|| sum.fold(Share::default(), added))
        };
        let targets = self.targets.iter_mut().map(of_target).collect();
        (self.looked_at, self.machine) = (now, machine);
        Ok(Sample { machine: share, targets })
    }
}

fn added(one: Share, other: Share) -> Share {
    Share {
        user_percent: one.user_percent + other.user_percent,
        system_percent: one.system_percent + other.system_percent,
    }
}

/// The processes of a target. One that has the number of another one, which has ended, is not the same.
fn look(target: &Target, before: Option<&Seen>) -> Seen {
    let pids = match target {
        Target::Pid(pid) => vec![*pid],
        Target::Name(name) => usage::named(name),
    };
    let seen = pids.into_iter().filter_map(|pid| Some((pid, usage::process_times(pid)?)));
    match (target, before) {
        (Target::Pid(_), Some(before)) => {
            let is_same = |pid: &u32, started: u64| before.get(pid).is_some_and(|known| known.1 == started);
            seen.filter(|(pid, (_, started))| is_same(pid, *started)).collect()
        }
        _ => seen.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_what_there_was() {
        let times = |user_ns, system_ns| Times { user_ns, system_ns };
        let share = Share::of(times(100, 50), times(400, 150), 1000.0);
        assert_eq!(share, Share { user_percent: 30.0, system_percent: 10.0 });
        assert_eq!(share.at_most_all(), share);
        assert_eq!(Share::of(times(5, 5), times(4, 4), 10.0), Share::default(), "never below nothing");
        let more = Share { user_percent: 120.0, system_percent: 40.0 };
        assert_eq!(more.at_most_all(), Share { user_percent: 75.0, system_percent: 25.0 });
        assert_eq!(Share::default().at_most_all(), Share::default());
    }
}
