//! Valid exchanges, as strategies: whatever HTTP/1.1 lets a client and a backend say to each other.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::exchange::input::{End, Input, Say};

/// A request, in the parts in which the client sends it, and what is answered.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub asks: Vec<Vec<u8>>,
    pub answer: Vec<Say>,
    /// The body of the answer ends with its connection.
    pub until_close: bool,
}

/// A body, and the field that frames it.
type Body = (String, Vec<u8>);

fn content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => vec(any::<u8>(), 0..60),
        2 => vec(select(&b"0\r\n;A: "[..]), 1..200),
        1 => vec(any::<u8>(), 2000..3000),
    ]
}

fn length_body() -> impl Strategy<Value = Body> {
    content().prop_map(|content| (format!("Content-Length: {}\r\n", content.len()), content))
}

fn size_line() -> impl Strategy<Value = (usize, bool, String)> {
    (
        0..4_usize,
        any::<bool>(),
        prop_oneof![3 => Just(String::new()), 1 => "(;[a-z]{1,5}(=[a-z0-9]{1,8}|=\"[ -!#-~]{0,9}\")?){1,2}"],
    )
}

fn written((zeros, upper, extension): &(usize, bool, String), size: usize) -> String {
    let digits = if *upper { format!("{size:X}") } else { format!("{size:x}") };
    format!("{}{digits}{extension}\r\n", "0".repeat(*zeros))
}

fn chunked_body() -> impl Strategy<Value = Body> {
    let chunk = (size_line(), content()).prop_filter("not the last", |(_, content)| !content.is_empty());
    let trailers = "(x-[a-z]{1,5}:[ \t]?[!-~]{0,9} ?\r\n){0,3}";
    (vec(chunk, 0..4), size_line(), trailers).prop_map(|(chunks, last, trailers)| {
        let mut body = Vec::new();
        for (line, content) in &chunks {
            body.extend_from_slice(&[written(line, content.len()).as_bytes(), content, b"\r\n"].concat());
        }
        body.extend_from_slice(&[written(&last, 0).as_bytes(), trailers.as_bytes(), b"\r\n"].concat());
        ("Transfer-Encoding: chunked\r\n".to_owned(), body)
    })
}

fn fields() -> impl Strategy<Value = String> {
    let field = prop_oneof![
        4 => "x-[a-z]{1,8}:[ \t]{0,2}([!-~]([ -~]{0,12}[!-~])?)?[ \t]{0,2}\r\n",
        1 => Just("Cookie: a=b; lb=0123456789abcdef\r\n".to_owned()),
        1 => Just("Connection: x-a, keep-alive\r\nX-A: gone\r\n".to_owned()),
        1 => Just("TE: trailers\r\n".to_owned()),
        1 => Just("Via: 1.1 earlier\r\n".to_owned()),
        1 => Just("X-Forwarded-For: 198.51.100.1\r\n".to_owned()),
    ];
    vec(field, 0..4).prop_map(|fields| fields.concat())
}

#[derive(Clone, Debug)]
struct Ask {
    head: String,
    method: &'static str,
    body: Option<Body>,
    expects: bool,
}

fn ask() -> impl Strategy<Value = Ask> {
    let target = prop_oneof![
        4 => "/[a-z0-9/?=&%.-]{0,30}",
        1 => "http://h.example(:80)?(/[a-z?]{0,9})?",
    ];
    let bodiless = (select(&["GET", "HEAD", "DELETE", "OPTIONS"][..]), Just(None), Just(false));
    let body = prop_oneof![length_body(), chunked_body()].prop_map(Some);
    let with_body = (select(&["POST", "PUT", "PATCH", "GET"][..]), body, prop::bool::weighted(0.3));
    let what = prop_oneof![
        bodiless.prop_map(|(method, body, expects): (_, Option<Body>, bool)| (method, body, expects)),
        with_body.prop_map(|(method, body, expects)| (method, body, expects)),
    ];
    (what, target, fields(), prop::bool::weighted(0.1)).prop_map(
        |((method, body, expects), target, fields, is_10)| {
            let chunked = body.as_ref().is_some_and(|(framing, _)| framing.starts_with("Transfer"));
            let is_10 = is_10 && !chunked;
            let expects = expects && !is_10;
            let version = if is_10 { "1.0\r\nConnection: keep-alive" } else { "1.1" };
            let expect = if expects { "Expect: 100-continue\r\n" } else { "" };
            let framing = body.as_ref().map_or("", |(framing, _)| framing);
            let head =
                format!("{method} {target} HTTP/{version}\r\nHost: a\r\n{fields}{expect}{framing}\r\n");
            Ask { head, method, body, expects }
        },
    )
}

fn answer(method: &'static str, expects: bool) -> impl Strategy<Value = (Vec<Say>, bool)> {
    let interims = vec(select(&["103 Early Hints\r\nLink: </a>", "102 Processing"][..]), 0..3);
    let status = prop_oneof![
        6 => select(&["200 OK", "404 Not Found", "500 Oops", "201 "][..]),
        1 => Just("204 No Content"),
        1 => Just("304 Not Modified"),
    ];
    let until_close = content().prop_map(|content| (String::new(), content));
    let body = prop_oneof![
        2 => length_body().prop_map(|body| (body, false)),
        2 => chunked_body().prop_map(|body| (body, false)),
        1 => until_close.prop_map(|body| (body, true)),
    ];
    (interims, status, body, fields(), prop::bool::weighted(0.15)).prop_map(
        move |(interims, status, ((framing, body), until_close), fields, closes)| {
            let mut says: Vec<Say> = Vec::new();
            if expects {
                says.push(Say::new("HTTP/1.1 100 Continue\r\n\r\n"));
            }
            says.extend(interims.iter().map(|interim| Say::new(format!("HTTP/1.1 {interim}\r\n\r\n"))));
            let bodiless = method == "HEAD" || status.starts_with("304") || status.starts_with("204");
            let framing = if status.starts_with("204") { String::new() } else { framing };
            let until_close = until_close && !bodiless;
            let close = if closes { "Connection: close\r\n" } else { "" };
            let head = format!("HTTP/1.1 {status}\r\n{fields}{close}{framing}\r\n");
            let body = if bodiless { Vec::new() } else { body };
            let end = (until_close || closes).then_some(End::Finish);
            says.push(Say { bytes: [head.as_bytes(), &body].concat(), end });
            (says, until_close)
        },
    )
}

fn exchange() -> impl Strategy<Value = Exchange> {
    ask().prop_flat_map(|ask| {
        let asks = match ask.body {
            Some((_, body)) if ask.expects => vec![ask.head.into_bytes(), body],
            Some((_, body)) => vec![[ask.head.as_bytes(), &body].concat()],
            None => vec![ask.head.into_bytes()],
        };
        // A body that is waited for comes when it was asked for: the answer is as it would be without.
        answer(ask.method, ask.expects && asks.len() > 1).prop_map(move |(answer, until_close)| Exchange {
            asks: asks.clone(),
            answer,
            until_close,
        })
    })
}

/// A connection with a few of them, pipelined or not, and whether a body on it is cut as it comes.
pub fn connection() -> impl Strategy<Value = (Input, bool)> {
    (vec(exchange(), 1..6), any::<bool>(), option::of(Just(End::Finish))).prop_map(
        |(exchanges, pipelined, end)| {
            let until_close = exchanges.iter().any(|exchange| exchange.until_close);
            let mut client: Vec<Say> = Vec::new();
            for part in exchanges.iter().flat_map(|exchange| &exchange.asks) {
                match client.last_mut() {
                    Some(last) if pipelined => last.bytes.extend_from_slice(part),
                    _ => client.push(Say::new(part.clone())),
                }
            }
            // Finishing with the last byte would leave it to chance what of it is heard first.
            if let Some(end) = end {
                client.push(Say { bytes: Vec::new(), end: Some(end) });
            }
            let answers = exchanges.into_iter().map(|exchange| exchange.answer).collect();
            (Input { client, answers, ..Input::default() }, until_close)
        },
    )
}
