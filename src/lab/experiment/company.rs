//! The backends of one trial and the proxy before them.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::commands::{Commands, argument};
use super::plan::Who;
use super::results::Seen;
use super::tests::{Event, Spec, Test, Work};
use crate::config::Mode;
use crate::lab::cpus::Placement;
use crate::lab::peers::{self, Duty, PEERS};
use crate::lab::process::{self, Launch, Process};
use crate::lab::{stats, usage};
use crate::net::os;

/// Time between two lines of a backend's statistics.
const STATS_MS: u64 = 50;
/// How long a program may take for what it does at once.
const PATIENCE: Duration = Duration::from_secs(10);
/// Requests that a backend with service times works on at once.
const AT_ONCE: &str = "4";

/// Where things are, and who runs where.
pub(super) struct Ground<'a> {
    pub(super) programs: &'a Path,
    /// For the logs and statistics of this trial.
    pub(super) folder: &'a Path,
    /// What files are served from.
    pub(super) shared: &'a Path,
    pub(super) placement: &'a Placement,
}

/// Backends that run.
pub(super) struct Company {
    backends: Vec<Backend>,
    began_at: Instant,
}

struct Backend {
    name: String,
    spec: Spec,
    address: SocketAddr,
    process: Option<Process>,
    /// Each life has its own.
    lives: Vec<Life>,
}

struct Life {
    launch: Launch,
    journal: PathBuf,
    started_at: Instant,
}

impl Company {
    /// Starts the backends of a test, and waits until they listen.
    pub(super) fn start(test: &Test, ground: &Ground, commands: &mut Commands) -> Result<Company, String> {
        let mut backends = Vec::new();
        for (index, spec) in test.backends.iter().enumerate() {
            let address =
                process::free_address().map_err(|error| format!("no port for a backend: {error}"))?;
            let name = format!("b{}", index + 1);
            let mut backend = Backend { name, spec: *spec, address, process: None, lives: Vec::new() };
            backend.start(test, ground, commands)?;
            backends.push(backend);
        }
        Ok(Company { backends, began_at: os::now() })
    }

    /// What a proxy is to do with the first so many of them.
    pub(super) fn duty(&self, test: &Test, who: &Who, count: usize, folder: &Path) -> Result<Duty, String> {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Duty {
            mode: test.mode,
            listen: process::free_address().map_err(|error| format!("no port for the proxy: {error}"))?,
            backends: self.backends.iter().take(count).map(|backend| backend.address).collect(),
            weights: self.backends.iter().take(count).map(|backend| backend.spec.weight).collect(),
            policy: who.policy.into(),
            workers: 1,
            directory: folder.to_owned(),
        })
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.backends.iter().map(|backend| backend.address)
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = u32> {
        self.backends.iter().filter_map(|backend| backend.process.as_ref().map(Process::group))
    }

    pub(super) fn len(&self) -> usize {
        self.backends.len()
    }

    /// CPU time of those that run now.
    pub(super) fn cpu_ns(&self) -> u64 {
        self.groups().filter_map(|group| usage::cpu_ns(group).ok()).sum()
    }

    /// From now on it counts: what was before was the proxy looking whether they are there.
    pub(super) fn begin(&mut self) -> Instant {
        self.settle();
        self.began_at = os::now();
        self.began_at
    }

    /// Waits until each one that runs has told of everything until now.
    pub(super) fn settle(&self) {
        let now = os::now();
        let has_told = |backend: &Backend| {
            let Some(life) = backend.lives.last().filter(|_| backend.process.is_some()) else { return true };
            let due_ms = (now - life.started_at).as_millis() as u64;
            let told = stats::read(&life.journal).unwrap_or_default();
            told.last().is_some_and(|line| line.at_ms > due_ms)
        };
        process::until(PATIENCE, || self.backends.iter().all(has_told));
    }

    pub(super) fn happen(
        &mut self,
        event: Event,
        test: &Test,
        ground: &Ground,
        commands: &mut Commands,
    ) -> Result<(), String> {
        commands.remark(&event.words());
        let (Event::Kill(number) | Event::Return(number) | Event::Stop(number) | Event::Continue(number)) =
            event;
        let backend = self.backends.get_mut(number - 1).ok_or("an event names no backend")?;
        match event {
            Event::Kill(_) => backend.process = None,
            Event::Return(_) => backend.start(test, ground, commands)?,
            Event::Stop(_) => backend.process.iter().for_each(Process::freeze),
            Event::Continue(_) => backend.process.iter().for_each(Process::thaw),
        }
        Ok(())
    }

    /// What they have told since it counts.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.backends.iter().map(|backend| backend.seen(self.began_at)).collect()
    }
}

impl Backend {
    fn start(&mut self, test: &Test, ground: &Ground, commands: &mut Commands) -> Result<(), String> {
        let file = format!("{}-{}", self.name, self.lives.len() + 1);
        let journal = ground.folder.join(format!("{file}.stats.jsonl"));
        let launch = self.launch(test, ground, &journal);
        commands.add(&launch, true);
        let log = ground.folder.join(format!("{file}.log"));
        let process = Process::start(&launch, &ground.placement.load, &log)?;
        self.lives.push(Life { launch, journal, started_at: os::now() });
        let listens = || fs::read_to_string(&log).is_ok_and(|text| text.contains("listening on"));
        if !process::until(PATIENCE, listens) {
            let said = fs::read_to_string(&log).unwrap_or_default();
            return Err(format!("backend {} does not listen: {}", self.name, said.trim()));
        }
        self.process = Some(process);
        Ok(())
    }

    fn launch(&self, test: &Test, ground: &Ground, journal: &Path) -> Launch {
        let mut arguments: Vec<String> =
            ["--port", &self.address.port().to_string(), "--name", &self.name].map(Into::into).into();
        arguments.extend(["--stats".into(), argument(journal)]);
        arguments.extend(["--stats-interval-ms".into(), STATS_MS.to_string()]);
        let program = match (test.mode, test.work) {
            (_, Work::Files { reconnect, .. }) => {
                arguments.extend(["--root".into(), argument(ground.shared)]);
                arguments.extend(reconnect.then(|| "--close".into()));
                "file_backend"
            }
            (Mode::Tcp, _) => "echo_backend",
            (Mode::Http, _) => "http_backend",
        };
        if self.spec.delay_ms > 0 {
            let words = ["--delay-ms", &self.spec.delay_ms.to_string(), "--delay-shape", "exponential"];
            arguments.extend(words.map(Into::into));
            arguments.extend(["--at-once".into(), AT_ONCE.into()]);
        }
        if let Some(status) = self.spec.status {
            arguments.extend(["--status".into(), status.to_string()]);
        }
        // One that comes back is the same program at the same place, with a journal of its own.
        let program =
            self.lives.first().map_or(ground.programs.join(program), |life| life.launch.program.clone());
        Launch::new(program, arguments)
    }

    fn seen(&self, began_at: Instant) -> Seen {
        let mut seen = Seen {
            name: self.name.clone(),
            what: self.spec.what.into(),
            weight: self.spec.weight,
            ..Seen::default()
        };
        for life in &self.lives {
            let lines = stats::read(&life.journal).unwrap_or_default();
            let at_s = |line: &stats::Line| {
                let moment = life.started_at + Duration::from_millis(line.at_ms);
                moment.saturating_duration_since(began_at).as_secs_f64()
            };
            let before = lines.iter().rfind(|line| at_s(line) <= 0.0).cloned().unwrap_or_default();
            let last = lines.last().cloned().unwrap_or_default();
            seen.requests += last.requests.saturating_sub(before.requests);
            seen.errors += last.errors.saturating_sub(before.errors);
            let points = lines.iter().map(|line| (at_s(line), line.in_flight)).filter(|point| point.0 > 0.0);
            if !seen.in_flight.is_empty() {
                // Between two lives there is nothing to be seen.
                seen.in_flight.push((at_s(&lines.first().cloned().unwrap_or_default()), f64::NAN));
            }
            seen.in_flight.extend(points);
        }
        seen
    }
}

/// Starts the proxy, and waits until it listens.
pub(super) fn proxy(
    who: &Who,
    duty: &Duty,
    ground: &Ground,
    commands: &mut Commands,
) -> Result<Process, String> {
    let launch = match PEERS.iter().find(|peer| peer.name == who.proxy) {
        Some(peer) => {
            let program = peer.find().ok_or_else(|| format!("{} is gone from PATH", peer.name))?;
            peer.launch(&program, duty)?
        }
        None => peers::launch_lbproxy(&ground.programs.join("lbproxy"), duty, &[]),
    };
    commands.add(&launch, true);
    let mut process = Process::start(&launch, &ground.placement.proxy, &duty.directory.join("proxy.log"))?;
    process.wait_for(duty.listen).map_err(|error| format!("{}: {error}", who.label()))?;
    Ok(process)
}
