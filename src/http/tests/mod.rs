//! Heads, by example and at random.

mod forwarding;
mod properties;
mod requests;
mod responses;

use std::net::IpAddr;

use super::message::{HeadLimits, Method};
use super::request::{self, Facts, Fields, Forward};
use super::response;

const LIMITS: HeadLimits = HeadLimits { head_bytes: 8192, target_bytes: 1024, fields: 32 };

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Says nothing new about the client, so that tests of other things need not care.
fn quiet() -> Forward {
    Forward { peer: ip("192.0.2.7"), trusted: true, x_forwarded: false, rfc7239: false }
}

/// A head with these lines after a request line and a Host.
fn get(lines: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

/// The facts of a complete request, or status and reason of the refusal.
fn facts(head: impl AsRef<[u8]>) -> Result<Facts, (u16, &'static str)> {
    let head = head.as_ref();
    let mut fields = Fields::default();
    match request::parse(head, &mut fields, &LIMITS) {
        Ok(Some(request)) => Ok(request.facts),
        Ok(None) => panic!("incomplete: {:?}", String::from_utf8_lossy(head)),
        Err(refusal) => Err((refusal.status, refusal.why)),
    }
}

/// The head that the backend gets.
fn forwarded(head: &str, how: &Forward) -> String {
    let mut fields = Fields::default();
    let request = request::parse(head.as_bytes(), &mut fields, &LIMITS);
    let request = request.unwrap_or_else(|refusal| panic!("{head:?}: {refusal:?}")).expect("complete");
    let mut out = Vec::new();
    request.forward(&mut out, how);
    String::from_utf8(out).expect("UTF-8")
}

/// The facts of a complete response, or the reason of the refusal.
fn response_facts(head: impl AsRef<[u8]>, method: Method) -> Result<response::Facts, &'static str> {
    let mut fields = Fields::default();
    match response::parse(head.as_ref(), &mut fields, &LIMITS, method) {
        Ok(Some(response)) => Ok(response.facts),
        Ok(None) => panic!("incomplete: {:?}", String::from_utf8_lossy(head.as_ref())),
        Err(refusal) => {
            assert_eq!(refusal.status, 502);
            Err(refusal.why)
        }
    }
}
