//! HTTP messages as they are sent every day, and the steps that each of them costs.

#![allow(dead_code, reason = "each benchmark that includes it uses what it needs")]

use std::net::{IpAddr, Ipv4Addr};

use lbproxy::http::request::{Fields, Forward};
use lbproxy::http::response::{self, Connection};
use lbproxy::http::{Body, Framing, HeadLimits, Method, request};

/// The limits that a configuration without any resolves to.
pub const LIMITS: HeadLimits = HeadLimits { head_bytes: 16 * 1024, target_bytes: 8 * 1024, fields: 100 };

/// What a command-line client or a service sends: 6 fields.
pub const SHORT_REQUEST: &[u8] = b"GET /api/v2/orders?state=open&limit=50 HTTP/1.1\r\n\
    Host: shop.example.com\r\n\
    User-Agent: python-requests/2.32.3\r\n\
    Accept: application/json\r\n\
    Accept-Encoding: gzip, deflate\r\n\
    Authorization: Bearer 6mdNf1fWvVbJt0cXy2Zk8Qe4RrTtUuIi\r\n\
    Connection: keep-alive\r\n\
    \r\n";

/// What a browser sends: 20 fields.
pub const LONG_REQUEST: &[u8] = b"GET /products/lamps/desk?colour=brass&page=2 HTTP/1.1\r\n\
    Host: shop.example.com\r\n\
    Connection: keep-alive\r\n\
    Cache-Control: max-age=0\r\n\
    sec-ch-ua: \"Chromium\";v=\"128\", \"Not;A=Brand\";v=\"24\", \"Google Chrome\";v=\"128\"\r\n\
    sec-ch-ua-mobile: ?0\r\n\
    sec-ch-ua-platform: \"Linux\"\r\n\
    DNT: 1\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    Sec-Fetch-Mode: navigate\r\n\
    Sec-Fetch-User: ?1\r\n\
    Sec-Fetch-Dest: document\r\n\
    Referer: https://shop.example.com/products/lamps?page=1\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n\
    Cookie: session=2f9b1c7e5a4d4c0d8e6f; consent=all; basket=17; theme=dark; _visitor=8412.5531.77\r\n\
    If-None-Match: \"5f3c-61d2a8b7\"\r\n\
    Priority: u=0, i\r\n\
    \r\n";

/// What a plain server answers: 6 fields and 102 bytes.
pub const SHORT_RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Server: nginx\r\n\
    Date: Tue, 04 Mar 2025 10:15:00 GMT\r\n\
    Content-Type: application/json\r\n\
    Content-Length: 102\r\n\
    Cache-Control: no-store\r\n\
    Connection: keep-alive\r\n\
    \r\n\
    {\"orders\":[{\"id\":10001,\"state\":\"open\"},{\"id\":10002,\"state\":\"open\"},{\"id\":10003,\"state\":\"open\"}],\"n\":3}";

/// What an application behind a few layers answers: 20 fields. Its body of 5,000 bytes is not here.
pub const LONG_RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Date: Tue, 04 Mar 2025 10:15:00 GMT\r\n\
    Server: Apache/2.4.62 (Debian)\r\n\
    Content-Type: text/html; charset=utf-8\r\n\
    Content-Length: 5000\r\n\
    Connection: keep-alive\r\n\
    Keep-Alive: timeout=5, max=100\r\n\
    Last-Modified: Mon, 03 Mar 2025 22:01:44 GMT\r\n\
    ETag: \"5f3c-61d2a8b7\"\r\n\
    Cache-Control: private, max-age=60, must-revalidate\r\n\
    Expires: Tue, 04 Mar 2025 10:16:00 GMT\r\n\
    Vary: Accept-Encoding, Cookie\r\n\
    Accept-Ranges: bytes\r\n\
    Set-Cookie: session=2f9b1c7e5a4d4c0d8e6f; Path=/; HttpOnly; Secure; SameSite=Lax\r\n\
    Strict-Transport-Security: max-age=63072000; includeSubDomains\r\n\
    Content-Security-Policy: default-src 'self'; img-src 'self' data: https://images.example.com\r\n\
    X-Content-Type-Options: nosniff\r\n\
    X-Frame-Options: SAMEORIGIN\r\n\
    Referrer-Policy: strict-origin-when-cross-origin\r\n\
    X-Request-Id: 7c0f6f0e-0d8c-4b0c-9a58-2f1f6f1f9f3e\r\n\
    Server-Timing: app;dur=12.4, db;dur=3.1\r\n\
    \r\n";

/// A body of `count` chunks of `chunk_bytes` each, as a strict sender writes it: whoever checks it has nothing to change.
pub fn chunked(count: usize, chunk_bytes: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for _ in 0..count {
        body.extend_from_slice(format!("{chunk_bytes:x}\r\n").as_bytes());
        body.resize(body.len() + chunk_bytes, b'x');
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n\r\n");
    body
}

/// Parses a request head and writes what a backend would get into `out`.
pub fn forward_request(head: &[u8], out: &mut Vec<u8>) {
    let how = Forward {
        peer: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 17)),
        trusted: false,
        x_forwarded: true,
        rfc7239: false,
    };
    let mut fields = Fields::default();
    let request = request::parse(head, &mut fields, &LIMITS).expect("a valid head").expect("a complete head");
    out.clear();
    request.forward(out, &how);
}

/// Parses a response head and writes what a client would get into `out`.
pub fn forward_response(head: &[u8], out: &mut Vec<u8>) {
    let mut fields = Fields::default();
    let response = response::parse(head, &mut fields, &LIMITS, Method::Get);
    let response = response.expect("a valid head").expect("a complete head");
    out.clear();
    let how =
        response::Forward { framing: response.facts.framing, connection: Connection::Implied, cookie: None };
    response.forward(out, &how);
}

/// Passes a whole body that comes and leaves with the same framing.
pub fn pass_body(framing: Framing, bytes: &mut [u8]) {
    let mut body = Body::new(framing, framing, true, &LIMITS);
    let passed = body.pass(bytes).expect("a valid body");
    debug_assert!(passed.taken == bytes.len() && body.is_done());
}
