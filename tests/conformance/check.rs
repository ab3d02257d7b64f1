//! Whether what came of a case is what it says; and all cases, one after the other.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::canonical;
use super::case::{Canned, Case, End, Request, Step, Want};
use super::message::{self, Kind, Message};
use super::run::{self, CLIENT, Run, Split};
use super::scripted::wire::Wire;
use super::setup;

/// Runs every case in every split, goes on after a failure, and fails with a list of them.
///
/// `CASE=text` in the environment picks the cases whose name contains it, and `SPLIT=client:17` a split.
pub fn check_all(cases: &[Case]) {
    let picked = std::env::var("CASE").unwrap_or_default();
    let cases = cases.iter().filter(|case| case.name.contains(&picked));
    let failures: Vec<String> = cases.filter_map(|case| check(case).err()).collect();
    assert!(failures.is_empty(), "\n\n{}\n{} cases failed", failures.join("\n"), failures.len());
}

/// The first failure of a case.
pub fn check(case: &Case) -> Result<(), String> {
    let picked = std::env::var("SPLIT").ok();
    for split in Split::all(case) {
        if picked.as_ref().is_none_or(|picked| *picked == split.to_string()) {
            check_split(case, split)?;
        }
    }
    Ok(())
}

fn check_split(case: &Case, split: Split) -> Result<(), String> {
    let mut transcript = String::new();
    let attempt = catch_unwind(AssertUnwindSafe(|| {
        let mut run = Run::new(case, split);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            run.play()?;
            check_client(&run)?;
            check_backends(&run)?;
            run.rig.leave()
        }));
        transcript = run.rig.transcript();
        outcome.unwrap_or_else(|panic| Err(panicked(&*panic)))
    }));
    let outcome = attempt.unwrap_or_else(|panic| Err(panicked(&*panic)));
    outcome.map_err(|why| format!("{} (CASE={} SPLIT={split})\n  {why}\n{transcript}", case.name, case.name))
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    format!("panicked: {}", text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?"))
}

fn check_client(run: &Run<'_>) -> Result<(), String> {
    let world = run.world.borrow();
    let wire = &world.wires[CLIENT];
    if message::find(&wire.got, setup::INTERNAL).is_some() {
        return Err("the client is told a backend's address".to_owned());
    }
    let (mut seen, mut says_close) = (0, false);
    for (number, want) in run.case.wants.iter().enumerate() {
        let rest = &wire.got[seen..];
        let taken = match want {
            Want::Message { text, to_head, part } => {
                let mut text = run::with_cookie(text, wire);
                // Whether a client that has finished is told so is nobody's loss.
                if run.case.client.iter().any(|step| matches!(step, Step::Finish)) && !rest.is_empty() {
                    text = as_closing(rest, &text);
                }
                check_message(rest, &text, *to_head, *part, clean_end(wire), &mut says_close)
            }
            Want::Canned(canned) if canned.optional && rest.is_empty() => Ok(0),
            Want::Canned(canned) => check_canned(rest, canned, &mut says_close),
            Want::Bytes(bytes) => {
                let same = rest.starts_with(bytes);
                same.then_some(bytes.len()).ok_or_else(|| format!("is not {}", bytes.escape_ascii()))
            }
        };
        seen += taken.map_err(|why| format!("what the client gets, number {}: {why}", number + 1))?;
    }
    if seen < wire.got.len() {
        return Err(format!("the client gets more: {}", wire.got[seen..].escape_ascii()));
    }
    check_end(run.case, wire, says_close)
}

/// `text`, with `Connection: close` if the answer at the start of `got` says it.
fn as_closing(got: &[u8], text: &[u8]) -> Vec<u8> {
    const CLOSE: &[u8] = b"\r\nConnection: close";
    let head = |bytes: &[u8]| message::find(bytes, b"\r\n\r\n").unwrap_or(0);
    let says = |bytes: &[u8]| message::find(&bytes[..head(bytes)], CLOSE).is_some();
    let at = head(text);
    if says(got) && !says(text) { [&text[..at], CLOSE, &text[at..]].concat() } else { text.to_vec() }
}

fn clean_end(wire: &Wire) -> bool {
    wire.ended() && !wire.reset_out
}

fn check_message(
    bytes: &[u8],
    text: &[u8],
    to_head: bool,
    part: bool,
    ended: bool,
    says_close: &mut bool,
) -> Result<usize, String> {
    let kind = if to_head { Kind::ResponseToHead } else { Kind::Response };
    let mut expected = run::expected(text, kind);
    canonical::complete_response(&mut expected);
    let message = Message::read(bytes, kind, ended)?.ok_or("no complete head")?;
    *says_close = message.value("Connection") == Some("close");
    match canonical::difference(&expected, &message, part) {
        Some(difference) => Err(difference),
        None => Ok(message.len),
    }
}

fn check_canned(bytes: &[u8], canned: &Canned, says_close: &mut bool) -> Result<usize, String> {
    let kind = if canned.to_head { Kind::ResponseToHead } else { Kind::Response };
    let message = Message::read(bytes, kind, false)?.ok_or("no complete head")?;
    let close = message.value("Connection") == Some("close");
    *says_close = close;
    let media = message.value("Content-Type").unwrap_or_default();
    let (json, retry) = (media.starts_with("application/json"), message.value("Retry-After").is_some());
    let complaint = if !canned.statuses.contains(&message.status()) {
        format!("{}, not {:?}", message.start, canned.statuses)
    } else if canned.close.is_some_and(|wanted| wanted != close) {
        format!("Connection: {:?}", message.value("Connection"))
    } else if !message.complete {
        "an incomplete body".to_owned()
    } else if message.value("Content-Length").is_none() {
        "no Content-Length".to_owned()
    } else if json != canned.json || media.is_empty() {
        format!("Content-Type: {media}")
    } else if json && !canned.to_head && !message.content.starts_with(b"{") {
        "no JSON".to_owned()
    } else if retry != (message.status() == 503) {
        format!("Retry-After: {:?}", message.value("Retry-After"))
    } else {
        return Ok(message.len);
    };
    Err(format!("an error of the proxy's own with {complaint}"))
}

fn check_end(case: &Case, wire: &Wire, says_close: bool) -> Result<(), String> {
    let closed = clean_end(wire);
    let good = match case.end {
        End::Any => true,
        End::AsSaid if says_close => closed,
        End::AsSaid => !wire.ended(),
        End::Closed => closed,
        End::Broken => wire.ended(),
    };
    let is = match (wire.ended(), wire.reset_out) {
        (_, true) => "was reset",
        (true, _) => "was closed",
        _ => "is still open",
    };
    if good { Ok(()) } else { Err(format!("the client's connection {is} ({:?})", case.end)) }
}

fn check_backends(run: &Run<'_>) -> Result<(), String> {
    let world = run.world.borrow();
    if world.backend_wires.len() < run.backends.len() {
        let (made, wanted) = (world.backend_wires.len(), run.backends.len());
        return Err(format!("{made} connections to backends were made, not {wanted}"));
    }
    for (number, &index) in world.backend_wires.iter().enumerate() {
        let (wire, actor) = (&world.wires[index], run.backends.get(number));
        if actor.is_some_and(|actor| actor.ignores) {
            continue;
        }
        let rest = &wire.got[actor.map_or(0, |actor| actor.seen)..];
        let finished = !matches!(
            Message::read(rest, Kind::Request, false)?,
            None | Some(Message { complete: false, .. })
        );
        if !rest.is_empty() && (finished || !run.case.unfinished) {
            return Err(format!("backend connection {number} gets more: {}", rest.escape_ascii()));
        }
        if !rest.is_empty() && !wire.ended() {
            return Err(format!("backend connection {number} is left with an unfinished request"));
        }
    }
    for (number, script) in run.case.backends.iter().enumerate() {
        let wire = &world.wires[world.backend_wires[number]];
        match script.ends_closed {
            Some(true) if !wire.ended() => {
                return Err(format!("backend connection {number} is still open"));
            }
            Some(false) if wire.ended() => {
                return Err(format!("backend connection {number} was closed"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Every message that a case expects is one that the strict parser accepts, to its last byte.
pub fn check_expectations(case: &Case) {
    let read = |text: &[u8], kind, what: &str| {
        let message = run::expected(text, kind);
        assert_eq!(message.len, text.len(), "{}: {what}: {}", case.name, text.escape_ascii());
        message
    };
    for step in case.backends.iter().flat_map(|script| &script.steps) {
        if let Step::Request(Request::Exactly(text) | Request::Head(text)) = step {
            let message = read(text, Kind::Request, "a request");
            assert!(message.complete || matches!(step, Step::Request(Request::Head(_))), "{}", case.name);
        }
    }
    for want in &case.wants {
        if let Want::Message { text, to_head, .. } = want {
            let kind = if *to_head { Kind::ResponseToHead } else { Kind::Response };
            assert!(read(text, kind, "a response").complete, "{}: {}", case.name, text.escape_ascii());
        }
    }
}
