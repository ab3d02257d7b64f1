//! Request heads byte by byte: line ends, whitespace, characters, versions and sizes.

use super::case::{Case, backend, case};
use super::shorthand::*;

pub fn cases() -> Vec<Case> {
    let mut cases = line_ends();
    cases.extend(fields());
    cases.extend(request_lines());
    cases.extend(sizes());
    cases
}

fn refused(rows: &[(&str, &str)]) -> Vec<Case> {
    rows.iter().map(|(name, request)| refuses(name, request, 400)).collect()
}

fn line_ends() -> Vec<Case> {
    let mut cases = refused(&[
        ("bare_lf_after_the_request_line", "GET / HTTP/1.1\nHost: a\r\n\r\n"),
        ("bare_lf_after_a_field", "GET / HTTP/1.1\r\nHost: a\nA: b\r\n\r\n"),
        ("bare_lf_after_the_last_field", "GET / HTTP/1.1\r\nHost: a\n\r\n"),
        ("bare_lf_for_the_empty_line", "GET / HTTP/1.1\r\nHost: a\r\n\n"),
        ("bare_lf_everywhere", "GET / HTTP/1.1\nHost: a\n\n"),
        ("bare_lf_in_the_target", "GET /\nx HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("bare_lf_before_a_colon", "GET / HTTP/1.1\r\nHost: a\r\nA\n: b\r\n\r\n"),
        ("bare_lf_before_the_request", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("bare_cr_after_the_request_line", "GET / HTTP/1.1\rHost: a\r\n\r\n"),
        ("bare_cr_in_a_value", "GET / HTTP/1.1\r\nHost: a\r\nA: b\rC: d\r\n\r\n"),
        ("bare_cr_at_the_end_of_a_value", "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\r\n\r\n"),
        ("bare_cr_in_a_name", "GET / HTTP/1.1\r\nHost: a\r\nA\rB: c\r\n\r\n"),
        ("bare_cr_in_the_target", "GET /\rx HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("bare_cr_for_the_empty_line", "GET / HTTP/1.1\r\nHost: a\r\n\rX\r\n\r\n"),
        ("bare_cr_before_the_request", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("folded_by_a_space", "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n"),
        ("folded_by_a_tab", "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\tc\r\n\r\n"),
        ("folded_into_a_field", "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n C: d\r\n\r\n"),
        ("folded_into_nothing", "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n \r\n\r\n"),
        ("space_before_the_first_field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
        ("tab_before_the_first_field", "GET / HTTP/1.1\r\n\tHost: a\r\n\r\n"),
        ("space_line_before_the_first_field", "GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n"),
    ]);
    cases.push(
        case("a_second_request_may_follow_an_empty_line")
            .sends(get("/1") + "\r\n" + &get("/2"))
            .backend(backend().gets(get("/1")).sends(ok("1")).gets(get("/2")).sends(ok("2")).kept())
            .gets(ok("1"))
            .gets(ok("2")),
    );
    cases
}

fn fields() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        ("space_before_a_colon", "A : b"),
        ("tab_before_a_colon", "A\t: b"),
        ("space_in_a_name", "A B: c"),
        ("no_colon", "A"),
        ("no_name", ": b"),
        ("no_name_but_a_space", " : b"),
        ("nul_in_a_value", "A: b\0c"),
        ("nul_in_a_name", "A\0: b"),
        ("nul_alone", "A: \0"),
        ("control_in_a_value", "A: b\x01c"),
        ("escape_in_a_value", "A: \x1b[2J"),
        ("vertical_tab_in_a_value", "A: b\x0bc"),
        ("delete_in_a_value", "A: b\x7fc"),
        ("control_in_a_name", "A\x01: b"),
        ("delete_in_a_name", "A\x7f: b"),
        ("at_in_a_name", "A@B: c"),
        ("bracket_in_a_name", "A[0]: c"),
        ("comma_in_a_name", "A,B: c"),
        ("equals_in_a_name", "A=B: c"),
        ("quote_in_a_name", "\"A\": c"),
        ("beyond_ascii_in_a_name", "\u{e4}: c"),
    ]
    .into_iter()
    .map(|(name, line)| refuses(&format!("field_{name}"), get_with(&format!("{line}\r\n")), 400))
    .collect();
    let odd = "!#$%&'*+-.^`|~0: x\r\n";
    cases.push(passes("field_every_token_character_in_a_name", get_with(odd), get_with(odd)));
    let odd = "A: \"(),/:;<=>?@[\\]{}\r\n";
    cases.push(passes("field_every_delimiter_in_a_value", get_with(odd), get_with(odd)));
    // An underscore is a token character; only what hides behind it is dangerous.
    cases.push(passes(
        "field_underscore_in_a_name",
        get_with("My_Field: x\r\n"),
        get_with("My_Field: x\r\n"),
    ));
    cases
}

fn request_lines() -> Vec<Case> {
    let line = |line: &str| format!("{line}\r\nHost: a\r\n\r\n");
    let mut cases: Vec<Case> = [
        ("two_spaces_after_the_method", "GET  / HTTP/1.1"),
        ("two_spaces_before_the_version", "GET /  HTTP/1.1"),
        ("space_before_the_method", " GET / HTTP/1.1"),
        ("tab_after_the_method", "GET\t/ HTTP/1.1"),
        ("tab_before_the_version", "GET /\tHTTP/1.1"),
        ("space_at_the_end", "GET / HTTP/1.1 "),
        ("space_in_the_target", "GET /a b HTTP/1.1"),
        ("no_method", "/ HTTP/1.1"),
        ("no_target", "GET HTTP/1.1"),
        ("an_empty_target", "GET  HTTP/1.1"),
        ("no_character_of_a_token_in_the_method", "G{T / HTTP/1.1"),
        ("control_in_the_method", "GE\x01T / HTTP/1.1"),
        ("beyond_ascii_in_the_method", "G\u{cb}T / HTTP/1.1"),
        ("version_in_small_letters", "GET / http/1.1"),
        ("version_with_comma", "GET / HTTP/1,1"),
        ("version_with_sign", "GET / HTTP/+1.1"),
        ("version_of_another_protocol", "GET / ICAP/1.0"),
        ("garbage", "hello"),
        ("tls", "\x16\x03\x01\x02"),
    ]
    .into_iter()
    .map(|(name, text)| refuses(&format!("request_line_{name}"), line(text), 400))
    .collect();
    cases.extend([
        refuses_any("request_line_of_0_9", "GET /\r\n\r\n", &[400, 505]),
        refuses_any("request_line_names_0_9", line("GET / HTTP/0.9"), &[400, 505]),
        refuses_any("request_line_version_with_leading_zero", line("GET / HTTP/01.1"), &[400, 505]),
        refuses_any("request_line_version_with_two_digits", line("GET / HTTP/1.10"), &[400, 505]),
        refuses_any("request_line_version_without_minor", line("GET / HTTP/1"), &[400, 505]),
        refuses("request_line_of_2_0", line("GET / HTTP/2.0"), 505),
        refuses("request_line_of_http2s_preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        refuses("request_line_of_3_0", line("GET / HTTP/3.0"), 505),
        // RFC 9110 would have it read as 1.1; nobody sends it honestly, and httparse knows no such version.
        refuses_any("request_line_of_1_2", line("GET / HTTP/1.2"), &[400, 505]),
    ]);
    cases
}

fn sizes() -> Vec<Case> {
    let long = |count: usize| "x".repeat(count);
    let some = |count: usize| -> String { (0..count).map(|number| format!("F{number}: x\r\n")).collect() };
    vec![
        refuses(
            "method_too_long",
            format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", long(300).to_uppercase()),
            501,
        ),
        refuses("target_too_long", get(&format!("/{}", long(200))), 414),
        passes("target_as_long_as_may_be", get(&format!("/{}", long(199))), get(&format!("/{}", long(199)))),
        refuses("target_without_end", format!("GET /{}", long(1_200)), 414),
        refuses("head_too_large", get_with(&format!("A: {}\r\n", long(1_000))), 431),
        refuses("head_without_end", format!("GET / HTTP/1.1\r\nHost: a\r\nA: {}", long(1_200)), 431),
        refuses(
            "head_too_large_in_many_lines",
            get_with(&format!("A: {0}\r\nB: {0}\r\nC: {0}\r\n", long(330))),
            431,
        ),
        case("name_without_end").sends(format!("GET / HTTP/1.1\r\nHost: a\r\n{}", long(1_200))).refused(431),
        passes(
            "head_almost_too_large",
            get_with(&format!("A: {}\r\n", long(900))),
            get_with(&format!("A: {}\r\n", long(900))),
        ),
        refuses("too_many_fields", get_with(&some(20)), 431),
        passes("as_many_fields_as_may_be", get_with(&some(19)), get_with(&some(19))),
        refuses_any("empty_lines_without_end", "\r\n".repeat(700), &[400, 431]),
    ]
}
