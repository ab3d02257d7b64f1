//! The text of a configuration file: into raw values, and back from a key to the line that set it.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Place};
use super::key_path::{KeyPath, Step};
use super::raw::Raw;
use super::suggest;

/// The keys whose values are arrays, and how deep they stand: `frontend[0].listen` is three steps down.
const ARRAYS: [(&str, usize); 5] =
    [("frontend", 1), ("listen", 3), ("trusted_proxies", 3), ("routes", 3), ("backends", 3)];
/// How serde's message about one starts.
const UNKNOWN_KEY: &str = "unknown field ";

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
        match toml::from_str(text) {
            Err(error) if error.message().starts_with(UNKNOWN_KEY) => Err(document.not_ours(&error)),
            parsed => {
                document.refuse_stray_arrays()?;
                let raw = parsed.map_err(|error| document.not_ours(&error))?;
                Ok((document, raw))
            }
        }
    }

    /// The line that set `path`, or its nearest ancestor that is in the file: a missing key is reported where
    /// it is missing.
    pub(super) fn line_of(&self, path: &KeyPath) -> Option<usize> {
        let (mut depth, mut offset) = (0, None);
        visit_table(&self.table, &KeyPath::root(), &mut |node, span, _| {
            if node.steps().len() > depth && path.below(node).is_some() {
                (depth, offset) = (node.steps().len(), Some(span.start));
            }
        });
        offset.map(|offset| line_at(self.text, offset))
    }

    /// serde's derive reads a struct from an array too, by position: `timeouts = [3000]` would set the first key of
    /// the table. So arrays are allowed only where the format has them.
    fn refuse_stray_arrays(&self) -> Result<(), ConfigError> {
        let mut stray = None;
        visit_table(&self.table, &KeyPath::root(), &mut |path, span, value| {
            let steps = path.steps();
            let allowed =
                matches!(steps.last(), Some(Step::Key(key)) if ARRAYS.contains(&(key, steps.len())));
            if value.is_array() && !allowed && stray.is_none() {
                stray = Some((path.clone(), span.start));
            }
        });
        match stray {
            None => Ok(()),
            Some((path, offset)) => {
                let line = Some(line_at(self.text, offset));
                let what = "no array belongs here: only [[frontend]], its listen, trusted_proxies and routes, and the \
                            backends of a [pool.NAME] are arrays";
                Err(ConfigError::new(Place::File { line, path }, what))
            }
        }
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

    /// The innermost key or value that covers the start of `span`. Every node is asked, because a `[table]` header
    /// does not span the lines below it.
    fn path_at(&self, span: &Range<usize>) -> KeyPath {
        let mut innermost = (usize::MAX, KeyPath::root());
        visit_table(&self.table, &KeyPath::root(), &mut |path, node, _| {
            if node.contains(&span.start) && node.len() < innermost.0 {
                innermost = (node.len(), path.clone());
            }
        });
        innermost.1
    }
}

/// Shows `see` every value below `table` with its path, once by the span of its key (array elements have none) and
/// once by its own.
fn visit_table(
    table: &DeTable<'_>,
    path: &KeyPath,
    see: &mut impl FnMut(&KeyPath, Range<usize>, &DeValue<'_>),
) {
    for (key, value) in table {
        let path = path.key(key.get_ref());
        see(&path, key.span(), value.get_ref());
        visit_value(value, &path, see);
    }
}

fn visit_value(
    value: &Spanned<DeValue<'_>>,
    path: &KeyPath,
    see: &mut impl FnMut(&KeyPath, Range<usize>, &DeValue<'_>),
) {
    see(path, value.span(), value.get_ref());
    match value.get_ref() {
        DeValue::Table(table) => visit_table(table, path, see),
        DeValue::Array(array) => {
            for (index, value) in array.iter().enumerate() {
                visit_value(value, &path.index(index), see);
            }
        }
        _ => {}
    }
}

/// An error of the TOML grammar: no key to name yet, only a line.
fn not_toml(text: &str, error: &toml::de::Error) -> ConfigError {
    let line = error.span().map(|span| line_at(text, span.start));
    let what = format!("not valid TOML: {}", error.message().replace('\n', ", "));
    ConfigError::new(Place::File { line, path: KeyPath::root() }, what)
}

/// Says for operators what serde says for programmers. It reads serde's sentences, which have no other form; the
/// fixtures hold them still, and any sentence not known here passes as it is.
fn in_our_words(message: &str, path: &KeyPath) -> String {
    if let Some(rest) = message.strip_prefix(UNKNOWN_KEY) {
        let expected = rest.rsplit_once(", expected ").map_or("", |(_, expected)| expected);
        let valid: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        let wrong = match path.steps().last() {
            Some(Step::Key(key)) => key,
            _ => "",
        };
        return format!("unknown key{}", suggest::instead_of(wrong, &valid));
    }
    let mismatch = message.strip_prefix("invalid type: ").and_then(|rest| rest.rsplit_once(", expected "));
    let Some((found, expected)) = mismatch else { return message.replace('\n', ", ") };
    if expected == "i64" && found.starts_with("integer") {
        return "no number here may be that large".to_owned();
    }
    let expected = match expected {
        "i64" => "a whole number",
        "a sequence" => "an array",
        "a map" => "a table",
        other => other,
    };
    let found = if found == "map" { "a table" } else { found };
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
