//! One request and its response, as four small machines that hear the same events. None of them knows a byte or a socket.
//!
//! Each machine is a function from a state and an event to the next state; no next state means that the event cannot
//! happen there. What to do follows from the states: see the questions on [`Exchange`].

/// What happens in an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A request head was accepted.
    RequestHead {
        /// The client wants its connection kept.
        keep_alive: bool,
        /// It asks for another protocol.
        upgrade: bool,
    },
    /// All of the request was written to the backend.
    RequestSent,
    /// No more of the request will be sent: the backend does not take it.
    RequestStopped,
    /// The backend was lost before it said anything: the request starts over with another connection.
    Retry,
    /// A head of the backend's that is not the last one (1xx).
    Interim,
    /// 101: both sides change the protocol.
    Switch,
    /// The head of the response.
    ResponseHead {
        /// The backend keeps its connection.
        keep_alive: bool,
        /// The client is told that no other will follow: the proxy drains, or the end of the body is told by closing.
        last: bool,
    },
    /// All of the response was written to the client.
    ResponseSent,
    /// The proxy answers in the backend's place.
    Reply {
        /// The client's connection can go on: all of the request is read.
        keep_alive: bool,
    },
}

/// The request, on its way to the backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Request {
    /// There is none.
    #[default]
    Idle,
    /// Not all of it is written.
    Sending,
    /// All of it is.
    Sent,
    /// The rest of it will not be sent.
    Stopped,
}

/// The response, on its way to the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Response {
    /// Nothing was asked.
    #[default]
    Idle,
    /// The backend has not said anything final.
    Awaited,
    /// Not all of it is written.
    Sending,
    /// All of it is.
    Sent,
}

/// Whether a connection can serve another exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeepAlive {
    /// As far as is known.
    #[default]
    Keep,
    /// It ends with this exchange.
    Close,
}

/// Whether the protocol changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Upgrade {
    /// Nobody asked for it.
    #[default]
    Unasked,
    /// The client did.
    Asked,
    /// The backend agreed.
    Switched,
}

/// The state of one exchange; the default is that of a connection between two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// Towards the backend.
    pub request: Request,
    /// Towards the client.
    pub response: Response,
    /// The client's connection.
    pub client: KeepAlive,
    /// The backend's connection.
    pub backend: KeepAlive,
    /// The protocol.
    pub upgrade: Upgrade,
}

impl Exchange {
    /// Takes in an event. False, and nothing changes, if it cannot happen now: a mistake of the caller, except for
    /// [`Event::Switch`], which a backend may send unasked.
    pub fn step(&mut self, event: Event) -> bool {
        let next = || {
            Some(Exchange {
                request: next_request(self.request, event)?,
                response: next_response(self.response, event)?,
                client: next_client(self.client, self.request, event),
                backend: next_backend(self.backend, self.request, event),
                upgrade: next_upgrade(self.upgrade, event)?,
            })
        };
        let next = next();
        if let Some(next) = next {
            *self = next;
        }
        next.is_some()
    }

    /// Nothing of a response has gone to the client, so the proxy may still answer itself, or ask another backend.
    pub fn is_unanswered(&self) -> bool {
        matches!(self.response, Response::Idle | Response::Awaited)
    }

    /// The client's connection is ready for another request.
    pub fn client_stays(&self) -> bool {
        self.response == Response::Sent && self.client == KeepAlive::Keep
    }

    /// The backend's connection is ready for another request.
    pub fn backend_stays(&self) -> bool {
        self.request == Request::Sent && self.response == Response::Sent && self.backend == KeepAlive::Keep
    }
}

/// The table of the request machine.
pub fn next_request(state: Request, event: Event) -> Option<Request> {
    use Request::*;
    Some(match (state, event) {
        (Idle, Event::RequestHead { .. }) => Sending,
        (Sending, Event::RequestSent) => Sent,
        (Sending, Event::RequestStopped) => Stopped,
        (Sending | Sent | Stopped, Event::Retry) => Sending,
        // A response may come while the request is on its way (RFC 9110, 7.5): both go on.
        (Sending | Sent | Stopped, Event::Interim | Event::ResponseHead { .. }) => state,
        (Sent, Event::Switch) => Sent,
        (_, Event::Reply { .. } | Event::ResponseSent) => state,
        _ => return None,
    })
}

/// The table of the response machine.
pub fn next_response(state: Response, event: Event) -> Option<Response> {
    use Response::*;
    Some(match (state, event) {
        (Idle, Event::RequestHead { .. }) => Awaited,
        (Awaited, Event::RequestSent | Event::RequestStopped | Event::Retry | Event::Interim) => Awaited,
        (Sending, Event::RequestSent | Event::RequestStopped) => Sending,
        (Awaited, Event::ResponseHead { .. }) => Sending,
        (Awaited, Event::Switch) => Sent,
        // Before there is a request, too: what came was none.
        (Idle | Awaited, Event::Reply { .. }) => Sending,
        (Sending, Event::ResponseSent) => Sent,
        _ => return None,
    })
}

/// The client's connection ends with an exchange when it said so, and when there may be request left that nobody reads:
/// a response that came before the end of the request is told to be the last one.
pub fn next_client(state: KeepAlive, request: Request, event: Event) -> KeepAlive {
    match event {
        Event::RequestHead { keep_alive: false, .. } | Event::Reply { keep_alive: false } | Event::Switch => {
            KeepAlive::Close
        }
        Event::ResponseHead { last: true, .. } => KeepAlive::Close,
        Event::ResponseHead { .. } if request != Request::Sent => KeepAlive::Close,
        _ => state,
    }
}

/// The backend's connection ends with an exchange when it said so, and when it did not get the whole request.
pub fn next_backend(state: KeepAlive, request: Request, event: Event) -> KeepAlive {
    match event {
        Event::Retry => KeepAlive::Keep,
        Event::ResponseHead { keep_alive: false, .. } | Event::RequestStopped | Event::Switch => {
            KeepAlive::Close
        }
        Event::ResponseHead { .. } if request != Request::Sent => KeepAlive::Close,
        _ => state,
    }
}

/// The table of the upgrade machine.
pub fn next_upgrade(state: Upgrade, event: Event) -> Option<Upgrade> {
    use Upgrade::*;
    match (state, event) {
        (_, Event::RequestHead { upgrade, .. }) => Some(if upgrade { Asked } else { Unasked }),
        (Asked, Event::Switch) => Some(Switched),
        (_, Event::Switch) => None,
        // Any other answer is a refusal.
        (_, Event::ResponseHead { .. } | Event::Reply { .. }) => Some(Unasked),
        _ => Some(state),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [Event; 13] = [
        Event::RequestHead { keep_alive: true, upgrade: false },
        Event::RequestHead { keep_alive: false, upgrade: false },
        Event::RequestHead { keep_alive: true, upgrade: true },
        Event::RequestSent,
        Event::RequestStopped,
        Event::Retry,
        Event::Interim,
        Event::Switch,
        Event::ResponseHead { keep_alive: true, last: false },
        Event::ResponseHead { keep_alive: false, last: true },
        Event::ResponseSent,
        Event::Reply { keep_alive: true },
        Event::Reply { keep_alive: false },
    ];

    /// Every state that events can lead to, and whether each is over.
    fn reachable() -> Vec<Exchange> {
        let mut known = vec![Exchange::default()];
        let mut index = 0;
        while index < known.len() {
            for event in EVENTS {
                let mut next = known[index];
                if next.step(event) && !known.contains(&next) {
                    known.push(next);
                }
            }
            index += 1;
        }
        known
    }

    /// The two tables with states that an event may be illegal in, line by line: state, events by number, next state.
    #[test]
    fn the_tables_say_what_the_pictures_in_our_heads_do() {
        use Request as Q;
        use Response as S;
        let request = |state| EVENTS.map(|event| next_request(state, event));
        let (i, s, d, x) = (Some(Q::Idle), Some(Q::Sending), Some(Q::Sent), Some(Q::Stopped));
        let n = None;
        assert_eq!(request(Q::Idle), [s, s, s, n, n, n, n, n, n, n, i, i, i]);
        assert_eq!(request(Q::Sending), [n, n, n, d, x, s, s, n, s, s, s, s, s]);
        assert_eq!(request(Q::Sent), [n, n, n, n, n, s, d, d, d, d, d, d, d]);
        assert_eq!(request(Q::Stopped), [n, n, n, n, n, s, x, n, x, x, x, x, x]);
        let response = |state| EVENTS.map(|event| next_response(state, event));
        let (a, s, d, n) = (Some(S::Awaited), Some(S::Sending), Some(S::Sent), None);
        assert_eq!(response(S::Idle), [a, a, a, n, n, n, n, n, n, n, n, s, s]);
        assert_eq!(response(S::Awaited), [n, n, n, a, a, a, a, d, s, s, n, s, s]);
        assert_eq!(response(S::Sending), [n, n, n, s, s, n, n, n, n, n, d, n, n]);
        assert_eq!(response(S::Sent), [n; 13]);
    }

    #[test]
    fn from_every_state_there_is_a_way_to_the_end() {
        let states = reachable();
        assert!(states.len() > 30, "{} states", states.len());
        for state in states {
            let mut ends = vec![state];
            let mut index = 0;
            while index < ends.len() {
                for event in EVENTS {
                    let mut next = ends[index];
                    if next.step(event) && !ends.contains(&next) {
                        ends.push(next);
                    }
                }
                index += 1;
            }
            assert!(ends.iter().any(|end| end.response == Response::Sent), "{state:?} never ends");
        }
    }

    #[test]
    fn what_holds_in_every_state() {
        for state in reachable() {
            // A backend that did not get the whole request is in the middle of something.
            assert!(!state.backend_stays() || state.request == Request::Sent, "{state:?}");
            // Whoever kept its connection has had its whole request read, or no request at all; a reply says which.
            if state.response == Response::Sent && state.upgrade == Upgrade::Switched {
                assert!(!state.client_stays() && !state.backend_stays(), "{state:?}");
            }
            if state.request == Request::Idle {
                assert!(!state.backend_stays(), "{state:?}");
            }
            for event in EVENTS {
                let mut next = state;
                if !next.step(event) {
                    assert_eq!(next, state, "an illegal event changes nothing");
                }
                // Nobody changes a mind about closing, except that another backend has not said anything yet.
                assert!(
                    state.client != KeepAlive::Close || next.client == KeepAlive::Close,
                    "{state:?} {event:?}"
                );
                // Nothing is retried, or answered by us, once the client has seen a byte.
                if !state.is_unanswered() {
                    let again = matches!(event, Event::Retry | Event::Reply { .. });
                    assert!(!again || next == state, "{state:?} {event:?}");
                }
            }
        }
    }

    #[test]
    fn a_switch_nobody_asked_for_is_refused() {
        let mut exchange = Exchange::default();
        assert!(exchange.step(Event::RequestHead { keep_alive: true, upgrade: false }));
        assert!(exchange.step(Event::RequestSent));
        assert!(!exchange.step(Event::Switch));
        let mut exchange = Exchange::default();
        assert!(exchange.step(Event::RequestHead { keep_alive: true, upgrade: true }));
        assert!(exchange.step(Event::RequestSent) && exchange.step(Event::Switch));
        assert_eq!(exchange.upgrade, Upgrade::Switched);
    }
}
