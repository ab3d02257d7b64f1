//! What the proxy adds to a message, and how exactly two messages must agree. To be changed here, and only here.

use std::net::IpAddr;

use lbproxy::config::ForwardedStyle;

use super::case::COOKIE;
use super::message::{Field, Framing, Message};

/// What the proxy calls itself.
const VIA: &str = "1.1 lbproxy";

/// Fields that stand at the end of a head, in an order of the proxy's own: compared as a set.
const REQUEST_END: &[&str] = &[
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "Forwarded",
    "Connection",
    "Upgrade",
    "Via",
];
const RESPONSE_END: &[&str] = &["Transfer-Encoding", "Connection", "Upgrade", "Set-Cookie", "Via"];

/// Appends what a backend is told besides what the client said. What the case itself says wins.
pub fn complete_request(message: &mut Message, client: IpAddr, style: ForwardedStyle) {
    let host = message.value("Host").unwrap_or_default().to_owned();
    if matches!(style, ForwardedStyle::XForwarded | ForwardedStyle::Both) {
        add(message, "X-Forwarded-For", &client.to_string());
        add(message, "X-Forwarded-Proto", "http");
        if !host.is_empty() {
            add(message, "X-Forwarded-Host", &host);
        }
    }
    if matches!(style, ForwardedStyle::Rfc7239 | ForwardedStyle::Both) {
        let client = if client.is_ipv6() { format!("\"[{client}]\"") } else { client.to_string() };
        add(message, "Forwarded", &format!("for={client};host={host};proto=http"));
    }
    add_via(message);
}

/// Appends what a client is told besides what the backend said.
pub fn complete_response(message: &mut Message) {
    add_via(message);
}

fn add(message: &mut Message, name: &str, value: &str) {
    if message.value(name).is_none() {
        message.fields.push(Field { name: name.to_owned(), value: value.to_owned() });
    }
}

fn add_via(message: &mut Message) {
    if !message.fields.iter().any(|field| field.name == "Via" && field.value == VIA) {
        message.fields.push(Field { name: "Via".to_owned(), value: VIA.to_owned() });
    }
}

/// Says how `got` differs from `expected`. With `part`, `got` has lost the end of its body.
pub fn difference(expected: &Message, got: &Message, part: bool) -> Option<String> {
    if expected.start != got.start {
        return Some(format!("starts with {:?}, not {:?}", got.start, expected.start));
    }
    let end = if got.start.starts_with("HTTP/") { RESPONSE_END } else { REQUEST_END };
    let interim = got.start.starts_with("HTTP/1.1 1");
    let (mut wanted, mut found) = (sorted(expected, end), sorted(got, end));
    if interim {
        // Nothing says whether interim responses name who passed them on.
        for fields in [&mut wanted, &mut found] {
            fields.retain(|field| field.value != VIA);
        }
    }
    if wanted != found {
        return Some(format!("has the fields\n    {}\n  not\n    {}", joined(&found), joined(&wanted)));
    }
    let (wanted, found) = (&expected.content[..], &got.content[..]);
    if part && (got.complete || !wanted.starts_with(found)) {
        let what = if got.complete { "complete" } else { "another" };
        return Some(format!("has a {what} body: {}", found.escape_ascii()));
    }
    if !part && (!got.complete || wanted != found) {
        let what = if got.complete { "" } else { "an incomplete body: " };
        return Some(format!("has the body {what}{}, not {}", found.escape_ascii(), wanted.escape_ascii()));
    }
    let trailers = !part && expected.trailers != got.trailers;
    trailers
        .then(|| format!("has the trailers {}, not {}", joined(&got.trailers), joined(&expected.trailers)))
}

/// The fields in their order, and then those of the end by name. Same names stay in their order.
fn sorted(message: &Message, end: &[&str]) -> Vec<Field> {
    let place = |field: &Field| end.iter().position(|name| name.eq_ignore_ascii_case(&field.name));
    let mut fields: Vec<Field> = message.fields.iter().map(normal).collect();
    fields.sort_by_key(|field| place(field).map_or(0, |place| place + 1));
    if message.framing == Framing::None && message.start.starts_with("HTTP/") {
        // An answer to HEAD, or 304: it may say how a body would be framed, or not.
        fields.retain(|field| !field.name.eq_ignore_ascii_case("Transfer-Encoding"));
    }
    merged(fields, "X-Forwarded-For")
}

/// A list may come in one field or in several (RFC 9110, 5.3).
fn merged(fields: Vec<Field>, name: &str) -> Vec<Field> {
    let mut merged: Vec<Field> = Vec::new();
    for field in fields {
        match merged.iter_mut().find(|first| first.name == name && field.name == name) {
            Some(first) => first.value += &format!(", {}", field.value),
            None => merged.push(field),
        }
    }
    merged
}

/// Where a field may be written in several ways, one of them.
fn normal(field: &Field) -> Field {
    let Field { name, mut value } = field.clone();
    match &name.to_ascii_lowercase()[..] {
        "forwarded" => {
            let element = |element: &str| {
                let mut pairs: Vec<&str> = element.trim().split(';').map(str::trim).collect();
                pairs.sort_unstable();
                pairs.join(";")
            };
            value = value.replace('"', "").split(',').map(element).collect::<Vec<_>>().join(", ");
        }
        "connection" | "expect" => value = value.to_ascii_lowercase(),
        "set-cookie" => value = any_key(&value),
        // A message may be said to have come over 1.0, if it did.
        "via" => value = value.replace("1.0 lbproxy", VIA),
        _ => {}
    }
    Field { name, value }
}

/// Of our own cookie, the value is opaque and the order of its attributes free.
fn any_key(cookie: &str) -> String {
    let Some((key, attributes)) = cookie.strip_prefix("lb=").and_then(|rest| rest.split_at_checked(16))
    else {
        return cookie.to_owned();
    };
    let mut attributes: Vec<&str> = attributes.split(';').map(str::trim).collect();
    attributes.sort_unstable();
    let opaque = key == COOKIE || key.bytes().all(|byte| byte.is_ascii_hexdigit());
    format!("lb={}{}", if opaque { "*" } else { key }, attributes.join(";"))
}

fn joined(fields: &[Field]) -> String {
    let lines: Vec<String> =
        fields.iter().map(|field| field.to_string().escape_debug().to_string()).collect();
    if lines.is_empty() { "(none)".to_owned() } else { lines.join("\n    ") }
}
