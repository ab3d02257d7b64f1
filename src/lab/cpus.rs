//! Which CPUs a program may run on: a proxy that is measured shares none with what loads it, where there are enough.

use std::fmt;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Some CPUs of this machine, by number, in ascending order; never none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cpus(Vec<usize>);

impl Cpus {
    /// Those the calling thread may run on.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn allowed() -> Result<Cpus, String> {
        let set =
            sched_getaffinity(None).map_err(|error| format!("cannot ask which CPUs to use: {error}"))?;
        Ok(Cpus((0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect()))
    }

    /// Lets the calling thread, and what it starts from now on, run on these alone.
    ///
    /// # Errors
    /// One of them is not there, or not allowed.
    pub fn pin(&self) -> Result<(), String> {
        let mut set = CpuSet::new();
        self.0.iter().for_each(|&cpu| set.set(cpu));
        sched_setaffinity(None, &set).map_err(|error| format!("cannot run on CPU {self}: {error}"))
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(usize::to_string).collect();
        f.write_str(&numbers.join(","))
    }
}

/// Who runs where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The proxy.
    pub proxy: Cpus,
    /// The load, the backends, and whoever measures.
    pub load: Cpus,
}

impl Placement {
    /// The first CPUs for the proxy, one for each worker; all others for the load, or, where none is left, the last one.
    pub fn new(allowed: &Cpus, workers: usize) -> Placement {
        let numbers = &allowed.0;
        let (proxy, rest) = numbers.split_at(workers.clamp(1, numbers.len()));
        let load = if rest.is_empty() { &proxy[proxy.len() - 1..] } else { rest };
        Placement { proxy: Cpus(proxy.to_vec()), load: Cpus(load.to_vec()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(cpus: &[usize], workers: usize) -> (String, String) {
        let placement = Placement::new(&Cpus(cpus.to_vec()), workers);
        (placement.proxy.to_string(), placement.load.to_string())
    }

    #[test]
    fn proxy_and_load_share_a_cpu_only_if_they_must() {
        let expected = |proxy: &str, load: &str| (proxy.to_owned(), load.to_owned());
        assert_eq!(placed(&[0, 1], 1), expected("0", "1"));
        assert_eq!(placed(&[0, 1], 2), expected("0,1", "1"));
        assert_eq!(placed(&[2, 3, 5, 7], 2), expected("2,3", "5,7"));
        assert_eq!(placed(&[4], 3), expected("4", "4"));
    }

    #[test]
    fn what_is_pinned_stays_there() {
        // In a thread of its own: others run in this process.
        let pinned = std::thread::spawn(|| {
            let one = Placement::new(&Cpus::allowed().unwrap(), 1).load;
            one.pin().unwrap();
            (one, Cpus::allowed().unwrap())
        });
        let (wanted, found) = pinned.join().unwrap();
        assert_eq!(wanted, found);
    }
}
