//! Requests whose end two readers could see in different places. Nobody behind the proxy hears of them.

use super::case::{Case, backend, case};
use super::shorthand::*;

pub fn cases() -> Vec<Case> {
    let mut cases = both_framings();
    cases.extend(codings());
    cases.extend(lengths());
    cases.extend(hidden());
    cases.extend(no_body());
    cases
}

fn table(rows: &[(&str, &str, &str, &[u16])]) -> Vec<Case> {
    let refused = |&(name, fields, rest, statuses): &(&str, &str, &str, &[u16])| {
        refuses_any(name, post_with(fields, rest), statuses)
    };
    rows.iter().map(refused).collect()
}

fn both_framings() -> Vec<Case> {
    table(&[
        ("cl_te", "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nG", &[400]),
        (
            "te_cl",
            "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
            "12\r\nGET /x HTTP/1.1\r\n\r\n\r\n0\r\n\r\n",
            &[400],
        ),
        ("cl_te_that_agree", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", &[400]),
        ("cl_0_te", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", &[400]),
        (
            "cl_te_far_apart",
            "Content-Length: 5\r\nA: 1\r\nB: 2\r\ntransfer-encoding: chunked\r\n",
            "0\r\n\r\n",
            &[400],
        ),
        ("cl_with_te_identity", "Content-Length: 5\r\nTransfer-Encoding: identity\r\n", "hello", &[400, 501]),
        ("cl_with_empty_te", "Content-Length: 5\r\nTransfer-Encoding:\r\n", "hello", &[400]),
        ("bad_cl_with_te", "Content-Length: x\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", &[400]),
        (
            "cl_te_nominated_away",
            "Connection: Transfer-Encoding\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "0\r\n\r\n",
            &[400],
        ),
    ])
}

/// Transfer-Encoding in all spellings that somebody somewhere takes for `chunked`, or does not.
fn codings() -> Vec<Case> {
    let values: &[(&str, &str, &[u16])] = &[
        ("te_xchunked", " xchunked", &[400, 501]),
        ("te_chunkedx", " chunkedx", &[400, 501]),
        ("te_chunked_then_identity", " chunked, identity", &[400, 501]),
        ("te_identity_then_chunked", " identity, chunked", &[400, 501]),
        ("te_identity", " identity", &[400, 501]),
        ("te_gzip", " gzip", &[400, 501]),
        ("te_gzip_then_chunked", " gzip, chunked", &[501]),
        ("te_chunked_then_gzip", " chunked, gzip", &[400]),
        ("te_chunked_twice", " chunked, chunked", &[400]),
        ("te_empty", "", &[400]),
        ("te_comma", " ,", &[400]),
        // An empty list element says nothing and is allowed; what it is good for is confusion.
        ("te_trailing_comma", " chunked,", &[400, 501]),
        ("te_leading_comma", " ,chunked", &[400, 501]),
        ("te_parameter", " chunked;q=1", &[400, 501]),
        ("te_empty_parameter", " chunked;", &[400, 501]),
        ("te_quoted", " \"chunked\"", &[400, 501]),
        ("te_single_quoted", " 'chunked'", &[400, 501]),
        ("te_two_words", " chunked chunked", &[400, 501]),
        ("te_space_inside", " chun ked", &[400, 501]),
        ("te_vertical_tab_before", " \x0bchunked", &[400]),
        ("te_vertical_tab_after", " chunked\x0b", &[400]),
        ("te_form_feed_after", " chunked\x0c", &[400]),
        ("te_nul_after", " chunked\0", &[400]),
        ("te_control_before", " \x01chunked", &[400]),
        ("te_bare_cr_after", " chunked\r", &[400]),
        ("te_bare_cr_before", " \rchunked", &[400]),
        ("te_folded", "\r\n chunked", &[400]),
        ("te_folded_by_tab", "\r\n\tchunked", &[400]),
        ("te_folded_before_identity", " chunked\r\n , identity", &[400]),
    ];
    let body = "1\r\na\r\n0\r\n\r\n";
    let value = |&(name, value, statuses): &(&str, &str, &[u16])| {
        refuses_any(name, post_with(&format!("Transfer-Encoding:{value}\r\n"), body), statuses)
    };
    let mut cases: Vec<Case> = values.iter().map(value).collect();
    cases.extend(table(&[
        ("te_twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", body, &[400]),
        (
            "te_te_identity",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            body,
            &[400, 501],
        ),
        (
            "te_identity_te",
            "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
            body,
            &[400, 501],
        ),
        ("te_te_x", "Transfer-Encoding: chunked\r\nTransfer-encoding: x\r\n", body, &[400, 501]),
        ("te_space_before_colon", "Transfer-Encoding : chunked\r\n", body, &[400]),
        ("te_tab_before_colon", "Transfer-Encoding\t: chunked\r\n", body, &[400]),
        ("te_vertical_tab_before_colon", "Transfer-Encoding\x0b: chunked\r\n", body, &[400]),
        ("te_nul_before_colon", "Transfer-Encoding\0: chunked\r\n", body, &[400]),
        ("te_space_before_name", "A: 1\r\n Transfer-Encoding: chunked\r\n", body, &[400]),
        ("te_space_in_name", "Transfer Encoding: chunked\r\n", body, &[400]),
        ("te_after_bare_lf", "A: 1\nTransfer-Encoding: chunked\r\n", body, &[400]),
        ("te_after_bare_cr", "A: 1\rTransfer-Encoding: chunked\r\n", body, &[400]),
        ("te_underscore", "Transfer_Encoding: chunked\r\n", body, &[400]),
        ("te_underscore_with_cl", "Content-Length: 11\r\nTransfer_Encoding: chunked\r\n", body, &[400]),
    ]));
    cases.push(refuses(
        "te_on_1_0",
        format!("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}"),
        400,
    ));
    cases.push(refuses(
        "te_on_1_0_with_keep_alive",
        format!("POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n{body}"),
        400,
    ));
    cases.push(refuses_any(
        "te_beyond_ascii",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\xa0\r\n\r\n0\r\n\r\n",
        &[400, 501],
    ));
    cases
}

fn lengths() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        ("cl_plus", "+5"),
        ("cl_minus", "-5"),
        ("cl_minus_zero", "-0"),
        ("cl_hex", "0x5"),
        ("cl_hex_digit", "5a"),
        ("cl_semicolon", "5;"),
        ("cl_comma", "5,"),
        ("cl_list_of_one_value", "5, 5"),
        ("cl_list_that_differs", "5, 6"),
        ("cl_space_inside", "5 5"),
        ("cl_decimal", "5.0"),
        ("cl_exponent", "5e0"),
        ("cl_underscore_inside", "0_5"),
        ("cl_quoted", "\"5\""),
        ("cl_empty", ""),
        ("cl_word", "five"),
        ("cl_vertical_tab", "\x0b5"),
        ("cl_nul", "5\0"),
        ("cl_bare_cr", "5\r"),
        ("cl_folded", "5\r\n 5"),
        ("cl_one_beyond_64_bits", "18446744073709551616"),
        ("cl_20_digits", "99999999999999999999"),
        ("cl_that_wraps_to_5", "18446744073709551621"),
        ("cl_30_digits", "000000000000000000000000000018446744073709551621"),
    ]
    .into_iter()
    .map(|(name, value)| refuses(name, post_with(&format!("Content-Length: {value}\r\n"), "hello"), 400))
    .collect();
    // Fullwidth digit five, in UTF-8, and the superscript of Latin-1.
    for (name, value) in [("cl_fullwidth_digit", &b"\xef\xbc\x95"[..]), ("cl_superscript", b"\xb2")] {
        let head = [b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ", value, b"\r\n\r\nhello"].concat();
        cases.push(refuses(name, head, 400));
    }
    cases.extend(table(&[
        ("cl_cl_differing", "Content-Length: 5\r\nContent-Length: 6\r\n", "hello!", &[400]),
        ("cl_cl_differing_in_case", "Content-Length: 5\r\ncontent-length: 0\r\n", "hello", &[400]),
        // May be merged (RFC 9112, 6.3), and whoever sends it is up to something.
        ("cl_cl_identical", "Content-Length: 5\r\nContent-Length: 5\r\n", "hello", &[400]),
        ("cl_cl_of_zeros", "Content-Length: 5\r\nContent-Length: 05\r\n", "hello", &[400]),
        ("cl_space_before_colon", "Content-Length : 5\r\n", "hello", &[400]),
        ("cl_tab_before_colon", "Content-Length\t: 5\r\n", "hello", &[400]),
        ("cl_underscore", "Content_Length: 5\r\n", "hello", &[400]),
        ("cl_with_underscore_alias", "Content-Length: 5\r\nContent_Length: 0\r\n", "hello", &[400]),
        ("cl_space_before_name", "A: 1\r\n Content-Length: 5\r\n", "hello", &[400]),
        ("cl_after_bare_lf", "A: 1\nContent-Length: 5\r\n", "hello", &[400]),
    ]));
    cases
}

/// A body that is taken for none: what follows the head is the next request, or it is refused as none.
fn no_body() -> Vec<Case> {
    vec![
        // What follows a request without a body is a request, whatever it looks like.
        case("0_cl_the_rest_is_no_request")
            .sends(format!("{GET}hello\r\n\r\n"))
            .backend(backend().gets(GET).sends(OK))
            .gets(OK)
            .refused(400),
        case("cl_0_the_rest_is_a_request")
            .sends(post("/1", "") + &get("/2"))
            .backend(backend().gets(post("/1", "")).sends(ok("1")).gets(get("/2")).sends(ok("2")).kept())
            .gets(ok("1"))
            .gets(ok("2")),
        case("a_request_in_a_body_stays_there")
            .sends(post("/1", NEXT) + &get("/2"))
            .backend(backend().gets(post("/1", NEXT)).sends(ok("1")).gets(get("/2")).sends(ok("2")).kept())
            .gets(ok("1"))
            .gets(ok("2")),
        case("a_request_in_the_body_of_get_stays_there")
            .sends(get_with(&format!("Content-Length: {}\r\n", NEXT.len())) + NEXT + &get("/2"))
            .backend(
                backend()
                    .gets(get_with(&format!("Content-Length: {}\r\n", NEXT.len())) + NEXT)
                    .sends(ok("1"))
                    .closed(),
            )
            // Had the backend taken that body for a request, it would be answering it now.
            .backend(backend().gets(get("/2")).sends(ok("2")).kept())
            .gets(ok("1"))
            .gets(ok("2")),
        case("a_request_in_a_chunk_stays_there")
            .sends(chunked(&format!("{:x}\r\n{NEXT}\r\n0\r\n\r\n", NEXT.len())) + &get("/2"))
            .backend(
                backend()
                    .gets(chunked(&format!("{:x}\r\n{NEXT}\r\n0\r\n\r\n", NEXT.len())))
                    .sends(ok("1"))
                    .gets(get("/2"))
                    .sends(ok("2"))
                    .kept(),
            )
            .gets(ok("1"))
            .gets(ok("2")),
    ]
}

/// Fields that only look like others.
fn hidden() -> Vec<Case> {
    table(&[
        ("a_field_without_a_name", ": chunked\r\n", "", &[400]),
        ("a_line_without_a_colon", "Content-Length\r\n", "", &[400]),
        ("a_name_beyond_ascii", "Transfer-Encodin\u{17f}: chunked\r\n", "", &[400]),
        ("a_name_in_parentheses", "(comment): chunked\r\n", "", &[400]),
        ("a_name_with_a_slash", "Content/Length: 5\r\n", "", &[400]),
        ("a_quoted_name", "\"Content-Length\": 5\r\n", "", &[400]),
        ("a_second_host", "Host: b\r\n", "", &[400]),
    ])
}
