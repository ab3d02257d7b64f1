//! Whoever takes too long: head 10 s, body 30 s, answer 50 s, between requests 70 s, tunnels 600 s.

use std::time::Duration;

use super::case::{Case, End, Splits, backend, case};
use super::shorthand::*;

pub fn cases() -> Vec<Case> {
    let mut cases = of_clients();
    cases.extend(of_backends());
    cases
}

fn of_clients() -> Vec<Case> {
    vec![
        case("head_that_never_ends")
            .sends("GET / HTTP/1.1\r\nHost: a\r\n")
            .awaits_end()
            .takes_ms(10_000..=10_000)
            .refused(408),
        // From the first byte to the last: a byte now and then buys no time.
        case("head_that_comes_drop_by_drop")
            .sends("GE")
            .sleeps_ms(4_000)
            .sends("T ")
            .sleeps_ms(4_000)
            .sends("/ ")
            .sleeps_ms(4_000)
            .sends("HT")
            .takes_ms(12_000..=12_000)
            .refused(408),
        case("head_of_the_second_request_never_ends")
            .sends(get("/1"))
            .awaits("one")
            .sleeps_ms(30_000)
            .sends("GET /2")
            .awaits_end()
            .backend(backend().gets(get("/1")).sends(ok("one")))
            .takes_ms(40_000..=40_000)
            .gets(ok("one"))
            .refused(408),
        case("head_that_ends_in_time")
            .sends("GET / HTTP/1.1\r\nHost: a\r\n")
            .sleeps_ms(9_000)
            .sends("\r\n")
            .backend(backend().gets(GET).sends(OK).kept())
            .takes_ms(9_000..=9_000)
            .gets(OK),
        // Some clients put one after a body: it is no head that is late.
        case("empty_line_after_a_request_asks_for_nothing")
            .sends([get("/1"), "\r\n".into()].concat())
            .awaits("one")
            .awaits_end()
            .backend(backend().gets(get("/1")).sends(ok("one")))
            .takes_ms(70_000..=70_000)
            .gets(ok("one"))
            .end(End::Closed),
        case("empty_line_and_the_end_ask_for_nothing")
            .sends([get("/1"), "\r\n".into()].concat())
            .awaits("one")
            .finishes()
            .awaits_end()
            .backend(backend().gets(get("/1")).sends(ok("one")))
            .gets(ok("one"))
            .end(End::Closed),
        // Nothing was asked, so nothing is answered. Which clock runs before the first byte is not said.
        case("client_that_never_speaks").awaits_end().takes_ms(10_000..=70_000).end(End::Closed),
        case("client_that_says_no_more")
            .sends(GET)
            .awaits("ok")
            .awaits_end()
            .backend(backend().gets(GET).sends(OK))
            .takes_ms(70_000..=70_000)
            .gets(OK)
            .end(End::Closed),
        case("client_that_comes_back_in_time")
            .sends(get("/1"))
            .awaits("one")
            .sleeps_ms(69_000)
            .sends(get("/2"))
            .backend(backend().gets(get("/1")).sends(ok("one")))
            .backend(backend().gets(get("/2")).sends(ok("2")))
            .takes_ms(69_000..=69_000)
            .gets(ok("one"))
            .gets(ok("2")),
        case("body_that_stops")
            .sends(post_with("Content-Length: 5\r\n", "he"))
            .awaits_end()
            .unfinished()
            .takes_ms(30_000..=30_000)
            .refused(408),
        case("body_that_never_starts")
            .sends(post_with("Content-Length: 5\r\n", ""))
            .awaits_end()
            .unfinished()
            .takes_ms(30_000..=30_000)
            .refused(408),
        case("chunks_that_stop")
            .sends(chunked("5\r\nhello\r\n"))
            .awaits_end()
            .unfinished()
            .takes_ms(30_000..=30_000)
            .refused(408),
        case("client_that_does_not_read")
            .takes_bytes(100)
            .sends(GET)
            .awaits_end()
            .backend(backend().gets(GET).sends(ok(&"x".repeat(30_000))).awaits_end().closed())
            .takes_ms(30_000..=30_000)
            .unsplit(Splits::Backend, "thousands of places that are all alike")
            .gets_part(ok(&"x".repeat(30_000))),
        case("client_that_reads_slowly")
            .takes_bytes(100)
            .sends(GET)
            .sleeps_ms(20_000)
            .takes_bytes(10_000)
            .sleeps_ms(20_000)
            .takes_bytes(20_000)
            .sleeps_ms(20_000)
            .takes_bytes(100_000)
            .backend(backend().gets(GET).sends(ok(&"x".repeat(30_000))).kept())
            .takes_ms(60_000..=60_000)
            .unsplit(Splits::Backend, "thousands of places that are all alike")
            .gets(ok(&"x".repeat(30_000))),
    ]
}

fn of_backends() -> Vec<Case> {
    let silent = |request: &str| backend().gets(request).awaits_end().closed();
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel";
    vec![
        case("backend_that_never_answers")
            .sends(GET)
            .awaits("504")
            .backend(silent(GET))
            .takes_ms(50_000..=50_000)
            .failed(504),
        case("backend_that_never_answers_an_upload")
            .sends(post("/", "hello"))
            .awaits("504")
            .backend(silent(&post("/", "hello")))
            .takes_ms(50_000..=50_000)
            .failed(504),
        case("backend_whose_head_never_ends")
            .sends(GET)
            .awaits("504")
            .backend(backend().gets(GET).sends("HTTP/1.1 200 OK\r\n").awaits_end().closed())
            .takes_ms(50_000..=50_000)
            .failed(504),
        case("backend_that_answers_head_too_late")
            .sends("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            .awaits("504")
            .backend(silent("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"))
            .takes_ms(50_000..=50_000)
            .failed(504)
            .without_body(),
        case("backend_that_never_answers_and_the_next_request")
            .sends(get("/1") + &get("/2"))
            .backend(silent(&get("/1")))
            .backend(backend().gets(get("/2")).sends(ok("2")))
            .takes_ms(50_000..=50_000)
            .failed(504)
            .gets(ok("2")),
        case("backend_whose_body_stops")
            .sends(GET)
            .awaits_end()
            .backend(backend().gets(GET).sends(head).awaits_end().closed())
            .takes_ms(30_000..=30_000)
            .gets_part(ok("hello")),
        case("backend_whose_chunks_stop")
            .sends(GET)
            .awaits_end()
            .backend(
                backend()
                    .gets(GET)
                    .sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n")
                    .awaits_end()
                    .closed(),
            )
            .takes_ms(30_000..=30_000)
            .gets_part("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        case("backend_whose_body_drips")
            .sends(GET)
            .backend(
                backend()
                    .gets(GET)
                    .sends(head)
                    .sleeps_ms(25_000)
                    .sends("l")
                    .sleeps_ms(25_000)
                    .sends("o")
                    .kept(),
            )
            .takes_ms(50_000..=50_000)
            .gets(ok("hello")),
        case("request_that_takes_too_long_in_all")
            .with(|config| config.timeouts.request = Some(Duration::from_secs(20)))
            .sends(GET)
            .awaits("504")
            .backend(silent(GET))
            .takes_ms(20_000..=20_000)
            .failed(504),
    ]
}
