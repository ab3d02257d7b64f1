//! Whether what came out is valid, and whether somebody had put it in.

use std::collections::BTreeSet;

use super::play::{Arrival, CLIENT, Play};
use super::reading::{self, Answered, Asked, Asking};
use super::scripted::wire::Wire;
use super::scripted::{INTERNAL, net::World};
use crate::strict::{Framing, Kind, Message, find};

/// What an answer of the proxy's own may say.
const STATUSES: [u16; 12] = [400, 408, 413, 414, 417, 431, 500, 501, 502, 503, 504, 505];
/// Methods of requests that may be sent twice.
const IDEMPOTENT: [&str; 6] = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"];

/// A request that came to a backend, and what it was told.
struct Served {
    method: String,
    target: String,
    host: String,
    connection: usize,
    answer: Option<Answered>,
}

pub fn judge(play: &Play) -> Result<(), String> {
    let world = play.rig.world.borrow();
    let asking = reading::asking(&world.wires[CLIENT].sent);
    let mut received = Vec::new();
    for (connection, &wire) in world.backend_wires.iter().enumerate() {
        let wire = &world.wires[wire];
        received.push(Received::read(wire).map_err(|why| format!("backend connection {connection}: {why}"))?);
    }
    for (connection, received) in received.iter().enumerate() {
        let wire = &world.wires[world.backend_wires[connection]];
        if !wire.ended() {
            return Err(format!("backend connection {connection} is left open"));
        }
        check_tunnel(received, wire, &world, &asking)
            .map_err(|why| format!("backend connection {connection}: {why}"))?;
    }
    let served = served(&play.arrivals, &received, &asking, play.rig.proxy.metrics().retries)?;
    Client { wire: &world.wires[CLIENT], asking: &asking, served: &served, world: &world }.check()
}

/// What a backend got on a connection, and what it answered.
struct Received {
    requests: Vec<Message>,
    answers: Vec<Answered>,
    /// Where the requests end, because the protocol changed.
    switched_at: Option<usize>,
}

impl Received {
    fn read(wire: &Wire) -> Result<Received, String> {
        let mut requests: Vec<Message> = Vec::new();
        let mut at = 0;
        loop {
            let methods: Vec<&str> = requests.iter().map(|request| request.words()[0]).collect();
            let answers = reading::answering(&wire.sent, &methods, wire.peer_has_finished());
            let switched = requests.last().is_some_and(|request| request.value("Upgrade").is_some())
                && answers.len() == requests.len()
                && answers.last().is_some_and(|answer| answer.status == "101");
            if switched {
                return Ok(Received { requests, answers, switched_at: Some(at) });
            }
            let rest = &wire.got[at..];
            let message = Message::read(rest, Kind::Request, true)?;
            let Some(message) = message.filter(|_| !rest.is_empty()) else {
                return Ok(Received { requests, answers, switched_at: None });
            };
            check_request(&message)?;
            at += message.len;
            let complete = message.complete;
            requests.push(message);
            if !complete {
                let answers = reading::answering(
                    &wire.sent,
                    &requests.iter().map(|request| request.words()[0]).collect::<Vec<_>>(),
                    wire.peer_has_finished(),
                );
                return Ok(Received { requests, answers, switched_at: None });
            }
        }
    }
}

/// What was meant for one hop only must not go on to the next.
fn check_request(message: &Message) -> Result<(), String> {
    for name in ["Keep-Alive", "Proxy-Connection", "TE", "Proxy-Authorization", "HTTP2-Settings"] {
        if message.value(name).is_some() {
            return Err(format!("is told {name}"));
        }
    }
    let upgrade = match message.all("Connection")[..] {
        [] => false,
        ["upgrade"] => true,
        ref other => return Err(format!("is told Connection: {other:?}")),
    };
    if upgrade != message.value("Upgrade").is_some() {
        return Err("Connection and Upgrade do not agree".to_owned());
    }
    Ok(())
}

/// After a change of the protocol, a backend gets what the client sent next.
fn check_tunnel(received: &Received, wire: &Wire, world: &World, asking: &Asking) -> Result<(), String> {
    let Some(at) = received.switched_at else { return Ok(()) };
    let (bytes, sent) = (&wire.got[at..], &world.wires[CLIENT].sent);
    let ends = asking.requests.iter().filter(|asked| asked.upgrade).map(|asked| asked.end);
    let good = bytes.is_empty() || ends.into_iter().any(|end| sent[end..].starts_with(bytes));
    if good { Ok(()) } else { Err(format!("a tunnel brings {}", bytes.escape_ascii())) }
}

/// Every request that a backend got is one that the client sent: in order, each once, except for retries.
fn served(
    arrivals: &[Arrival],
    received: &[Received],
    asking: &Asking,
    retries: u64,
) -> Result<Vec<Served>, String> {
    let mut all = Vec::new();
    // Requests may be alike, so there may be several ways to tell which one arrived: how many requests were passed by then,
    // and how many arrivals were retries.
    let mut ways = BTreeSet::from([(0, 0)]);
    for arrival in arrivals {
        let connection = &received[arrival.connection];
        // What was taken for a request is in a tunnel.
        let Some(request) = connection.requests.get(arrival.number) else { continue };
        let answered_before = arrival.number.checked_sub(1).and_then(|number| connection.answers.get(number));
        let before = answered_before.map_or(0, |answer| answer.end);
        if arrival.number > 0 && arrival.said_before != before {
            return Err(format!("a request came when its answer had begun: {}", request.start));
        }
        let same: Vec<bool> = asking.requests.iter().map(|asked| is_same(request, asked)).collect();
        let may_repeat = IDEMPOTENT.contains(&request.words()[0]);
        let mut next = BTreeSet::new();
        for (passed, repeated) in ways {
            next.extend(
                (passed..same.len()).filter(|&number| same[number]).map(|number| (number + 1, repeated)),
            );
            if passed > 0 && same[passed - 1] && may_repeat && repeated < retries {
                next.insert((passed, repeated + 1));
            }
        }
        if next.is_empty() {
            return Err(format!("a request that the client did not make: {}", request.start));
        }
        ways = next;
        let words = request.words();
        all.push(Served {
            method: words[0].to_owned(),
            target: words[1].to_owned(),
            host: request.value("Host").unwrap_or_default().to_owned(),
            connection: arrival.connection,
            answer: connection.answers.get(arrival.number).cloned(),
        });
    }
    Ok(all)
}

fn is_same(request: &Message, asked: &Asked) -> bool {
    let content = if request.complete {
        asked.complete && request.content == asked.content
    } else {
        asked.content.starts_with(&request.content)
    };
    let host = request.value("Host").unwrap_or_default();
    let words = request.words();
    content && host == asked.host && words[0] == asked.method && words[1] == asked.target
}

struct Client<'w> {
    wire: &'w Wire,
    asking: &'w Asking,
    served: &'w [Served],
    world: &'w World,
}

impl Client<'_> {
    fn check(&self) -> Result<(), String> {
        if !self.wire.ended() {
            return Err("the client's connection is left open".to_owned());
        }
        let said = |wire: &Wire| find(&wire.sent, INTERNAL).is_some();
        if find(&self.wire.got, INTERNAL).is_some() && !self.world.wires.iter().any(said) {
            return Err("the client is told a backend's address".to_owned());
        }
        self.check_responses().map_err(|why| format!("the client: {why}"))
    }

    fn clean(&self) -> bool {
        !self.wire.reset_out
    }

    fn check_responses(&self) -> Result<(), String> {
        let (mut at, mut asked, mut served) = (0, 0, 0);
        while at < self.wire.got.len() {
            let bytes = &self.wire.got[at..];
            let Some(message) = self.read(bytes, asked)? else { return Ok(()) };
            at += message.len;
            let rest = &self.wire.got[at..];
            let request = self.asking.requests.get(asked);
            if message.status() == 101 {
                return self.check_switch(request, rest);
            }
            if message.status() < 200 {
                match request {
                    Some(request) if !request.is_10 => continue,
                    _ => return Err(format!("{} to nobody", message.start)),
                }
            }
            let closes =
                message.value("Connection") == Some("close") || message.framing == Framing::UntilClose;
            if !rest.is_empty() && (closes || !message.complete) {
                return Err(format!("after the last response: {}", rest.escape_ascii()));
            }
            match request {
                _ if message.value("Via").is_none() => self.check_own(&message, request)?,
                Some(request) => served = self.check_forwarded(&message, request, asked, served)?,
                None => return Err(format!("an answer to nothing: {}", message.start)),
            }
            asked += 1;
        }
        Ok(())
    }

    /// The response at the start of `bytes`, to the request of this number.
    fn read(&self, bytes: &[u8], asked: usize) -> Result<Option<Message>, String> {
        let to_head = self.asking.requests.get(asked).is_some_and(|request| request.method == "HEAD");
        if !to_head {
            return Message::read(bytes, Kind::Response, self.clean());
        }
        let message = Message::read(bytes, Kind::ResponseToHead, self.clean())?;
        match message {
            // What was refused before it was understood was no HEAD.
            Some(message) if message.value("Via").is_none() && message.len < bytes.len() => {
                match message.value("Connection") {
                    Some("close") => Message::read(bytes, Kind::Response, self.clean()),
                    _ => Ok(Some(message)),
                }
            }
            message => Ok(message),
        }
    }

    fn check_own(&self, message: &Message, request: Option<&Asked>) -> Result<(), String> {
        if !STATUSES.contains(&message.status()) || message.value("Content-Length").is_none() {
            return Err(format!("an answer of nobody's: {}", message.start));
        }
        // Where there was no request, there may have been an attempt.
        if request.is_none() && !(self.asking.more && message.value("Connection") == Some("close")) {
            return Err(format!("an answer to nothing: {}", message.start));
        }
        Ok(())
    }

    /// Returns the place after the answer that this response is.
    fn check_forwarded(
        &self,
        message: &Message,
        request: &Asked,
        asked: usize,
        from: usize,
    ) -> Result<usize, String> {
        if request.is_10 && message.framing == Framing::Chunked {
            return Err("chunks for HTTP/1.0".to_owned());
        }
        // The end of the connection is the end of the body, unless it is a reset.
        let looks_complete = message.complete;
        let is_it = |served: &Served| {
            let same = (&served.method, &served.target, &served.host)
                == (&request.method, &request.target, &request.host);
            same && served.answer.as_ref().is_some_and(|answer| {
                let content = if looks_complete {
                    answer.complete && answer.content == message.content
                } else {
                    answer.content.starts_with(&message.content)
                };
                content && answer.status == message.words()[1]
            })
        };
        let found = self.served[from..].iter().position(is_it);
        let found = found.ok_or_else(|| format!("no backend gave answer {asked}: {}", message.start))?;
        Ok(from + found + 1)
    }

    fn check_switch(&self, request: Option<&Asked>, rest: &[u8]) -> Result<(), String> {
        if !request.is_some_and(|request| request.upgrade) {
            return Err("a switch nobody asked for".to_owned());
        }
        let sent = |served: &Served| {
            let wire = &self.world.wires[self.world.backend_wires[served.connection]];
            let answer = served.answer.as_ref().filter(|answer| answer.status == "101");
            answer.is_some_and(|answer| wire.sent[answer.end..].starts_with(rest))
        };
        let good = self.served.iter().any(sent);
        if good { Ok(()) } else { Err(format!("a tunnel brings {}", rest.escape_ascii())) }
    }
}
