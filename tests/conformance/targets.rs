//! Where a request wants to go: the target and Host.

use super::case::Case;
use super::shorthand::*;

pub fn cases() -> Vec<Case> {
    let mut cases = origin_form();
    cases.extend(absolute_form());
    cases.extend(other_forms());
    cases.extend(hosts());
    cases
}

fn line(method: &str, target: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn origin_form() -> Vec<Case> {
    [
        ("fragment", "/#fragment"),
        ("relative_path", "path"),
        ("query_alone", "?query"),
        ("control", "/\x01"),
        ("nul", "/\0"),
        ("delete", "/\x7f"),
        ("beyond_ascii", "/\u{e4}"),
        ("asterisk_for_get", "*"),
        ("dots", "../x"),
    ]
    .into_iter()
    .map(|(name, target)| refuses(&format!("target_{name}"), line("GET", target), 400))
    .collect()
}

fn absolute_form() -> Vec<Case> {
    let towards = |host: &str, path: &str| format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let mut cases: Vec<Case> = [
        ("its_authority_wins", "http://b/x?y", towards("b", "/x?y")),
        ("scheme_in_capitals", "HTTP://b/x", towards("b", "/x")),
        ("port", "http://b:8080/x", towards("b:8080", "/x")),
        ("ipv6", "http://[::1]:80/x", towards("[::1]:80", "/x")),
        ("no_path", "http://b", towards("b", "/")),
        ("query_without_path", "http://b?y", towards("b", "/?y")),
        ("path_is_not_touched", "http://b//../%2e", towards("b", "//../%2e")),
        ("at_in_the_path", "http://b/@c", towards("b", "/@c")),
        ("url_in_the_query", "http://b/?u=http://c/", towards("b", "/?u=http://c/")),
    ]
    .into_iter()
    .map(|(name, target, forwarded)| passes(&format!("absolute_form_{name}"), line("GET", target), forwarded))
    .collect();
    cases.extend(
        [
            ("userinfo", "http://user@b/"),
            ("userinfo_and_password", "http://user:word@b/"),
            ("empty_authority", "http:///x"),
            ("nothing_but_a_scheme", "http://"),
            ("port_alone", "http://:80/"),
            ("port_of_letters", "http://b:x/"),
            ("port_too_large", "http://b:65536/"),
            ("another_scheme", "ftp://b/"),
            ("no_slashes", "http:b/x"),
            ("one_slash", "http:/b/x"),
            ("fragment", "http://b/#x"),
            ("backslash", "http://b\\c/"),
            ("open_bracket", "http://[::1/"),
        ]
        .map(|(name, target)| refuses(&format!("absolute_form_{name}"), line("GET", target), 400)),
    );
    cases.extend([
        passes(
            "absolute_form_replaces_host_in_its_place",
            "GET http://b/ HTTP/1.1\r\nA: 1\r\nHost: a\r\nB: 2\r\n\r\n",
            "GET / HTTP/1.1\r\nA: 1\r\nHost: b\r\nB: 2\r\n\r\n",
        ),
        // Host is due all the same (RFC 9112, 3.2).
        refuses("absolute_form_without_host", "GET http://b/ HTTP/1.1\r\n\r\n", 400),
        refuses("absolute_form_with_two_hosts", "GET http://b/ HTTP/1.1\r\nHost: b\r\nHost: b\r\n\r\n", 400),
        refuses("absolute_form_with_a_bad_host", "GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ]);
    cases
}

fn other_forms() -> Vec<Case> {
    vec![
        // RFC 9112, 3.2.4.
        passes(
            "options_of_another_server",
            line("OPTIONS", "http://b"),
            "OPTIONS * HTTP/1.1\r\nHost: b\r\n\r\n",
        ),
        passes("options_of_a_path", line("OPTIONS", "/x"), line("OPTIONS", "/x")),
        refuses("asterisk_and_more", line("OPTIONS", "*x"), 400),
        // A reverse proxy has nothing to connect to; how it says so is its own affair.
        refuses_any("connect", line("CONNECT", "a:443"), &[400, 405, 501]),
        refuses_any("connect_to_a_path", line("CONNECT", "/"), &[400, 405, 501]),
        refuses("authority_form_for_get", line("GET", "a:443"), 400),
    ]
}

fn hosts() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        ("missing", ""),
        ("twice", "Host: a\r\nHost: a\r\n"),
        ("two", "Host: a\r\nA: 1\r\nhost: b\r\n"),
        ("list", "Host: a, b\r\n"),
        ("space_inside", "Host: a b\r\n"),
        ("slash", "Host: a/b\r\n"),
        ("userinfo", "Host: user@a\r\n"),
        ("scheme", "Host: http://a\r\n"),
        ("query", "Host: a?b\r\n"),
        ("fragment", "Host: a#b\r\n"),
        ("backslash", "Host: a\\b\r\n"),
        ("control", "Host: a\x01\r\n"),
        ("tab_inside", "Host: a\tb\r\n"),
        ("port_of_letters", "Host: a:b\r\n"),
        ("port_too_large", "Host: a:65536\r\n"),
        ("port_negative", "Host: a:-1\r\n"),
        ("two_ports", "Host: a:1:2\r\n"),
        ("port_alone", "Host: :80\r\n"),
        ("open_bracket", "Host: [::1\r\n"),
        ("bracket_and_more", "Host: [::1]x\r\n"),
        ("no_address_in_brackets", "Host: [a]\r\n"),
        ("quoted", "Host: \"a\"\r\n"),
        // An http URI without a host is invalid (RFC 9110, 4.2.1), so nobody can have meant it.
        ("empty", "Host:\r\n"),
        ("space_before_colon", "Host : a\r\n"),
        ("folded", "Host: a\r\n b\r\n"),
    ]
    .into_iter()
    .map(|(name, host)| refuses(&format!("host_{name}"), format!("GET / HTTP/1.1\r\n{host}\r\n"), 400))
    .collect();
    let beyond = b"GET / HTTP/1.1\r\nHost: \xe4\r\n\r\n";
    cases.push(refuses("host_beyond_ascii", beyond, 400));
    cases.extend(["a.", "a-b_c.example", "127.0.0.1:1", "[::1]", "A.EXAMPLE"].map(|host| {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        passes(&format!("host_{host}"), &request, &request)
    }));
    cases
}
