//! HTTP/1.0 on either side, and who keeps a connection.

use super::case::{Case, End, backend, case};
use super::shorthand::*;

pub fn cases() -> Vec<Case> {
    let mut cases = clients();
    cases.extend(answers_to_clients());
    cases.extend(backends());
    cases.extend(closing());
    cases
}

const OLD_GET: &str = "GET / HTTP/1.0\r\nHost: a\r\n\r\n";
const KEEPING_GET: &str = "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n";
const KEPT_OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok";

fn closes(name: &str, request: &str, forwarded: impl AsRef<[u8]>) -> Case {
    case(name).sends(request).backend(backend().gets(forwarded).sends(OK).kept()).gets(ok_and_close("ok"))
}

fn clients() -> Vec<Case> {
    let bare = "GET / HTTP/1.1\r\nHost: \r\n\r\n";
    vec![
        closes("old_client", OLD_GET, GET),
        closes(
            "old_client_with_a_body",
            "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
            post("/", "hello"),
        ),
        // 1.1 demands a Host of us; nobody told us which, and so it is empty (RFC 9112, 3.2).
        closes("old_client_without_host", "GET / HTTP/1.0\r\n\r\n", bare),
        closes(
            "old_client_with_absolute_form",
            "GET http://b/x HTTP/1.0\r\n\r\n",
            "GET /x HTTP/1.1\r\nHost: b\r\n\r\n",
        ),
        closes(
            "old_client_that_asks_for_an_upgrade",
            "GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            GET,
        ),
        closes(
            "old_client_that_says_close_and_keep_alive",
            "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n",
            GET,
        ),
        closes(
            "old_client_that_only_sends_keep_alive_parameters",
            "GET / HTTP/1.0\r\nHost: a\r\nKeep-Alive: timeout=5\r\n\r\n",
            GET,
        ),
        case("old_client_that_keeps_its_connection")
            .sends(KEEPING_GET)
            .backend(backend().gets(GET).sends(OK).kept())
            .gets(KEPT_OK),
        case("old_client_with_several_requests")
            .sends(KEEPING_GET)
            .awaits("ok")
            .sends(OLD_GET)
            .backend(backend().gets(GET).sends(OK).gets(GET).sends(OK))
            .gets(KEPT_OK)
            .gets(ok_and_close("ok")),
        case("old_client_gets_one_answer")
            .sends(OLD_GET.to_owned() + NEXT)
            .backend(backend().gets(GET).sends(OK))
            .gets(ok_and_close("ok")),
        refuses("old_client_with_two_hosts", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        refuses("old_client_with_a_bad_host", "GET / HTTP/1.0\r\nHost: a b\r\n\r\n", 400),
        refuses(
            "old_client_with_an_error",
            "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nbad\r\n\r\n",
            400,
        ),
    ]
}

fn answers_to_clients() -> Vec<Case> {
    let until_close = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello";
    let gets = |name: &str, request: &str, answer: &str, forwarded: &str| {
        case(name).sends(request).backend(backend().gets(GET).sends(answer)).gets(forwarded)
    };
    let chunks =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nA: b\r\n\r\n";
    vec![
        gets("old_client_gets_no_chunks", OLD_GET, chunks, until_close),
        gets("old_client_that_keeps_its_connection_gets_no_chunks", KEEPING_GET, chunks, until_close),
        case("old_client_gets_an_answer_until_the_end")
            .sends(KEEPING_GET)
            .backend(backend().gets(GET).sends("HTTP/1.1 200 OK\r\n\r\nhello").finishes())
            .gets(until_close),
        gets(
            "old_client_gets_no_interim_answers",
            OLD_GET,
            &format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n{OK}"),
            &ok_and_close("ok"),
        ),
        gets(
            "old_client_that_keeps_its_connection_gets_no_content",
            KEEPING_GET,
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n",
        ),
        // Without chunks or a length, only a reset tells a broken answer from a good one.
        case("old_client_sees_that_chunks_are_cut_short")
            .sends(OLD_GET)
            .awaits_end()
            .backend(
                backend()
                    .gets(GET)
                    .sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")
                    .finishes(),
            )
            .gets_part(until_close),
        case("old_client_sees_that_an_answer_until_the_end_broke")
            .sends(OLD_GET)
            .awaits_end()
            .backend(backend().gets(GET).sends("HTTP/1.1 200 OK\r\n\r\nhel").resets())
            .gets_part(until_close),
        case("old_client_sends_head")
            .sends("HEAD / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
            .backend(
                backend()
                    .gets("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
                    .sends("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
            )
            .gets_to_head("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n"),
    ]
}

fn backends() -> Vec<Case> {
    vec![
        case("old_backend")
            .sends(GET)
            .backend(backend().gets(GET).sends("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok").closed())
            .gets(OK),
        case("old_backend_that_keeps_its_connection")
            .sends(GET.to_owned() + GET)
            .backend(
                backend()
                    .gets(GET)
                    .sends("HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok")
                    .gets(GET)
                    .sends("HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: Keep-Alive\r\n\r\nok")
                    .kept(),
            )
            .gets(OK)
            .gets(OK),
        answers_and_ends(
            "old_backend_that_answers_until_the_end",
            "HTTP/1.0 200 OK\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ),
        // A 1.0 server knows no chunks; whoever wrote this field, the end of the body is a guess.
        breaks(
            "old_backend_with_chunks",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ),
        case("old_backend_and_old_client")
            .sends(OLD_GET)
            .backend(backend().gets(GET).sends("HTTP/1.0 200 OK\r\n\r\nhello").finishes())
            .gets("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"),
    ]
}

fn closing() -> Vec<Case> {
    let with = |connection: &str| get_with(&format!("Connection: {connection}\r\n"));
    vec![
        closes("client_says_close", &with("close"), GET),
        closes("client_says_close_in_capitals", &with("CLOSE"), GET),
        closes("client_says_close_in_a_list", &with("keep-alive, x, close"), GET),
        closes("client_says_close_in_a_second_field", &with("keep-alive\r\nConnection: close"), GET),
        passes("client_says_keep_alive", with("keep-alive"), GET),
        passes("client_says_close_in_part_of_a_word", with("closed, x-close"), GET),
        case("client_says_close_and_chunks_stay")
            .sends(with("close"))
            .backend(
                backend().gets(GET).sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
            )
            .gets("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        // It must not (RFC 9112, 9.6); it is not served, and whether it gets a reset for it is open.
        case("client_says_close_and_sends_more")
            .sends(with("close"))
            .awaits("ok")
            .sends(NEXT)
            .backend(backend().gets(GET).sends(OK))
            .gets(ok_and_close("ok")).end(End::Any),
        // The backend closes its connection, and the client keeps its own.
        case("backend_says_close")
            .sends(get("/1") + &get("/2"))
            .backend(backend().gets(get("/1")).sends(ok_and_close("1")).closed())
            .backend(backend().gets(get("/2")).sends(ok("2")).kept())
            .gets(ok("1"))
            .gets(ok("2")),
        case("client_closes_after_its_answer")
            .sends(GET)
            .awaits("ok")
            .finishes()
            .backend(backend().gets(GET).sends(OK).kept())
            .gets(OK)
            .end(End::Closed),
    ]
}
