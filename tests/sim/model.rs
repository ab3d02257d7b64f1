//! What must hold whatever happened: the shadow model that the proxy's deeds are held against.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;

use lbproxy::balance::{Pool, Stats};
use lbproxy::metrics::FrontendCounts;
use lbproxy::proxy::Proxy;

use super::knobs::Mood;
use super::net::SimNet;
use super::peer::Peer;
use super::record::Line;
use super::tcp::{End, PEER, PROXY};
use super::timing;
use super::world::{Wire, World};

/// Checks a run that has come to its end.
pub fn check(world: &World, proxy: &Proxy<SimNet>, pool: &Pool, lines: &[Line]) {
    nothing_is_left(world, proxy, pool);
    nobody_is_dropped(world, proxy);
    counters_agree(proxy, pool, lines);
    assert!(
        (proxy.metrics().connects_failed + proxy.metrics().checks_failed) as usize >= world.refusals_told,
        "a refusal taken for something else"
    );
    let by_stream = backends_by_client(world);
    for line in lines {
        let client = client_of(world, line);
        let backend = by_stream.get(&client).map(|&index| &world.wires[index]);
        session(world, &world.wires[client], backend, line);
        nothing_heard_is_dropped(world, &world.wires[client], line);
        timing::check(world, &world.wires[client], line);
    }
}

pub fn nothing_is_left(world: &World, proxy: &Proxy<SimNet>, pool: &Pool) {
    assert_eq!(proxy.open_sessions(), 0, "sessions left that nothing will ever wake");
    assert_eq!(proxy.ctx().buffers.in_use(), 0, "buffers left");
    assert_eq!(proxy.ctx().buffers.ducts.in_use(), 0, "ducts left");
    assert_eq!(proxy.ctx().links.len(), 0, "connections to backends left");
    for backend in pool.backends() {
        assert_eq!(backend.connections(), 0, "connections still counted against {}", backend.name);
    }
    for (index, wire) in world.wires.iter().enumerate() {
        assert!(wire.probe || wire.link.ends[PROXY].closed, "wire {index} was never closed");
    }
}

/// Closing a listener resets who is queued: nobody should be, unless the proxy could not accept them.
pub fn nobody_is_dropped(world: &World, proxy: &Proxy<SimNet>) {
    let excused = proxy.metrics().limit_reached > 0 || proxy.metrics().accept_pauses > 0;
    assert!(world.reset_in_queue == 0 || excused, "{} clients dropped from the queue", world.reset_in_queue);
}

fn counters_agree(proxy: &Proxy<SimNet>, pool: &Pool, lines: &[Line]) {
    let metrics = proxy.metrics();
    assert_eq!(metrics.accepted, metrics.closed);
    let turned_away = metrics.client_limited;
    assert_eq!(metrics.closed - turned_away, lines.len() as u64, "every session leaves one line");
    let sum = |key| lines.iter().map(|line| line.number(key)).sum::<u64>();
    assert!(metrics.up_bytes >= sum("up_bytes") && metrics.down_bytes >= sum("down_bytes"));
    let cut = lines.iter().filter(|line| line.field("cause") == "drain_timeout").count();
    assert_eq!(metrics.cut, cut as u64);
    let on = |count: fn(&FrontendCounts) -> u64| metrics.frontends.iter().map(count).sum::<u64>();
    assert_eq!((on(|one| one.accepted), on(|one| one.closed)), (metrics.accepted, metrics.closed));
    // Who is turned away leaves no line.
    ends_agree(metrics.connections_ended.iter().filter(|(_, cause, _)| *cause != "client_limit"), lines);
    let bytes = |count: fn(&Stats) -> u64| pool.backends().iter().map(|one| count(one.stats())).sum::<u64>();
    let given = (bytes(|stats| stats.up_bytes.load(Relaxed)), bytes(|stats| stats.down_bytes.load(Relaxed)));
    assert!(given.0 <= metrics.up_bytes && given.1 <= metrics.down_bytes, "{given:?} of {metrics:?}");
}

/// Whether what is counted of how something ended is what the log says.
pub fn ends_agree<'a>(counted: impl Iterator<Item = (&'a str, &'a str, u64)>, lines: &[Line]) {
    let first_word = |cause: &str| cause.split(' ').next().unwrap_or_default().to_owned();
    let mut balance: HashMap<(String, String), i64> = HashMap::new();
    for (side, cause, count) in counted {
        *balance.entry((side.to_owned(), first_word(cause))).or_default() += count as i64;
    }
    for line in lines {
        let cause = first_word(line.field("cause").trim_matches('"'));
        *balance.entry((line.field("ended_by").to_owned(), cause)).or_default() -= 1;
    }
    balance.retain(|_, count| *count != 0);
    assert!(balance.is_empty(), "counted more often, or less, than the log says: {balance:?}");
}

fn client_of(world: &World, line: &Line) -> usize {
    let address = line.field("client").parse().expect("an address");
    let is_it = |wire: &Wire| wire.backend.is_none() && wire.address == address;
    world.wires.iter().position(is_it).expect("a client that was there")
}

/// Which wire to a backend carried which client's session, as far as bytes tell.
fn backends_by_client(world: &World) -> HashMap<usize, usize> {
    let mut pairs = HashMap::new();
    for (index, wire) in world.wires.iter().enumerate() {
        let Some(hears) = wire.peer.as_ref().and_then(Peer::hears) else { continue };
        let (client, backend) = match wire.backend {
            Some(_) => (hears as usize, index),
            None => (index, hears as usize),
        };
        assert!(world.wires[client].backend.is_none(), "wire {index} hears another backend");
        assert!(world.wires[backend].backend.is_some(), "wire {index} hears another client");
        let before = pairs.insert(client, backend);
        assert!(before.is_none_or(|before| before == backend), "client {client} was heard by two backends");
    }
    let mut backends: Vec<_> = pairs.values().collect();
    backends.sort();
    backends.dedup();
    assert_eq!(backends.len(), pairs.len(), "two clients share a backend's connection");
    pairs
}

/// A backend that has spoken is not replaced by another one.
fn nothing_heard_is_dropped(world: &World, client: &Wire, line: &Line) {
    let spoke = |wire: &&Wire| wire.backend.is_some() && wire.link.ends[PROXY].arrived > 0;
    let own = |wire: &&Wire| wire.session.is_some() && wire.session == client.session;
    let speakers = world.wires.iter().filter(own).filter(spoke).count();
    let most = usize::from(!matches!(line.field("cause"), "no_backend" | "queue_full" | "queue_timeout"));
    assert!(speakers <= most, "{speakers} backends spoke: {line:?}");
}

/// One session, by the reason it gave.
fn session(world: &World, client: &Wire, backend: Option<&Wire>, line: &Line) {
    let peers = backend.and_then(|backend| Some((client.peer.as_ref()?, backend.peer.as_ref()?)));
    if let Some((client_peer, backend_peer)) = peers {
        let backend = backend.expect("it has a peer");
        let both =
            [(client, client_peer, backend, backend_peer), (backend, backend_peer, client, client_peer)];
        for (source, from, sink, to) in both {
            assert!(to.received <= from.sent, "{} heard more than {} said", to.id, from.id);
            a_clean_end_is_complete(source, from, sink, to, line);
            // A reader that sleeps for too long is not waited for.
            if world.knobs.long_pauses == 0 {
                a_break_follows_what_was_owed(source, from, sink, to, line);
            }
        }
        assert_eq!(line.field("backend"), format!("b{}", backend.backend.expect("it leads to a backend")));
    }
    match line.field("cause") {
        "finished" => assert_ne!(line.field("ended_by"), "proxy"),
        "reset" => assert_ne!(line.field("ended_by"), "proxy"),
        "no_backend" => assert!(world.operators_may_refuse() || nobody_would_have_served(world)),
        "queue_full" | "queue_timeout" | "backend_down" => assert!(world.operators_may_refuse()),
        "out_of_sockets" => assert!(world.knobs.connect_exhausted + world.knobs.watch_exhausted > 0),
        "drain_timeout" => assert!(world.knobs.drain_at.is_some()),
        "idle_timeout" | "half_close_timeout" => {
            // A peer may pause for longer than it is granted.
            if world.knobs.long_pauses == 0 {
                somebody_was_stuck(client, backend, line);
            }
        }
        cause => panic!("an unheard-of cause: {cause}"),
    }
}

/// Who sees a FIN has everything, from somebody who sent a FIN; unless the session says that it was cut.
fn a_clean_end_is_complete(source: &Wire, from: &Peer, sink: &Wire, to: &Peer, line: &Line) {
    if !to.saw_end || cut_by_proxy(line) {
        return;
    }
    let what = format!("{} saw the end of {}: {line:?}", to.id, from.id);
    let source_end: &End = &source.link.ends[PEER];
    assert!(source_end.fin_queued || from.aborted, "{what}, which had none");
    assert_eq!(to.received, from.sent, "{what}, but not all of it");
    let _ = sink;
}

/// When a peer breaks, the other one still gets what had arrived, if it listens, before it is reset in turn.
fn a_break_follows_what_was_owed(source: &Wire, from: &Peer, sink: &Wire, to: &Peer, line: &Line) {
    let listens = !to.script.deaf && !to.aborted;
    let by_source = (line.field("ended_by") == "client") == source.backend.is_none();
    if line.field("cause") != "reset" || !by_source || !listens {
        return;
    }
    let arrived = source.link.ends[PROXY].arrived;
    assert_eq!(
        to.received, arrived,
        "{} was owed what {} had sent before it broke: {line:?}",
        to.id, from.id
    );
    let over = sink.link.ends[PEER].reset || sink.link.ends[PEER].fin_queued;
    assert!(over, "{} was not told that {} broke", to.id, from.id);
}

fn cut_by_proxy(line: &Line) -> bool {
    line.field("ended_by") == "proxy"
}

/// With nobody to refuse, a client is given up only where no backend would have served it.
fn nobody_would_have_served(world: &World) -> bool {
    let tried_all = world.knobs.connect_attempts as usize >= world.knobs.moods.len();
    let always_up = world.knobs.moods.contains(&Mood::Up);
    // One that is up may still reset a connection before anything was said on it.
    let quit = world.wires.iter().any(|wire| {
        let silent = wire.backend.is_some() && wire.link.ends[PROXY].arrived == 0;
        silent && wire.peer.as_ref().is_some_and(|peer| peer.aborted)
    });
    assert!(!(tried_all && always_up) || quit, "given up with a healthy backend untried");
    true
}

/// Time ran out only where a peer's script allows for it: it does not read, or both wait for the other one's end.
fn somebody_was_stuck(client: &Wire, backend: Option<&Wire>, line: &Line) {
    let Some((client, backend)) = client.peer.as_ref().zip(backend.and_then(|wire| wire.peer.as_ref()))
    else {
        return; // Nothing was said, so we cannot tell who was there.
    };
    if client.script.deaf || backend.script.deaf {
        return;
    }
    let both_wait = client.script.finishes_last && backend.script.finishes_last;
    assert!(both_wait, "timed out although both peers were willing: {line:?}");
    for (from, to) in [(client, backend), (backend, client)] {
        assert_eq!(from.sent, from.script.to_send, "timed out with something left to send: {line:?}");
        assert_eq!(to.received, from.sent, "timed out with something left to deliver: {line:?}");
    }
}
