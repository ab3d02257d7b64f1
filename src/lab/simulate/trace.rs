//! Requests as somebody recorded them: a CSV file (RFC 4180) with a head.
//!
//! ```text
//! at_ms,service_ms,client
//! 0.0,1.5,10.1.2.3
//! 0.7,0.9,alice
//! ```
//!
//! `at_ms` is when a request came, counted from any moment, and `service_ms` how long a backend works on it. `client` may
//! be missing; it is an address, or any other name. Columns come in any order, others are passed over.

use std::io::Read;
use std::net::{IpAddr, Ipv6Addr};

use twox_hash::XxHash3_64;

/// A request of a trace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Row {
    /// Since the first one.
    pub(super) at_ns: u64,
    pub(super) service_ns: u64,
    pub(super) client: Option<IpAddr>,
}

/// The longest time that a trace may name: a year.
const LONGEST_MS: f64 = 366.0 * 24.0 * 3600.0 * 1000.0;

/// Reads a trace, `name` being what errors call it.
///
/// # Errors
/// It cannot be read, has no such columns or no rows, or a row says what makes no sense.
pub(super) fn read(source: impl Read, name: &str) -> Result<Vec<Row>, String> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(source);
    let head = reader.headers().map_err(|error| format!("{name}: {error}"))?.clone();
    let column = |wanted: &str| head.iter().position(|found| found == wanted);
    let needed = |wanted: &str| {
        let found = head.iter().collect::<Vec<_>>().join(",");
        column(wanted).ok_or_else(|| format!("{name}: no column {wanted} in its head, which is {found:?}"))
    };
    let (at, service, client) = (needed("at_ms")?, needed("service_ms")?, column("client"));
    let mut rows: Vec<Row> = Vec::new();
    let (mut first_ms, mut last_ms) = (None, f64::NEG_INFINITY);
    for record in reader.records() {
        let record = record.map_err(|error| format!("{name}: {error}"))?;
        let line = record.position().map_or(0, csv::Position::line);
        let milliseconds = |column: usize, what: &str, least: f64| {
            let word = &record[column];
            let value = word.parse().ok().filter(|value| (least..=LONGEST_MS).contains(value));
            value.ok_or_else(|| format!("{name}: line {line}: {what} {word:?} is not a time in milliseconds"))
        };
        let at_ms = milliseconds(at, "at_ms", -LONGEST_MS)?;
        if at_ms < last_ms {
            return Err(format!(
                "{name}: line {line}: at_ms {at_ms} is before the row above ({last_ms}): sort it"
            ));
        }
        last_ms = at_ms;
        let since_ms = at_ms - *first_ms.get_or_insert(at_ms);
        rows.push(Row {
            at_ns: (since_ms * 1e6) as u64,
            service_ns: (milliseconds(service, "service_ms", 0.0)? * 1e6) as u64,
            client: client.map(|column| address(&record[column])),
        });
    }
    if rows.is_empty() { Err(format!("{name}: no rows below its head")) } else { Ok(rows) }
}

/// An address as it is; of anything else, one that only it has.
fn address(client: &str) -> IpAddr {
    let of_name = || {
        let hash = XxHash3_64::oneshot(client.as_bytes());
        IpAddr::V6(Ipv6Addr::from_bits((0xfd00 << 112) | u128::from(hash)))
    };
    client.parse().unwrap_or_else(|_| of_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_known_by_name_and_times_count_from_the_first_row() {
        let text = "user agent,service_ms , client,at_ms\n\"a, b\",1.5,10.1.2.3,1000\nc,0,alice,1000.25\n";
        let rows = read(text.as_bytes(), "t.csv").unwrap();
        let alice = address("alice");
        let expected = [
            Row { at_ns: 0, service_ns: 1_500_000, client: Some([10, 1, 2, 3].into()) },
            Row { at_ns: 250_000, service_ns: 0, client: Some(alice) },
        ];
        assert_eq!(rows, expected);
        assert_ne!(alice, address("bob"));
        assert_eq!(read("at_ms,service_ms\n5,1\n".as_bytes(), "t.csv").unwrap()[0].client, None);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, reason) in [
            ("at,service_ms\n1,1\n", "t.csv: no column at_ms in its head, which is \"at,service_ms\""),
            ("at_ms,service_ms\n", "t.csv: no rows below its head"),
            ("at_ms,service_ms\n1,1\nx,1\n", "t.csv: line 3: at_ms \"x\" is not a time in milliseconds"),
            ("at_ms,service_ms\n1,-1\n", "t.csv: line 2: service_ms \"-1\" is not a time in milliseconds"),
            ("at_ms,service_ms\n1,nan\n", "t.csv: line 2: service_ms \"nan\" is not a time in milliseconds"),
            ("at_ms,service_ms\n2,1\n1,1\n", "t.csv: line 3: at_ms 1 is before the row above (2): sort it"),
        ] {
            assert_eq!(read(text.as_bytes(), "t.csv").unwrap_err(), reason);
        }
        let short = read("at_ms,service_ms\n1,1\n2\n".as_bytes(), "t.csv").unwrap_err();
        assert!(short.starts_with("t.csv: ") && short.contains("line: 3"), "{short}");
    }
}
