//! Expect, and answers that come before the request is over.

use super::case::{Case, backend, case};
use super::shorthand::*;

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

pub fn cases() -> Vec<Case> {
    let mut cases = waiting();
    cases.extend(without_waiting());
    cases.extend(other_expectations());
    cases.extend(early_answers());
    cases
}

fn head() -> String {
    post_with("Expect: 100-continue\r\nContent-Length: 5\r\n", "")
}

fn waiting() -> Vec<Case> {
    let head_in_chunks = || post_with("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", "");
    let chunks = "5\r\nhello\r\n0\r\n\r\n";
    let refusal =
        |close: &str| format!("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n{close}\r\nno");
    vec![
        case("expect_continue")
            .sends(head())
            .awaits("100 Continue\r\n")
            .sends("hello")
            .backend(backend().gets_head(head()).sends(CONTINUE).gets(head() + "hello").sends(OK).kept())
            .gets(CONTINUE)
            .gets(OK),
        case("expect_continue_with_chunks")
            .sends(head_in_chunks())
            .awaits("100 Continue\r\n")
            .sends(chunks)
            .backend(
                backend()
                    .gets_head(head_in_chunks())
                    .sends(CONTINUE)
                    .gets(head_in_chunks() + chunks)
                    .sends(OK)
                    .kept(),
            )
            .gets(CONTINUE)
            .gets(OK),
        case("expect_continue_and_the_backend_declines")
            .sends(head())
            .awaits("417")
            .awaits("no")
            .backend(backend().gets_head(head()).sends(refusal("")).ignores().closed())
            .gets(refusal("Connection: close\r\n")),
        // The client sends what it announced all the same: nobody may take it for a request.
        case("expect_continue_declined_and_the_body_comes")
            .sends(head())
            .awaits("417")
            .awaits("no")
            .sends("hello")
            .sends(NEXT)
            .backend(backend().gets_head(head()).sends(refusal("")).ignores().closed())
            .gets(refusal("Connection: close\r\n")),
        case("expect_continue_declined_and_no_body_comes")
            .sends(head())
            .awaits("417")
            .awaits("no")
            .sends(NEXT)
            .backend(backend().gets_head(head()).sends(refusal("")).ignores().closed())
            .gets(refusal("Connection: close\r\n")),
        case("expect_continue_then_another_request")
            .sends(head())
            .awaits("100 Continue\r\n")
            .sends("hello")
            .sends(GET)
            .backend(
                backend()
                    .gets_head(head())
                    .sends(CONTINUE)
                    .gets(head() + "hello")
                    .sends(ok("1"))
                    .gets(GET)
                    .sends(ok("2"))
                    .kept(),
            )
            .gets(CONTINUE)
            .gets(ok("1"))
            .gets(ok("2")),
    ]
}

fn without_waiting() -> Vec<Case> {
    let old = "POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello";
    vec![
        case("expect_continue_not_waited_for")
            .sends(head() + "hello")
            .backend(backend().gets(head() + "hello").sends(CONTINUE.to_owned() + OK).kept())
            .gets(CONTINUE)
            .gets(OK),
        passes("expect_continue_not_answered", head() + "hello", head() + "hello"),
        passes(
            "expect_continue_in_mixed_case",
            post_with("expect: 100-Continue\r\nContent-Length: 5\r\n", "hello"),
            post_with("expect: 100-Continue\r\nContent-Length: 5\r\n", "hello"),
        ),
        // There is nothing to wait for; passed on, it would only leave somebody waiting.
        passes("expect_continue_without_a_body", get_with("Expect: 100-continue\r\n"), GET),
        // RFC 9110, 10.1.1: to be ignored on 1.0, and so not ours to ask for.
        case("expect_continue_on_1_0")
            .sends(old)
            .backend(backend().gets(post("/", "hello")).sends(OK))
            .gets(ok_and_close("ok")),
    ]
}

fn other_expectations() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        ("another", "200-ok"),
        ("with_a_parameter", "100-continue;q=1"),
        ("and_another", "100-continue, x"),
        ("with_a_word_before", "y 100-continue"),
        ("without_its_dash", "100 continue"),
        ("quoted", "\"100-continue\""),
    ]
    .into_iter()
    .map(|(name, value)| {
        let request = post_with(&format!("Expect: {value}\r\nContent-Length: 5\r\n"), "hello");
        refuses(&format!("expect_{name}"), request, 417)
    })
    .collect();
    cases.push(refuses(
        "expect_folded",
        post_with("Expect:\r\n 100-continue\r\nContent-Length: 5\r\n", "hello"),
        400,
    ));
    cases
}

fn early_answers() -> Vec<Case> {
    let upload = || post_with("Content-Length: 100\r\n", "");
    let chunks = || chunked("");
    let refusal = |close: &str| format!("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n{close}\r\nno");
    vec![
        case("early_answer_during_upload")
            .sends(upload() + "part")
            .awaits("early")
            .sends("x".repeat(96))
            .sends(NEXT)
            .backend(backend().gets_head(upload()).sends(ok("early")).ignores().closed())
            .gets(ok_and_close("early")),
        case("early_answer_during_chunked_upload")
            .sends(chunks() + "4\r\npart\r\n")
            .awaits("early")
            .sends("1\r\nx\r\n0\r\n\r\n")
            .sends(NEXT)
            .backend(backend().gets_head(chunks()).sends(ok("early")).ignores().closed())
            .gets(ok_and_close("early")),
        case("early_answer_before_the_body")
            .sends(upload())
            .awaits("no")
            .backend(backend().gets_head(upload()).sends(refusal("")).ignores().closed())
            .gets(refusal("Connection: close\r\n")),
        case("early_answer_and_the_backend_ends")
            .sends(upload() + "part")
            .awaits("no")
            .backend(backend().gets_head(upload()).sends(refusal("")).finishes().ignores().closed())
            .gets(refusal("Connection: close\r\n")),
        case("early_answer_and_the_backend_resets")
            .sends(upload() + "part")
            .awaits("no")
            .backend(backend().gets_head(upload()).sends(refusal("")).resets().ignores().closed())
            .gets(refusal("Connection: close\r\n")),
    ]
}
