//! The text of a configuration file: into raw values, and back from a key to the line that set it.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Place};
use super::key_path::{KeyPath, Step};
use super::raw::Raw;
use super::suggest;

/// A parsed file that remembers where everything stood.
pub(super) struct Document<'t> {
    text: &'t str,
    table: DeTable<'t>,
}

impl<'t> Document<'t> {
    /// Reads `text` twice: once as a tree with positions, once as typed values.
    pub(super) fn parse(text: &'t str) -> Result<(Self, Raw), ConfigError> {
        let table = DeTable::parse(text).map_err(|error| not_toml(text, &error))?;
        let document = Self { text, table: table.into_inner() };
        let raw = toml::from_str(text).map_err(|error| document.not_ours(&error))?;
        Ok((document, raw))
    }

    /// The line that set `path`, or its nearest ancestor that is in the file: a missing key is reported where
    /// it is missing.
    pub(super) fn line_of(&self, path: &KeyPath) -> Option<usize> {
        let mut line = None;
        let (mut table, mut array) = (Some(&self.table), None);
        for step in path.steps() {
            let (at, value) = match (step, table, array) {
                (Step::Key(key), Some(table), _) => match table.get_key_value(key.as_str()) {
                    Some((key, value)) => (key.span(), value.get_ref()),
                    None => break,
                },
                (Step::Index(index), _, Some(array)) => match as_slice(array).get(*index) {
                    Some(value) => (value.span(), value.get_ref()),
                    None => break,
                },
                _ => break,
            };
            line = Some(line_at(self.text, at.start));
            (table, array) = (value.as_table(), value.as_array());
        }
        line
    }

    /// An error of serde's, which knows a position but not the key.
    fn not_ours(&self, error: &toml::de::Error) -> ConfigError {
        let Some(span) = error.span() else {
            return ConfigError::new(Place::File { line: None, path: KeyPath::root() }, error.message());
        };
        let path = self.path_at(&span);
        let what = in_our_words(error.message(), &path);
        ConfigError::new(Place::File { line: Some(line_at(self.text, span.start)), path }, what)
    }

    /// The innermost key or value that covers the start of `span`.
    fn path_at(&self, span: &Range<usize>) -> KeyPath {
        let mut innermost = Innermost { offset: span.start, width: usize::MAX, path: KeyPath::root() };
        innermost.search_table(&self.table, &KeyPath::root());
        innermost.path
    }
}

/// A search for the narrowest span around an offset. It walks the whole tree, because a `[table]` header does not
/// span the lines below it.
struct Innermost {
    offset: usize,
    width: usize,
    path: KeyPath,
}

impl Innermost {
    fn search_table(&mut self, table: &DeTable<'_>, path: &KeyPath) {
        for (key, value) in table {
            let path = path.key(key.get_ref());
            self.consider(key.span(), &path);
            self.consider(value.span(), &path);
            self.search_value(value.get_ref(), &path);
        }
    }

    fn search_value(&mut self, value: &DeValue<'_>, path: &KeyPath) {
        if let Some(table) = value.as_table() {
            self.search_table(table, path);
        }
        for (index, value) in value.as_array().into_iter().flat_map(as_slice).enumerate() {
            let path = path.index(index);
            self.consider(value.span(), &path);
            self.search_value(value.get_ref(), &path);
        }
    }

    fn consider(&mut self, span: Range<usize>, path: &KeyPath) {
        if span.contains(&self.offset) && span.len() < self.width {
            self.width = span.len();
            self.path = path.clone();
        }
    }
}

fn as_slice<'a, 't>(array: &'a toml::de::DeArray<'t>) -> &'a [toml::Spanned<DeValue<'t>>] {
    array
}

/// An error of the TOML grammar: no key to name yet, only a line.
fn not_toml(text: &str, error: &toml::de::Error) -> ConfigError {
    let line = error.span().map(|span| line_at(text, span.start));
    let what = format!("not valid TOML: {}", error.message().replace('\n', ", "));
    ConfigError::new(Place::File { line, path: KeyPath::root() }, what)
}

/// Says for operators what serde says for programmers. The three shapes of message that serde's derive produces
/// are part of its documented interface (`de::Error::unknown_field` and friends); any other passes unchanged.
fn in_our_words(message: &str, path: &KeyPath) -> String {
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let mut words = rest.split('`').skip(1).step_by(2);
        let wrong = words.next().unwrap_or_default();
        let valid: Vec<&str> = words.collect();
        return format!("unknown key{}", suggest::instead_of(wrong, &valid));
    }
    let mismatch = message.strip_prefix("invalid type: ").and_then(|rest| rest.rsplit_once(", expected "));
    let Some((found, expected)) = mismatch else { return message.replace('\n', ", ") };
    let expected = match expected {
        "i64" => "a whole number",
        "a sequence" => "an array",
        "a map" => "a table",
        other => other,
    };
    let found = match found {
        "sequence" => "an array",
        "map" => "a table",
        other => other,
    };
    let hint = match (path.to_string().as_str(), found) {
        ("frontend", "a table") => "; write [[frontend]], with two brackets",
        _ => "",
    };
    format!("expected {expected}, found {found}{hint}")
}

/// The line of a byte offset, from 1.
fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}
