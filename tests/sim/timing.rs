//! Time: every timeout takes effect when it is due, neither before nor much later.

use std::time::Duration;

use super::record::Line;
use super::world::{Wire, World};
use super::{CONNECT_TIMEOUT, HALF_CLOSE_TIMEOUT, IDLE_TIMEOUT};

/// A turn takes its time, and timers count from its beginning.
const SLACK: Duration = Duration::from_millis(2);

/// Checks one session, all of whose sockets are closed.
pub fn check(world: &World, client: &Wire, line: &Line) {
    let Some(session) = client.session else { return };
    let backends = world.wires.iter().filter(|wire| wire.backend.is_some() && wire.session == Some(session));
    backends.clone().for_each(connects_are_given_up);
    // Whatever the proxy did to this client, or to a backend on its behalf.
    let moved_at = backends.map(|wire| wire.moved_at).fold(client.moved_at, Duration::max);
    let silence = client.dropped_at - moved_at;
    match line.field("cause") {
        "idle_timeout" => on_time(silence, IDLE_TIMEOUT, line),
        "half_close_timeout" => on_time(silence, HALF_CLOSE_TIMEOUT, line),
        // Only a peer that a reset waits for is looked at from time to time, and that within its own bound.
        "reset" => assert!(silence <= HALF_CLOSE_TIMEOUT * 5 / 4 + SLACK, "{silence:?} of silence: {line:?}"),
        _ => assert!(silence <= IDLE_TIMEOUT + SLACK, "{silence:?} of silence: {line:?}"),
    }
}

fn on_time(silence: Duration, timeout: Duration, line: &Line) {
    assert!(silence >= timeout, "early, after {silence:?} of silence: {line:?}");
    assert!(silence <= timeout + SLACK, "late, after {silence:?} of silence: {line:?}");
}

fn connects_are_given_up(backend: &Wire) {
    if !backend.link.ends[super::tcp::PROXY].established {
        let waited = backend.dropped_at - backend.opened_at;
        assert!(waited <= CONNECT_TIMEOUT + SLACK, "waited {waited:?} for {}", backend.address);
    }
}
