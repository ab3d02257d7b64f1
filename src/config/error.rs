//! What can be wrong with a configuration: one line that says where, what, and what to do about it.

use std::fmt;

use super::key_path::KeyPath;

/// A configuration that cannot be used. Prints as one line: `line 7: pool.web.policy: no policy is called ...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    place: Place,
    what: String,
}

/// Where to go and change something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the file: a key, and its line where there is one (a missing key has none of its own).
    File { line: Option<usize>, path: KeyPath },
    /// On the command line: the flag as the operator wrote it, and the part of it (`weight`) if it has parts.
    Flag { flag: String, part: KeyPath },
}

impl ConfigError {
    pub(super) fn new(place: Place, what: impl Into<String>) -> Self {
        Self { place, what: what.into() }
    }

    /// An error in a flag that never reached a key.
    pub(super) fn flag(flag: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Place::Flag { flag: flag.into(), part: KeyPath::root() }, what)
    }

    /// True when the file is to be changed, false when the command line is: only then is the file worth naming.
    pub fn is_in_file(&self) -> bool {
        matches!(self.place, Place::File { .. })
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = match &self.place {
            Place::File { line, path } => {
                if let Some(line) = line {
                    write!(f, "line {line}: ")?;
                }
                path
            }
            Place::Flag { flag, part } => {
                write!(f, "{flag}: ")?;
                part
            }
        };
        if !path.is_root() {
            write!(f, "{path}: ")?;
        }
        f.write_str(&self.what)
    }
}

impl std::error::Error for ConfigError {}

/// Something to say about a key, before anyone has looked up whether a file or a flag set it.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) path: KeyPath,
    pub(super) what: String,
}

impl Problem {
    pub(super) fn new(path: &KeyPath, what: impl Into<String>) -> Self {
        Self { path: path.clone(), what: what.into() }
    }
}
