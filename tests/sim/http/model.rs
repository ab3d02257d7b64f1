//! What must hold for HTTP sessions, whatever happened.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use lbproxy::balance::Pool;
use lbproxy::proxy::Proxy;

use super::super::model::{ends_agree, nobody_is_dropped, nothing_is_left};
use super::super::net::SimNet;
use super::super::record::Line;
use super::super::tcp::PROXY;
use super::super::world::{Wire, World};
use super::super::{CONNECT_TIMEOUT, DRAIN_TIMEOUT};
use super::Party;
use super::client::Client;
use super::knobs::HttpKnobs;
use super::plan::STATUSES;

/// What has to happen in many seeds: the simulation could otherwise cease to test something without anybody noticing.
const MUST_HAPPEN: &[&str] = &[
    "answered",
    "pipelined",
    "reused",
    "repeated",
    "interim",
    "early answer",
    "upgrade",
    "tunnel complete",
    "until close",
    "spliced",
    "truncated",
    "unasked",
    "closed while idle",
    "died before an answer",
    "died in midst of an answer",
    "400",
    "408",
    "413",
    "502",
    "503",
    "504",
    "gave up: head_timeout",
    "gave up: body_timeout",
    "gave up: response_timeout",
    "gave up: request_timeout",
];

/// What has to happen in very many.
const RARE: &[&str] = &["414", "431", "501", "505", "gave up: drain_timeout", "stray taken for an answer"];
const VERY_MANY: usize = 3_000;
/// How long the proxy reads on after its last word.
const LINGER: Duration = Duration::from_secs(5);
/// … and however much it still sends.
const LINGER_MAX: Duration = Duration::from_secs(30);
const SLACK: Duration = Duration::from_secs(1);

/// `tally` says how often something happened, and in how many seeds.
pub fn check_coverage(seeds: usize, tally: impl Fn(&str) -> (u64, usize)) {
    let rare = if seeds >= VERY_MANY { RARE } else { &[] };
    for what in MUST_HAPPEN.iter().chain(rare) {
        assert!(tally(what).0 > 0, "never: {what}");
    }
    for (what, percent) in [("reused", 25), ("answered", 60)] {
        let runs = tally(what).1;
        assert!(runs * 100 >= seeds * percent, "only in {runs} of {seeds} seeds: {what}");
    }
}

/// Checks a run that has come to its end.
pub fn check(world: &mut World, proxy: &Proxy<SimNet>, pool: &Pool, lines: &[Line]) {
    nothing_is_left(world, proxy, pool);
    nobody_is_dropped(world, proxy);
    counters_agree(proxy, lines);
    if world.is_talkative() {
        lines.iter().for_each(|line| eprintln!("{line:?}"));
    }
    let log = Lines::new(lines, world.book.requests.len());
    let knobs = world.knobs.http.clone().expect("in HTTP mode");
    for wire in &world.wires {
        match &wire.party {
            Some(Party::Client(client)) => {
                nobody_waits_for_ever(world, wire, client, &knobs);
                for place in 0..client.script.len() {
                    request(world, wire, client, place, &log);
                }
                all_is_well_in_calm_weather(world, client, &knobs);
            }
            Some(Party::Backend(_)) | None => {}
        }
    }
    for line in lines {
        world.note(format_args!("{line:?}").to_string());
    }
    count(world, lines);
}

fn counters_agree(proxy: &Proxy<SimNet>, lines: &[Line]) {
    let metrics = proxy.metrics();
    assert_eq!(metrics.accepted, metrics.closed);
    assert_eq!(metrics.responses.iter().sum::<u64>(), lines.len() as u64, "every response leaves a line");
    let readable = lines.iter().filter(|line| !line.target().is_empty()).count();
    assert_eq!(metrics.requests, readable as u64, "every request leaves a line");
    ends_agree(metrics.requests_ended.iter(), lines);
    let ended: u64 = metrics.connections_ended.iter().map(|(.., count)| count).sum();
    assert_eq!(ended, metrics.closed, "every connection ends once");
}

/// The log, as far as it tells what became of a request.
struct Lines<'a> {
    by_id: HashMap<usize, &'a Line>,
    /// Clients of whose heads one could not be read.
    nameless: Vec<IpAddr>,
    /// Those that did not even read what was wrong with a head that nobody understood.
    given_up: Vec<IpAddr>,
}

impl<'a> Lines<'a> {
    fn new(lines: &'a [Line], requests: usize) -> Lines<'a> {
        let (named, nameless): (Vec<_>, Vec<_>) = lines.iter().partition(|line| !line.target().is_empty());
        let mut by_id = HashMap::new();
        for line in named {
            let id = line.target()[1..].parse().expect("a number");
            assert!(id < requests, "nobody asked for this: {line:?}");
            assert!(by_id.insert(id, line).is_none(), "request {id} has two lines: {line:?}");
        }
        let given_up = nameless.iter().filter(|line| ends_in_reset(line, false)).map(|line| line.client());
        let given_up = given_up.collect();
        Lines { by_id, nameless: nameless.iter().map(|line| line.client()).collect(), given_up }
    }
}

/// One request: what its client got is what the log says, and if that is nothing, the log says why.
fn request(world: &World, wire: &Wire, client: &Client, place: usize, lines: &Lines<'_>) {
    let id = client.script[place];
    let request = &world.book.requests[id];
    let line = lines.by_id.get(&id);
    assert!(request.arrivals == 0 || line.is_some(), "request {id} reached a backend and left no line");
    if let Some(line) = line
        && line.field("ended_by") == "backend"
    {
        let sent_to: Vec<String> = request.sent_to.iter().map(|number| format!("b{number}")).collect();
        assert!(sent_to.iter().any(|name| name == line.field("backend")), "sent to {sent_to:?}: {line:?}");
    }
    match (request.answered, line) {
        (Some((status, bytes)), Some(line)) => {
            assert_eq!(status, line.status(), "request {id}: {line:?}");
            assert!(
                status == 101 || line.content_bytes() == bytes as u64,
                "{bytes} bytes for request {id}: {line:?}"
            );
        }
        (Some((status, _)), None) => {
            assert!((400..600).contains(&status), "request {id} was served, and left no line")
        }
        (None, Some(line)) => {
            let heard = wire.link.ends[super::super::tcp::PEER].arrived;
            let is_reset = |id: &usize| {
                lines.by_id.get(id).is_some_and(|line| ends_in_reset(line, world.book.requests[*id].old))
            };
            let later_cut = client.script[place + 1..].iter().any(is_reset)
                || lines.given_up.contains(&wire.address.ip());
            let drained = world.knobs.drain_at.is_some_and(|at| wire.dropped_at >= at + DRAIN_TIMEOUT);
            let unread = heard > client.stream.received;
            // An idle connection was closed as the next request came, which resets it.
            let unserved =
                |later| client.start_of(later).is_some() && !lines.by_id.contains_key(&client.script[later]);
            let crossed = wire.fin_at.is_none() && (place + 1..client.script.len()).any(unserved);
            // Who neither reads nor closes is not waited for, once told of the end.
            let lingered = wire.fin_at.is_some_and(|at| wire.dropped_at >= at + LINGER);
            let cut_short =
                client.vanished || client.deaf || unread || later_cut || drained || lingered || crossed;
            let finished = line.field("cause") == "finished";
            assert!(
                !finished || cut_short,
                "request {id} of {} was served, and got no answer: {line:?}",
                wire.address
            );
        }
        (None, None) => {
            let earlier_ended = client.answered < place || client.told_close || client.tunnel.is_some();
            // What the proxy has read of it, if it read everything that came.
            let end = &wire.link.ends[PROXY];
            let has_read =
                client.start_of(place).is_some_and(|start| start < end.arrived) && end.receive.is_empty();
            let ignored = has_read && request.written && !earlier_ended;
            let refused = lines.nameless.contains(&wire.address.ip());
            let excused = refused || client.vanished || client.deaf || world.knobs.drain_at.is_some();
            assert!(
                !ignored || excused,
                "request {id} of {} was never answered, nor is there a line",
                wire.address
            );
        }
    }
}

/// Whether the proxy had to end it in a way that may destroy what it said before.
fn ends_in_reset(line: &Line, old: bool) -> bool {
    match line.field("cause") {
        "finished" => false,
        // A client that does not even read an answer of our own is given up.
        "body_timeout" => old || !STATUSES.contains(&line.status()),
        "drain_timeout" => true,
        // Where the end of an answer is told by closing, only a reset tells that this was not it.
        _ => old,
    }
}

fn nobody_waits_for_ever(world: &World, wire: &Wire, client: &Client, knobs: &HttpKnobs) {
    let silence = wire.dropped_at.saturating_sub(wire.moved_at);
    let told = wire.fin_at.is_some();
    let queue = world.knobs.operation.as_ref().map_or(Duration::ZERO, |operation| operation.queue_timeout);
    let most = if told { LINGER_MAX + SLACK } else { knobs.patience(CONNECT_TIMEOUT) + queue * 4 };
    // A tunnel has the time limits of TCP.
    let asks_for_tunnel = client.script.iter().any(|id| world.book.requests[*id].upgrade);
    assert!(asks_for_tunnel || silence <= most, "{silence:?} of silence towards {}", wire.address);
}

/// Where nobody fails and nobody is slow, every request is served.
fn all_is_well_in_calm_weather(world: &World, client: &Client, knobs: &HttpKnobs) {
    if !knobs.calm {
        return;
    }
    for (place, &id) in client.script.iter().enumerate() {
        let request = &world.book.requests[id];
        let told_before = place >= client.answered && client.told_close;
        assert!(request.answered.is_some() || told_before, "request {id} was not answered");
        if request.answered.is_some() {
            assert_eq!(request.arrivals, 1, "request {id}, answered {:?}", request.answered);
        }
    }
    if let Some(tunnel) = &client.tunnel {
        assert!(tunnel.complete, "a tunnel broke off");
    }
}

fn count(world: &mut World, lines: &[Line]) {
    for line in lines {
        let gave_up = |what: &&&str| what.strip_prefix("gave up: ") == Some(line.field("cause"));
        if let Some(what) = MUST_HAPPEN.iter().chain(RARE).find(gave_up) {
            world.book.count(what);
        }
    }
    let complete = world.wires.iter().filter_map(|wire| match &wire.party {
        Some(Party::Client(client)) => client.tunnel.as_ref(),
        _ => None,
    });
    let complete = complete.filter(|tunnel| tunnel.complete).count();
    (0..complete).for_each(|_| world.book.count("tunnel complete"));
}
