//! Several requests at once: answered in their order, and none that stands behind something wrong.

use super::case::{Case, Splits, backend, case};
use super::setup::another_backend;
use super::shorthand::*;

pub fn cases() -> Vec<Case> {
    let mut cases = served();
    cases.extend(cut_short());
    cases
}

fn served() -> Vec<Case> {
    let chunked_answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    vec![
        case("two_at_once")
            .sends(get("/1") + &get("/2"))
            .backend(backend().gets(get("/1")).sends(ok("1")).gets(get("/2")).sends(ok("2")).kept())
            .gets(ok("1"))
            .gets(ok("2")),
        case("many_at_once")
            .sends((0..8).map(|number| get(&format!("/{number}"))).collect::<String>())
            .backend((0..8).fold(backend(), |script, number| {
                script.gets(get(&format!("/{number}"))).sends(ok(&number.to_string()))
            }))
            .gets(ok("0"))
            .gets(ok("1"))
            .gets(ok("2"))
            .gets(ok("3"))
            .gets(ok("4"))
            .gets(ok("5"))
            .gets(ok("6"))
            .gets(ok("7")),
        (0..200).fold(
            case("more_at_once_than_a_buffer_holds")
                .sends(get("/x").repeat(200))
                .backend((0..200).fold(backend(), |script, _| script.gets(get("/x")).sends(OK)))
                .unsplit(Splits::Client, "200 times the same")
                .unsplit(Splits::Backend, "200 times the same"),
            |case, _| case.gets(OK),
        ),
        case("bodies_at_once")
            .sends(post("/1", "one") + &post("/2", "two") + &get("/3"))
            .backend(
                backend()
                    .gets(post("/1", "one"))
                    .sends(ok("1"))
                    .gets(post("/2", "two"))
                    .sends(chunked_answer)
                    .gets(get("/3"))
                    .sends(ok("3"))
                    .kept(),
            )
            .gets(ok("1"))
            .gets(chunked_answer)
            .gets(ok("3")),
        case("chunks_at_once")
            .sends(chunked("3\r\none\r\n0\r\n\r\n") + &chunked("3\r\ntwo\r\n0\r\nA: b\r\n\r\n") + &get("/3"))
            .backend(
                backend()
                    .gets(chunked("3\r\none\r\n0\r\n\r\n"))
                    .sends(ok("1"))
                    .gets(chunked("3\r\ntwo\r\n0\r\nA: b\r\n\r\n"))
                    .sends(ok("2"))
                    .gets(get("/3"))
                    .sends(ok("3"))
                    .kept(),
            )
            .gets(ok("1"))
            .gets(ok("2"))
            .gets(ok("3")),
        case("the_next_during_an_upload")
            .sends(post_with("Content-Length: 5\r\n", "he"))
            .sends("llo".to_owned() + &get("/2"))
            .backend(backend().gets(post("/", "hello")).sends(ok("1")).gets(get("/2")).sends(ok("2")).kept())
            .gets(ok("1"))
            .gets(ok("2")),
        case("the_next_during_an_answer")
            .sends(get("/1"))
            .awaits("hel")
            .sends(get("/2"))
            .while_backend_sends(0, "lo")
            .sends(get("/3"))
            .backend(
                backend()
                    .gets(get("/1"))
                    .sends("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
                    .gets(get("/2"))
                    .sends(ok("2"))
                    .gets(get("/3"))
                    .sends(ok("3"))
                    .kept(),
            )
            .gets(ok("hello"))
            .gets(ok("2"))
            .gets(ok("3")),
        case("to_different_backends")
            .with(|config| config.pools[0].backends.push(another_backend(1)))
            .sends(get("/1") + &get("/2") + &get("/3"))
            .backend(
                backend().gets(get("/1")).sleeps_ms(500).sends(ok("1")).gets(get("/3")).sends(ok("3")).kept(),
            )
            .backend(backend().gets(get("/2")).sends(ok("2")).kept())
            .takes_ms(500..=500)
            .gets(ok("1"))
            .gets(ok("2"))
            .gets(ok("3")),
        case("a_head_that_comes_with_the_one_before")
            .sends(get("/1") + "GET /2 HTTP/1.1\r\nHo")
            .awaits("one")
            .sends("st: a\r\n\r\n")
            .backend(backend().gets(get("/1")).sends(ok("one")).gets(get("/2")).sends(ok("two")).kept())
            .gets(ok("one"))
            .gets(ok("two")),
        // What is wrong with one exchange is not wrong with the next.
        case("the_next_after_502")
            .sends(get("/1") + &get("/2"))
            .backend(backend().gets(get("/1")).sends("garbage\r\n\r\n").closed())
            .backend(backend().gets(get("/2")).sends(ok("2")))
            .failed(502)
            .gets(ok("2")),
        case("the_next_after_503")
            .sends(get("/1") + &get("/2"))
            .backend(backend().refuses())
            .backend(backend().gets(get("/2")).sends(ok("2")))
            .failed(503)
            .gets(ok("2")),
    ]
}

fn cut_short() -> Vec<Case> {
    let closing = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let bad = "GET / HTTP/1.1\r\nHost: a\r\nbad\r\n\r\n";
    vec![
        case("nothing_after_close")
            .sends(closing("/1") + NEXT)
            .backend(backend().gets(get("/1")).sends(ok("1")))
            .gets(ok_and_close("1")),
        case("a_good_one_and_a_bad_one")
            .sends(get("/1") + bad + NEXT)
            .backend(backend().gets(get("/1")).sends(ok("1")))
            .gets(ok("1"))
            .refused(400),
        // The error waits for its turn.
        case("a_slow_one_and_a_bad_one")
            .sends(get("/1") + bad + NEXT)
            .backend(backend().gets(get("/1")).sleeps_ms(5_000).sends(ok("1")))
            .takes_ms(5_000..=5_000)
            .gets(ok("1"))
            .refused(400),
        case("a_good_one_and_one_with_a_bad_body")
            .sends(get("/1") + &chunked("x\r\n") + NEXT)
            .backend(backend().gets(get("/1")).sends(ok("1")).ignores())
            .unfinished()
            .gets(ok("1"))
            .refused(400),
        case("nothing_after_an_answer_cut_short")
            .sends(get("/1") + NEXT)
            .awaits_end()
            .backend(
                backend().gets(get("/1")).sends("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel").finishes(),
            )
            .gets_part(ok("hello")),
    ]
}
