//! Connections to backends that are used again, and those that must not be.

use super::case::{Case, Splits, backend, case};
use super::setup::another_backend;
use super::shorthand::*;

pub fn cases() -> Vec<Case> {
    let mut cases = kept();
    cases.extend(discarded());
    cases.extend(stale());
    cases
}

fn kept() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        ("a_length", ok("1")),
        ("no_byte", ok("")),
        ("chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n".to_owned()),
        ("no_content", "HTTP/1.1 204 No Content\r\n\r\n".to_owned()),
        ("an_error", "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("keep_alive", ok("")),
    ]
    .into_iter()
    .map(|(name, answer)| {
        case(&format!("reused_after_{name}"))
            .sends(get("/1"))
            .awaits("\r\n\r\n")
            .sends(post("/2", "x"))
            .backend(backend().gets(get("/1")).sends(&answer).gets(post("/2", "x")).sends(ok("2")).kept())
            .gets(&answer)
            .gets(ok("2"))
    })
    .collect();
    cases.push(
        case("reused_of_each_backend")
            .with(|config| config.pools[0].backends.push(another_backend(1)))
            .sends(get("/1") + &get("/2") + &get("/3") + &get("/4"))
            .backend(backend().gets(get("/1")).sends(ok("1")).gets(get("/3")).sends(ok("3")).kept())
            .backend(backend().gets(get("/2")).sends(ok("2")).gets(get("/4")).sends(ok("4")).kept())
            .gets(ok("1"))
            .gets(ok("2"))
            .gets(ok("3"))
            .gets(ok("4")),
    );
    cases.push(
        case("reused_after_a_pause")
            .sends(get("/1"))
            .sleeps_ms(35_000)
            .sends(get("/2"))
            .backend(backend().gets(get("/1")).sends(ok("1")).gets(get("/2")).sends(ok("2")).kept())
            .takes_ms(35_000..=35_000)
            .gets(ok("1"))
            .gets(ok("2")),
    );
    cases
}

fn discarded() -> Vec<Case> {
    let two = |name: &str, answer: &str, forwarded: &str| {
        case(name)
            .sends(get("/1"))
            .awaits("one")
            .sends(get("/2"))
            .backend(backend().gets(get("/1")).sends(answer).closed())
            .backend(backend().gets(get("/2")).sends(ok("2")).kept())
            .gets(forwarded)
            .gets(ok("2"))
    };
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n";
    vec![
        two("discarded_after_close", &ok_and_close("one"), &ok("one")),
        two(
            "discarded_after_close_in_a_list",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: x, Close\r\n\r\none",
            &ok("one"),
        ),
        two("discarded_after_an_extra_byte", &(ok("one") + "x"), &ok("one"))
            .unsplit(Splits::Backend, TOGETHER)
            .unsplit(Splits::Bytes, TOGETHER),
        two("discarded_after_an_extra_line_end", &(ok("one") + "\r\n"), &ok("one"))
            .unsplit(Splits::Backend, TOGETHER)
            .unsplit(Splits::Bytes, TOGETHER),
        two("discarded_after_bytes_behind_the_last_chunk", &(chunks.to_owned() + "x"), chunks)
            .unsplit(Splits::Backend, TOGETHER)
            .unsplit(Splits::Bytes, TOGETHER),
        two("discarded_after_an_answer_nobody_asked_for", &(ok("one") + &ok("poison")), &ok("one"))
            .unsplit(Splits::Backend, TOGETHER)
            .unsplit(Splits::Bytes, TOGETHER),
        case("discarded_after_bytes_while_idle")
            .sends(get("/1"))
            .awaits("one")
            .while_backend_sends(0, &ok("poison"))
            .sleeps_ms(1)
            .sends(get("/2"))
            .backend(backend().gets(get("/1")).sends(ok("one")).closed())
            .backend(backend().gets(get("/2")).sends(ok("2")).kept())
            .takes_ms(1..=1)
            .gets(ok("one"))
            .gets(ok("2")),
        // They were there before the request was written: a look at the socket would have told.
        case("discarded_after_bytes_that_come_with_the_next_request")
            .sends(get("/1"))
            .awaits("one")
            .while_backend_sends(0, &ok("poison"))
            .sends(get("/2"))
            .backend(backend().gets(get("/1")).sends(ok("one")).ignores().closed())
            .backend(backend().gets(get("/2")).sends(ok("2")).kept())
            .gets(ok("one"))
            .gets(ok("2")),
        case("discarded_when_the_backend_closes_it")
            .sends(get("/1"))
            .awaits("one")
            .while_backend_finishes(0)
            .sleeps_ms(1)
            .sends(post("/2", "x"))
            .backend(backend().gets(get("/1")).sends(ok("one")).closed())
            .backend(backend().gets(post("/2", "x")).sends(ok("2")).kept())
            .takes_ms(1..=1)
            .gets(ok("one"))
            .gets(ok("2")),
        case("discarded_when_the_backend_resets_it")
            .sends(get("/1"))
            .awaits("one")
            .while_backend_resets(0)
            .sleeps_ms(1)
            .sends(post("/2", "x"))
            .backend(backend().gets(get("/1")).sends(ok("one")).closed())
            .backend(backend().gets(post("/2", "x")).sends(ok("2")).kept())
            .takes_ms(1..=1)
            .gets(ok("one"))
            .gets(ok("2")),
        case("discarded_when_idle_for_too_long")
            .sends(get("/1"))
            .sleeps_ms(45_000)
            .sends(get("/2"))
            .backend(backend().gets(get("/1")).sends(ok("1")).closed())
            .backend(backend().gets(get("/2")).sends(ok("2")).kept())
            .takes_ms(45_000..=45_000)
            .gets(ok("1"))
            .gets(ok("2")),
        case("discarded_where_none_is_to_be_kept")
            .with(|config| config.limits.max_idle = 0)
            .sends(get("/1") + &get("/2"))
            .backend(backend().gets(get("/1")).sends(ok("1")).closed())
            .backend(backend().gets(get("/2")).sends(ok("2")).closed())
            .gets(ok("1"))
            .gets(ok("2")),
    ]
}

/// The backend closes a connection while a request is on its way.
fn stale() -> Vec<Case> {
    let line = |method: &str| format!("{method} /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    let start =
        |name: &str, request: &str| case(name).sends(get("/1")).awaits("one").sends(request).gets(ok("one"));
    let first = || backend().gets(get("/1")).sends(ok("one"));
    let mut cases: Vec<Case> = ["GET", "OPTIONS", "DELETE", "PUT"]
        .into_iter()
        .map(|method| {
            start(&format!("stale_{method}_is_sent_again"), &line(method))
                .backend(first().gets(line(method)).finishes().closed())
                .backend(backend().gets(line(method)).sends(ok("2")).kept())
                .gets(ok("2"))
        })
        .collect();
    cases.extend([
        start("stale_after_a_reset_is_sent_again", &get("/2"))
            .backend(first().gets(get("/2")).resets().closed())
            .backend(backend().gets(get("/2")).sends(ok("2")).kept())
            .gets(ok("2")),
        start("stale_head_is_sent_again", &line("HEAD"))
            .backend(first().gets(line("HEAD")).finishes().closed())
            .backend(
                backend().gets(line("HEAD")).sends("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").kept(),
            )
            .gets_to_head("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        start("stale_post_is_not_sent_again", &post("/2", "x"))
            .backend(first().gets(post("/2", "x")).finishes().closed())
            .failed(502),
        start("stale_post_after_a_reset_is_not_sent_again", &post("/2", "x"))
            .backend(first().gets(post("/2", "x")).resets().closed())
            .failed(502),
        start("stale_unknown_method_is_not_sent_again", &line("BREW"))
            .backend(first().gets(line("BREW")).finishes().closed())
            .failed(502),
        // Nothing of it was received: the first write failed.
        case("stale_post_that_could_not_be_written_is_sent_again")
            .sends(get("/1"))
            .awaits("one")
            .while_backend_resets(0)
            .sends(post("/2", "x"))
            .backend(first().closed())
            .backend(backend().gets(post("/2", "x")).sends(ok("2")).kept())
            .gets(ok("one"))
            .gets(ok("2")),
        case("stale_as_the_request_comes")
            .sends(get("/1"))
            .awaits("one")
            .while_backend_finishes(0)
            .sends(get("/2"))
            .backend(first().ignores().closed())
            .backend(backend().gets(get("/2")).sends(ok("2")).kept())
            .gets(ok("one"))
            .gets(ok("2")),
        start("stale_is_sent_again_once", &get("/2"))
            .backend(first().gets(get("/2")).finishes().closed())
            .backend(backend().gets(get("/2")).finishes().closed())
            .failed(502),
        start("stale_no_more_after_a_byte", &get("/2"))
            .backend(first().gets(get("/2")).sends("H").finishes().closed())
            .failed(502),
        start("stale_no_more_after_an_interim_answer", &get("/2"))
            .backend(first().gets(get("/2")).sends("HTTP/1.1 103 Early Hints\r\n\r\n").finishes().closed())
            .gets("HTTP/1.1 103 Early Hints\r\n\r\n")
            .failed(502),
        // A fresh connection cannot be stale: the backend broke.
        case("not_stale_on_a_fresh_connection")
            .sends(GET)
            .backend(backend().gets(GET).finishes().closed())
            .failed(502),
    ]);
    cases
}
