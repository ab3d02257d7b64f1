//! What a backend is told about the client, and whose word about it is believed.

use lbproxy::config::{Config, ForwardedStyle, Sticky};

use super::case::{COOKIE, Case, backend, case};
use super::setup::another_backend;
use super::shorthand::*;

pub fn cases() -> Vec<Case> {
    let mut cases = strangers();
    cases.extend(trusted());
    cases.extend(rfc7239());
    cases.extend(sticky());
    cases
}

fn trust(config: &mut Config) {
    config.frontends[0].trusted_proxies =
        ["192.0.2.0/24", "2001:db8::/32"].map(|range| range.parse().unwrap()).into();
}

fn strangers() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        ("x_forwarded_for", "X-Forwarded-For: 198.51.100.1\r\n"),
        ("x_forwarded_for_in_small_letters", "x-forwarded-for: 198.51.100.1\r\n"),
        ("x_forwarded_for_twice", "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 198.51.100.2\r\n"),
        ("x_forwarded_proto", "X-Forwarded-Proto: https\r\n"),
        ("x_forwarded_host", "X-Forwarded-Host: evil\r\n"),
        ("forwarded", "Forwarded: for=198.51.100.1;proto=https\r\n"),
        (
            "underscores",
            "X_Forwarded_For: 198.51.100.1\r\nX_Forwarded-Proto: https\r\nx_forwarded_host: evil\r\n",
        ),
    ]
    .into_iter()
    .map(|(name, fields)| {
        passes(&format!("forwarding_{name}_of_a_stranger_is_dropped"), get_with(fields), GET)
    })
    .collect();
    cases.extend([
        passes("forwarding_ipv6", GET, get_with("X-Forwarded-For: 2001:db8::1\r\n")).from("2001:db8::1"),
        passes("forwarding_ipv4_in_ipv6", GET, get_with("X-Forwarded-For: 192.0.2.7\r\n"))
            .from("::ffff:192.0.2.7"),
        passes(
            "forwarding_the_host_of_absolute_form",
            "GET http://b:81/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: b:81\r\nX-Forwarded-Host: b:81\r\n\r\n",
        ),
        passes("forwarding_off", get_with("X-Forwarded-For: 198.51.100.1\r\nForwarded: for=x\r\n"), GET)
            .with(|config| config.frontends[0].forwarded = ForwardedStyle::Off),
    ]);
    cases
}

fn trusted() -> Vec<Case> {
    let row = |name: &str, fields: &str, forwarded: &str| {
        passes(&format!("forwarding_{name}"), get_with(fields), get_with(forwarded)).with(trust)
    };
    vec![
        row("nothing_of_a_trusted_peer", "", ""),
        row(
            "x_forwarded_for_of_a_trusted_peer_grows",
            "X-Forwarded-For: 198.51.100.1\r\n",
            "X-Forwarded-For: 198.51.100.1, 192.0.2.7\r\n",
        ),
        row(
            "x_forwarded_for_twice_of_a_trusted_peer_grows",
            "X-Forwarded-For: 198.51.100.1\r\nA: b\r\nX-Forwarded-For: 198.51.100.2\r\n",
            "A: b\r\nX-Forwarded-For: 198.51.100.1, 198.51.100.2, 192.0.2.7\r\n",
        ),
        row(
            "x_forwarded_proto_of_a_trusted_peer_stays",
            "X-Forwarded-Proto: https\r\n",
            "X-Forwarded-Proto: https\r\n",
        ),
        row("x_forwarded_host_of_a_trusted_peer_stays", "X-Forwarded-Host: b\r\n", "X-Forwarded-Host: b\r\n"),
        row("underscores_of_a_trusted_peer_are_dropped", "X_Forwarded_For: 198.51.100.1\r\n", ""),
        row(
            "x_forwarded_for_nominated_by_a_trusted_peer_is_said_anew",
            "Connection: X-Forwarded-Proto\r\n",
            "",
        ),
        passes(
            "forwarding_x_forwarded_for_of_a_trusted_peer_of_ipv6_grows",
            get_with("X-Forwarded-For: 198.51.100.1\r\n"),
            get_with("X-Forwarded-For: 198.51.100.1, 2001:db8::1\r\n"),
        )
        .from("2001:db8::1")
        .with(trust),
        passes(
            "forwarding_a_peer_beside_the_trusted_ones",
            get_with("X-Forwarded-For: 198.51.100.1\r\n"),
            GET,
        )
        .from("192.0.3.7")
        .with(trust),
    ]
}

fn rfc7239() -> Vec<Case> {
    fn style(config: &mut Config) {
        config.frontends[0].forwarded = ForwardedStyle::Rfc7239;
    }
    let port = "GET / HTTP/1.1\r\nHost: a:80\r\n\r\n";
    vec![
        passes("rfc7239", GET, GET).with(style),
        passes("rfc7239_with_a_port", port, port).with(style),
        passes("rfc7239_ipv6", GET, GET).from("2001:db8::1").with(style),
        passes("rfc7239_of_a_stranger_is_dropped", get_with("Forwarded: for=198.51.100.1\r\n"), GET)
            .with(style),
        passes("rfc7239_drops_the_other_style", get_with("X-Forwarded-For: 198.51.100.1\r\n"), GET)
            .with(style),
        passes(
            "rfc7239_of_a_trusted_peer_grows",
            get_with("Forwarded: for=198.51.100.1;proto=https\r\n"),
            get_with("Forwarded: for=198.51.100.1;proto=https, for=192.0.2.7;host=a;proto=http\r\n"),
        )
        .with(style)
        .with(trust),
        passes("rfc7239_and_the_other_style", GET, GET)
            .with(|config| config.frontends[0].forwarded = ForwardedStyle::Both),
    ]
}

fn sticky() -> Vec<Case> {
    fn tie(config: &mut Config) {
        config.pools[0].backends.push(another_backend(1));
        config.pools[0].sticky = Some(Sticky { cookie: "lb".to_owned(), ttl: None, secure: false });
    }
    let given = |attributes: &str| {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: lb={COOKIE}; Path=/; HttpOnly; SameSite=Lax{attributes}\r\n\r\nok"
        )
    };
    let with = |cookie: &str| get_with(&format!("Cookie: {cookie}\r\n"));
    let mine = || with(&format!("lb={COOKIE}"));
    let first = |name: &str| case(name).with(tie).gets(given(""));
    let unknown = |name: &str, cookie: &str| {
        first(name).sends(with(cookie)).backend(backend().gets(with(cookie)).sends(OK).kept())
    };
    vec![
        first("sticky_cookie_is_given").sends(GET).backend(backend().gets(GET).sends(OK)),
        // Without the cookie, the next one would be the other backend's.
        first("sticky_cookie_is_honoured")
            .sends(GET)
            .awaits("ok")
            .sends(mine())
            .sends(mine())
            .backend(backend().gets(GET).sends(OK).gets(mine()).sends(OK).gets(mine()).sends(OK).kept())
            .gets(OK)
            .gets(OK),
        first("sticky_cookie_among_others")
            .sends(GET)
            .awaits("ok")
            .sends(with(&format!("a=1; lb={COOKIE}; b=\"2\"")))
            .backend(
                backend()
                    .gets(GET)
                    .sends(OK)
                    .gets(with(&format!("a=1; lb={COOKIE}; b=\"2\"")))
                    .sends(OK)
                    .kept(),
            )
            .gets(OK),
        unknown("sticky_cookie_of_nobody_is_given_anew", "lb=0000000000000000"),
        unknown("sticky_cookie_that_is_none_is_given_anew", "lb=x"),
        unknown("sticky_cookie_that_is_empty_is_given_anew", "lb="),
        unknown("sticky_cookie_of_a_similar_name", "xlb=0123456789abcdef; lbx=0123456789abcdef"),
        case("sticky_cookie_beside_the_backends_own")
            .with(tie)
            .sends(GET)
            .backend(
                backend()
                    .gets(GET)
                    .sends("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: own=1\r\n\r\nok"),
            )
            .gets(given("").replace("Set-Cookie: lb", "Set-Cookie: own=1\r\nSet-Cookie: lb")),
        case("sticky_cookie_with_all_attributes")
            .with(tie)
            .with(|config| {
                let ttl = Some(std::time::Duration::from_secs(60));
                config.pools[0].sticky = Some(Sticky { cookie: "lb".to_owned(), ttl, secure: true });
            })
            .sends(GET)
            .backend(backend().gets(GET).sends(OK))
            .gets(given("; Secure; Max-Age=60")),
        first("sticky_cookie_of_a_backend_that_is_gone_is_given_anew")
            .sends(GET)
            .awaits("ok")
            .sends(mine())
            .backend(backend().gets(GET).sends(ok_and_close("ok")).closed())
            .backend(backend().refuses())
            .backend(backend().gets(mine()).sends(OK))
            .gets(given("")),
    ]
}
