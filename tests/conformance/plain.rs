//! Requests and answers that nothing is wrong with.

use super::case::{Case, backend, case};
use super::shorthand::*;

pub fn cases() -> Vec<Case> {
    let mut cases = requests();
    cases.extend(request_framings());
    cases.extend(statuses());
    cases.extend(exchanges());
    cases
}

fn requests() -> Vec<Case> {
    [
        ("get", GET, GET),
        (
            "fields_keep_their_order_and_spelling",
            "GET / HTTP/1.1\r\nb: 1\r\nHOST: a\r\nA: 2\r\nb: 3\r\nX-UnKnown: 4\r\n\r\n",
            "GET / HTTP/1.1\r\nb: 1\r\nHOST: a\r\nA: 2\r\nb: 3\r\nX-UnKnown: 4\r\n\r\n",
        ),
        (
            "whitespace_around_values_is_not_theirs",
            "GET / HTTP/1.1\r\nHost:a\r\nOne:\t 1 \t\r\nTwo:2 \r\nInner: a \t b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nOne: 1\r\nTwo: 2\r\nInner: a \t b\r\n\r\n",
        ),
        (
            "empty_values_stay",
            "GET / HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nX-Blank: \r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX-Empty: \r\nX-Blank: \r\n\r\n",
        ),
        (
            "paths_and_queries_are_not_touched",
            "GET //a/./b/../%2e%2F;p=1?q=/?&&r=%00+%zz HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET //a/./b/../%2e%2F;p=1?q=/?&&r=%00+%zz HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        (
            "methods_are_spelled_as_they_came",
            "get / HTTP/1.1\r\nHost: a\r\n\r\n",
            "get / HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        (
            "unknown_methods_pass",
            "BREW-COFFEE /pot HTTP/1.1\r\nHost: a\r\n\r\n",
            "BREW-COFFEE /pot HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        ("an_empty_line_before_the_request_is_ignored", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", GET),
        (
            "options_of_the_server",
            "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        (
            "delete_without_a_body",
            "DELETE /x HTTP/1.1\r\nHost: a\r\n\r\n",
            "DELETE /x HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        ("post_without_a_body", "POST / HTTP/1.1\r\nHost: a\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\n\r\n"),
        (
            "a_host_with_port",
            "GET / HTTP/1.1\r\nHost: a.example:8080\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a.example:8080\r\n\r\n",
        ),
        (
            "a_host_of_ipv6",
            "GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n",
        ),
        (
            "earlier_proxies_stay_named",
            "GET / HTTP/1.1\r\nHost: a\r\nVia: 1.0 fred\r\nX-Other: 1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX-Other: 1\r\nVia: 1.0 fred\r\n\r\n",
        ),
    ]
    .into_iter()
    .map(|(name, request, forwarded)| passes(name, request, forwarded))
    .chain([passes(
        "bytes_beyond_ascii_in_values_pass",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \xe4\xff\xc3\xa4\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \xe4\xff\xc3\xa4\r\n\r\n",
    )])
    .collect()
}

fn request_framings() -> Vec<Case> {
    let big = "x".repeat(20_000);
    vec![
        passes("post_with_a_length", post("/", "hello"), post("/", "hello")),
        passes("post_with_length_0", post("/", ""), post("/", "")),
        case("get_with_a_body")
            .sends(get_with("Content-Length: 2\r\n") + "hi")
            .backend(backend().gets(get_with("Content-Length: 2\r\n") + "hi").sends(OK).closed())
            .gets(OK),
        passes(
            "a_length_among_other_fields",
            post_with("A: 1\r\ncontent-length: 2\r\nB: 2\r\n", "hi"),
            post_with("A: 1\r\nContent-Length: 2\r\nB: 2\r\n", "hi"),
        ),
        // 1*DIGIT allows it, and it says the same: passed on in its shortest spelling.
        passes(
            "a_length_with_leading_zeros",
            post_with("Content-Length: 0002\r\n", "hi"),
            post_with("Content-Length: 2\r\n", "hi"),
        ),
        passes("a_chunked_body", chunked("5\r\nhello\r\n0\r\n\r\n"), chunked("5\r\nhello\r\n0\r\n\r\n")),
        passes(
            "a_chunked_body_in_several_chunks",
            chunked("1\r\na\r\n2\r\nbc\r\n0B\r\ndefghijklmn\r\n0\r\n\r\n"),
            chunked("1\r\na\r\n2\r\nbc\r\nb\r\ndefghijklmn\r\n0\r\n\r\n"),
        ),
        passes("an_empty_chunked_body", chunked("0\r\n\r\n"), chunked("0\r\n\r\n")),
        passes(
            "the_coding_in_mixed_case",
            post_with("A: 1\r\ntransfer-ENCODING: ChUnKeD\r\nB: 2\r\n", "1\r\na\r\n0\r\n\r\n"),
            post_with("A: 1\r\nTransfer-Encoding: chunked\r\nB: 2\r\n", "1\r\na\r\n0\r\n\r\n"),
        ),
        passes(
            "whitespace_around_the_coding",
            post_with("Transfer-Encoding:\t chunked \t\r\n", "1\r\na\r\n0\r\n\r\n"),
            chunked("1\r\na\r\n0\r\n\r\n"),
        ),
        passes("a_long_body", post("/", &big), post("/", &big)).unsplit(
            super::case::Splits::Client,
            "thousands of places that are all alike; byte by byte is enough",
        ),
        passes(
            "a_long_chunk",
            chunked(&format!("4e20\r\n{big}\r\n0\r\n\r\n")),
            chunked(&format!("4e20\r\n{big}\r\n0\r\n\r\n")),
        )
        .unsplit(
            super::case::Splits::Client,
            "thousands of places that are all alike; byte by byte is enough",
        ),
    ]
}

fn statuses() -> Vec<Case> {
    let same = |name: &str, answer: &str| answers(name, answer, answer);
    vec![
        same("answer_201", "HTTP/1.1 201 Created\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"),
        same("answer_302", "HTTP/1.1 302 Found\r\nLocation: http://b/\r\nContent-Length: 1\r\n\r\nx"),
        same("answer_404", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        same("answer_500", "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\n:("),
        same("answer_of_an_unknown_status", "HTTP/1.1 299 Whatever It Is\r\nContent-Length: 0\r\n\r\n"),
        same("answer_without_a_reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"),
        // The space is due even without a reason; servers that forget it are common and nothing is ambiguous.
        answers(
            "answer_without_a_reason_or_its_space",
            "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
        ),
        same(
            "answer_fields_keep_their_order_and_spelling",
            "HTTP/1.1 200 OK\r\nz: 1\r\nset-cookie: a=b\r\nContent-Length: 2\r\nSet-cookie: c=d\r\nA: 2\r\nz: 3\r\n\r\nok",
        ),
        same("answer_with_earlier_proxies", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nVia: 1.1 cache\r\n\r\n"),
        answers(
            "answer_with_whitespace_around_values",
            "HTTP/1.1 200 OK\r\nServer:x \t\r\nContent-Length:\t2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 2\r\n\r\nok",
        ),
    ]
}

fn exchanges() -> Vec<Case> {
    vec![
        case("several_exchanges_on_one_connection")
            .sends(get("/1"))
            .awaits("one")
            .sends(get("/2"))
            .awaits("two")
            .sends(post("/3", "body"))
            .backend(
                backend()
                    .gets(get("/1"))
                    .sends(ok("one"))
                    .gets(get("/2"))
                    .sends(ok("two"))
                    .gets(post("/3", "body"))
                    .sends(ok("three"))
                    .kept(),
            )
            .gets(ok("one"))
            .gets(ok("two"))
            .gets(ok("three")),
        case("the_answer_may_take_its_time")
            .sends(GET)
            .backend(backend().gets(GET).sleeps_ms(45_000).sends(OK).kept())
            .takes_ms(45_000..=45_000)
            .gets(OK),
        case("head_and_body_may_take_their_time")
            .sends("GET / HTTP/1.1\r\n")
            .sleeps_ms(9_000)
            .sends("Host: a\r\nContent-Length: 2\r\n\r\n")
            .sleeps_ms(25_000)
            .sends("h")
            .sleeps_ms(25_000)
            .sends("i")
            .backend(backend().gets(get_with("Content-Length: 2\r\n") + "hi").sends(OK).closed())
            .takes_ms(59_000..=59_000)
            .gets(OK),
    ]
}
