//! What a backend is told.

use super::*;

/// Asserts what the backend gets, without the request line and Host that [`get`] writes, and without Via.
fn assert_passes(lines: &str, how: &Forward, expected: &str) {
    let head = forwarded(&get(lines), how);
    let rest = head.strip_prefix("GET / HTTP/1.1\r\nHost: a\r\n").expect("they come first");
    let rest = rest.strip_suffix("\r\n").expect("an empty line at the end");
    assert_eq!(rest.replace("Via: 1.1 lbproxy\r\n", ""), expected, "{lines:?}");
}

#[test]
fn a_whole_head() {
    let head = "\r\nPOST http://B.example?x=1 HTTP/1.1\r\nAccept:a \r\nHOST: a\r\nx-odd:\tb\t c \r\nX-Odd:\r\n\
                Via: 1.0 other\r\ncontent-length: 007\r\nConnection: x-gone\r\nX-Gone: 1\r\n\r\n";
    let expected = "POST /?x=1 HTTP/1.1\r\nAccept: a\r\nHOST: B.example\r\nx-odd: b\t c\r\nX-Odd: \r\n\
                    Via: 1.0 other\r\nContent-Length: 7\r\nVia: 1.1 lbproxy\r\n\r\n";
    assert_eq!(forwarded(head, &quiet()), expected);
}

#[test]
fn http_1_0_becomes_http_1_1() {
    let expected = "GET / HTTP/1.1\r\nHost: \r\nX: y\r\nVia: 1.0 lbproxy\r\n\r\n";
    assert_eq!(forwarded("GET / HTTP/1.0\r\nX: y\r\nExpect: z\r\n\r\n", &quiet()), expected);
    let expected = "GET /b HTTP/1.1\r\nHost: a\r\nVia: 1.0 lbproxy\r\n\r\n";
    assert_eq!(forwarded("GET http://a/b HTTP/1.0\r\n\r\n", &quiet()), expected);
}

#[test]
fn hop_by_hop_fields_end_here() {
    let cases = [
        ("Connection: close\r\nKeep-Alive: a\r\nProxy-Connection: b\r\nTE: trailers\r\n", ""),
        ("Upgrade: websocket\r\nHTTP2-Settings: a\r\nProxy-Authorization: b\r\n", ""),
        ("Trailer: x\r\n", ""),
        ("Transfer-Encoding: CHUNKED\r\nTrailer: x\r\n", "Transfer-Encoding: chunked\r\nTrailer: x\r\n"),
        ("Transfer-Encoding: chunked\r\nTrailer: x\r\nConnection: y\r\n", "Transfer-Encoding: chunked\r\n"),
        ("X: 1\r\nx: 2\r\nY: 3\r\nConnection: X\r\n", "Y: 3\r\n"),
        ("X: 1\r\nY: 3\r\nConnection: y\r\nZ: 4\r\nConnection: a, , x\r\n", "Z: 4\r\n"),
        ("Cookie: a\r\nAccept: b\r\nConnection: cookie, accept\r\n", ""),
        ("Connection: host, content-length\r\nContent-Length: 1\r\n", "Content-Length: 1\r\n"),
        (
            "Content-Length: 1\r\nConnection: expect\r\nExpect: 100-CONTINUE\r\nExpect: 100-continue\r\n",
            "Content-Length: 1\r\nExpect: 100-continue\r\n",
        ),
        ("Expect: 100-continue\r\n", ""),
        ("x_forwarded_for: a\r\nX_Real_IP: b\r\nx_y: c\r\n", "x_y: c\r\n"),
        (
            "Connection: x-forwarded-for, forwarded, via, x-real-ip\r\nX-Forwarded-For: 1.1.1.1\r\nX-Real-IP: 2\r\n\
          Forwarded: for=b\r\nVia: 1.1 c\r\n",
            "X-Forwarded-For: 1.1.1.1\r\nX-Real-IP: 2\r\nForwarded: for=b\r\nVia: 1.1 c\r\n",
        ),
    ];
    for (lines, expected) in cases {
        assert_passes(lines, &quiet(), expected);
    }
}

#[test]
fn an_upgrade_is_passed_on_with_what_can_be_tunnelled() {
    let lines = "Upgrade: h2c, websocket\r\nConnection: Upgrade, HTTP2-Settings, x\r\nX: 1\r\nUpgrade: a/1, TLS/1.0\r\n";
    assert_passes(lines, &quiet(), "Connection: upgrade\r\nUpgrade: websocket, a/1\r\n");
}

/// A peer; whether it is trusted; X-Forwarded-*; Forwarded; what came; what goes.
type Said = (&'static str, bool, bool, bool, &'static str, &'static str);

const SAID: &[Said] = &[
    (
        "192.0.2.7",
        false,
        false,
        false,
        "X-Forwarded-For: 1.1.1.1\r\nForwarded: for=b\r\nX-Real-IP: c\r\n",
        "",
    ),
    (
        "192.0.2.7",
        true,
        false,
        false,
        "X-Forwarded-For: 1.1.1.1\r\nForwarded: for=b\r\n",
        "X-Forwarded-For: 1.1.1.1\r\nForwarded: for=b\r\n",
    ),
    (
        "192.0.2.7",
        false,
        true,
        false,
        "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Host: b\r\n",
        "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n",
    ),
    (
        "::ffff:192.0.2.7",
        false,
        true,
        false,
        "",
        "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n",
    ),
    (
        "2001:db8::1",
        true,
        true,
        false,
        "x-forwarded-for: 1.1.1.1\r\nX: y\r\nX-Forwarded-For: 2.2.2.2\r\n\
      X-Forwarded-Proto: https\r\nX-Forwarded-Port: 1\r\n",
        "x-forwarded-for: 1.1.1.1\r\nX: y\r\nX-Forwarded-For: 2.2.2.2, 2001:db8::1\r\n\
      X-Forwarded-Proto: https\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Host: a\r\n",
    ),
    (
        "192.0.2.7",
        true,
        true,
        false,
        "X-Forwarded-For:\r\nX-Forwarded-Host: b\r\n",
        "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Host: b\r\nX-Forwarded-Proto: http\r\n",
    ),
    (
        "192.0.2.7",
        false,
        false,
        true,
        "Forwarded: for=b\r\n",
        "Forwarded: for=192.0.2.7;host=a;proto=http\r\n",
    ),
    (
        "2001:db8::1",
        true,
        false,
        true,
        "Forwarded: for=b\r\nX: y\r\nX-Forwarded-For: 1.1.1.1\r\n",
        "Forwarded: for=b, for=\"[2001:db8::1]\";host=a;proto=http\r\nX: y\r\nX-Forwarded-For: 1.1.1.1\r\n",
    ),
    (
        "192.0.2.7",
        true,
        true,
        true,
        "",
        "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n\
      Forwarded: for=192.0.2.7;host=a;proto=http\r\n",
    ),
];

#[test]
fn what_is_said_about_earlier_hops() {
    for (peer, trusted, x_forwarded, rfc7239, lines, expected) in SAID.iter().copied() {
        assert_passes(lines, &Forward { peer: ip(peer), trusted, x_forwarded, rfc7239 }, expected);
    }
}

#[test]
fn a_host_with_a_port_is_quoted_in_forwarded() {
    let how = Forward { x_forwarded: true, rfc7239: true, ..quiet() };
    let head = forwarded("GET / HTTP/1.1\r\nHost: a:80\r\n\r\n", &how);
    assert!(head.contains("Forwarded: for=192.0.2.7;host=\"a:80\";proto=http\r\n"), "{head}");
    let head = forwarded("GET / HTTP/1.0\r\n\r\n", &how);
    assert!(head.contains("Forwarded: for=192.0.2.7;proto=http\r\n") && !head.contains("-Host"), "{head}");
}

#[test]
fn clients_are_found_behind_trusted_hops() {
    let cases = [
        ("9.9.9.9", "X-Forwarded-For: 1.1.1.1\r\n", "9.9.9.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("::ffff:10.0.0.1", "X-Forwarded-For: 1.1.1.1\r\n", "1.1.1.1"),
        ("10.0.0.1", "X-Forwarded-For: 1.1.1.1, 2.2.2.2:80\r\n", "2.2.2.2"),
        ("10.0.0.1", "X-Forwarded-For: 1.1.1.1, 10.0.0.2\r\nX-Forwarded-For: 10.0.0.3\r\n", "1.1.1.1"),
        ("10.0.0.1", "X-Forwarded-For: 1.1.1.1, , 10.0.0.2,\r\n", "1.1.1.1"),
        ("10.0.0.1", "X-Forwarded-For: 1.1.1.1, who, 10.0.0.2\r\n", "10.0.0.2"),
        ("10.0.0.1", "X-Forwarded-For: 10.0.0.3, 10.0.0.2\r\n", "10.0.0.3"),
        ("10.0.0.1", "X-Forwarded-For: [2001:db8::1]:80\r\n", "2001:db8::1"),
        ("10.0.0.1", "X-Forwarded-For: 1.1.1.1\r\nForwarded: for=2.2.2.2\r\n", "1.1.1.1"),
        ("10.0.0.1", "Forwarded: for=1.1.1.1, for=\"[2001:db8::1]:80\";by=a\r\n", "2001:db8::1"),
        ("10.0.0.1", "Forwarded: for=1.1.1.1\r\nForwarded: proto=\"a,b\";For=10.0.0.2\r\n", "1.1.1.1"),
        ("10.0.0.1", "Forwarded: for=1.1.1.1, for=_hidden\r\n", "10.0.0.1"),
        ("10.0.0.1", "Forwarded: for=1.1.1.1, by=10.0.0.2\r\n", "10.0.0.1"),
    ];
    for (peer, lines, client) in cases {
        let head = get(lines);
        let mut fields = Fields::default();
        let request =
            request::parse(head.as_bytes(), &mut fields, &LIMITS).expect("valid").expect("complete");
        let trusted = |address: IpAddr| address.to_string().starts_with("10.");
        assert_eq!(request.client(ip(peer), trusted), ip(client), "{peer} {lines:?}");
    }
}
