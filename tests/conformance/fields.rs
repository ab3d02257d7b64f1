//! Fields that concern one hop end there.

use super::case::{Case, backend, case};
use super::shorthand::*;

pub fn cases() -> Vec<Case> {
    let mut cases = of_requests();
    cases.extend(of_responses());
    cases
}

fn of_requests() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        ("connection_keep_alive", "Connection: keep-alive\r\n", ""),
        ("keep_alive", "Keep-Alive: timeout=5\r\n", ""),
        ("proxy_connection", "Proxy-Connection: keep-alive\r\n", ""),
        ("te", "TE: trailers\r\nConnection: TE\r\n", ""),
        ("te_not_nominated", "TE: trailers, deflate\r\n", ""),
        ("upgrade_not_nominated", "Upgrade: websocket\r\n", ""),
        ("nominated", "A: 1\r\nX-Hop: 2\r\nB: 3\r\nConnection: X-Hop\r\n", "A: 1\r\nB: 3\r\n"),
        ("nominated_before", "Connection: X-Hop\r\nX-Hop: 2\r\n", ""),
        ("nominated_in_another_case", "Connection: x-hop\r\nX-HOP: 2\r\n", ""),
        ("nominated_twice", "X-Hop: 1\r\nConnection: X-Hop\r\nX-Hop: 2\r\n", ""),
        ("nominated_in_a_list", "Connection: A,, keep-alive ,\tB\r\nA: 1\r\nB: 2\r\nC: 3\r\n", "C: 3\r\n"),
        ("nominated_in_two_fields", "Connection: A\r\nA: 1\r\nConnection: B\r\nB: 2\r\n", ""),
        ("nominated_that_is_absent", "Connection: X-Absent\r\nA: 1\r\n", "A: 1\r\n"),
        ("nominated_cookie", "Connection: Cookie\r\nCookie: a=b\r\n", ""),
        ("nominated_host_stays", "Connection: Host\r\n", ""),
        ("nominated_prefix_stays", "Connection: X-Ho\r\nX-Hop: 1\r\n", "X-Hop: 1\r\n"),
        ("nominated_x_forwarded_for_is_said_anew", "Connection: X-Forwarded-For, Via\r\n", ""),
        (
            "nominated_keep_alive_and_te",
            "Connection: Keep-Alive, TE\r\nKeep-Alive: 5\r\nTE: trailers\r\n",
            "",
        ),
        ("authorization_stays", "Authorization: Basic eA==\r\n", "Authorization: Basic eA==\r\n"),
        ("range_stays", "Range: bytes=0-1\r\nIf-Range: \"x\"\r\n", "Range: bytes=0-1\r\nIf-Range: \"x\"\r\n"),
        ("max_forwards_stays", "Max-Forwards: 5\r\n", "Max-Forwards: 5\r\n"),
    ]
    .into_iter()
    .map(|(name, fields, forwarded)| passes(&format!("hop_{name}"), get_with(fields), get_with(forwarded)))
    .collect();
    cases.push(passes(
        "hop_nominated_content_length_stays",
        post_with("Connection: Content-Length\r\nContent-Length: 5\r\n", "hello"),
        post("/", "hello"),
    ));
    cases.push(passes(
        "hop_nominated_transfer_encoding_stays",
        post_with("Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\n\r\n"),
        chunked("1\r\na\r\n0\r\n\r\n"),
    ));
    cases.push(passes(
        "hop_te_trailers_of_a_chunked_request",
        post_with("TE: trailers\r\nTransfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\nA: b\r\n\r\n"),
        chunked("1\r\na\r\n0\r\nA: b\r\n\r\n"),
    ));
    let announced = "Trailer: Checksum\r\nTransfer-Encoding: chunked\r\n";
    let body = "1\r\na\r\n0\r\nChecksum: b\r\n\r\n";
    cases.push(passes("hop_trailer_stays", post_with(announced, body), post_with(announced, body)));
    cases.push(refuses("hop_connection_is_no_list_of_tokens", get_with("Connection: a b\x01\r\n"), 400));
    cases
}

fn of_responses() -> Vec<Case> {
    let answer = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\nok");
    let mut cases: Vec<Case> = [
        ("keep_alive", "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n", ""),
        ("proxy_connection", "Proxy-Connection: keep-alive\r\n", ""),
        ("upgrade_offered", "Upgrade: h2,h2c\r\nConnection: Upgrade\r\n", ""),
        ("te", "TE: trailers\r\n", ""),
        ("nominated", "A: 1\r\nX-Hop: 1\r\nConnection: x-hop\r\n", "A: 1\r\n"),
        ("nominated_in_two_fields", "Connection: A\r\nA: 1\r\nB: 2\r\nConnection: B\r\n", ""),
        ("nominated_content_length_stays", "Connection: Content-Length\r\n", ""),
    ]
    .into_iter()
    .map(|(name, fields, forwarded)| {
        answers(&format!("hop_of_answer_{name}"), answer(fields), answer(forwarded))
    })
    .collect();
    cases.push(
        // What the backend does with its connection is no business of the client's.
        case("hop_of_answer_close")
            .sends(GET)
            .backend(backend().gets(GET).sends(answer("Connection: close\r\n")).finishes().closed())
            .gets(OK),
    );
    let chunked = |fields: &str, trailers: &str| {
        format!("HTTP/1.1 200 OK\r\n{fields}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n{trailers}\r\n")
    };
    cases.push(answers(
        "hop_of_answer_nominated_trailer",
        chunked("Connection: X-Hop\r\n", "X-Hop: 1\r\n"),
        chunked("", ""),
    ));
    let announced = chunked("Trailer: Checksum\r\n", "Checksum: b\r\n");
    cases.push(answers("hop_of_answer_trailer_stays", &announced, &announced));
    cases
}
