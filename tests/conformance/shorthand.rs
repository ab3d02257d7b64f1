//! Messages and cases that come again and again.

use super::case::{Case, backend, case};

/// Follows what is refused, and must never be served.
pub const NEXT: &str = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
pub const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
/// Why an answer with too much behind it is not split.
pub const TOGETHER: &str = "the next request would go out before the bytes that spoil the connection";
pub const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A request for this path.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

/// A request that is sent once at most.
pub fn post(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// An answer with this body.
pub fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// The same, and the connection ends.
pub fn ok_and_close(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// A GET with these fields besides Host, each with its CRLF.
pub fn get_with(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

/// A POST with these fields besides Host, and what follows its head.
pub fn post_with(fields: &str, rest: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{rest}")
}

/// A chunked POST, and what follows its head.
pub fn chunked(rest: &str) -> String {
    post_with("Transfer-Encoding: chunked\r\n", rest)
}

/// A request that a backend gets as `forwarded`, and answers; both connections go on.
pub fn passes(name: &str, request: impl AsRef<[u8]>, forwarded: impl AsRef<[u8]>) -> Case {
    case(name).sends(request).backend(backend().gets(forwarded).sends(OK).kept()).gets(OK)
}

/// A request that is answered by one of these errors before any backend hears of it, and nothing after it is served.
pub fn refuses_any(name: &str, request: impl AsRef<[u8]>, statuses: &[u16]) -> Case {
    case(name).sends([request.as_ref(), NEXT.as_bytes()].concat()).refused_any(statuses)
}

/// The same with one error.
pub fn refuses(name: &str, request: impl AsRef<[u8]>, status: u16) -> Case {
    refuses_any(name, request, &[status])
}

/// A request whose body is wrong: a backend may hear of it, but never to its end.
pub fn refuses_body(name: &str, request: impl AsRef<[u8]>) -> Case {
    refuses(name, request, 400).unfinished()
}

/// A backend's answer to GET, and what the client gets; both connections go on.
pub fn answers(name: &str, answer: impl AsRef<[u8]>, forwarded: impl AsRef<[u8]>) -> Case {
    case(name).sends(GET).backend(backend().gets(GET).sends(answer).kept()).gets(forwarded)
}

/// An answer that ends with its connection.
pub fn answers_and_ends(name: &str, answer: impl AsRef<[u8]>, forwarded: impl AsRef<[u8]>) -> Case {
    case(name).sends(GET).backend(backend().gets(GET).sends(answer).finishes().closed()).gets(forwarded)
}

/// An answer to GET that the client gets 502 for.
pub fn breaks(name: &str, answer: impl AsRef<[u8]>) -> Case {
    case(name).sends(GET).backend(backend().gets(GET).sends(answer).closed()).failed(502)
}
