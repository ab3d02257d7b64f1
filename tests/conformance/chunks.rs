//! Chunked request bodies, and everything that can be wrong with one.

use super::case::{Case, Splits};
use super::shorthand::*;

pub fn cases() -> Vec<Case> {
    let mut cases = accepted();
    cases.extend(refused());
    cases.extend(trailers());
    cases.extend(limits());
    cases
}

fn accepted() -> Vec<Case> {
    let plain = "5\r\nhello\r\n0\r\n\r\n";
    [
        ("chunk_extension_is_dropped", "5;name=value\r\nhello\r\n0\r\n\r\n"),
        ("chunk_extension_without_value_is_dropped", "5;name\r\nhello\r\n0\r\n\r\n"),
        ("chunk_extension_quoted_is_dropped", "5;name=\"va;lue\"\r\nhello\r\n0\r\n\r\n"),
        ("chunk_extension_of_the_last_chunk_is_dropped", "5\r\nhello\r\n0;name=value\r\n\r\n"),
        ("chunk_extension_that_looks_like_chunks", "5;x=0\r\nhello\r\n0\r\n\r\n"),
        ("chunk_size_with_leading_zeros", "00005\r\nhello\r\n0\r\n\r\n"),
        ("chunk_last_size_of_many_zeros", "5\r\nhello\r\n000\r\n\r\n"),
    ]
    .into_iter()
    .map(|(name, body)| passes(name, chunked(body), chunked(plain)))
    .chain([
        passes(
            "chunk_size_in_capitals",
            chunked("A\r\n0123456789\r\n0\r\n\r\n"),
            chunked("a\r\n0123456789\r\n0\r\n\r\n"),
        ),
        passes(
            "chunk_data_of_line_ends",
            chunked("4\r\n\r\n\r\n\r\n0\r\n\r\n"),
            chunked("4\r\n\r\n\r\n\r\n0\r\n\r\n"),
        ),
        passes(
            "chunk_data_of_a_last_chunk",
            chunked("5\r\n0\r\n\r\n\r\n0\r\n\r\n"),
            chunked("5\r\n0\r\n\r\n\r\n0\r\n\r\n"),
        ),
    ])
    .collect()
}

fn refused() -> Vec<Case> {
    [
        ("chunk_size_empty", "\r\nhello\r\n0\r\n\r\n"),
        ("chunk_size_negative", "-5\r\nhello\r\n0\r\n\r\n"),
        ("chunk_size_plus", "+5\r\nhello\r\n0\r\n\r\n"),
        ("chunk_size_0x", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("chunk_size_no_hex", "g\r\nhello\r\n0\r\n\r\n"),
        ("chunk_size_underscore", "0_5\r\nhello\r\n0\r\n\r\n"),
        ("chunk_size_space_before", " 5\r\nhello\r\n0\r\n\r\n"),
        ("chunk_size_tab_before", "\t5\r\nhello\r\n0\r\n\r\n"),
        // Written by some ancient servers, needed by nobody, and read differently by too many.
        ("chunk_size_space_after", "5 \r\nhello\r\n0\r\n\r\n"),
        ("chunk_size_tab_after", "5\t\r\nhello\r\n0\r\n\r\n"),
        ("chunk_size_space_inside", "0 5\r\nhello\r\n0\r\n\r\n"),
        ("chunk_size_vertical_tab_after", "5\x0b\r\nhello\r\n0\r\n\r\n"),
        ("chunk_size_nul_after", "5\0\r\nhello\r\n0\r\n\r\n"),
        ("chunk_size_comma", "5,\r\nhello\r\n0\r\n\r\n"),
        ("chunk_size_beyond_64_bits", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("chunk_size_of_64_ones", "ffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
        ("chunk_size_of_63_ones", "8000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("chunk_size_wraps_after_zeros", "00000000000000010000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("chunk_size_then_bare_lf", "5\nhello\r\n0\r\n\r\n"),
        ("chunk_size_then_bare_cr", "5\rhello\r\n0\r\n\r\n"),
        ("chunk_size_then_cr_cr_lf", "5\r\r\nhello\r\n0\r\n\r\n"),
        ("chunk_term_ext_lf", "5;a\nhello\r\n0\r\n\r\n"),
        ("chunk_term_ext_cr", "5;a\rb\r\nhello\r\n0\r\n\r\n"),
        ("chunk_ext_term_lf", "5;\nhello\r\n0\r\n\r\n"),
        ("chunk_ext_term_cr", "5;\rhello\r\n0\r\n\r\n"),
        ("chunk_ext_term_lf_hides_a_chunk", "5;\nxx\r\nhello\r\n0\r\n\r\n"),
        ("chunk_ext_quoted_lf", "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n"),
        ("chunk_ext_nul", "5;a\0\r\nhello\r\n0\r\n\r\n"),
        ("chunk_ext_control", "5;a\x01\r\nhello\r\n0\r\n\r\n"),
        ("chunk_term_spill_lf", "5\r\nhello\n0\r\n\r\n"),
        ("chunk_term_spill_cr", "5\r\nhello\r0\r\n\r\n"),
        ("chunk_term_spill_cr_cr", "5\r\nhello\r\r0\r\n\r\n"),
        ("chunk_spill_term_any_two_bytes", "5\r\nhelloXX0\r\n\r\n"),
        ("chunk_spill_term_none", "5\r\nhello0\r\n\r\n"),
        ("chunk_spill_term_lf_cr", "5\r\nhello\n\r0\r\n\r\n"),
        ("chunk_data_longer", "4\r\nhello\r\n0\r\n\r\n"),
        ("chunk_data_shorter", "6\r\nhello\r\n0\r\n\r\n"),
        ("chunk_data_shorter_by_two", "7\r\nhello\r\n0\r\n\r\n"),
        ("chunk_last_then_lf", "5\r\nhello\r\n0\n\n"),
        ("chunk_last_then_crlf_lf", "5\r\nhello\r\n0\r\n\n"),
        ("chunk_last_then_cr", "5\r\nhello\r\n0\r\n\rX"),
        ("chunk_last_without_its_empty_line", "5\r\nhello\r\n0\r\n"),
        ("chunk_last_with_data", "5\r\nhello\r\n0\r\nX\r\n\r\n"),
        ("chunk_last_negative", "5\r\nhello\r\n-0\r\n\r\n"),
        ("chunk_empty_line_between", "5\r\nhello\r\n\r\n0\r\n\r\n"),
    ]
    .into_iter()
    .map(|(name, body)| refuses_body(name, chunked(body)))
    .collect()
}

fn trailers() -> Vec<Case> {
    let with = |trailers: &str| chunked(&format!("1\r\na\r\n0\r\n{trailers}\r\n"));
    let mut cases: Vec<Case> = [
        ("trailers_pass", "Checksum: abc\r\nX-Other: 1\r\n", "Checksum: abc\r\nX-Other: 1\r\n"),
        ("trailers_are_trimmed", "Checksum:abc \t\r\n", "Checksum: abc\r\n"),
        ("trailer_content_length_is_dropped", "Content-Length: 5\r\nA: b\r\n", "A: b\r\n"),
        ("trailer_transfer_encoding_is_dropped", "Transfer-Encoding: chunked\r\nA: b\r\n", "A: b\r\n"),
        ("trailer_host_is_dropped", "A: b\r\nhost: evil\r\n", "A: b\r\n"),
        ("trailer_connection_is_dropped", "Connection: close\r\nA: b\r\n", "A: b\r\n"),
        ("trailer_x_forwarded_for_is_dropped", "X-Forwarded-For: 1.2.3.4\r\nA: b\r\n", "A: b\r\n"),
        ("trailer_underscore_alias_is_dropped", "X_Forwarded_For: 1.2.3.4\r\nA: b\r\n", "A: b\r\n"),
        ("trailers_all_dropped", "Content-Length: 5\r\n", ""),
    ]
    .into_iter()
    .map(|(name, trailers, forwarded)| passes(name, with(trailers), with(forwarded)))
    .collect();
    cases.extend(
        [
            ("trailer_without_colon", "X\r\n"),
            ("trailer_without_name", ": x\r\n"),
            ("trailer_space_before_colon", "A : b\r\n"),
            ("trailer_space_before_name", " A: b\r\n"),
            ("trailer_folded", "A: b\r\n c\r\n"),
            ("trailer_bare_lf", "A: b\nC: d\r\n"),
            ("trailer_bare_cr", "A: b\rC: d\r\n"),
            ("trailer_nul", "A: b\0\r\n"),
        ]
        .map(|(name, trailers)| refuses_body(name, with(trailers))),
    );
    let nominated = |fields: &str, trailers: &str| {
        post_with(
            &format!("{fields}Transfer-Encoding: chunked\r\n"),
            &format!("1\r\na\r\n0\r\n{trailers}\r\n"),
        )
    };
    // A field that Connection nominates is for the proxy, wherever it stands.
    cases.push(passes(
        "trailer_nominated_by_connection",
        nominated("Connection: X-Hop\r\n", "X-Hop: 1\r\n"),
        nominated("", ""),
    ));
    cases
}

fn limits() -> Vec<Case> {
    let many: String = (0..21).map(|number| format!("T{number}: x\r\n")).collect();
    let long = "x".repeat(2_000);
    let bounded = |name: &str, body: String| {
        let case = super::case::case(name).sends(chunked(&body) + NEXT).unfinished();
        case.unsplit(Splits::Client, "long, and nothing new in its middle")
    };
    vec![
        bounded("trailers_too_many", format!("1\r\na\r\n0\r\n{many}\r\n")).refused_any(&[400, 431]),
        bounded("trailers_too_long", format!("1\r\na\r\n0\r\nT: {long}\r\n\r\n")).refused_any(&[400, 431]),
        bounded("trailers_without_end", format!("1\r\na\r\n0\r\nT: {long}")).refused_any(&[400, 431]),
        bounded("chunk_extension_too_long", format!("1;{long}\r\na\r\n0\r\n\r\n")).refused(400),
        bounded("chunk_size_of_too_many_zeros", format!("{}1\r\na\r\n0\r\n\r\n", "0".repeat(2_000)))
            .refused(400),
    ]
}
