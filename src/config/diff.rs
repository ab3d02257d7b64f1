//! What is different between two configurations, in words: a line for each key.
//!
//! Both are taken as the TOML that `--check` prints, where nothing is left to a default, so a key that a later version adds
//! is compared without a word here.

use toml::{Table, Value};

use super::{Config, number};

/// One line for each thing that `new` has and `old` has not, or has otherwise; empty if they are the same.
pub fn lines(old: &Config, new: &Config) -> Vec<String> {
    let mut lines = Vec::new();
    compare_tables("", &table(old), &table(new), &mut lines);
    lines
}

fn table(config: &Config) -> Table {
    config.to_toml().parse().expect("what was printed as TOML is TOML")
}

fn compare_tables(path: &str, old: &Table, new: &Table, lines: &mut Vec<String>) {
    for (key, value) in old {
        let path = join(path, key);
        match new.get(key) {
            Some(changed) => compare(&path, value, changed, lines),
            None => lines.push(format!("{path}: removed ({})", brief(value))),
        }
    }
    for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
        lines.push(format!("{}: added ({})", join(path, key), brief(value)));
    }
}

fn compare(path: &str, old: &Value, new: &Value, lines: &mut Vec<String>) {
    match (old, new) {
        _ if old == new => {}
        (Value::Table(old), Value::Table(new)) => compare_tables(path, old, new, lines),
        (Value::Array(before), Value::Array(after)) => match (by_name(before), by_name(after)) {
            (Some(before), Some(after)) => {
                compare_tables(path, &before, &after, lines);
                if lines.is_empty() {
                    // Nothing but their order.
                    lines.push(format!("{path}: in another order"));
                }
            }
            _ => lines.push(format!("{path}: {} -> {}", brief(old), brief(new))),
        },
        _ => lines.push(format!("{path}: {} -> {}", brief(old), brief(new))),
    }
}

/// Frontends and backends have names; what is the same is what has the same name.
fn by_name(array: &[Value]) -> Option<Table> {
    array.iter().map(|value| Some((value.get("name")?.as_str()?.to_owned(), value.clone()))).collect()
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A value on one line; of a table only what says where it is.
fn brief(value: &Value) -> String {
    match value {
        Value::Table(table) => match (table.get("address"), table.get("backends"), table.get("listen")) {
            (Some(address), _, _) => format!("{address}"),
            (_, Some(Value::Array(backends)), _) => format!("{} backends", backends.len()),
            (_, _, Some(listen)) => format!("{listen}"),
            _ => format!("{} keys", table.len()),
        },
        other => other.to_string(),
    }
}

impl Config {
    /// `new`, but as this configuration has it where a process cannot change it while it runs, and a line for each such
    /// thing that is different.
    ///
    /// # Errors
    /// The rest of `new` does not fit what cannot change.
    pub fn keep_what_cannot_change(&self, mut new: Config) -> Result<(Config, Vec<String>), String> {
        let wanted = new.clone();
        new.workers = self.workers;
        new.admin.clone_from(&self.admin);
        new.limits.buffer_bytes = self.limits.buffer_bytes;
        new.limits.max_pipes = self.limits.max_pipes;
        new.timeouts.keepalive = self.timeouts.keepalive;
        for frontend in &mut new.frontends {
            // What these have of everybody's is as everybody has it.
            if let Some(own) = &mut frontend.limits {
                own.buffer_bytes = self.limits.buffer_bytes;
                own.max_pipes = self.limits.max_pipes;
            }
            if let Some(own) = &mut frontend.timeouts {
                own.keepalive = self.timeouts.keepalive;
            }
        }
        let left = lines(&new, &wanted);
        let room = number::HEAD_ROOM_BYTES as usize;
        let reads_heads = new.frontends.iter().any(|frontend| frontend.mode == super::Mode::Http);
        let own = new.frontends.iter().filter_map(|frontend| frontend.limits.as_ref());
        let largest = own.chain([&new.limits]).map(|limits| limits.head_bytes).max().unwrap_or_default();
        if reads_heads && largest + room > new.limits.buffer_bytes {
            return Err(format!(
                "limits.max_head_bytes: {largest} does not fit into buffer_bytes, {}, which cannot change while it runs: \
                 restart it",
                new.limits.buffer_bytes
            ));
        }
        Ok((new, left))
    }
}
