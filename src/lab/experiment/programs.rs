//! The programs of a run: this one, under other names, so that it needs no others.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Those that this program can be.
pub const NAMES: [&str; 7] =
    ["lbproxy", "http_backend", "echo_backend", "file_backend", "echo_client", "file_client", "loadgen"];

/// Which of them it is to be now, by the name it was started with.
pub fn wanted() -> Option<&'static str> {
    let started = std::env::args_os().next()?;
    let name = Path::new(&started).file_name()?.to_str()?.to_owned();
    NAMES.into_iter().find(|known| *known == name)
}

/// Makes a folder in which this program is there under all its names.
///
/// # Errors
/// The folder cannot be made.
pub(super) fn install(folder: &Path) -> Result<PathBuf, String> {
    let cannot = |error| format!("{}: {error}", folder.display());
    let this = std::env::current_exe().map_err(cannot)?;
    fs::create_dir_all(folder).map_err(cannot)?;
    for name in NAMES {
        symlink(&this, folder.join(name)).map_err(cannot)?;
    }
    Ok(folder.to_owned())
}
