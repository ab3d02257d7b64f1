//! What the log says about one HTTP request: a line for log tools, as text or as JSON.
//!
//! Half of it was written by clients, so it is escaped until it can forge neither a line nor a field: whatever goes in,
//! what comes out is printable ASCII.

use std::fmt::{self, Display, Formatter, Write};
use std::net::IpAddr;
use std::time::Duration;

/// One request, as the log tells it.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    /// Who asked: the client behind trusted proxies, or the peer.
    pub client: IpAddr,
    /// As it was spelled; empty when no request line could be read.
    pub method: &'a [u8],
    /// As it was spelled; empty when no request line could be read.
    pub target: &'a [u8],
    /// `HTTP/1.1` or `HTTP/1.0`, or empty when no request line could be read.
    pub version: &'static str,
    /// What the client was told.
    pub status: u16,
    /// Bytes of the response's body that were sent to the client.
    pub response_bytes: u64,
    /// Bytes of the request's body that were received.
    pub request_bytes: u64,
    /// The `Referer` field.
    pub referer: Option<&'a [u8]>,
    /// The `User-Agent` field.
    pub user_agent: Option<&'a [u8]>,
    /// The name of the frontend.
    pub frontend: &'a str,
    /// The name of the backend; `None` when the proxy answered by itself.
    pub backend: Option<&'a str>,
    /// From the first byte of the request to the last of the response.
    pub duration: Duration,
    /// Backends tried in vain.
    pub retries: u32,
    /// Who ended it, in one word.
    pub ended_by: &'a dyn Display,
    /// Why, in one word.
    pub cause: &'a dyn Display,
}

/// An entry at a time (seconds since 1970) in the Combined Log Format of Apache and nginx, with what a proxy knows
/// besides as `key=value` at its end.
///
/// ```text
/// 192.0.2.7 - - [23/Nov/2026:15:34:51 +0000] "GET /x HTTP/1.1" 200 1234 "https://example.org/" "curl/8.14" frontend=web backend=b1 duration_ms=1.234 request_bytes=0 retries=0 ended_by=backend cause=finished
/// ```
///
/// Quotes, backslashes, control characters and all beyond ASCII become `\xHH`, and so does a space outside of the
/// referer and the user agent.
pub struct Combined<'a>(pub &'a Entry<'a>, pub u64);

/// An entry at a time (seconds since 1970) as a JSON object (RFC 8259), in ASCII. What is not known is `null`; bytes
/// that are not UTF-8 become U+FFFD.
pub struct Json<'a>(pub &'a Entry<'a>, pub u64);

impl Display for Combined<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Combined(entry, time) = *self;
        let Time { year, month, day, hour, minute, second } = Time::at(time);
        write!(f, "{} - - [{day:02}/{}/", entry.client.to_canonical(), MONTHS[month as usize - 1])?;
        write!(f, "{year:04}:{hour:02}:{minute:02}:{second:02} +0000] \"")?;
        if entry.method.is_empty() && entry.target.is_empty() {
            f.write_str("-")?;
        } else {
            write!(f, "{} {} {}", Word(entry.method), Word(entry.target), entry.version)?;
        }
        write!(f, "\" {} {}", entry.status, entry.response_bytes)?;
        write!(f, " \"{}\"", Phrase(entry.referer.unwrap_or(b"-")))?;
        write!(f, " \"{}\"", Phrase(entry.user_agent.unwrap_or(b"-")))?;
        write!(f, " frontend={}", Word(entry.frontend.as_bytes()))?;
        write!(f, " backend={}", Word(entry.backend.unwrap_or("-").as_bytes()))?;
        write!(f, " duration_ms={} request_bytes={}", Millis(entry.duration), entry.request_bytes)?;
        write!(f, " retries={} ended_by=", entry.retries)?;
        write!(WordWriter(f), "{}", entry.ended_by)?;
        f.write_str(" cause=")?;
        write!(WordWriter(f), "{}", entry.cause)
    }
}

impl Display for Json<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Json(entry, time) = *self;
        let known = |text| Some(text).filter(|text: &&[u8]| !text.is_empty());
        let Time { year, month, day, hour, minute, second } = Time::at(time);
        write!(f, "{{\"time\":\"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z\"")?;
        write!(f, ",\"client\":\"{}\"", entry.client.to_canonical())?;
        write!(f, ",\"method\":{}", JsonString(known(entry.method)))?;
        write!(f, ",\"target\":{}", JsonString(known(entry.target)))?;
        write!(f, ",\"version\":{}", JsonString(known(entry.version.as_bytes())))?;
        write!(f, ",\"status\":{},\"response_bytes\":{}", entry.status, entry.response_bytes)?;
        write!(f, ",\"referer\":{}", JsonString(entry.referer))?;
        write!(f, ",\"user_agent\":{}", JsonString(entry.user_agent))?;
        write!(f, ",\"frontend\":{}", JsonString(Some(entry.frontend.as_bytes())))?;
        write!(f, ",\"backend\":{}", JsonString(entry.backend.map(str::as_bytes)))?;
        write!(f, ",\"duration_ms\":{},\"request_bytes\":{}", Millis(entry.duration), entry.request_bytes)?;
        write!(f, ",\"retries\":{},\"ended_by\":\"", entry.retries)?;
        write!(JsonWriter(f), "{}", entry.ended_by)?;
        f.write_str("\",\"cause\":\"")?;
        write!(JsonWriter(f), "{}", entry.cause)?;
        f.write_str("\"}")
    }
}

/// Text between spaces.
struct Word<'a>(&'a [u8]);

/// Text between quotes.
struct Phrase<'a>(&'a [u8]);

/// Text as a JSON value.
struct JsonString<'a>(Option<&'a [u8]>);

/// Writes what a `Display` has to say as a [`Word`].
struct WordWriter<'f, 'o>(&'f mut Formatter<'o>);

/// Writes what a `Display` has to say inside of a JSON string.
struct JsonWriter<'f, 'o>(&'f mut Formatter<'o>);

/// Milliseconds, to the microsecond.
pub struct Millis(pub Duration);

impl Display for Word<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_hex_escaped(f, self.0, false)
    }
}

impl Display for Phrase<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_hex_escaped(f, self.0, true)
    }
}

impl Display for JsonString<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(text) = self.0 else { return f.write_str("null") };
        f.write_char('"')?;
        write_json_escaped(f, text)?;
        f.write_char('"')
    }
}

impl Write for WordWriter<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_hex_escaped(self.0, text.as_bytes(), false)
    }
}

impl Write for JsonWriter<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_json_escaped(self.0, text.as_bytes())
    }
}

impl Display for Millis {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        write!(f, "{}.{:03}", micros / 1000, micros % 1000)
    }
}

fn write_hex_escaped(f: &mut Formatter<'_>, mut text: &[u8], spaces: bool) -> fmt::Result {
    let plain = |byte: &u8| match byte {
        b'"' | b'\\' => false,
        b' ' => spaces,
        byte => byte.is_ascii_graphic(),
    };
    loop {
        let run = text.iter().take_while(|byte| plain(byte)).count();
        let (run, rest) = text.split_at(run);
        f.write_str(str::from_utf8(run).expect("graphic bytes are ASCII"))?;
        let Some((odd, rest)) = rest.split_first() else { return Ok(()) };
        write!(f, "\\x{odd:02X}")?;
        text = rest;
    }
}

/// All beyond ASCII is escaped too: some of it moves cursors, turns writing around, or ends a line for those who go by
/// Unicode.
fn write_json_escaped(f: &mut Formatter<'_>, text: &[u8]) -> fmt::Result {
    for chunk in text.utf8_chunks() {
        let mut valid = chunk.valid();
        while let Some((at, odd)) = valid.char_indices().find(|(_, c)| !is_plain_in_json(*c)) {
            f.write_str(&valid[..at])?;
            match odd {
                '"' | '\\' => write!(f, "\\{odd}")?,
                odd => {
                    odd.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(f, "\\u{unit:04x}"))?
                }
            }
            valid = &valid[at + odd.len_utf8()..];
        }
        f.write_str(valid)?;
        if !chunk.invalid().is_empty() {
            f.write_str("\\ufffd")?;
        }
    }
    Ok(())
}

fn is_plain_in_json(c: char) -> bool {
    matches!(c, ' '..='~') && c != '"' && c != '\\'
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A moment of UTC, in the parts that people read.
#[derive(Debug, PartialEq, Eq)]
struct Time {
    year: u64,
    /// 1 to 12.
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

impl Time {
    /// The moment this many seconds after the start of 1970, leap seconds not counted, as in POSIX.
    fn at(unix_s: u64) -> Time {
        let (days, in_day) = (unix_s / 86_400, unix_s % 86_400);
        let (year, month, day) = civil_from_days(days);
        Time { year, month, day, hour: in_day / 3600, minute: in_day / 60 % 60, second: in_day % 60 }
    }
}

/// Year, month and day, from days since 1970-01-01, without a loop or a table: years start in March here, so that the
/// leap day is a year's last. Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // since 0000-03-01
    let (era, day_of_era) = (days / 146_097, days % 146_097); // eras of 400 years
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// 2026-11-23T15:34:51Z
    const TIME: u64 = 1_795_448_091;

    fn entry() -> Entry<'static> {
        Entry {
            client: [192, 0, 2, 7].into(),
            method: b"GET",
            target: b"/x?y=1",
            version: "HTTP/1.1",
            status: 200,
            response_bytes: 1234,
            request_bytes: 5,
            referer: Some(b"https://example.org/"),
            user_agent: Some(b"curl/8.14 (\"quoted\")"),
            frontend: "web",
            backend: Some("b1"),
            duration: Duration::from_nanos(1_234_567),
            retries: 1,
            ended_by: &"backend",
            cause: &"finished",
        }
    }

    /// A request that never became one.
    fn refused() -> Entry<'static> {
        let client = "::ffff:10.0.0.1".parse().unwrap();
        let entry = Entry { client, method: b"", target: b"", version: "", status: 400, ..entry() };
        Entry { referer: None, user_agent: None, backend: None, duration: Duration::ZERO, ..entry }
    }

    #[test]
    fn combined_tells_all_there_is() {
        let line = r#"192.0.2.7 - - [23/Nov/2026:15:34:51 +0000] "GET /x?y=1 HTTP/1.1" 200 1234 "https://example.org/" "curl/8.14 (\x22quoted\x22)" frontend=web backend=b1 duration_ms=1.234 request_bytes=5 retries=1 ended_by=backend cause=finished"#;
        assert_eq!(Combined(&entry(), TIME).to_string(), line);
        let line = r#"10.0.0.1 - - [01/Jan/1970:00:00:00 +0000] "-" 400 1234 "-" "-" frontend=web backend=- duration_ms=0.000 request_bytes=5 retries=1 ended_by=backend cause=finished"#;
        assert_eq!(Combined(&refused(), 0).to_string(), line);
    }

    #[test]
    fn json_tells_the_same() {
        let told: Value = serde_json::from_str(&Json(&entry(), TIME).to_string()).unwrap();
        let expected = json!({
            "time": "2026-11-23T15:34:51Z", "client": "192.0.2.7", "method": "GET", "target": "/x?y=1",
            "version": "HTTP/1.1", "status": 200, "response_bytes": 1234, "request_bytes": 5,
            "referer": "https://example.org/", "user_agent": "curl/8.14 (\"quoted\")", "frontend": "web",
            "backend": "b1", "duration_ms": 1.234, "retries": 1, "ended_by": "backend", "cause": "finished",
        });
        assert_eq!(told, expected);
        let told: Value = serde_json::from_str(&Json(&refused(), TIME).to_string()).unwrap();
        for key in ["method", "target", "version", "referer", "user_agent", "backend"] {
            assert_eq!(told[key], Value::Null, "{key}");
        }
        assert_eq!(told["client"], "10.0.0.1");
    }

    #[test]
    fn what_a_client_sends_cannot_pass_for_what_we_say() {
        let user_agent = b"a\" frontend=b\n\x00\x7f\\\xff\xc3\xa9";
        let forged = Entry { target: b"/ HTTP/1.1\" 200", user_agent: Some(user_agent), ..entry() };
        let line = Combined(&forged, TIME).to_string();
        assert!(line.contains(r#""GET /\x20HTTP/1.1\x22\x20200 HTTP/1.1" 200 1234 "#), "{line}");
        assert!(line.contains(r#""a\x22 frontend=b\x0A\x00\x7F\x5C\xFF\xC3\xA9" frontend=web "#), "{line}");
        let line = Json(&forged, TIME).to_string();
        assert!(line.contains(r#""a\" frontend=b\u000a\u0000\u007f\\\ufffd\u00e9""#), "{line}");
        let line = Json(&Entry { target: "/\u{1f980}".as_bytes(), ..entry() }, TIME).to_string();
        assert!(line.contains(r#""/\ud83e\udd80""#), "{line}");
    }

    #[test]
    fn every_day_of_a_thousand_years_follows_the_one_before() {
        let leap =
            |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..365_250 {
            assert_eq!(civil_from_days(days), (year, month, day));
            let last = match month {
                2 => 28 + u64::from(leap(year)),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            (year, month, day) = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (month, day) if day == last => (year, month + 1, 1),
                (month, day) => (year, month, day + 1),
            };
        }
        assert_eq!((year, month), (2970, 1));
        // A clock that is far off is no reason to fail.
        let _ = Time::at(u64::MAX);
    }

    proptest! {
        #[test]
        fn whatever_bytes_come_it_is_one_line_that_reads_back(
            method: Vec<u8>, target: Vec<u8>, referer: Option<Vec<u8>>, user_agent: String, name: String,
            words: (String, String), seconds: u64, micros: u64, bytes: u64,
        ) {
            let entry = Entry {
                method: &method,
                target: &target,
                referer: referer.as_deref(),
                user_agent: Some(user_agent.as_bytes()),
                frontend: &name,
                backend: Some(&name),
                response_bytes: bytes,
                duration: Duration::from_micros(micros),
                ended_by: &words.0,
                cause: &words.1,
                ..entry()
            };
            let combined = Combined(&entry, seconds).to_string();
            prop_assert!(combined.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{combined:?}");
            // Three quoted parts, and the words that are ours.
            prop_assert_eq!(combined.matches('"').count(), 6);
            let tail = combined.rsplit('"').next().unwrap();
            prop_assert_eq!(tail.split(' ').count(), 8, "{}", tail);

            let json = Json(&entry, seconds).to_string();
            prop_assert!(json.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{json:?}");
            let told: Value = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(told.as_object().unwrap().len(), 16);
            prop_assert_eq!(told["user_agent"].as_str().unwrap(), user_agent);
            prop_assert_eq!(told["cause"].as_str().unwrap(), words.1);
            prop_assert_eq!(told["response_bytes"].as_u64().unwrap(), bytes);
            if !target.is_empty() {
                prop_assert_eq!(told["target"].as_str().unwrap(), String::from_utf8_lossy(&target));
            }
        }
    }
}
