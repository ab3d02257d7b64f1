//! Names of frontends, pools and backends.

use super::error::Problem;
use super::key_path::KeyPath;

/// Names end up in log lines, where a space or a control character would forge another field, and in `--backend`,
/// where a comma separates.
pub(super) fn check_name(name: &str, path: &KeyPath) -> Result<(), Problem> {
    let printable = name.chars().all(|c| c.is_ascii_graphic() && c != ',');
    if printable && (1..=64).contains(&name.len()) {
        return Ok(());
    }
    Err(Problem::new(
        path,
        format!("{name:?} is not a name: use 1 to 64 letters, digits or signs, no space or comma"),
    ))
}
