//! Other protocols over the same connection.

use super::case::{Case, End, backend, case};
use super::shorthand::*;

pub fn cases() -> Vec<Case> {
    let mut cases = tunnels();
    cases.extend(endings());
    cases.extend(declined());
    cases.extend(not_asked_for());
    cases
}

const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: y\r\nConnection: upgrade\r\n\
                         Upgrade: websocket\r\n\r\n";

fn asks() -> String {
    get_with("Sec-WebSocket-Key: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n")
}

fn tunnels() -> Vec<Case> {
    let variant = |name: &str, request: String| {
        case(name)
            .sends(request)
            .awaits("\r\n\r\n")
            .sends("ping")
            .backend(backend().gets(asks()).sends(SWITCHING).gets_bytes("ping").sends("pong").kept())
            .gets(SWITCHING)
            .gets_bytes("pong")
    };
    vec![
        variant("upgrade", asks()),
        variant(
            "upgrade_among_other_options",
            get_with("Sec-WebSocket-Key: x\r\nConnection: keep-alive, UPGRADE\r\nUpgrade: websocket\r\n"),
        ),
        case("upgrade_and_bytes_both_ways")
            .sends(asks())
            .awaits("\r\n\r\n")
            .sends("\x01one")
            .awaits("\x02two")
            .sends("GET / HTTP/1.1\r\n\r\n")
            .backend(
                backend()
                    .gets(asks())
                    .sends(SWITCHING)
                    .gets_bytes("\x01one")
                    .sends("\x02two")
                    .gets_bytes("GET / HTTP/1.1\r\n\r\n")
                    .sends("HTTP/1.1 200 OK\r\n\r\n")
                    .kept(),
            )
            .gets(SWITCHING)
            .gets_bytes("\x02twoHTTP/1.1 200 OK\r\n\r\n"),
        // Not to be sent before 101 (RFC 9110, 7.8), but once it comes, the bytes are of the new protocol.
        case("upgrade_and_bytes_right_behind_the_request")
            .sends(asks() + "early")
            .awaits("\r\n\r\n")
            .sends("later")
            .backend(backend().gets(asks()).sends(SWITCHING).gets_bytes("earlylater").sends("pong").kept())
            .gets(SWITCHING)
            .gets_bytes("pong"),
        case("upgrade_and_bytes_right_behind_the_answer")
            .sends(asks())
            .awaits("hello")
            .sends("ping")
            .backend(backend().gets(asks()).sends(SWITCHING.to_owned() + "hello").gets_bytes("ping").kept())
            .gets(SWITCHING)
            .gets_bytes("hello"),
        case("upgrade_after_an_interim_answer")
            .sends(asks())
            .awaits("101")
            .awaits("\r\n\r\n")
            .sends("ping")
            .backend(
                backend()
                    .gets(asks())
                    .sends("HTTP/1.1 103 Early Hints\r\n\r\n".to_owned() + SWITCHING)
                    .gets_bytes("ping")
                    .kept(),
            )
            .gets("HTTP/1.1 103 Early Hints\r\n\r\n")
            .gets(SWITCHING),
        case("upgrade_of_a_reused_connection")
            .sends(GET)
            .awaits("ok")
            .sends(asks())
            .awaits("101")
            .awaits("\r\n\r\n")
            .sends("ping")
            .backend(
                backend().gets(GET).sends(OK).gets(asks()).sends(SWITCHING).gets_bytes("ping").sends("pong"),
            )
            .gets(OK)
            .gets(SWITCHING)
            .gets_bytes("pong"),
    ]
}

fn endings() -> Vec<Case> {
    let tunnel = |name: &str| case(name).sends(asks()).awaits("\r\n\r\n").gets(SWITCHING);
    let first = || backend().gets(asks()).sends(SWITCHING);
    vec![
        tunnel("tunnel_that_the_client_finishes_first")
            .sends("ping")
            .finishes()
            .backend(first().gets_bytes("ping").awaits_end().sends("pong").finishes().closed())
            .gets_bytes("pong")
            .end(End::Closed),
        tunnel("tunnel_that_the_backend_finishes_first")
            .awaits_end()
            .sends("ping")
            .finishes()
            .backend(first().sends("pong").finishes().gets_bytes("ping").closed())
            .gets_bytes("pong")
            .end(End::Closed),
        tunnel("tunnel_that_the_backend_resets")
            .awaits_end()
            .backend(first().sends("pong").resets().closed())
            .gets_bytes("pong")
            .end(End::Broken),
        tunnel("tunnel_that_the_client_resets")
            .sends("ping")
            .sleeps_ms(1)
            .resets()
            .backend(first().gets_bytes("ping").awaits_end().closed())
            .takes_ms(1..=1)
            .end(End::Any),
        tunnel("tunnel_on_which_nothing_moves")
            .awaits_end()
            .backend(first().awaits_end().closed())
            .takes_ms(600_000..=600_000)
            .end(End::Any),
    ]
}

/// The answer is not 101: HTTP goes on.
fn declined() -> Vec<Case> {
    let declines = |name: &str, answer: &str| {
        case(name)
            .sends(asks() + &get("/2"))
            .backend(backend().gets(asks()).sends(answer).gets(get("/2")).sends(ok("2")).kept())
            .gets(answer)
            .gets(ok("2"))
    };
    vec![
        declines("upgrade_ignored", OK),
        declines("upgrade_refused", "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno"),
        declines("upgrade_forbidden", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
        case("upgrade_to_another_version_is_needed")
            .sends(asks())
            .backend(backend().gets(asks()).sends(
                "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n",
            ))
            .gets("HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n"),
        case("upgrade_and_the_backend_ends")
            .sends(asks())
            .backend(backend().gets(asks()).finishes().closed())
            .failed_either_way(502),
        case("upgrade_declined_and_what_follows_is_no_request")
            .sends(asks() + "\x01\x02\r\n\r\n")
            .backend(backend().gets(asks()).sends(OK))
            .gets(OK)
            .refused(400),
    ]
}

/// What is not asked for properly is not passed on.
fn not_asked_for() -> Vec<Case> {
    let switches = |name: &str, request: String, forwarded: String| {
        case(name).sends(request).backend(backend().gets(forwarded).sends(SWITCHING).closed()).failed(502)
    };
    let h2c = get_with("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n");
    vec![
        // Whoever speaks HTTP/2 through us is out of our sight.
        passes("upgrade_to_h2c_is_dropped", &h2c, GET),
        passes(
            "upgrade_to_h2c_in_capitals_is_dropped",
            get_with("Connection: upgrade\r\nUpgrade: H2C\r\n"),
            GET,
        ),
        switches("upgrade_to_h2c_and_the_backend_switches", h2c.clone(), GET.to_owned()),
        passes("upgrade_without_connection_is_dropped", get_with("Upgrade: websocket\r\n"), GET),
        passes("upgrade_without_protocol_is_dropped", get_with("Connection: upgrade\r\n"), GET),
        switches(
            "upgrade_without_connection_and_the_backend_switches",
            get_with("Upgrade: websocket\r\n"),
            GET.to_owned(),
        ),
        passes(
            "upgrade_with_a_body_is_dropped",
            post_with("Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n", "hello"),
            post("/", "hello"),
        ),
        passes(
            "upgrade_with_chunks_is_dropped",
            post_with(
                "Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n",
                "0\r\n\r\n",
            ),
            chunked("0\r\n\r\n"),
        ),
    ]
}
