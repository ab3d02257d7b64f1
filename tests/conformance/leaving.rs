//! Clients that leave, in one way or another.

use super::case::{Case, End, backend, case};
use super::shorthand::*;

pub fn cases() -> Vec<Case> {
    let mut cases = finishing();
    cases.extend(resetting());
    cases
}

fn finishing() -> Vec<Case> {
    vec![
        case("client_finishes_after_its_request")
            .sends(GET)
            .finishes()
            .backend(backend().gets(GET).sleeps_ms(1_000).sends(OK))
            .takes_ms(1_000..=1_000)
            .gets(OK)
            .end(End::Closed),
        case("client_finishes_after_its_upload")
            .sends(post("/", "hello"))
            .finishes()
            .backend(backend().gets(post("/", "hello")).sleeps_ms(1_000).sends(OK))
            .takes_ms(1_000..=1_000)
            .gets(OK)
            .end(End::Closed),
        case("client_finishes_after_several_requests")
            .sends(get("/1") + &get("/2"))
            .finishes()
            .backend(backend().gets(get("/1")).sends(ok("1")).gets(get("/2")).sends(ok("2")))
            .gets(ok("1"))
            .gets(ok("2"))
            .end(End::Closed),
        case("client_finishes_during_its_answer")
            .sends(GET)
            .awaits("hel")
            .finishes()
            .sleeps_ms(1_000)
            .while_backend_sends(0, "lo")
            .awaits_end()
            .backend(backend().gets(GET).sends("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"))
            .takes_ms(1_000..=1_000)
            .gets(ok("hello"))
            .end(End::Closed),
        case("client_finishes_before_a_word").finishes().awaits_end().end(End::Closed),
        case("client_finishes_between_requests")
            .sends(GET)
            .awaits("ok")
            .finishes()
            .awaits_end()
            .backend(backend().gets(GET).sends(OK).kept())
            .gets(OK)
            .end(End::Closed),
        // What is not complete is no request; whether somebody who has left is told so is open.
        case("client_finishes_in_mid_head")
            .sends("GET / HTTP/1.1\r\nHo")
            .finishes()
            .awaits_end()
            .refused_or_nothing(400),
        case("client_finishes_before_the_empty_line")
            .sends("GET / HTTP/1.1\r\nHost: a\r\n")
            .finishes()
            .awaits_end()
            .refused_or_nothing(400),
        case("client_finishes_in_mid_body")
            .sends(post_with("Content-Length: 5\r\n", "he"))
            .finishes()
            .awaits_end()
            .unfinished()
            .refused_or_nothing(400),
        case("client_finishes_before_its_body")
            .sends(post_with("Content-Length: 5\r\n", ""))
            .finishes()
            .awaits_end()
            .unfinished()
            .refused_or_nothing(400),
        case("client_finishes_in_mid_chunk")
            .sends(chunked("5\r\nhe"))
            .finishes()
            .awaits_end()
            .unfinished()
            .refused_or_nothing(400),
        case("client_finishes_before_the_last_chunk")
            .sends(chunked("5\r\nhello\r\n"))
            .finishes()
            .awaits_end()
            .unfinished()
            .refused_or_nothing(400),
        case("client_finishes_in_mid_trailers")
            .sends(chunked("5\r\nhello\r\n0\r\nA: b\r\n"))
            .finishes()
            .awaits_end()
            .unfinished()
            .refused_or_nothing(400),
        case("client_finishes_in_mid_head_of_a_second_request")
            .sends(get("/1") + "GET /2")
            .finishes()
            .awaits_end()
            .backend(backend().gets(get("/1")).sends(ok("1")))
            .gets(ok("1"))
            .refused_or_nothing(400),
    ]
}

fn resetting() -> Vec<Case> {
    let later = |case: Case| case.sleeps_ms(1).resets().takes_ms(1..=1).end(End::Any);
    let waits = || backend().gets(GET).awaits_end().closed();
    vec![
        later(case("client_resets_before_a_word")),
        later(case("client_resets_in_mid_head").sends("GET / HT")),
        later(case("client_resets_while_the_backend_thinks").sends(GET)).backend(waits()),
        later(case("client_resets_in_mid_upload").sends(post_with("Content-Length: 5\r\n", "he")))
            .unfinished(),
        later(case("client_resets_with_requests_in_line").sends(GET.to_owned() + NEXT)).backend(waits()),
        later(case("client_resets_during_its_answer").sends(GET).awaits("hel"))
            .backend(
                backend()
                    .gets(GET)
                    .sends("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
                    .awaits_end()
                    .closed(),
            )
            .gets_part(ok("hello"))
            .end(End::Any),
        later(case("client_resets_between_requests").sends(GET).awaits("ok"))
            .backend(backend().gets(GET).sends(OK))
            .gets(OK),
    ]
}
