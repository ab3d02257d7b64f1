//! The picture as Prometheus reads it (text format 0.0.4).

use std::fmt::Write;

use super::Measured;
use super::stats::{Backend, Frontend, Pool, Stats, Worker};
use crate::histogram::{BOUNDS_US, Histogram};
use crate::http;

/// The type of what [`render`] gives.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Classes of responses, by the first digit of their status.
const CLASSES: [&str; http::CLASSES] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// All that is counted and measured.
pub fn render(stats: &Stats, Measured { answers, lag }: &Measured) -> String {
    let mut page = Page(String::with_capacity(16 * 1024));
    process(&mut page, stats);
    workers(&mut page, stats);
    page.family("loop_lag_seconds", "histogram", "How long a turn of the loop took, of one in sixteen.");
    for (worker, histogram) in lag {
        page.histogram("loop_lag_seconds", &[("worker", &worker.to_string())], histogram);
    }
    frontends(&mut page, stats);
    ended(&mut page, stats);
    totals(&mut page, stats);
    pools(&mut page, stats);
    backends(&mut page, stats);
    page.family(
        "backend_answer_seconds",
        "histogram",
        "From the end of a request to the head of its response; in TCP mode, from a client's last byte to the backend's first.",
    );
    for (pool, backend, histogram) in answers {
        page.histogram("backend_answer_seconds", &[("pool", pool), ("backend", backend)], histogram);
    }
    page.0
}

/// Name, type, help, and what the value of each is.
type Family<T> = (&'static str, &'static str, &'static str, fn(&T) -> f64);

/// The text so far.
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.write(format_args!("# HELP lbproxy_{name} {help}\n# TYPE lbproxy_{name} {kind}\n"));
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.write(format_args!("lbproxy_{name}{} {value}\n", Labels(labels)));
    }

    /// Families of which everything has a sample.
    fn families<'a, T: 'a, const LABELS: usize>(
        &mut self,
        families: &[Family<T>],
        all: impl Iterator<Item = ([(&'a str, &'a str); LABELS], &'a T)> + Clone,
    ) {
        for (name, kind, help, value) in families {
            self.family(name, kind, help);
            all.clone().for_each(|(labels, one)| self.sample(name, &labels, value(one)));
        }
    }

    /// A family of one.
    fn single(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    fn histogram(&mut self, name: &str, labels: &[(&str, &str)], histogram: &Histogram) {
        let mut all = 0;
        for (count, bound_us) in histogram.counts.iter().zip(BOUNDS_US) {
            all += count;
            let bound = (bound_us as f64 / 1e6).to_string();
            let with_bound: Vec<_> = labels.iter().copied().chain([("le", &*bound)]).collect();
            self.sample(&format!("{name}_bucket"), &with_bound, all as f64);
        }
        let with_bound: Vec<_> = labels.iter().copied().chain([("le", "+Inf")]).collect();
        self.sample(&format!("{name}_bucket"), &with_bound, histogram.count() as f64);
        self.sample(&format!("{name}_sum"), labels, histogram.sum_us as f64 / 1e6);
        self.sample(&format!("{name}_count"), labels, histogram.count() as f64);
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        let written = self.0.write_fmt(text);
        debug_assert!(written.is_ok(), "a String takes everything");
    }
}

/// Labels as the format wants them.
struct Labels<'a>(&'a [(&'a str, &'a str)]);

impl std::fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (name, value)) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { "{" } else { "," })?;
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            write!(f, "{name}=\"{value}\"")?;
        }
        f.write_str(if self.0.is_empty() { "" } else { "}" })
    }
}

fn process(page: &mut Page, stats: &Stats) {
    page.family("build_info", "gauge", "The version of lbproxy, as a label.");
    page.sample("build_info", &[("version", &stats.version)], 1.0);
    page.single("uptime_seconds", "gauge", "Since the process started.", stats.uptime_s as f64);
    page.single(
        "draining",
        "gauge",
        "1 while it takes no new clients.",
        f64::from(u8::from(stats.state == "draining")),
    );
    page.single(
        "saturated",
        "gauge",
        "What is short now, as /stats says in words.",
        stats.saturation.len() as f64,
    );
    page.single("open_fds", "gauge", "File descriptors open.", stats.open_fds as f64);
    page.single("max_fds", "gauge", "File descriptors that may be open.", stats.max_fds as f64);
}

fn workers(page: &mut Page, stats: &Stats) {
    let families: [Family<Worker>; 8] = [
        ("sessions", "gauge", "Clients connected.", |worker| worker.sessions as f64),
        ("sessions_max", "gauge", "Clients that may be connected.", |worker| worker.max_connections as f64),
        ("run_queue_length", "gauge", "Sessions that wait for another turn.", |worker| {
            worker.run_queue as f64
        }),
        ("buffers_in_use", "gauge", "Relay buffers that hold something.", |worker| worker.buffers as f64),
        ("backend_connections", "gauge", "Connections to backends, idle ones included.", |worker| {
            worker.links as f64
        }),
        ("loop_turns_total", "counter", "Turns of the loop.", |worker| worker.turns as f64),
        ("loop_busy_ratio", "gauge", "Part of the last second that the loop was on a CPU.", |worker| {
            worker.busy
        }),
        ("loop_starved_ratio", "gauge", "Part of it that the loop waited for a CPU.", |worker| {
            worker.starved
        }),
    ];
    let numbers: Vec<String> = stats.workers.iter().map(|worker| worker.worker.to_string()).collect();
    let labels = numbers.iter().map(|number| [("worker", &**number)]);
    page.families(&families, labels.zip(&stats.workers));
}

fn frontends(page: &mut Page, stats: &Stats) {
    let families: [Family<Frontend>; 4] = [
        ("frontend_connections_total", "counter", "Clients accepted.", |one| one.accepted as f64),
        ("frontend_connections", "gauge", "Clients connected.", |one| one.open as f64),
        ("frontend_accept_queue", "gauge", "Connections in the kernel's queue.", |one| f64::from(one.queue)),
        ("frontend_accept_queue_max", "gauge", "Connections that fit there.", |one| {
            f64::from(one.queue_most)
        }),
    ];
    page.families(&families, stats.frontends.iter().map(|one| ([("frontend", &*one.name)], one)));
    let name = "frontend_responses_total";
    page.family(name, "counter", "Responses by class of status; none: requests that got none.");
    for frontend in stats.frontends.iter().filter(|frontend| frontend.mode == "http") {
        for (class, count) in CLASSES.iter().zip(frontend.responses) {
            page.sample(name, &[("frontend", &frontend.name), ("class", class)], count as f64);
        }
    }
}

fn ended(page: &mut Page, stats: &Stats) {
    for (name, help, all) in [
        (
            "connections_ended_total",
            "Connections of clients by who ended them, and why.",
            &stats.connections_ended,
        ),
        ("requests_ended_total", "Requests by who ended them, and why.", &stats.requests_ended),
    ] {
        page.family(name, "counter", help);
        for ended in all {
            page.sample(name, &[("side", &ended.side), ("cause", &ended.cause)], ended.count as f64);
        }
    }
}

fn totals(page: &mut Page, stats: &Stats) {
    let totals = &stats.totals;
    for (name, help, count) in [
        ("requests_total", "HTTP requests with a head that could be read.", totals.requests),
        ("requests_refused_total", "Requests refused as malformed or too large.", totals.refused),
        (
            "requests_reused_total",
            "Requests on a backend's connection that had served before.",
            totals.reused,
        ),
        ("retries_total", "Requests sent once more.", totals.retries),
        ("connects_failed_total", "Connects to backends that failed.", totals.connects_failed),
        ("checks_failed_total", "Checks of backends that failed.", totals.checks_failed),
        ("unserved_total", "Clients, or requests, that found no backend.", totals.unserved),
        ("queued_total", "Clients, or requests, that had to wait for room.", totals.queued),
        ("queue_refused_total", "Those of them that did not get it.", totals.queue_refused),
        ("client_limited_total", "Clients that had as much as they may.", totals.client_limited),
        (
            "accept_pauses_total",
            "Times accepting paused for want of descriptors or memory.",
            totals.accept_pauses,
        ),
        ("limit_reached_total", "Times max_connections was reached.", totals.limit_reached),
        ("sessions_cut_total", "Sessions cut because draining took too long.", totals.cut),
        ("admin_requests_total", "Requests to the admin endpoint.", totals.admin_requests),
        ("admin_events_dropped_total", "Events that a reader there was too slow for.", totals.events_dropped),
    ] {
        page.single(name, "counter", help, count as f64);
    }
}

fn pools(page: &mut Page, stats: &Stats) {
    page.family("pool_waiting", "gauge", "Clients, or requests, that wait for room.");
    for pool in &stats.pools {
        page.sample("pool_waiting", &[("pool", &pool.name)], pool.waiting as f64);
    }
}

fn backends(page: &mut Page, stats: &Stats) {
    let all = || stats.pools.iter().flat_map(|pool| pool.backends.iter().map(move |backend| (pool, backend)));
    fn labels<'a>(pool: &'a Pool, backend: &'a Backend) -> [(&'a str, &'a str); 2] {
        [("pool", &pool.name), ("backend", &backend.name)]
    }
    let families: [Family<Backend>; 5] = [
        ("backend_up", "gauge", "1 if new clients go there.", |one| f64::from(u8::from(one.is_available()))),
        ("backend_weight", "gauge", "Its share relative to the others'.", |one| f64::from(one.weight)),
        ("backend_in_flight", "gauge", "Connections now; in HTTP mode, requests.", |one| {
            f64::from(one.in_flight)
        }),
        ("backend_chosen_total", "counter", "Connections, or requests, given to it.", |one| {
            one.chosen as f64
        }),
        ("backend_connects_failed_total", "counter", "Connects to it that failed.", |one| {
            one.connects_failed as f64
        }),
    ];
    page.families(&families, all().map(|(pool, backend)| (labels(pool, backend), backend)));
    let name = "backend_responses_total";
    page.family(name, "counter", "Responses by class of status.");
    for (pool, backend) in all() {
        for (class, count) in CLASSES.iter().zip(backend.responses).skip(1) {
            let [a, b] = labels(pool, backend);
            page.sample(name, &[a, b, ("class", class)], count as f64);
        }
    }
    let name = "backend_bytes_total";
    page.family(name, "counter", "Bytes to it (up) and from it (down); in HTTP mode, of content.");
    for (pool, backend) in all() {
        for (direction, count) in [("up", backend.up_bytes), ("down", backend.down_bytes)] {
            let [a, b] = labels(pool, backend);
            page.sample(name, &[a, b, ("direction", direction)], count as f64);
        }
    }
}
