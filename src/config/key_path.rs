//! Where a value lives in the configuration, as errors and warnings print it: `pool.web.backends[1].weight`.

use std::fmt;

/// The way from the top of the configuration to one value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KeyPath(Vec<Step>);

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Into a table, by key.
    Key(String),
    /// Into an array, by position from 0.
    Index(usize),
}

impl KeyPath {
    /// The whole configuration.
    pub(super) fn root() -> Self {
        Self::default()
    }

    /// The value under `key`.
    pub(super) fn key(&self, key: &str) -> Self {
        self.then(Step::Key(key.to_owned()))
    }

    /// The element at `index`.
    pub(super) fn index(&self, index: usize) -> Self {
        self.then(Step::Index(index))
    }

    /// The steps, outermost first.
    pub(super) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// What is left of this path below `prefix`; `None` when it is not below.
    pub(super) fn below(&self, prefix: &KeyPath) -> Option<KeyPath> {
        self.0.strip_prefix(prefix.0.as_slice()).map(|rest| Self(rest.to_vec()))
    }

    /// True for the whole configuration.
    pub(super) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    fn then(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => {
                    let dot = if depth == 0 { "" } else { "." };
                    // The quotes TOML itself would ask for; Debug also escapes what would break the line.
                    if is_bare(key) { write!(f, "{dot}{key}")? } else { write!(f, "{dot}{key:?}")? }
                }
            }
        }
        Ok(())
    }
}

/// TOML's bare keys: the ones that need no quotes.
fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}
