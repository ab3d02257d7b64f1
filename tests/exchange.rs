//! What holds for whole exchanges, as properties.

#![allow(unreachable_pub, missing_docs, reason = "a test crate has no public interface")]

#[path = "exchange/mod.rs"]
mod exchange;
#[path = "exchange/mutated.rs"]
mod mutated;
#[path = "strict/mod.rs"]
mod strict;
#[path = "exchange/valid.rs"]
mod valid;

use proptest::prelude::*;

use exchange::check;
use exchange::input::{Input, Options, Say};
use exchange::play::{CLIENT, Play};
use exchange::reading::asking;
use exchange::scripted::wire::Wire;
use strict::{Field, Kind, Message};

/// What came out of a play, on every connection; with `contents`, as messages without their framing.
fn outcome(play: &Play, contents: bool) -> Vec<Vec<u8>> {
    let world = play.rig.world.borrow();
    let plain = |wire: &Wire| if contents { without_chunks(wire) } else { wire.got.clone() };
    let client = plain(&world.wires[CLIENT]);
    let backends = world.backend_wires.iter().map(|&wire| world.wires[wire].got.clone());
    [client].into_iter().chain(backends).collect()
}

/// What a client got, without the marks where chunks begin and end: those of a body that came until its connection was
/// closed are the proxy's own.
fn without_chunks(wire: &Wire) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut at, mut answered) = (0, 0);
    let asking = asking(&wire.sent).requests;
    let kind = |answered: usize| match asking.get(answered) {
        Some(asked) if asked.method == "HEAD" => Kind::ResponseToHead,
        _ => Kind::Response,
    };
    while let Ok(Some(message)) = Message::read(&wire.got[at..], kind(answered), true) {
        at += message.len;
        answered += usize::from(message.status() >= 200);
        let lines = |fields: &[Field]| fields.iter().map(Field::to_string).collect::<Vec<_>>().join("|");
        out.extend_from_slice(format!("{}|{}|", message.start, lines(&message.fields)).as_bytes());
        out.extend_from_slice(&message.content);
        out.extend_from_slice(lines(&message.trailers).as_bytes());
    }
    out.extend_from_slice(&wire.got[at..]);
    out
}

/// Where the first of them differ.
fn difference(whole: &[Vec<u8>], pieces: &[Vec<u8>]) -> Option<String> {
    if whole.len() != pieces.len() {
        return Some(format!("{} connections, in pieces {}", whole.len(), pieces.len()));
    }
    let number = (0..whole.len()).find(|&number| whole[number] != pieces[number])?;
    let (whole, pieces) = (&whole[number], &pieces[number]);
    let at = whole.iter().zip(pieces).take_while(|(one, other)| one == other).count();
    let part = |bytes: &[u8]| bytes[at..].iter().take(200).copied().collect::<Vec<u8>>();
    let (whole, pieces) = (part(whole), part(pieces));
    let (whole, pieces) = (whole.escape_ascii(), pieces.escape_ascii());
    Some(format!("stream {number} differs at {at}:\n  {whole}\n  {pieces}"))
}

fn checked(input: &Input) -> Result<Play, TestCaseError> {
    check(input).map_err(TestCaseError::fail)
}

/// So many cases, or as many as `PROPTEST_CASES` says.
fn cases(count: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|count| count.parse().ok());
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(asked.unwrap_or(count)) }
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn pieces_do_not_matter(
        (mut input, until_close) in valid::connection(),
        picks in mutated::picks(),
        narrow in any::<bool>(),
    ) {
        let whole = checked(&input)?;
        input.picks = picks;
        input.options = Options { narrow, ..Options::default() };
        let pieces = checked(&input)?;
        if let Some(difference) = difference(&outcome(&whole, until_close), &outcome(&pieces, until_close)) {
            prop_assert!(false, "{}\n{}", difference, pieces.rig.transcript());
        }
    }
}

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn what_goes_out_is_valid_whatever_is_wrong(input in mutated::connection()) {
        checked(&input)?;
    }

    #[test]
    fn what_goes_out_is_valid_whatever_comes_in(input in mutated::noise()) {
        checked(&input)?;
    }
}

/// What the gate of a body refused was forgotten when the backend did not take all that came before it at once: with the
/// request half sent, the rest of it was next taken for another request.
#[test]
fn a_body_is_refused_though_the_backend_is_slow() {
    let body = format!("33\r\n{}\r\n0\r\n\r\n", "x".repeat(51));
    let ask = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
    for hasty in [false, true] {
        let input = Input {
            options: Options { hasty, narrow: true, small_bodies: true, ..Options::default() },
            client: vec![Say::new(ask.clone())],
            answers: vec![vec![Say::new("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")]],
            ..Input::default()
        };
        let play = check(&input).unwrap_or_else(|why| panic!("{why}"));
        let world = play.rig.world.borrow();
        let got = &world.wires[CLIENT].got;
        assert!(got.starts_with(b"HTTP/1.1 413 "), "{}", got.escape_ascii());
    }
}

/// A head that began at the end of a full buffer moved to its front, and what followed filled the rest: there was no room
/// left for what a forwarded head has more, and the client was told that its head was too large.
#[test]
fn requests_may_be_pipelined_without_end() {
    let asks = (0..100)
        .map(|number| format!("GET /{number} HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "y".repeat(number)));
    let asks = asks.collect::<String>();
    let answer = vec![Say::new("HTTP/1.1 204 No Content\r\n\r\n")];
    // A body at the start, so that a buffer of full size is used.
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n".to_owned() + &"x".repeat(5000);
    let client = vec![Say::new(post + &asks)];
    let input = Input { client, answers: vec![answer; 101], ..Input::default() };
    let play = check(&input).unwrap_or_else(|why| panic!("{why}"));
    let world = play.rig.world.borrow();
    let got = String::from_utf8_lossy(&world.wires[CLIENT].got);
    assert_eq!(got.matches("HTTP/1.1 204 ").count(), 101, "{got}");
}
