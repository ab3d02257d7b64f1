//! The commands of a run, so that any trial can be repeated by hand.

use std::path::Path;

use crate::lab::process::Launch;

/// What was started, in order.
#[derive(Default)]
pub(super) struct Commands {
    lines: Vec<String>,
}

impl Commands {
    /// A trial begins.
    pub(super) fn heading(&mut self, text: &str) {
        self.lines.push(format!("\n# {text}"));
    }

    /// Something that no command does.
    pub(super) fn remark(&mut self, text: &str) {
        self.lines.push(format!("# {text}"));
    }

    /// A program that runs beside what follows, or one that is waited for.
    pub(super) fn add(&mut self, launch: &Launch, beside: bool) {
        let name = launch.program.file_name().unwrap_or(launch.program.as_os_str());
        let words = std::iter::once(name).chain(launch.arguments.iter().map(AsRef::as_ref));
        let line: Vec<String> = words.map(|word| quoted(&word.to_string_lossy())).collect();
        self.lines.push(line.join(" ") + if beside { " &" } else { "" });
    }

    /// The lines of one trial.
    pub(super) fn of(&self, heading: &str) -> Vec<&str> {
        let start = self.lines.iter().position(|line| *line == format!("\n# {heading}"));
        let rest = start.map_or(&[][..], |start| &self.lines[start + 1..]);
        rest.iter().take_while(|line| !line.starts_with('\n')).map(String::as_str).collect()
    }

    /// All of it, to be read and taken from: a trial at a time.
    pub(super) fn script(&self) -> String {
        format!(
            "# What this run has started, trial by trial; programs that end with & run until the trial is over.\n\
             # To repeat one, copy its lines into a shell in this folder, and end it with: kill $(jobs -p)\n\
             PATH=\"$PWD/programs:$PATH\"\n{}\nexit\n",
            self.lines.join("\n")
        )
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// A path as an argument: what is in the folder of the run is named from there.
pub(super) fn argument(path: &Path) -> String {
    path.display().to_string()
}
