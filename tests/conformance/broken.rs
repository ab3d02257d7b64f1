//! Backends that break, or say what nobody can make sense of. The client gets 502, or an end that is no good one.

use super::case::{Case, backend, case};
use super::shorthand::*;

pub fn cases() -> Vec<Case> {
    let mut cases = heads();
    cases.extend(framings());
    cases.extend(cut_short());
    cases.extend(bodies());
    cases
}

fn heads() -> Vec<Case> {
    let long = "x".repeat(1_200);
    let many: String = (0..21).map(|number| format!("F{number}: x\r\n")).collect();
    let mut cases: Vec<Case> = [
        ("garbage", "garbage\r\n\r\n".to_owned()),
        ("another_protocol", "ICY 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("a_mail_server", "220 mail.example ESMTP\r\n".to_owned()),
        ("version_2", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("version_in_small_letters", "http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("no_version", "200 OK\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("status_99", "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("status_600", "HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("status_of_two_digits", "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("status_of_four_digits", "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("status_of_letters", "HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("status_negative", "HTTP/1.1 -20 OK\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("status_and_reason_in_one", "HTTP/1.1 200OK\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("two_spaces_before_the_status", "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("space_before_the_status_line", " HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("bare_cr_in_the_reason", "HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("nul_in_the_reason", "HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("bare_lf_after_the_status_line", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n".to_owned()),
        ("bare_lf_after_a_field", "HTTP/1.1 200 OK\r\nA: b\nContent-Length: 0\r\n\r\n".to_owned()),
        ("bare_lf_everywhere", "HTTP/1.1 200 OK\nContent-Length: 0\n\n".to_owned()),
        ("bare_cr_in_a_value", "HTTP/1.1 200 OK\r\nA: b\rC: d\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("folded", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("space_before_the_first_field", "HTTP/1.1 200 OK\r\n A: b\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("space_before_a_colon", "HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("no_colon", "HTTP/1.1 200 OK\r\nA\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("no_name", "HTTP/1.1 200 OK\r\n: b\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("nul_in_a_value", "HTTP/1.1 200 OK\r\nA: \0\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("control_in_a_value", "HTTP/1.1 200 OK\r\nA: \x01\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("space_in_a_name", "HTTP/1.1 200 OK\r\nA B: c\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("head_too_large", format!("HTTP/1.1 200 OK\r\nA: {long}\r\nContent-Length: 0\r\n\r\n")),
        ("head_without_end", format!("HTTP/1.1 200 OK\r\nA: {long}")),
        ("too_many_fields", format!("HTTP/1.1 200 OK\r\n{many}Content-Length: 0\r\n\r\n")),
        // 101 answers who asked for it.
        (
            "switching_not_asked_for",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n".to_owned(),
        ),
        (
            "switching_after_an_interim_answer",
            "HTTP/1.1 101 Switching Protocols\r\n\r\nHTTP/1.1 200 OK\r\n\r\n".to_owned(),
        ),
    ]
    .into_iter()
    .map(|(name, answer)| breaks(&format!("backend_{name}"), answer))
    .collect();
    cases.push(breaks("backend_tls_alert", b"\x15\x03\x01\x00\x02\x02\x46"));
    cases
}

fn framings() -> Vec<Case> {
    [
        ("cl_and_te", "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"),
        ("te_and_cl", "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n"),
        ("cl_cl_differing", "Content-Length: 2\r\nContent-Length: 3\r\n"),
        ("cl_list_differing", "Content-Length: 2, 3\r\n"),
        ("cl_negative", "Content-Length: -1\r\n"),
        ("cl_plus", "Content-Length: +2\r\n"),
        ("cl_hex", "Content-Length: 0x2\r\n"),
        ("cl_empty", "Content-Length:\r\n"),
        ("cl_letters", "Content-Length: two\r\n"),
        ("cl_beyond_64_bits", "Content-Length: 18446744073709551618\r\n"),
        ("cl_folded", "Content-Length:\r\n 2\r\n"),
        ("cl_space_before_colon", "Content-Length : 2\r\n"),
        ("te_unknown", "Transfer-Encoding: gzip\r\n"),
        ("te_gzip_then_chunked", "Transfer-Encoding: gzip, chunked\r\n"),
        ("te_chunked_twice", "Transfer-Encoding: chunked, chunked\r\n"),
        ("te_in_two_fields", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        ("te_identity", "Transfer-Encoding: identity\r\n"),
        ("te_empty", "Transfer-Encoding:\r\n"),
        ("te_vertical_tab", "Transfer-Encoding: \x0bchunked\r\n"),
        ("te_space_before_colon", "Transfer-Encoding : chunked\r\n"),
    ]
    .into_iter()
    .map(|(name, fields)| {
        breaks(&format!("backend_{name}"), format!("HTTP/1.1 200 OK\r\n{fields}\r\n2\r\nok\r\n0\r\n\r\n"))
    })
    .collect()
}

/// Ends before the head is there.
fn cut_short() -> Vec<Case> {
    let asked = |name: &str| case(name).sends(GET);
    let upload = || post("/", "hello");
    vec![
        asked("backend_ends_at_once").backend(backend().gets(GET).finishes().closed()).failed(502),
        asked("backend_resets_at_once").backend(backend().gets(GET).resets().closed()).failed(502),
        asked("backend_ends_in_mid_head")
            .backend(backend().gets(GET).sends("HTTP/1.1 200 OK\r\nContent-Le").finishes().closed())
            .failed(502),
        asked("backend_resets_in_mid_head")
            .backend(backend().gets(GET).sends("HTTP/1.1 200 OK\r\nContent-Le").resets().closed())
            .failed(502),
        asked("backend_ends_before_the_empty_line")
            .backend(
                backend().gets(GET).sends("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n").finishes().closed(),
            )
            .failed(502),
        case("backend_ends_after_an_upload")
            .sends(upload())
            .backend(backend().gets(upload()).finishes().closed())
            .failed(502),
        case("backend_ends_during_an_upload")
            .sends(post_with("Content-Length: 100\r\n", "part"))
            .awaits("502")
            .sends("x".repeat(96) + NEXT)
            .backend(
                backend().gets_head(post_with("Content-Length: 100\r\n", "")).finishes().ignores().closed(),
            )
            .refused(502),
        case("backend_resets_during_an_upload")
            .sends(post_with("Content-Length: 100\r\n", "part"))
            .awaits("502")
            .sends("x".repeat(96) + NEXT)
            .backend(
                backend().gets_head(post_with("Content-Length: 100\r\n", "")).resets().ignores().closed(),
            )
            .refused(502),
        case("backend_breaks_answering_head")
            .sends("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            .backend(backend().gets("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").sends("garbage\r\n\r\n").closed())
            .failed(502)
            .without_body(),
        case("backend_says_cl_and_te_to_head")
            .sends("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            .backend(
                backend()
                    .gets("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
                    .sends("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n")
                    .closed(),
            )
            .failed(502)
            .without_body(),
    ]
}

/// Ends, or goes wrong, after the client has got a part.
fn bodies() -> Vec<Case> {
    let chunked = |rest: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{rest}");
    let asked = |name: &str| case(name).sends(GET).awaits_end();
    let whole = chunked("4\r\nzzzz\r\n5\r\nhello\r\n0\r\n\r\n");
    let mut cases = vec![
        asked("backend_ends_in_mid_body")
            .backend(
                backend()
                    .gets(GET)
                    .sends("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
                    .finishes()
                    .closed(),
            )
            .gets_part(ok("hello")),
        asked("backend_resets_in_mid_body")
            .backend(
                backend()
                    .gets(GET)
                    .sends("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
                    .resets()
                    .closed(),
            )
            .gets_part(ok("hello")),
        asked("backend_ends_before_the_body")
            .backend(
                backend().gets(GET).sends("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").finishes().closed(),
            )
            .gets_part(ok("hello")),
        asked("backend_ends_in_mid_chunk")
            .backend(backend().gets(GET).sends(chunked("4\r\nzzzz\r\n5\r\nhel")).finishes().closed())
            .gets_part(&whole),
        asked("backend_ends_in_mid_size")
            .backend(backend().gets(GET).sends(chunked("4\r\nzzzz\r\n5")).finishes().closed())
            .gets_part(&whole),
        asked("backend_ends_before_the_last_chunk")
            .backend(backend().gets(GET).sends(chunked("4\r\nzzzz\r\n5\r\nhello\r\n")).finishes().closed())
            .gets_part(&whole),
        asked("backend_ends_in_mid_last_chunk")
            .backend(
                backend().gets(GET).sends(chunked("4\r\nzzzz\r\n5\r\nhello\r\n0\r\n")).finishes().closed(),
            )
            .gets_part(&whole),
        asked("backend_ends_in_mid_trailers")
            .backend(
                backend()
                    .gets(GET)
                    .sends(chunked("4\r\nzzzz\r\n5\r\nhello\r\n0\r\nA: b\r\n"))
                    .finishes()
                    .closed(),
            )
            .gets_part(&whole),
        asked("backend_resets_after_the_last_chunk_but_one")
            .backend(backend().gets(GET).sends(chunked("4\r\nzzzz\r\n5\r\nhello\r\n")).resets().closed())
            .gets_part(&whole),
        // An answer until the end is complete when it ends, and a reset is no end.
        asked("backend_resets_an_answer_until_the_end")
            .backend(backend().gets(GET).sends("HTTP/1.1 200 OK\r\n\r\nhel").resets().closed())
            .gets_part(chunked("5\r\nhello\r\n0\r\n\r\n")),
    ];
    cases.extend(
        [
            ("chunk_size", "x\r\n"),
            ("chunk_size_negative", "-5\r\nhello\r\n"),
            ("chunk_size_0x", "0x5\r\nhello\r\n"),
            ("chunk_size_beyond_64_bits", "10000000000000005\r\nhello\r\n"),
            ("chunk_size_line_end", "5\nhello\r\n"),
            ("chunk_size_space_after", "5 \r\nhello\r\n"),
            ("chunk_extension", "5;\nhello\r\n"),
            ("chunk_data_end", "5\r\nhelloXX"),
            ("chunk_data_bare_lf", "5\r\nhello\n0\r\n\r\n"),
            ("last_chunk", "5\r\nhello\r\n0\r\nX\r\n\r\n"),
            ("trailer", "5\r\nhello\r\n0\r\nA : b\r\n\r\n"),
            ("trailer_line_end", "5\r\nhello\r\n0\r\nA: b\nC: d\r\n\r\n"),
        ]
        .map(|(name, rest)| {
            case(&format!("backend_with_a_bad_{name}"))
                .sends(GET)
                .awaits("zzzz\r\n")
                .while_backend_sends(0, rest)
                .awaits_end()
                .backend(backend().gets(GET).sends(chunked("4\r\nzzzz\r\n")).closed())
                .gets_part(&whole)
        }),
    );
    cases
}
