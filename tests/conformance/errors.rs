//! Answers of the proxy's own: no backend, too large a body, and how they are spelled.

use super::case::{Case, backend, case};
use super::setup::another_backend;
use super::shorthand::*;

pub fn cases() -> Vec<Case> {
    let mut cases = no_backend();
    cases.extend(other_backends());
    cases.extend(too_large());
    cases
}

const HEAD: &str = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";

fn no_backend() -> Vec<Case> {
    let nobody = |name: &str, request: &str| {
        case(name).with(|config| config.pools[0].backends[0].weight = 0).sends(request)
    };
    let accepts = |media: &str| get_with(&format!("Accept: {media}\r\n"));
    vec![
        nobody("no_backend", GET).failed(503),
        nobody("no_backend_for_head", HEAD).failed(503).without_body(),
        nobody("no_backend_for_several", &(GET.to_owned() + HEAD + GET))
            .failed(503)
            .failed(503)
            .without_body()
            .failed(503),
        nobody("no_backend_and_the_client_says_close", &get_with("Connection: close\r\n")).refused(503),
        nobody("no_backend_for_an_old_client", "GET / HTTP/1.0\r\nHost: a\r\n\r\n").refused(503),
        nobody("no_backend_for_an_upload", &post("/", "hello")).failed_either_way(503),
        nobody("no_backend_for_half_an_upload", &post_with("Content-Length: 100\r\n", "part")).refused(503),
        nobody("no_backend_in_json", &accepts("application/json")).failed(503).in_json(),
        nobody("no_backend_in_json_among_others", &accepts("text/plain;q=0.5, application/json"))
            .failed(503)
            .in_json(),
        nobody("no_backend_in_text", &accepts("text/html")).failed(503),
        nobody("no_backend_in_whatever", &accepts("*/*")).failed(503),
        nobody(
            "no_backend_in_json_for_head",
            "HEAD / HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n",
        )
        .failed(503)
        .in_json()
        .without_body(),
        nobody("no_backend_for_an_upgrade", &get_with("Connection: upgrade\r\nUpgrade: websocket\r\n"))
            .failed_either_way(503),
        nobody(
            "no_backend_for_who_waits_to_continue",
            &post_with("Expect: 100-continue\r\nContent-Length: 5\r\n", ""),
        )
        .refused(503),
    ]
}

fn other_backends() -> Vec<Case> {
    let refused = || backend().refuses();
    vec![
        case("connect_refused").sends(GET).backend(refused()).failed(503),
        case("connect_refused_for_an_upload")
            .sends(post("/", "hello"))
            .backend(refused())
            .failed_either_way(503),
        case("connect_refused_and_another_backend")
            .with(|config| config.pools[0].backends.push(another_backend(1)))
            .sends(GET)
            .backend(refused())
            .backend(backend().gets(GET).sends(OK).kept())
            .gets(OK),
        case("connect_refused_and_another_backend_for_an_upload")
            .with(|config| config.pools[0].backends.push(another_backend(1)))
            .sends(post("/", "hello"))
            .backend(refused())
            .backend(backend().gets(post("/", "hello")).sends(OK).kept())
            .gets(OK),
        case("connect_refused_and_another_backend_for_chunks")
            .with(|config| config.pools[0].backends.push(another_backend(1)))
            .sends(chunked("5\r\nhello\r\n0\r\n\r\n"))
            .backend(refused())
            .backend(backend().gets(chunked("5\r\nhello\r\n0\r\n\r\n")).sends(OK).kept())
            .gets(OK),
        case("connect_refused_as_often_as_is_tried")
            .with(|config| config.pools[0].backends.extend([1, 2, 3].map(another_backend)))
            .with(|config| config.limits.connect_attempts = 3)
            .sends(GET)
            .backend(refused())
            .backend(refused())
            .backend(refused())
            .failed(503),
    ]
}

fn too_large() -> Vec<Case> {
    let limited = |case: Case| case.with(|config| config.limits.body_bytes = Some(4));
    vec![
        limited(refuses("body_too_large", post("/", "hello"), 413)),
        limited(refuses("body_far_too_large", post_with("Content-Length: 9999999999\r\n", ""), 413)),
        limited(passes("body_as_large_as_may_be", post("/", "hell"), post("/", "hell"))),
        limited(refuses("chunks_too_large", chunked("5\r\nhello\r\n0\r\n\r\n"), 413).unfinished()),
        limited(
            refuses("many_chunks_too_large", chunked("2\r\nhe\r\n2\r\nll\r\n1\r\no\r\n0\r\n\r\n"), 413)
                .unfinished(),
        ),
        limited(passes(
            "chunks_as_large_as_may_be",
            chunked("2\r\nhe\r\n2\r\nll\r\n0\r\n\r\n"),
            chunked("2\r\nhe\r\n2\r\nll\r\n0\r\n\r\n"),
        )),
        limited(refuses(
            "body_too_large_for_who_waits_to_continue",
            post_with("Expect: 100-continue\r\nContent-Length: 5\r\n", ""),
            413,
        )),
        limited(
            case("body_too_large_after_another_request")
                .sends(post("/1", "hell") + &post("/2", "hello") + NEXT)
                .backend(backend().gets(post("/1", "hell")).sends(ok("1")))
                .gets(ok("1"))
                .refused(413),
        ),
        limited(answers("answers_are_not_limited", ok("hello, world"), ok("hello, world"))),
    ]
}
