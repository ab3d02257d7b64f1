//! The two files: `cpu_usage.txt HOST`, of one figure a line, and `cpu_usage.csv`, with all there is.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::sampler::{Sample, Share, Target};

/// What everything else of a host name becomes.
const PLAIN: &str = ".-_";

/// Both files, open.
///
/// A line is written at once and whole, so whatever ends the program leaves files that are complete up to then.
pub struct Files {
    text: Named,
    table: Named,
}

struct Named {
    path: PathBuf,
    file: File,
}

impl Files {
    /// Makes both anew in a directory, for the machine and these targets.
    ///
    /// # Errors
    /// One of them cannot be made.
    pub fn create(directory: &Path, targets: &[Target]) -> Result<Files, String> {
        let text = Named::create(directory.join(format!("cpu_usage.txt {}", host())))?;
        let mut table = Named::create(directory.join("cpu_usage.csv"))?;
        let mut head = vec!["unix_s".to_owned()];
        let names = std::iter::once("machine".to_owned()).chain(targets.iter().map(Target::to_string));
        head.extend(names.flat_map(|name| ["user", "system"].map(|mode| format!("{name}_{mode}_percent"))));
        table.write(&line(&head)?)?;
        Ok(Files { text, table })
    }

    /// Adds a sample that was taken at this time of day.
    ///
    /// # Errors
    /// One of them cannot be written.
    pub fn add(&mut self, unix_time: Duration, sample: &Sample) -> Result<(), String> {
        let shares = std::iter::once(Some(sample.machine)).chain(sample.targets.iter().copied());
        let mut cells = vec![format!("{:.3}", unix_time.as_secs_f64())];
        // Somebody who is gone has no share, not one of nothing.
        let of = |share: Option<Share>| {
            let percents = share.map(|share| [share.user_percent, share.system_percent]);
            percents
                .map_or([String::new(), String::new()], |both| both.map(|percent| format!("{percent:.1}")))
        };
        cells.extend(shares.flat_map(of));
        self.text.write(format!("{:.1}\n", sample.machine.percent()).as_bytes())?;
        self.table.write(&line(&cells)?)
    }

    /// Where they are.
    pub fn paths(&self) -> [&Path; 2] {
        [&self.text.path, &self.table.path]
    }
}

impl Named {
    fn create(path: PathBuf) -> Result<Named, String> {
        match File::create(&path) {
            Ok(file) => Ok(Named { path, file }),
            Err(error) => Err(format!("cannot make {}: {error}", path.display())),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.file.write_all(bytes).map_err(|error| format!("cannot write {}: {error}", self.path.display()))
    }
}

/// A line of CSV.
fn line(cells: &[String]) -> Result<Vec<u8>, String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = writer.write_record(cells).map_err(io::Error::other);
    let line =
        written.and_then(|()| writer.into_inner().map_err(|error| io::Error::other(error.to_string())));
    line.map_err(|error| error.to_string())
}

/// The name of this machine, as far as it does for a file.
pub fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let plain: String =
        name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || PLAIN.contains(*c)).collect();
    if plain.is_empty() { "localhost".into() } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_commas_stay_in_their_column_and_whoever_is_gone_leaves_it_empty() {
        let folder = tempfile::tempdir().unwrap();
        let targets = [Target::Name("a, \"b\"".into()), Target::Pid(7)];
        let mut files = Files::create(folder.path(), &targets).unwrap();
        let share = Share { user_percent: 12.34, system_percent: 5.0 };
        let sample = Sample { machine: share, targets: vec![Some(share), None] };
        files.add(Duration::from_millis(1_500), &sample).unwrap();
        let [text, table] = files.paths().map(|path| fs::read_to_string(path).unwrap());
        assert_eq!(text, "17.3\n");
        let expected = "unix_s,machine_user_percent,machine_system_percent,\"a, \"\"b\"\"_user_percent\",\
                        \"a, \"\"b\"\"_system_percent\",pid_7_user_percent,pid_7_system_percent\n\
                        1.500,12.3,5.0,12.3,5.0,,\n";
        assert_eq!(table, expected);
    }
}
