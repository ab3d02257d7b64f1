//! How the end of an answer is known.

use super::case::{Case, Splits, backend, case};
use super::shorthand::*;

pub fn cases() -> Vec<Case> {
    let mut cases = bodies();
    cases.extend(long_bodies());
    cases.extend(bodiless());
    cases.extend(interim());
    cases
}

fn bodies() -> Vec<Case> {
    let chunked = |rest: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{rest}");
    let same = |name: &str, rest: &str| answers(name, chunked(rest), chunked(rest));
    vec![
        answers("answer_with_length_0", ok(""), ok("")),
        answers("answer_with_a_length", ok("hello"), ok("hello")),
        same("answer_in_chunks", "2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"),
        same("answer_in_no_chunk", "0\r\n\r\n"),
        same("answer_with_trailers", "2\r\nab\r\n0\r\nChecksum: x\r\nA: b\r\n\r\n"),
        answers(
            "answer_with_chunk_extensions",
            chunked("2;a=b\r\nab\r\n0;c\r\n\r\n"),
            chunked("2\r\nab\r\n0\r\n\r\n"),
        ),
        answers(
            "answer_with_trailers_that_are_none",
            chunked(
                "2\r\nab\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: x\r\nA: b\r\nSet-Cookie: a=b\r\n\r\n",
            ),
            chunked("2\r\nab\r\n0\r\nA: b\r\n\r\n"),
        ),
        answers_and_ends(
            "answer_until_the_end",
            "HTTP/1.1 200 OK\r\nServer: x\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nServer: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ),
        answers_and_ends(
            "answer_until_the_end_without_a_byte",
            "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nServer: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        answers_and_ends(
            "answer_until_the_end_that_looks_like_chunks",
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n0\r\n\r\n\r\n0\r\n\r\n",
        ),
        case("answer_in_chunks_as_they_come")
            .sends(GET)
            .awaits("one\r\n")
            .while_backend_sends(0, "3\r\ntwo\r\n0\r\n\r\n")
            .backend(backend().gets(GET).sends(chunked("3\r\none\r\n")).kept())
            .gets(chunked("3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")),
    ]
}

/// Answers of many buffers.
fn long_bodies() -> Vec<Case> {
    let long = "0123456789".repeat(2_500);
    let in_chunks =
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n61a8\r\n{long}\r\n0\r\n\r\n");
    let alike = "thousands of places that are all alike; byte by byte is enough";
    let old = case("long_answer_until_the_end_to_an_old_client")
        .sends("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        .backend(backend().gets(GET).sends(format!("HTTP/1.1 200 OK\r\n\r\n{long}")).finishes())
        .gets(format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{long}"));
    let cases = [
        answers("long_answer_with_a_length", ok(&long), ok(&long)),
        answers("long_answer_in_one_chunk", &in_chunks, &in_chunks),
        answers_and_ends("long_answer_until_the_end", format!("HTTP/1.1 200 OK\r\n\r\n{long}"), &in_chunks),
        old,
        case("long_answer_to_who_reads_now_and_then")
            .takes_bytes(50)
            .sends(GET)
            .sleeps_ms(1_000)
            .takes_bytes(5_000)
            .sleeps_ms(1_000)
            .takes_bytes(100_000)
            .backend(backend().gets(GET).sends(format!("HTTP/1.1 200 OK\r\n\r\n{long}")).finishes().closed())
            .takes_ms(2_000..=2_000)
            .gets(in_chunks),
    ];
    cases.into_iter().map(|case| case.unsplit(Splits::Backend, alike)).collect()
}

/// No body, whatever the head says.
fn bodiless() -> Vec<Case> {
    let head_request = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
    let to_head = |name: &str, answer: &str, forwarded: &str| {
        case(name)
            .sends(head_request)
            .backend(backend().gets(head_request).sends(answer).kept())
            .gets_to_head(forwarded)
    };
    let plain = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let not_modified = "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 5\r\n\r\n";
    vec![
        to_head("head_with_a_length", plain, plain),
        to_head(
            "head_in_chunks",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        to_head(
            "head_without_framing",
            "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n",
        ),
        case("head_then_get")
            .sends(head_request.to_owned() + GET)
            .backend(backend().gets(head_request).sends(plain).gets(GET).sends(OK).kept())
            .gets_to_head(plain)
            .gets(OK),
        case("head_answered_with_a_body")
            .sends(head_request)
            .awaits("\r\n\r\n")
            .sends(GET)
            .backend(backend().gets(head_request).sends(ok("hello")).closed())
            .backend(backend().gets(GET).sends(OK))
            .gets_to_head(plain)
            .gets(OK)
            .unsplit(Splits::Backend, TOGETHER)
            .unsplit(Splits::Bytes, TOGETHER),
        answers(
            "no_content",
            "HTTP/1.1 204 No Content\r\nA: b\r\n\r\n",
            "HTTP/1.1 204 No Content\r\nA: b\r\n\r\n",
        ),
        // 204 has no length (RFC 9110, 8.6), and what leaves the proxy is valid.
        answers(
            "no_content_of_length_0",
            "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n",
        ),
        answers(
            "no_content_of_some_length",
            "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n",
        ),
        answers(
            "no_content_in_chunks",
            "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n",
        ),
        answers("not_modified", not_modified, not_modified),
        case("not_modified_then_another")
            .sends(get("/1") + &get("/2"))
            .backend(backend().gets(get("/1")).sends(not_modified).gets(get("/2")).sends(OK).kept())
            .gets(not_modified)
            .gets(OK),
        case("no_content_with_content")
            .sends(get("/1"))
            .awaits("\r\n\r\n")
            .sends(get("/2"))
            .backend(backend().gets(get("/1")).sends("HTTP/1.1 204 No Content\r\n\r\nhello").closed())
            .backend(backend().gets(get("/2")).sends(OK))
            .gets("HTTP/1.1 204 No Content\r\n\r\n")
            .gets(OK)
            .unsplit(Splits::Backend, TOGETHER)
            .unsplit(Splits::Bytes, TOGETHER),
    ]
}

fn interim() -> Vec<Case> {
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
    let processing = "HTTP/1.1 102 Processing\r\n\r\n";
    vec![
        case("interim_answer")
            .sends(GET)
            .backend(backend().gets(GET).sends(hints.to_owned() + OK).kept())
            .gets(hints)
            .gets(OK),
        case("several_interim_answers")
            .sends(GET)
            .backend(backend().gets(GET).sends(format!("{processing}{hints}{processing}{OK}")).kept())
            .gets(processing)
            .gets(hints)
            .gets(processing)
            .gets(OK),
        case("interim_answer_at_once")
            .sends(GET)
            .awaits("</x>")
            .while_backend_sends(0, OK)
            .backend(backend().gets(GET).sends(hints).kept())
            .gets(hints)
            .gets(OK),
        case("interim_answer_not_asked_for")
            .sends(GET)
            .backend(backend().gets(GET).sends("HTTP/1.1 100 Continue\r\n\r\n".to_owned() + OK).kept())
            .gets("HTTP/1.1 100 Continue\r\n\r\n")
            .gets(OK),
        case("interim_answer_with_a_length")
            .sends(GET)
            .backend(
                backend()
                    .gets(GET)
                    .sends("HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n".to_owned() + OK)
                    .kept(),
            )
            .gets("HTTP/1.1 103 Early Hints\r\n\r\n")
            .gets(OK),
        case("interim_answer_and_then_nothing")
            .sends(GET)
            .backend(backend().gets(GET).sends(hints).finishes().closed())
            .gets(hints)
            .failed_either_way(502),
    ]
}
