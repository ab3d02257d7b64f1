//! Counting: an operation runs in a process of its own, under valgrind, which counts every instruction of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::operations::Operation;

/// How often an operation runs before it is counted: free lists and tables are filled by then.
const WARM_UP_ROUNDS: u32 = 200;
const COUNTED_ROUNDS: u32 = 1000;
/// What [`counted_stretch`] is called, however the compiler decorates that.
const STRETCH: &str = "*counted_stretch*";
/// The name of the argument with which this program counts for itself: see [`run_counted`].
pub const COUNT: &str = "--count";
/// glibc picks its `memcpy` by what the processor can do. Valgrind counts one that leaves the work to a single
/// instruction of the processor by the byte.
const TUNABLES: &str = "glibc.cpu.hwcaps=-ERMS,-FSRM";

/// Where valgrind is, if it is installed.
pub fn valgrind() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("valgrind")).find(|program| program.is_file())
}

/// Instructions of one round of an operation.
///
/// # Errors
/// Valgrind failed, or the operation did.
pub fn count(valgrind: &Path, operation: &Operation) -> Result<u64, String> {
    let ourselves = std::env::current_exe().map_err(|error| error.to_string())?;
    let profile = profile(&operation.name);
    let output = Command::new(valgrind)
        .env_clear()
        .env("GLIBC_TUNABLES", TUNABLES)
        .arg("--tool=callgrind")
        .arg(format!("--toggle-collect={STRETCH}"))
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(ourselves)
        .args([COUNT, &operation.name])
        .output()
        .map_err(|error| format!("cannot run {}: {error}", valgrind.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    match collected.map(|(_, count)| count.trim().parse::<u64>()) {
        Some(Ok(count @ 1..)) if output.status.success() => {
            let rounds = u64::from(COUNTED_ROUNDS);
            Ok((count + rounds / 2) / rounds)
        }
        _ => Err(format!("{} was not counted; valgrind, {}, said:\n{said}", operation.name, output.status)),
    }
}

/// What `callgrind_annotate` can show of the last count.
pub fn profile(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("callgrind.{name}"))
}

/// Under valgrind: runs what is counted, in a thread, as workers do. Its stack begins at a page, which that of the main
/// thread, below arguments and environment, does not: where it begins decides how `memcpy` goes about its work.
pub fn run_counted(operation: Operation) {
    let counted = std::thread::spawn(move || {
        let mut round = operation.prepare();
        for _ in 0..WARM_UP_ROUNDS {
            round();
        }
        counted_stretch(&mut *round);
    });
    if counted.join().is_err() {
        std::process::exit(101);
    }
}

/// All that is counted: valgrind starts when this is called, and stops when it returns.
#[inline(never)]
fn counted_stretch(round: &mut dyn FnMut()) {
    for _ in 0..COUNTED_ROUNDS {
        round();
    }
}
