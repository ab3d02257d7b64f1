//! One trial: a test, done once by one contestant.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::clients::{self, FILE_NAME};
use super::commands::Commands;
use super::company::{self, Company, Ground};
use super::members;
use super::plan::Step;
use super::programs;
use super::results::{Check, Sample};
use super::tests::Work;
use crate::lab::cpus::Placement;
use crate::lab::outcome::Outcome;
use crate::lab::{process, usage};
use crate::net::os;

/// What the file that is fetched takes: more than one buffer of anybody's.
const FILE_BYTES: usize = 100 * 1024;
/// How long to look whether somebody still listens.
const LOOK: Duration = Duration::from_millis(200);
const MS_NS: f64 = 1e6;

/// What all trials share.
pub(super) struct Bench {
    out: PathBuf,
    programs: PathBuf,
    shared: PathBuf,
    placement: Placement,
    commands: Commands,
    /// Everything that was started, and where it listened.
    groups: Vec<u32>,
    addresses: Vec<SocketAddr>,
}

impl Bench {
    /// # Errors
    /// The folder cannot be written.
    pub(super) fn new(out: &Path, placement: Placement) -> Result<Bench, String> {
        let programs = programs::install(&out.join("programs"))?;
        let shared = out.join("shared");
        let file = shared.join(FILE_NAME);
        // Bytes by lot, and the same in every run.
        let mut rng = fastrand::Rng::with_seed(1);
        let bytes: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(FILE_BYTES).collect();
        fs::create_dir_all(&shared)
            .and_then(|()| fs::write(&file, bytes))
            .map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(Bench {
            out: out.to_owned(),
            programs,
            shared,
            placement,
            commands: Commands::default(),
            groups: Vec::new(),
            addresses: Vec::new(),
        })
    }

    pub(super) fn commands(&self) -> &Commands {
        &self.commands
    }

    /// Does it. What goes wrong is in the sample.
    pub(super) fn trial(&mut self, step: &Step) -> Sample {
        let mut sample = Sample {
            test: step.test.name.into(),
            who: step.who.label(),
            proxy: step.who.proxy.into(),
            policy: step.who.policy.into(),
            generator: step.who.generator.name().into(),
            round: step.round,
            seconds: step.seconds,
            ..Sample::default()
        };
        self.commands.heading(&heading(&sample));
        let folder = self.out.join("logs").join(heading(&sample).replace([' ', ','], "-").replace("--", "-"));
        let tried = fs::create_dir_all(&folder)
            .map_err(|error| format!("{}: {error}", folder.display()))
            .and_then(|()| self.tried(step, &folder, &mut sample));
        sample.failure = tried.err();
        sample
    }

    fn tried(&mut self, step: &Step, folder: &Path, sample: &mut Sample) -> Result<(), String> {
        let Bench { programs, shared, placement, commands, groups, addresses, .. } = self;
        let ground = Ground { programs, folder, shared, placement };
        let mut company = Company::start(step.test, &ground, commands)?;
        groups.extend(company.groups());
        addresses.extend(company.addresses());
        let duty = company.duty(step.test, &step.who, company.len(), &folder.join("proxy"))?;
        let proxy = company::proxy(&step.who, &duty, &ground, commands)?;
        groups.push(proxy.group());
        addresses.push(duty.listen);
        let start = company.begin();
        let before = (usage::cpu_ns(proxy.group())?, company.cpu_ns());
        if let Work::Members { clients } = step.test.work {
            let answers = members::ask(duty.listen, clients);
            let rest = company.duty(step.test, &step.who, company.len() - 1, &folder.join("proxy-after"))?;
            drop(proxy);
            let proxy = company::proxy(&step.who, &rest, &ground, commands)?;
            groups.push(proxy.group());
            addresses.push(rest.listen);
            let gone = format!("b{}", company.len());
            sample.members = Some(members::compare(&answers, &members::ask(rest.listen, clients), &gone));
            return Ok(());
        }
        let clients =
            clients::start(step.test.work, step.who.generator, duty.listen, step.seconds, &ground, commands)?;
        for (fraction, event) in step.test.events {
            wait_until(start + Duration::from_secs_f64(step.seconds * fraction));
            company.happen(*event, step.test, &ground, commands)?;
            groups.extend(company.groups());
        }
        if step.test.is_timed() {
            let outcomes = clients.into_iter().map(|client| client.outcome(step.seconds));
            sample.load = Some(Outcome::merged(&outcomes.collect::<Result<Vec<_>, _>>()?));
        } else {
            for client in clients {
                sample.transmissions = Some(client.transmissions()?);
            }
        }
        let after = (usage::cpu_ns(proxy.group())?, company.cpu_ns());
        sample.proxy_cpu_ms = after.0.saturating_sub(before.0) as f64 / MS_NS;
        sample.backends_cpu_ms = after.1.saturating_sub(before.1) as f64 / MS_NS;
        company.settle();
        sample.backends = company.seen();
        Ok(())
    }

    /// That no program is left, and that nobody listens where one did.
    pub(super) fn nothing_is_left(&self) -> Check {
        let left = self.groups.iter().filter(|group| !usage::members(**group).is_empty()).count();
        let listening =
            self.addresses.iter().filter(|address| TcpStream::connect_timeout(address, LOOK).is_ok()).count();
        Check {
            test: "all".into(),
            who: "all".into(),
            what: "every program that was started has ended, and nobody listens where it did".into(),
            holds: left + listening == 0,
            found: format!(
                "of {} programs {left} run, of {} ports {listening} are listened on",
                self.groups.len(),
                self.addresses.len()
            ),
        }
    }
}

/// What a trial is called in commands and folders.
pub(super) fn heading(sample: &Sample) -> String {
    format!("{}, {}, round {}", sample.test, sample.who, sample.round)
}

fn wait_until(moment: Instant) {
    process::until(moment.saturating_duration_since(os::now()), || os::now() >= moment);
}
