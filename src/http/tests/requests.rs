//! What is accepted as a request, and what it is then known to be.

use super::*;
use crate::http::message::{Framing, Version};

fn parse(bytes: &[u8], limits: &HeadLimits) -> Result<Option<usize>, (u16, &'static str)> {
    let mut fields = Fields::default();
    let parsed = request::parse(bytes, &mut fields, limits);
    parsed.map(|request| request.map(|request| request.len)).map_err(|refusal| (refusal.status, refusal.why))
}

#[test]
fn a_request_ends_at_its_empty_line() {
    let head = "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(parse(format!("{head}GET /").as_bytes(), &LIMITS), Ok(Some(head.len())));
    for end in 0..head.len() {
        assert_eq!(parse(&head.as_bytes()[..end], &LIMITS), Ok(None), "{end}");
    }
}

#[test]
fn refused_lines() {
    let cases: &[(&str, u16, &str)] = &[
        ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bare_lf"),
        ("\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bare_lf"),
        ("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_method"),
        ("\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n", 400, "too_many_empty_lines"),
        ("GET / HTTP/1.1\nHost: a\r\n\r\n", 400, "bare_lf"),
        ("GET / HTTP/1.1\r\nHost: a\n\r\n", 400, "bare_lf"),
        ("GET / HTTP/1.1\r\nHost: a\r\n\n", 400, "bare_lf"),
        ("GET / HTTP/1.1\r\nHost: a\nX: y", 400, "bare_lf"),
        ("GET / HTTP/1.1\rHost: a\r\n\r\n", 400, "bad_line_end"),
        ("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400, "bad_line_end"),
        ("GET / HTTP/1.1\r\nHost: a\r\n\rX: y\r\n\r\n", 400, "bad_line_end"),
        ("GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", 400, "bad_field_value"),
        ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, "folded_line"),
        ("GET / HTTP/1.1\r\nHost: a\r\n\tb\r\n\r\n", 400, "folded_line"),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "bad_field_name"),
        ("GET / HTTP/1.1\r\nHost\r\n\r\n", 400, "bad_field_name"),
        ("GET / HTTP/1.1\r\n: a\r\n\r\n", 400, "bad_field_name"),
        ("GET / HTTP/1.1\r\nH(st: a\r\n\r\n", 400, "bad_field_name"),
        ("GET / HTTP/1.1\r\nX: a\0b\r\n\r\n", 400, "bad_field_value"),
        ("GET / HTTP/1.1\r\nX: a\u{b}b\r\n\r\n", 400, "bad_field_value"),
        ("GET / HTTP/1.1\r\nX: a\u{7f}b\r\n\r\n", 400, "bad_field_value"),
        ("\u{16}\u{3}\u{1}", 400, "bad_method"),
        (" GET / HTTP/1.1\r\n", 400, "bad_method"),
        ("G@T / HTTP/1.1\r\n", 400, "bad_method"),
        ("GET  / HTTP/1.1\r\n", 400, "bad_request_line"),
        ("GET\t/ HTTP/1.1\r\n", 400, "bad_method"),
        ("GET /  HTTP/1.1\r\n", 400, "bad_version"),
        ("GET / HTTP/1.1 \r\n", 400, "bad_version"),
        ("GET /\r\n", 400, "bad_request_line"),
        ("GET / http/1.1\r\n", 400, "bad_version"),
        ("GET / HTTP/1.x\r\n", 400, "bad_version"),
        ("GET / HTTP/1.1.1\r\n", 400, "bad_version"),
        ("GET / HTTP/1.2\r\n", 505, "version_not_supported"),
        ("GET / HTTP/1.10\r\n", 505, "version_not_supported"),
        ("GET / HTTP/0.9\r\n", 505, "version_not_supported"),
        ("GET / HTTP/3\r\n", 505, "version_not_supported"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "version_not_supported"),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 501, "connect"),
        ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_target"),
        ("GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_byte_in_target"),
    ];
    for (head, status, why) in cases {
        assert_eq!(parse(head.as_bytes(), &LIMITS), Err((*status, *why)), "{head:?}");
    }
    let not_utf8 = b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(parse(not_utf8, &LIMITS).map_err(|(status, _)| status), Err(400));
}

#[test]
fn accepted_lines() {
    let obs_text = b"GET / HTTP/1.1\r\nHost: a\r\nX: a\tb \xff\xe9\r\n\r\n";
    assert!(facts(obs_text).is_ok());
    for lines in ["X:\r\n", "X: \t \r\n", "X:a\r\n", "!#$%&'*+-.^_`|~09: a\r\n"] {
        assert!(facts(get(lines)).is_ok(), "{lines:?}");
    }
}

#[test]
fn limits_hold_before_the_head_is_complete() {
    let limits = HeadLimits { head_bytes: 100, target_bytes: 10, fields: 2 };
    let head = |target: usize, filler: usize| {
        format!("GET /{} HTTP/1.1\r\nHost: {}\r\n\r\n", "t".repeat(target - 1), "a".repeat(filler))
    };
    let longest = head(10, 100 - head(10, 0).len());
    assert_eq!(parse(longest.as_bytes(), &limits), Ok(Some(100)));
    assert_eq!(parse(&longest.as_bytes()[..99], &limits), Ok(None));
    let too_long = head(10, 101 - head(10, 0).len());
    assert_eq!(parse(too_long.as_bytes(), &limits), Err((431, "head_too_large")));
    assert_eq!(parse(&too_long.as_bytes()[..100], &limits), Err((431, "head_too_large")));
    assert_eq!(parse(format!("\r\n{longest}").as_bytes(), &limits), Err((431, "head_too_large")));

    assert_eq!(parse(head(11, 1).as_bytes(), &limits), Err((414, "target_too_long")));
    assert_eq!(parse(&head(11, 1).as_bytes()[.."GET /123456789".len()], &limits), Ok(None));
    assert_eq!(
        parse(&head(11, 1).as_bytes()[.."GET /1234567890".len()], &limits),
        Err((414, "target_too_long"))
    );

    let method = "M".repeat(32);
    assert_eq!(parse(method.as_bytes(), &limits), Ok(None));
    assert!(parse(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes(), &limits).is_ok());
    assert_eq!(parse(format!("{method}M").as_bytes(), &limits), Err((501, "method_too_long")));
    let complete = format!("{method}M / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(parse(complete.as_bytes(), &limits), Err((501, "method_too_long")));

    assert!(parse(get("X: y\r\n").as_bytes(), &limits).is_ok());
    assert_eq!(parse(get("X: y\r\nX: z\r\n").as_bytes(), &limits), Err((431, "too_many_fields")));
}

#[test]
fn methods() {
    let cases = [
        ("GET", Method::Get),
        ("HEAD", Method::Head),
        ("OPTIONS", Method::Options),
        ("PUT", Method::Put),
        ("DELETE", Method::Delete),
        ("TRACE", Method::Trace),
        ("POST", Method::Other),
        ("get", Method::Other),
        ("connect", Method::Other),
        ("X-Y_Z!", Method::Other),
    ];
    for (name, method) in cases {
        let facts = facts(format!("{name} / HTTP/1.1\r\nHost: a\r\n\r\n")).expect(name);
        assert_eq!(facts.method, method, "{name}");
    }
}

#[test]
fn hosts() {
    let accepted = [
        "GET / HTTP/1.1\r\nHost: a:80\r\n\r\n",
        "GET / HTTP/1.1\r\nhOST:[::1]\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
        "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://b/ HTTP/1.0\r\n\r\n",
    ];
    for head in accepted {
        assert!(facts(head).is_ok(), "{head:?}");
    }
    let refused = [
        ("GET / HTTP/1.1\r\n\r\n", "no_host"),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", "bad_host"),
        ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "bad_host"),
        ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "bad_host"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "several_hosts"),
        ("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", "several_hosts"),
        ("GET / HTTP/1.0\r\nHost: a/b\r\n\r\n", "bad_host"),
        ("GET http://b/ HTTP/1.1\r\n\r\n", "no_host"),
        ("GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n", "bad_host"),
    ];
    for (head, why) in refused {
        assert_eq!(facts(head), Err((400, why)), "{head:?}");
    }
}

#[test]
fn framing() {
    let accepted = [
        ("", Framing::Empty),
        ("Content-Length: 0\r\n", Framing::Length(0)),
        ("content-length:\t12 \r\n", Framing::Length(12)),
        ("Content-Length: 0012\r\n", Framing::Length(12)),
        ("Content-Length: 9223372036854775807\r\n", Framing::Length(i64::MAX as u64)),
        ("Transfer-Encoding: Chunked\r\n", Framing::Chunked),
    ];
    for (lines, framing) in accepted {
        assert_eq!(facts(get(lines)).map(|facts| facts.framing), Ok(framing), "{lines:?}");
    }
    let refused = [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400, "content_length_with_transfer_encoding"),
        ("Transfer-Encoding: foo\r\nContent-Length: 5\r\n", 400, "content_length_with_transfer_encoding"),
        ("Content-Length:\r\n", 400, "bad_content_length"),
        ("Content-Length: +5\r\n", 400, "bad_content_length"),
        ("Content-Length: -5\r\n", 400, "bad_content_length"),
        ("Content-Length: 0x5\r\n", 400, "bad_content_length"),
        ("Content-Length: 5 5\r\n", 400, "bad_content_length"),
        ("Content-Length: 5, 5\r\n", 400, "bad_content_length"),
        ("Content-Length: 5.0\r\n", 400, "bad_content_length"),
        ("Content-Length: 9223372036854775808\r\n", 400, "bad_content_length"),
        ("Content-Length: 00000000000000000005\r\n", 400, "bad_content_length"),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", 400, "repeated_content_length"),
        ("content_length: 5\r\n", 400, "framing_field_with_underscore"),
        ("Transfer_Encoding: chunked\r\n", 400, "framing_field_with_underscore"),
        ("Transfer-Encoding:\r\n", 400, "empty_transfer_coding"),
        ("Transfer-Encoding: chunked,\r\n", 400, "empty_transfer_coding"),
        ("Transfer-Encoding: foo\r\n", 501, "unknown_transfer_coding"),
        ("Transfer-Encoding: chunked;a=b\r\n", 501, "unknown_transfer_coding"),
        ("Transfer-Encoding: \"chunked\"\r\n", 501, "unknown_transfer_coding"),
        ("Transfer-Encoding: chunked\u{a0}\r\n", 400, "bad_transfer_coding"),
        ("Transfer-Encoding: gzip\r\n", 400, "transfer_encoding_not_ending_in_chunked"),
        ("Transfer-Encoding: identity\r\n", 400, "transfer_encoding_not_ending_in_chunked"),
        ("Transfer-Encoding: chunked, gzip\r\n", 400, "transfer_encoding_not_ending_in_chunked"),
        ("Transfer-Encoding: chunked, chunked\r\n", 400, "transfer_encoding_not_ending_in_chunked"),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            400,
            "transfer_encoding_not_ending_in_chunked",
        ),
        ("Transfer-Encoding: gzip, chunked\r\n", 501, "transfer_coding_not_supported"),
        ("Transfer-Encoding: x-gzip\r\nTransfer-Encoding: chunked\r\n", 501, "transfer_coding_not_supported"),
    ];
    for (lines, status, why) in refused {
        assert_eq!(facts(get(lines)), Err((status, why)), "{lines:?}");
    }
    for coding in ["chunked", "foo"] {
        let old = format!("POST / HTTP/1.0\r\nTransfer-Encoding: {coding}\r\n\r\n");
        assert_eq!(facts(old), Err((400, "transfer_encoding_on_http_1_0")));
    }
}

#[test]
fn connections_kept() {
    let cases = [
        ("HTTP/1.1", "", true),
        ("HTTP/1.1", "Connection: Close\r\n", false),
        ("HTTP/1.1", "Connection: keep-alive, close\r\n", false),
        ("HTTP/1.1", "Connection: close\r\nConnection: keep-alive\r\n", false),
        ("HTTP/1.1", "Connection: closed, ,\r\n", true),
        ("HTTP/1.0", "", false),
        ("HTTP/1.0", "Connection: x, Keep-Alive\r\n", true),
        ("HTTP/1.0", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("HTTP/1.0", "Keep-Alive: timeout=5\r\n", false),
    ];
    for (version, lines, keep_alive) in cases {
        let head = format!("GET / {version}\r\nHost: a\r\n{lines}\r\n");
        assert_eq!(facts(head).map(|facts| facts.keep_alive), Ok(keep_alive), "{version} {lines:?}");
    }
    assert_eq!(facts(get("Connection: a b\r\n")), Err((400, "bad_connection_option")));
    let many = "a,".repeat(65);
    assert_eq!(facts(get(&format!("Connection: {many}\r\n"))), Err((400, "too_many_connection_options")));
}

#[test]
fn nominations_are_noticed() {
    for (options, nominates) in
        [("close, Keep-Alive, upgrade, TE", false), ("close, X", true), ("host", true)]
    {
        let facts = facts(get(&format!("Connection: {options}\r\n")));
        assert_eq!(facts.map(|facts| facts.nominates), Ok(nominates), "{options}");
    }
}

#[test]
fn expectations() {
    let expects = |version, lines| {
        facts(format!("PUT / {version}\r\nHost: a\r\n{lines}\r\n")).map(|facts| facts.expects_continue)
    };
    let body = "Content-Length: 1\r\nExpect: 100-Continue\r\n";
    assert_eq!(expects("HTTP/1.1", body), Ok(true));
    assert_eq!(expects("HTTP/1.1", "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n"), Ok(true));
    assert_eq!(expects("HTTP/1.1", "Expect: 100-continue\r\n"), Ok(false));
    assert_eq!(expects("HTTP/1.1", "Content-Length: 0\r\nExpect: 100-continue\r\n"), Ok(false));
    assert_eq!(expects("HTTP/1.0", body), Ok(false));
    assert_eq!(expects("HTTP/1.0", "Expect: magic\r\n"), Ok(false));
    for value in ["magic", "", "100-continue, magic", "100-continue;q=1"] {
        let lines = format!("Expect: {value}\r\n");
        assert_eq!(facts(get(&lines)), Err((417, "unknown_expectation")), "{value}");
    }
}

#[test]
fn upgrades() {
    let cases = [
        ("Connection: Upgrade\r\nUpgrade: websocket\r\n", true),
        ("Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n", true),
        ("Connection: upgrade\r\nUpgrade: h2c\r\nUpgrade: a/1\r\n", true),
        ("Upgrade: websocket\r\n", false),
        ("Connection: upgrade\r\n", false),
        ("Connection: upgrade\r\nUpgrade:\r\n", false),
        ("Connection: upgrade\r\nUpgrade: h2c, H2, HTTP/2.0, TLS/1.2\r\n", false),
        ("Connection: upgrade\r\nUpgrade: web socket, a/, /b, a/b/c\r\n", false),
        ("Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n", false),
        ("Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n", false),
    ];
    for (lines, upgrade) in cases {
        assert_eq!(facts(get(lines)).map(|facts| facts.upgrade), Ok(upgrade), "{lines:?}");
    }
    let old = "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(facts(old).map(|facts| facts.upgrade), Ok(false));
}

#[test]
fn errors_as_json() {
    for (accept, json) in [
        ("application/json", true),
        ("text/plain, Application/JSON;q=0.9", true),
        ("*/*", false),
        ("text/html,application/xhtml+xml", false),
        ("image/jpeg", false),
    ] {
        assert_eq!(facts(get(&format!("Accept: {accept}\r\n"))).map(|facts| facts.wants_json), Ok(json));
    }
}

#[test]
fn fields_and_cookies_are_found() {
    let head = get("X-A: 1\r\nx-a: 2\r\nCookie: a=1; lb=\"x\"; lb=y\r\nCookie: b=; c\r\n");
    let mut fields = Fields::default();
    let request = request::parse(head.as_bytes(), &mut fields, &LIMITS).expect("valid").expect("complete");
    assert_eq!(request.facts.version, Version::Http11);
    assert_eq!(request.host, "a");
    assert_eq!(request.field("x-A"), Some(&b"1"[..]));
    assert_eq!(request.field("x-b"), None);
    assert_eq!(request.cookie("a"), Some(&b"1"[..]));
    assert_eq!(request.cookie("lb"), Some(&b"x"[..]));
    assert_eq!(request.cookie("b"), Some(&b""[..]));
    for none in ["l", "LB", "c", "x"] {
        assert_eq!(request.cookie(none), None, "{none}");
    }
}
