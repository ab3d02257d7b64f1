//! The simulation, tested: the proxy is broken on purpose, in every way listed here, and each time `tests/sim`, or where
//! a policy is broken `tests/policies`, must notice. It takes minutes, so it only runs when asked for:
//! `cargo test --test mutations -- --ignored`; with `MUTATION=words` only those whose name contains the words.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use lbproxy::net::os::now;

/// One way to break the proxy: in `file`, `find` (which occurs once) becomes `replace`.
struct Mutation {
    what: &'static str,
    file: &'static str,
    find: &'static str,
    replace: &'static str,
}

/// Seeds that each broken proxy gets to betray itself: most need a few hundred, a few some ten thousand.
const SEEDS: &str = "20000";
/// Seeds that the proxy as it is has to pass before.
const SEEDS_BEFORE: &str = "600";
/// Some mutations make the proxy loop for ever: so many seconds are enough for a run.
const PATIENCE_S: &str = "120";
/// A first build has all that the proxy depends on to build, on a machine that may have much else to do.
const BUILD_PATIENCE_S: &str = "900";
/// Mutations tried at once: building one keeps more than one CPU busy, and its tests do not.
const COPIES: usize = 2;
/// How timeout(1) exits when it had to.
const EXIT_TIMED_OUT: i32 = 124;
/// What takes long to build and is not mutated.
const ABOVE: [&str; 10] =
    ["cli", "control", "demo", "lab", "reach", "run", "top", "upgrade", "view", "worker"];

const MUTATIONS: &[Mutation] = &[
    Mutation {
        what: "POLICY: eject everybody for errors",
        file: "src/balance/pool.rs",
        find: "(ejected + 1) * 100 <=",
        replace: "(ejected * 0 + 1) * 100 <=",
    },
    Mutation {
        what: "POLICY: draw another lot for the same client",
        file: "src/balance/mod.rs",
        find: "if keyed { policy::client_key(choice.client()) } else { rng.u64(..) }",
        replace: "rng.u64(..)",
    },
    Mutation {
        what: "POLICY: give a backend that is back all of its share",
        file: "src/balance/backend.rs",
        find: "            self.slow_since_ms.store(now_ms, Relaxed);",
        replace: "            let _ = now_ms;",
    },
    Mutation {
        what: "POLICY: ask backups with everybody else",
        file: "src/balance/choice.rs",
        find: "        backend.is_backup() == self.backups\n            && backend.has_room()",
        replace: "        backend.has_room()",
    },
    Mutation {
        what: "POLICY: take a success for a check",
        file: "src/balance/penalty.rs",
        find: "until_ms != HEALTHY && until_ms != DOWN && self.replace",
        replace: "until_ms != HEALTHY && self.replace",
    },
    Mutation {
        what: "POLICY: send clients to a backend that is down",
        file: "src/balance/penalty.rs",
        find: "        now_ms < self.until_ms.load(Relaxed)",
        replace: "        self.until_ms.load(Relaxed) != DOWN && now_ms < self.until_ms.load(Relaxed)",
    },
    Mutation {
        what: "HTTP: keep waiting connections to backends that are gone",
        file: "src/proxy/renewal.rs",
        find: "                && pools.get(pool).is_some_and(|balancer| balancer.pool().contains(backend))\n",
        replace: "",
    },
    Mutation {
        what: "forget to release a client's connection",
        file: "src/clients.rs",
        find: "place.connections = place.connections.saturating_sub(1);",
        replace: "",
    },
    Mutation {
        what: "let one more wait than there are places",
        file: "src/balance/common.rs",
        find: "(before < most).then_some(ticket)",
        replace: "(before <= most).then_some(ticket)",
    },
    Mutation {
        what: "leave somebody in the line who has gone",
        file: "src/session/connect.rs",
        find: "Connect::Waiting(wait) => ctx.waiting.leave(wait.place),",
        replace: "Connect::Waiting(_) => {}",
    },
    Mutation {
        what: "forget that somebody no longer waits",
        file: "src/balance/common.rs",
        find: "self.common.waiting.fetch_sub(1, Relaxed);",
        replace: "",
    },
    Mutation {
        what: "HTTP: forget to tell that there is room",
        file: "src/balance/backend.rs",
        find: "            self.common.note_room();\n        }\n    }",
        replace: "        }\n    }",
    },
    Mutation {
        what: "forget to release a backend's counter",
        file: "src/balance/lease.rs",
        find: "self.backend.release();",
        replace: "",
    },
    Mutation {
        what: "POLICY: maglev: send a client to its backend, available or not",
        file: "src/balance/policy/maglev.rs",
        find: "if is_free {",
        replace: "if true {",
    },
    Mutation {
        what: "POLICY: let a backend have one more than its bound",
        file: "src/balance/bound.rs",
        find: "        taken < u128",
        replace: "        taken <= u128",
    },
    Mutation {
        what: "POLICY: peak_ewma: average a peak like any other time",
        file: "src/balance/latency.rs",
        find: "if word == UNKNOWN || time_s >= last.seconds {",
        replace: "if word == UNKNOWN {",
    },
    Mutation {
        what: "POLICY: peak_ewma: take the time of an error for that of an answer",
        file: "src/balance/latency.rs",
        find: "Estimate { seconds: raised.max(last.seconds).max(time_s), failed: true, at_ms }",
        replace: "Estimate { seconds: time_s + 0.0 * raised, failed: true, at_ms }",
    },
    Mutation {
        what: "POLICY: peak_ewma: let a backend that hangs look better and better",
        file: "src/balance/latency.rs",
        find: "DECAY_MS * (f64::from(in_flight) + 1.0)",
        replace: "DECAY_MS * (f64::from(in_flight) * 0.0 + 1.0)",
    },
    Mutation {
        what: "POLICY: peak_ewma: prefer who has not answered yet",
        file: "src/balance/policy/peak_ewma.rs",
        find: "_ => Load::of(one).cmp(Load::of(other)).is_lt(),",
        replace: "(one_cost, _) => one_cost.is_none() || Load::of(one).cmp(Load::of(other)).is_gt(),",
    },
    Mutation {
        what: "ignore the epoch of an event",
        file: "src/table.rs",
        find: "self.slots.get_mut(id.slot as usize)?;\n        (*epoch == id.epoch).then_some(tenant)",
        replace: "self.slots.get_mut(id.slot as usize)?;\n        let _ = epoch;\n        Some(tenant)",
    },
    Mutation {
        what: "forget that a connection to a backend is gone",
        file: "src/relay/links.rs",
        find: "        self.holders.remove(id);\n    }\n\n    /// Whom a connection serves now.",
        replace: "        let _ = id;\n    }\n\n    /// Whom a connection serves now.",
    },
    Mutation {
        what: "drop the run queue",
        file: "src/proxy/mod.rs",
        find: "self.run_queue.push_back(id);",
        replace: "",
    },
    Mutation {
        what: "take a spent budget for having nothing to do",
        file: "src/relay/pipe.rs",
        find: "return Progress::Spent;",
        replace: "return Progress::Waiting;",
    },
    Mutation {
        what: "ignore events of a session in the run queue",
        file: "src/proxy/mod.rs",
        find: "tenant.session.note(event);",
        replace: "if !tenant.queued { tenant.session.note(event); }",
    },
    Mutation {
        what: "clear readiness when a read filled the buffer",
        file: "src/relay/conn.rs",
        find: "Some(count) if count < space.len() && !self.read_closed",
        replace: "Some(count) if count <= space.len() && !self.read_closed",
    },
    Mutation {
        what: "clear readiness on a short read although the end is still to be read",
        file: "src/relay/conn.rs",
        find: "Some(count) if count < space.len() && !self.read_closed",
        replace: "Some(count) if count < space.len()",
    },
    Mutation {
        what: "take an interruption for a full socket",
        file: "src/relay/conn.rs",
        find: "Err(error) if error.kind() == io::ErrorKind::Interrupted => {}",
        replace: "Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(None),",
    },
    Mutation {
        what: "take what a broken connection reads as for a clean end",
        file: "src/relay/conn.rs",
        find: "self.broke = Some(error.kind());",
        replace: "",
    },
    Mutation {
        what: "read on, and pass the FIN on, while bytes are owed",
        file: "src/relay/pipe.rs",
        find: "Ok(false) => return Progress::Waiting,",
        replace: "Ok(false) => {}",
    },
    Mutation {
        what: "keep the FIN to ourselves",
        file: "src/relay/pipe.rs",
        find: "sink.socket.shutdown_write()?;",
        replace: "",
    },
    Mutation {
        what: "lose a buffer when a direction is given up",
        file: "src/relay/pipe/held.rs",
        find: "Held::Buffer(buffer) => buffers.give(buffer),",
        replace: "Held::Buffer(buffer) => drop((buffer, &buffers)),",
    },
    Mutation {
        what: "reuse a kernel pipe with what is left in it",
        file: "src/relay/pipe/held.rs",
        find: "buffers.ducts.discard(duct)",
        replace: "buffers.ducts.give(duct)",
    },
    Mutation {
        what: "lose a kernel pipe that was emptied",
        file: "src/relay/pipe/held.rs",
        find: "            buffers.ducts.give(duct);",
        replace: "            drop((duct, &buffers));",
    },
    Mutation {
        what: "forget what a short write left in a kernel pipe",
        file: "src/relay/pipe/held.rs",
        find: "} else if is_all && let",
        replace: "} else if let",
    },
    Mutation {
        what: "HTTP: splice past the end of a message",
        file: "src/relay/pipe/bulk.rs",
        find: "map_or(most_bytes, |left| left.min(most_bytes))",
        replace: "map_or(most_bytes, |_| most_bytes)",
    },
    Mutation {
        what: "HTTP: take a spliced message for unfinished",
        file: "src/http/body.rs",
        find: "State::Length { .. } => State::Done,",
        replace: "State::Length { .. } => State::Length { left: 1 },",
    },
    Mutation {
        what: "HTTP: do not count what is spliced into a chunk",
        file: "src/http/body.rs",
        find: "State::Data { left } if left > count => State::Data { left: left - count },",
        replace: "State::Data { left } if left > count => State::Data { left },",
    },
    Mutation {
        what: "take a splice that moved nothing for an end of which nobody hears",
        file: "src/relay/conn.rs",
        find: "            Some(0) => Ok(None),\n            None => {\n                self.readable = self.read_closed;",
        replace: "            Some(0) | None => {\n                self.readable = false;",
    },
    Mutation {
        what: "cork the last bytes and never say the end",
        file: "src/relay/pipe.rs",
        find: "            if !self.closes {",
        replace: "            if self.closes {",
    },
    Mutation {
        what: "keep the end of the handshake from a backend to which nothing is said",
        file: "src/session/duplex.rs",
        find: "            ctx.ungreeted.push_back((self.link.id, ctx.now));\n",
        replace: "",
    },
    Mutation {
        what: "never ask whether a silent backend is still there",
        file: "src/session/duplex.rs",
        find: "        self.watch(ctx);\n",
        replace: "",
    },
    Mutation {
        what: "try another backend after bytes were moved",
        file: "src/session/duplex.rs",
        find: "if matches!(down, Progress::SourceBroke(_)) && self.is_untouched() {",
        replace: "if matches!(down, Progress::SourceBroke(_)) {",
    },
    Mutation {
        what: "end the session when one direction is over",
        file: "src/session/duplex.rs",
        find: "if self.up.is_over() && self.down.is_over() {",
        replace: "if self.up.is_over() || self.down.is_over() {",
    },
    Mutation {
        what: "close where a reset should be passed on",
        file: "src/session/duplex.rs",
        find: "survivor.reset_on_close();",
        replace: "",
    },
    Mutation {
        what: "reset before the peer has everything",
        file: "src/session/duplex.rs",
        find: "if acknowledged ||",
        replace: "if acknowledged || waited < RESET_POLL ||",
    },
    Mutation {
        what: "take writable for connected",
        file: "src/session/connect.rs",
        find: "                conn.socket.connected(target, conn.has_error())",
        replace: "                let _ = (conn, target);\n                Ok::<(), io::Error>(())",
    },
    Mutation {
        what: "take a connection that broke early for a refused connect",
        file: "src/session/connect.rs",
        find: "Err(error) if broke_afterwards(&error) => {",
        replace: "Err(error) if false && broke_afterwards(&error) => {",
    },
    Mutation {
        what: "wait for ever for a connect",
        file: "src/session/connect.rs",
        find: "} else if ctx.now >= pending.give_up_at {",
        replace: "} else if false {",
    },
    Mutation {
        what: "arm no timer again that came up early",
        file: "src/proxy/time.rs",
        find: "Some(at) if at > now => self.timers.arm(slot, at),",
        replace: "Some(at) if at > now => {}",
    },
    Mutation {
        what: "accept one connection too many",
        file: "src/proxy/mod.rs",
        find: "if self.sessions.len() >= self.max_connections {",
        replace: "if self.sessions.len() > self.max_connections {",
    },
    Mutation {
        what: "forget a listener that ran into the descriptor limit",
        file: "src/proxy/listeners.rs",
        find: "listener.resume_at = Some(now + PAUSE);\n                if is_exhaustion(&error) {",
        replace: "listener.pending = false;\n                if is_exhaustion(&error) {",
    },
    Mutation {
        what: "ask a listener again and again at the descriptor limit",
        file: "src/proxy/listeners.rs",
        find: "listener.resume_at = Some(now + PAUSE);\n                if is_exhaustion(&error) {",
        replace: "if false {",
    },
    Mutation {
        what: "drop the accept queue on drain",
        file: "src/proxy/mod.rs",
        find: "if !self.accept() {",
        replace: "if true {",
    },
    Mutation {
        what: "never cut who does not finish draining",
        file: "src/proxy/time.rs",
        find: "if self.drain_deadline.is_some_and(|deadline| deadline <= now) {",
        replace: "if false {",
    },
    Mutation {
        what: "HTTP: repeat a POST",
        file: "src/session/http/relaying.rs",
        find: "link.reused && current.facts.method.is_idempotent()",
        replace: "link.reused",
    },
    Mutation {
        what: "HTTP: repeat a request on a fresh connection",
        file: "src/session/http/relaying.rs",
        find: "Some(_) => link.reused && current.facts.method.is_idempotent()",
        replace: "Some(_) => current.facts.method.is_idempotent()",
    },
    Mutation {
        what: "HTTP: send a POST where the end may wait to be read",
        file: "src/session/http/relaying.rs",
        find: "if !is_repeatable && !link.conn.is_quiet() {",
        replace: "if false && !link.conn.is_quiet() {",
    },
    Mutation {
        what: "HTTP: repeat a request after the backend was heard",
        file: "src/session/http/response.rs",
        find: "                    *heard = true;\n                    self.up.forget(&mut ctx.buffers);",
        replace: "",
    },
    Mutation {
        what: "HTTP: forget to keep what is sent",
        file: "src/session/http/request.rs",
        find: "self.up.keep();",
        replace: "",
    },
    Mutation {
        what: "HTTP: repeat a request without going back to its start",
        file: "src/session/http/relaying.rs",
        find: "self.up.rewind();",
        replace: "",
    },
    Mutation {
        what: "HTTP: park a connection that said more than was asked",
        file: "src/session/http/closing.rs",
        find: "if self.exchange.backend_stays() && !extra && is_in_step {",
        replace: "if self.exchange.backend_stays() && is_in_step {",
    },
    Mutation {
        what: "HTTP: park a connection that has more to say",
        file: "src/relay/links.rs",
        find: "if !full && !conn.has_error() && (!conn.readable() || conn.is_quiet()) => {",
        replace: "if !full => {",
    },
    Mutation {
        what: "HTTP: park a connection in the midst of a request",
        file: "src/http/exchange.rs",
        find: "self.request == Request::Sent && self.response == Response::Sent && self.backend == KeepAlive::Keep",
        replace: "self.response == Response::Sent",
    },
    Mutation {
        what: "HTTP: go on with a client whose request is not read",
        file: "src/http/exchange.rs",
        find: "        Event::ResponseHead { last: true, .. } => KeepAlive::Close,\n        Event::ResponseHead { .. } if request != Request::Sent => KeepAlive::Close,",
        replace: "        Event::ResponseHead { last: true, .. } => KeepAlive::Close,\n        _ if false && request != Request::Sent => KeepAlive::Close,",
    },
    Mutation {
        what: "HTTP: go on after an answer in whose place the body should have been read",
        file: "src/session/http/answer.rs",
        find: "is_read && !self.up.is_over() && facts.keep_alive",
        replace: "(is_read || true) && !self.up.is_over() && facts.keep_alive",
    },
    Mutation {
        what: "HTTP: answer when a response has begun",
        file: "src/http/exchange.rs",
        find: "matches!(self.response, Response::Idle | Response::Awaited)",
        replace: "matches!(self.response, Response::Idle | Response::Awaited | Response::Sending)",
    },
    Mutation {
        what: "HTTP: take the end of a body for its completion",
        file: "src/http/body.rs",
        find: "_ => Err(Refusal::new(400, \"incomplete_body\")),",
        replace: "_ => { self.state = State::Done; Ok(()) }",
    },
    Mutation {
        what: "HTTP: end a broken response as if it were complete",
        file: "src/session/http/closing.rs",
        find: "            self.client.reset_on_close();",
        replace: "",
    },
    Mutation {
        what: "HTTP: forward interim responses to HTTP/1.0",
        file: "src/session/http/response.rs",
        find: "if !facts.is_interim() || client > Version::Http10 {",
        replace: "if true {",
    },
    Mutation {
        what: "HTTP: switch protocols unasked",
        file: "src/http/exchange.rs",
        find: "        (Asked, Event::Switch) => Some(Switched),\n        (_, Event::Switch) => None,",
        replace: "        (_, Event::Switch) => Some(Switched),",
    },
    Mutation {
        what: "HTTP: do not linger",
        file: "src/session/http/closing.rs",
        find: "self.since = ctx.now;\n        self.phase = Phase::Lingering { until: ctx.now + LINGER_MAX, reason };\n        Step::On",
        replace: "Step::close(reason)",
    },
    Mutation {
        what: "HTTP: close on a client that still sends",
        file: "src/session/http/closing.rs",
        find: "let is_read = self.exchange.request == exchange::Request::Sent;",
        replace: "let is_read = true;",
    },
    Mutation {
        what: "HTTP: lose pipelined requests",
        file: "src/session/http/closing.rs",
        find: "    pub(super) fn await_request(&mut self, ctx: &mut Ctx<N>) {\n        self.up.forget(&mut ctx.buffers);",
        replace: "    pub(super) fn await_request(&mut self, ctx: &mut Ctx<N>) {\n        self.up.drop_held(&mut ctx.buffers);",
    },
    Mutation {
        what: "HTTP: lose pipelined requests behind an answer of our own",
        file: "src/session/http/answer.rs",
        find: "            self.up.drop_cleared(&mut ctx.buffers);",
        replace: "            self.up.drop_held(&mut ctx.buffers);",
    },
    Mutation {
        what: "HTTP: need another event for a request that is here already",
        file: "src/session/http/closing.rs",
        find: "            self.await_request(ctx);\n            return Step::On;",
        replace: "            self.await_request(ctx);\n            return Step::Stop(Next::Wait);",
    },
    Mutation {
        what: "HTTP: ignore what an idle connection has to say",
        file: "src/relay/links.rs",
        find: "if event.readable || event.read_closed || event.error {",
        replace: "if false {",
    },
    Mutation {
        what: "HTTP: send the events of a reused connection to whom it served first",
        file: "src/relay/links.rs",
        find: "match std::mem::replace(self.holders.get_mut(id)?, Holder::Session(session)) {",
        replace: "let session = SessionId { epoch: session.epoch.max(2) - 1, ..session };\n        match std::mem::replace(self.holders.get_mut(id)?, Holder::Session(session)) {",
    },
    Mutation {
        what: "HTTP: forget a connection that was left",
        file: "src/session/http/closing.rs",
        find: "                relay.link.close(ctx);",
        replace: "                drop(relay.link);",
    },
    Mutation {
        what: "HTTP: let idle connections wait for ever",
        file: "src/relay/links.rs",
        find: "self.look_at.get_or_insert(now + self.idle_timeout);",
        replace: "",
    },
    Mutation {
        what: "HTTP: wait for ever for a head",
        file: "src/session/http/mod.rs",
        find: "Phase::Head => timeouts.head,",
        replace: "Phase::Head => Duration::from_secs(100_000),",
    },
    Mutation {
        what: "HTTP: reload: let a connection wait for a backend that has gone",
        file: "src/session/connect.rs",
        find: "if self.lease.backend().is_gone() {",
        replace: "if self.lease.backend().is_gone() && false {",
    },
    Mutation {
        what: "HTTP: reload: keep what waits for the backends of a pool that has gone",
        file: "src/balance/pool.rs",
        find: "backend.id == id && !backend.is_gone()",
        replace: "backend.id == id",
    },
    Mutation {
        what: "HTTP: reload: take a pool that comes back for the one that went",
        file: "src/proxy/renewal.rs",
        find: "|old| pool.succeeds(old.pool())",
        replace: "|old| pool.name == old.pool().name",
    },
    Mutation {
        what: "HTTP: reload: give the place of a pool away that sessions are in",
        file: "src/proxy/renewal.rs",
        find: "|pool| pools_in_use.contains(&pool) ||",
        replace: "|pool| pools_in_use.contains(&pool) && false ||",
    },
    Mutation {
        what: "POLICY: reload: begin to count at nothing for a backend that stays",
        file: "src/balance/pool.rs",
        find: "Some(backend) => Arc::clone(backend),",
        replace: "Some(_) => Arc::new(Backend::new(free.next()?, of_one, self.base, Arc::clone(&self.common))),",
    },
    Mutation {
        what: "POLICY: reload: forget who left and has connections",
        file: "src/balance/pool.rs",
        find: "leaving.chain(earlier).cloned()",
        replace: "leaving.chain(earlier.take(0)).cloned()",
    },
    Mutation {
        what: "POLICY: reload: give ids away that somebody still has",
        file: "src/balance/pool.rs",
        find: "self.everybody().map(|backend| backend.id).collect()",
        replace: "self.backends.iter().map(|backend| backend.id).collect()",
    },
    Mutation {
        what: "POLICY: reload: remember everybody who ever left",
        file: "src/balance/pool.rs",
        find: ".filter(|backend| backend.connections() > 0);",
        replace: ";",
    },
    Mutation {
        what: "POLICY: reload: refill the retry budget",
        file: "src/balance/mod.rs",
        find: "self.budget.set_percent(percent);",
        replace: "self.budget = RetryBudget::new(percent);",
    },
    Mutation {
        what: "count no end of a connection",
        file: "src/metrics.rs",
        find: "        self.connections_ended.count(side, cause);",
        replace: "",
    },
    Mutation {
        what: "forget that a client of a frontend has gone",
        file: "src/metrics.rs",
        find: "        self.frontend(frontend).closed += 1;",
        replace: "",
    },
    Mutation {
        what: "HTTP: count every end of a request twice",
        file: "src/session/http/record.rs",
        find: "        ctx.metrics.requests_ended.count(reason.ender.word(), reason.cause.word());",
        replace: "        for _ in 0..2 { ctx.metrics.requests_ended.count(reason.ender.word(), reason.cause.word()); }",
    },
    Mutation {
        what: "POLICY: explain by another lot than the one that is drawn",
        file: "src/balance/explain.rs",
        find: "let lot = lot(&choice, self.keyed, &mut rng);",
        replace: "let lot = lot(&choice, !self.keyed, &mut rng);",
    },
    Mutation {
        what: "POLICY: explain without the bound",
        file: "src/balance/explain.rs",
        find: "decide(&mut *policy, self.max_load_percent, &mut choice",
        replace: "decide(&mut *policy, None, &mut choice",
    },
];

/// Those of a test crate whose names contain something.
#[derive(Clone, Copy)]
struct Tests {
    suite: &'static str,
    filter: &'static str,
}

impl Mutation {
    /// The tests that are to notice: those of the policies, or, in the simulation, of the sessions it is about.
    fn tests(&self) -> Tests {
        match self.what.split_once(':') {
            Some(("POLICY", _)) => Tests { suite: "policies", filter: "" },
            Some(("HTTP", _)) => Tests { suite: "sim", filter: "http_" },
            _ => Tests { suite: "sim", filter: "whatever_happens" },
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn mutate(mutation: &Mutation) -> String {
    let text = fs::read_to_string(root().join(mutation.file)).expect(mutation.file);
    let found = text.matches(mutation.find).count();
    assert_eq!(found, 1, "{}: {:?} occurs {found} times in {}", mutation.what, mutation.find, mutation.file);
    text.replace(mutation.find, mutation.replace)
}

#[test]
fn every_mutation_still_finds_its_place() {
    assert!(MUTATIONS.len() >= 10);
    MUTATIONS.iter().for_each(|mutation| drop(mutate(mutation)));
}

/// A copy of the loop and all below, with the simulation and the tests of the policies: less to build each time.
struct Copy {
    tree: PathBuf,
    target: PathBuf,
}

impl Copy {
    /// Each is built in a place of its own, the first where everything else is: what it depends on is there already.
    fn make(number: usize) -> Copy {
        let tree = root().join(format!("target/mutations/tree{number}"));
        let target = match number {
            0 => root().join("target"),
            number => root().join(format!("target/mutations/target{number}")),
        };
        let _ = fs::remove_dir_all(&tree);
        for folder in ["src", "tests/sim", "tests/strict", "tests/policies"] {
            copy_folder(&root().join(folder), &tree.join(folder));
        }
        for program in ["src/bin", "src/main.rs"] {
            remove(&tree.join(program));
        }
        // Nor what is above the loop, which nothing below it may name.
        let modules = fs::read_to_string(tree.join("src/lib.rs")).expect("copied just now");
        let modules = modules.lines().filter(|line| {
            let above = ABOVE.iter().find(|name| *line == format!("pub mod {name};"));
            above.iter().for_each(|name| remove_module(&tree.join("src"), name));
            above.is_none()
        });
        let modules: Vec<&str> = modules.collect();
        fs::write(tree.join("src/lib.rs"), modules.join("\n")).expect("writable");
        fs::copy(root().join("Cargo.lock"), tree.join("Cargo.lock")).expect("Cargo.lock");
        let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
        // Under a name of its own, or cargo would take what it builds of it for what it built of the original.
        let named = manifest.replacen("name = \"lbproxy\"", "name = \"lbproxy-mutated\"", 1);
        let manifest = named.replace("default-run = \"lbproxy\"\n", "");
        let (before, after) = manifest.split_once("[[bench]]").map_or((&*manifest, ""), |parts| parts);
        let after = after.find("\n[lints").map_or("", |at| &after[at..]);
        let manifest = format!("{before}{after}\n[lib]\nname = \"lbproxy\"\n[workspace]\n");
        fs::write(tree.join("Cargo.toml"), manifest).expect("writable");
        let copy = Copy { tree, target };
        for suite in ["sim", "policies"] {
            copy.run(Tests { suite, filter: "" }, SEEDS_BEFORE).expect("the proxy as it is passes");
        }
        copy
    }

    fn cargo(&self, patience_s: &str, arguments: &[&str], seeds: &str) -> Output {
        Command::new("timeout")
            .args([patience_s, env!("CARGO")])
            .args(arguments)
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("SIM_SEEDS", seeds)
            .env("RUST_BACKTRACE", "0")
            .env_remove("SIM_SEED")
            .output()
            .expect("cargo runs")
    }

    /// Whether a test notices this mutation.
    fn catches(&self, mutation: &Mutation) -> bool {
        let file = self.tree.join(mutation.file);
        let original = fs::read_to_string(&file).expect(mutation.file);
        let begun = now();
        fs::write(&file, mutate(mutation)).expect("writable");
        let outcome = self.run(mutation.tests(), SEEDS);
        fs::write(&file, original).expect("writable");
        if let Err(told) = &outcome {
            println!("caught after {:?}: {}\n        {told}", now() - begun, mutation.what);
        }
        outcome.is_err()
    }

    /// Builds these tests and runs them; answers how it went, or what betrayed the mutation.
    fn run(&self, Tests { suite, filter }: Tests, seeds: &str) -> Result<(), String> {
        let built = self.cargo(BUILD_PATIENCE_S, &["test", "--test", suite, "--no-run"], seeds);
        assert!(built.status.success(), "does not build:\n{}", String::from_utf8_lossy(&built.stderr));
        let run = self.cargo(PATIENCE_S, &["test", "--test", suite, "--", filter], seeds);
        match run.status.code() {
            Some(0) => return Ok(()),
            Some(EXIT_TIMED_OUT) => return Err("it never ended".to_owned()),
            _ => {}
        }
        let output =
            String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
        let told = output.lines().skip_while(|line| !line.contains("panicked at")).nth(1);
        Err(told.unwrap_or("it crashed").to_owned())
    }
}

fn remove(path: &Path) {
    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.expect("copied just now");
}

fn remove_module(src: &Path, name: &str) {
    let places = [src.join(name), src.join(format!("{name}.rs"))];
    places.iter().filter(|place| place.exists()).for_each(|place| remove(place));
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("writable");
    for entry in fs::read_dir(from).expect("readable").map(|entry| entry.expect("readable")) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("writable");
        }
    }
}

#[test]
#[ignore = "takes minutes: cargo test --test mutations -- --ignored"]
fn every_mutation_is_caught() {
    let only = std::env::var("MUTATION").unwrap_or_default();
    let wanted: Vec<&Mutation> = MUTATIONS.iter().filter(|mutation| mutation.what.contains(&only)).collect();
    let next = AtomicUsize::new(0);
    let missed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for number in 0..COPIES.min(wanted.len()) {
            let (wanted, next, missed) = (&wanted, &next, &missed);
            scope.spawn(move || {
                let copy = Copy::make(number);
                while let Some(mutation) = wanted.get(next.fetch_add(1, Relaxed)) {
                    if !copy.catches(mutation) {
                        missed.lock().expect("nobody panics with it").push(mutation.what);
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().expect("nobody panicked with it");
    assert_eq!(missed, [""; 0], "mutations that no test noticed");
}
