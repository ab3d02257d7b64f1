//! What differs from seed to seed in HTTP mode only.

use std::time::Duration;

use fastrand::Rng;
use lbproxy::config::{Config, Limits, Mode, Sticky, Timeouts};

use super::super::knobs::{Knobs, Mood, log_uniform, sometimes};
use super::super::operation::Operation;

/// The longest wait that a peer allows itself.
const LONG_PAUSE_US: u64 = 8_000_000;

/// The nature of clients, backends and the proxy, where they speak HTTP.
#[derive(Clone, Debug)]
pub struct HttpKnobs {
    /// Everybody means well and is in no hurry: every request must be served.
    pub calm: bool,
    pub content_bytes: usize,
    pub head_bytes: usize,
    /// Chances out of 1000 that a head has fields that nobody needs.
    pub padded: u32,
    /// Chances out of 1000: per client, per request, per answer, and per connection that waits.
    pub vanish: u32,
    pub faults: u32,
    pub misdeeds: u32,
    pub idle_closes: u32,
    /// Per step of a peer.
    pub long_pauses: u32,
    pub long_pause_us: u64,
    head: Duration,
    body: Duration,
    response: Duration,
    keep_alive: Duration,
    backend_idle: Duration,
    request: Option<Duration>,
    body_bytes: Option<u64>,
    max_idle: usize,
    retry_percent: u32,
    sticky: bool,
}

impl HttpKnobs {
    pub fn draw(rng: &mut Rng) -> HttpKnobs {
        let calm = rng.u8(..3) == 0;
        // Short ones, so that each of them comes true; long ones where none may.
        let mut timeout = || match calm {
            true => Duration::from_secs(3_600),
            false => Duration::from_micros(log_uniform(rng, 30_000, 20_000_000) as u64),
        };
        let (head, body, response) = (timeout(), timeout(), timeout());
        let (keep_alive, backend_idle) = (timeout(), timeout());
        let request = Duration::from_micros(log_uniform(rng, 2_000, 5_000_000) as u64);
        let mut chance = |most| if calm { 0 } else { sometimes(rng, most) };
        let (vanish, faults, misdeeds) = (chance(400), chance(600), chance(300));
        let (idle_closes, long_pauses) = (chance(500), chance(60));
        HttpKnobs {
            calm,
            content_bytes: log_uniform(rng, 1, 6_000),
            head_bytes: 1_024,
            padded: 300,
            vanish,
            faults,
            misdeeds,
            idle_closes,
            long_pauses,
            long_pause_us: log_uniform(rng, 20_000, LONG_PAUSE_US as usize) as u64,
            head,
            body,
            response,
            keep_alive,
            backend_idle,
            request: (!calm && rng.u8(..4) == 0).then_some(request),
            body_bytes: (!calm && rng.u8(..6) == 0).then(|| log_uniform(rng, 16, 4_000) as u64),
            max_idle: if rng.u8(..6) == 0 { 0 } else { rng.usize(1..=4) },
            retry_percent: rng.u32(0..=100),
            sticky: rng.u8(..4) == 0,
        }
    }

    /// Puts them into a configuration.
    pub fn configure(&self, config: &mut Config) {
        config.timeouts = Timeouts {
            head: self.head,
            body: self.body,
            response: self.response,
            keep_alive: self.keep_alive,
            backend_idle: self.backend_idle,
            request: self.request,
            ..config.timeouts.clone()
        };
        config.limits = Limits {
            head_bytes: self.head_bytes,
            target_bytes: 256,
            fields: 32,
            body_bytes: self.body_bytes,
            max_idle: self.max_idle,
            retry_budget_percent: self.retry_percent,
            ..config.limits.clone()
        };
        config.frontends[0].mode = Mode::Http;
        config.pools[0].sticky =
            self.sticky.then(|| Sticky { cookie: "lb".into(), ttl: None, secure: false });
    }

    /// No client is left waiting for longer than this, whatever happens.
    pub fn patience(&self, connect: Duration) -> Duration {
        let waits = [self.head, self.body, self.response, self.keep_alive, connect * 4];
        waits.into_iter().max().expect("there are some") + Duration::from_secs(6)
    }
}

/// The knobs of a run in HTTP mode.
pub fn draw(rng: &mut Rng) -> Knobs {
    let mut knobs = Knobs::draw(rng);
    let mut http = HttpKnobs::draw(rng);
    knobs.clients = rng.usize(1..=8);
    knobs.arrivals = Duration::from_millis(rng.u64(0..=1_000));
    knobs.buffer_bytes = log_uniform(rng, 2_048, 16_384);
    knobs.turn_bytes = if rng.bool() { knobs.buffer_bytes } else { log_uniform(rng, 4, 8_192) };
    knobs.send_capacity = log_uniform(rng, 64, 16_384);
    knobs.receive_capacity = log_uniform(rng, 64, 16_384);
    knobs.segment_bytes = log_uniform(rng, 16, 8_192);
    knobs.latency_us = log_uniform(rng, 1, 5_000) as u64;
    knobs.long_pauses = 0;
    match rng.u8(..8) {
        0 | 1 => {
            // Many requests in one buffer, at its very end, too.
            (knobs.buffer_bytes, knobs.receive_capacity, knobs.send_capacity) = (2_048, 4_096, 4_096);
            knobs.segment_bytes = log_uniform(rng, 256, 8_192);
            (http.content_bytes, http.padded) = (http.content_bytes.min(100), 900);
        }
        2 => {
            // Bodies that take many turns, with more to be had after each.
            (knobs.buffer_bytes, knobs.turn_bytes) = (2_048, 2_048 * rng.usize(1..=4));
            (knobs.receive_capacity, knobs.send_capacity, knobs.segment_bytes) = (32_768, 32_768, 32_768);
            (http.content_bytes, knobs.clients) = (16_000, knobs.clients.min(2));
            if !http.calm {
                http.request = Some(Duration::from_micros(log_uniform(rng, 1_000, 100_000) as u64));
            }
        }
        3 => {
            // The proxy learns late that an idle connection was closed.
            (knobs.event_batch, knobs.clients, knobs.spurious) = (1, 8, 0);
            knobs.arrivals = Duration::from_millis(5);
            http.idle_closes = if http.calm { 0 } else { 900 };
        }
        _ => {}
    }
    if http.calm {
        knobs.moods.fill(Mood::Up);
        (knobs.connect_exhausted, knobs.watch_exhausted, knobs.drain_at) = (0, 0, None);
    } else {
        knobs.moods.iter_mut().for_each(|mood| {
            // Otherwise too few requests get anywhere.
            if rng.bool() {
                *mood = Mood::Up;
            }
        });
        knobs.connect_exhausted /= 4;
    }
    knobs.http = Some(http);
    // Once more: what is calm shall stay so.
    knobs.operation = Operation::draw(rng, &knobs);
    knobs
}
