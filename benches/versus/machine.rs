//! Where this runs, in a few words.

use std::fs;
use std::process::Command;

use crate::results::Machine;

pub fn describe() -> Machine {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    Machine {
        date: today().unwrap_or_else(|| "on an unknown day".into()),
        kernel: kernel.trim().to_owned(),
        cpu: model(&cpus).unwrap_or_else(|| std::env::consts::ARCH.into()),
    }
}

/// The day in UTC, as ISO 8601 has it.
fn today() -> Option<String> {
    let output = Command::new("date").args(["--utc", "+%F"]).output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

fn model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
