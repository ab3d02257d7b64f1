//! curl sends and fetches: all the ways a body can go.

use std::path::Path;

use tempfile::TempDir;

use crate::access::Line;
use crate::curl::Curl;
use crate::origin::{Answer, Origin};
use crate::support::{Proxy, require, serve};
use crate::wire::{Message, Wire};

const BODY_BYTES: usize = 5_000_000;

/// Bytes in which every place looks different.
fn content() -> Vec<u8> {
    let mut content = vec![0; BODY_BYTES];
    fastrand::Rng::with_seed(1).fill(&mut content);
    content
}

/// A folder with a file `content` in it.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("content"), content()).unwrap();
    folder
}

fn in_front_of(origin: &Origin) -> Proxy {
    Proxy::before(&[origin.address], "--mode http")
}

fn curl_is_missing() -> bool {
    !require("curl")
}

#[test]
fn get_and_head() {
    if curl_is_missing() {
        return;
    }
    let origin = Origin::new(|request| match request.method() {
        "HEAD" => Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Made-Up: kept\r\n\r\n"),
        _ => Answer::text("hello\n"),
    });
    let proxy = in_front_of(&origin);
    assert_eq!(Curl::new().url(&proxy, "/a?b=%20c").run(), ["hello"]);
    let head = Curl::new().arguments("--head").url(&proxy, "/").run().join("\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\n") && head.contains("X-Made-Up: kept"), "{head}");
    assert!(head.contains("Content-Length: 6"), "{head}");
    let [get, head] = <[Message; 2]>::try_from(origin.requests()).unwrap();
    assert_eq!(get.start, "GET /a?b=%20c HTTP/1.1");
    assert_eq!(head.start, "HEAD / HTTP/1.1");
    let host = proxy.address().to_string();
    assert_eq!(get.field("host"), Some(&*host));
    assert_eq!(get.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(get.field("x-forwarded-host"), Some(&*host));
    assert!(get.field("via").is_some() && get.field("connection").is_none(), "{get:?}");
    let [get, head] = <[Line; 2]>::try_from(Line::of_many(&proxy, 2)).unwrap();
    assert_eq!((&*get.request, get.status, get.response_bytes), ("GET /a?b=%20c HTTP/1.1", 200, 6));
    assert!(get.user_agent.starts_with("curl/") && get.client == "127.0.0.1", "{get:?}");
    assert_eq!((&*get.backend, &*get.frontend), (&*origin.address.to_string(), "default"));
    assert_eq!((get.retries, &*get.end), (0, "backend finished"));
    assert_eq!((&*head.request, head.status, head.response_bytes), ("HEAD / HTTP/1.1", 200, 0));
}

fn assert_uploads(upload: impl FnOnce(Curl, &Path) -> Curl, chunked: bool) {
    if curl_is_missing() {
        return;
    }
    let folder = folder();
    let origin = Origin::new(|request| Answer::text(format!("{} bytes", request.body.len())));
    let proxy = in_front_of(&origin);
    let curl = upload(Curl::new(), &folder.path().join("content")).url(&proxy, "/");
    assert_eq!(curl.run(), [format!("{BODY_BYTES} bytes")]);
    let request = origin.request();
    assert!(request.body == content(), "{} other bytes arrived", request.body.len());
    assert_eq!(request.field("transfer-encoding").is_some(), chunked);
    assert_eq!(request.field("content-length").is_some(), !chunked);
    let line = Line::of(&proxy);
    assert_eq!((line.status, line.request_bytes, &*line.end), (200, BODY_BYTES as u64, "backend finished"));
}

#[test]
fn an_upload_of_known_length() {
    let post =
        |curl: Curl, file: &Path| curl.argument("--data-binary").argument(format!("@{}", file.display()));
    assert_uploads(|curl, file| post(curl, file).argument("-HExpect:"), false);
}

#[test]
fn an_upload_of_unknown_length() {
    assert_uploads(
        |curl, file| curl.argument("-HTransfer-Encoding: chunked").argument("-T").argument(file),
        true,
    );
}

/// What `answer` sends arrives as `content`, said in `framing`.
fn assert_downloads(answer: fn() -> Answer, arguments: &str, framing: &str) {
    if curl_is_missing() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("got");
    let origin = Origin::new(move |_| answer());
    let proxy = in_front_of(&origin);
    let curl = Curl::new().arguments(arguments).arguments("-D - -o").argument(&file);
    let head = curl.url(&proxy, "/").run().join("\n").to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200 ") && head.contains(framing), "{head}");
    assert!(std::fs::read(&file).unwrap() == content(), "something else arrived");
    let line = Line::of(&proxy);
    assert_eq!((line.status, line.response_bytes, &*line.end), (200, BODY_BYTES as u64, "backend finished"));
}

fn sized() -> Answer {
    Answer::text(content())
}

fn in_chunks() -> Answer {
    let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let content = content();
    let (mut rest, mut size) = (&content[..], 1);
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(size.min(rest.len()));
        answer.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        answer.extend([chunk, b"\r\n"].concat());
        // From 1 to 100,003, in no order that a buffer could like.
        (rest, size) = (after, size * 7 % 100_003);
    }
    answer.extend(b"0\r\n\r\n");
    Answer::raw(answer)
}

fn until_close() -> Answer {
    Answer::raw([b"HTTP/1.0 200 OK\r\n\r\n".to_vec(), content()].concat()).then_close()
}

#[test]
fn a_download_of_known_length() {
    assert_downloads(sized, "", "content-length: 5000000");
}

#[test]
fn a_download_in_one_chunk() {
    let in_one = || {
        let start = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{BODY_BYTES:x}\r\n");
        Answer::raw([start.into_bytes(), content(), b"\r\n0\r\n\r\n".to_vec()].concat())
    };
    assert_downloads(in_one, "", "transfer-encoding: chunked");
}

/// Of a long body no more is taken than belongs to it, so whether something follows is not known by itself.
#[test]
fn the_connections_of_long_transfers_go_on() {
    let origin = Origin::new(|request| Answer::text(&request.body));
    let proxy = in_front_of(&origin);
    let mut wire = Wire::new(proxy.connect());
    for _ in 0..4 {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {BODY_BYTES}\r\n\r\n");
        wire.say([head.as_bytes(), &content()].concat());
        let answer = wire.response();
        assert!(answer.body == content(), "{} other bytes came back", answer.body.len());
    }
    assert_eq!(origin.accepted(), 1);
}

#[test]
fn a_download_in_chunks() {
    assert_downloads(in_chunks, "", "transfer-encoding: chunked");
}

#[test]
fn a_download_that_ends_with_the_connection() {
    assert_downloads(until_close, "", "transfer-encoding: chunked");
}

/// It knows of no chunks: the end of the connection has to do.
#[test]
fn downloads_by_an_old_client() {
    assert_downloads(sized, "--http1.0", "content-length: 5000000");
    assert_downloads(in_chunks, "--http1.0", "connection: close");
    assert_downloads(until_close, "--http1.0", "connection: close");
}

/// A backend that says 100, or leaves the client to lose its patience.
fn assert_continues(backend_says_so: bool) {
    if curl_is_missing() {
        return;
    }
    let folder = folder();
    let served = serve(move |stream| {
        let mut wire = Wire::new(stream);
        let mut request = wire.try_request_head().unwrap().unwrap();
        assert_eq!(request.field("expect"), Some("100-continue"));
        if backend_says_so {
            wire.say("HTTP/1.1 100 Continue\r\n\r\n");
        }
        wire.body(&mut request, false).unwrap();
        let right = request.body == content();
        wire.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{right}", if right { 4 } else { 5 }));
    });
    let proxy = Proxy::before(&[served.address], "--mode http");
    let file = folder.path().join("content");
    let curl = Curl::new().arguments("-i --expect100-timeout 0.5").argument("-HExpect: 100-continue");
    let said = curl.argument("-T").argument(file).url(&proxy, "/").run().join("\n");
    assert_eq!(said.contains("HTTP/1.1 100 Continue"), backend_says_so, "{said}");
    assert!(said.contains("HTTP/1.1 200 OK") && said.ends_with("true"), "{said}");
}

#[test]
fn an_upload_waits_for_the_backend_to_want_it() {
    assert_continues(true);
}

#[test]
fn an_upload_that_the_backend_does_not_invite_goes_all_the_same() {
    assert_continues(false);
}

#[test]
fn a_part_of_a_file_passes_through() {
    if curl_is_missing() {
        return;
    }
    let origin = Origin::new(|request| {
        assert_eq!(request.field("range"), Some("bytes=2-4"));
        Answer::raw(
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\n234",
        )
    });
    let proxy = in_front_of(&origin);
    let said = Curl::new().arguments("-i -r 2-4").url(&proxy, "/").run();
    assert_eq!(said[0], "HTTP/1.1 206 Partial Content");
    assert!(
        said.contains(&"Content-Range: bytes 2-4/10".to_owned()) && said.last().unwrap() == "234",
        "{said:?}"
    );
}

#[test]
fn one_connection_meets_every_backend_in_turn() {
    if curl_is_missing() {
        return;
    }
    let [a, b] = ["a", "b"].map(Origin::named);
    let proxy = Proxy::before(&[a.address, b.address], "--mode http");
    let mut curl = Curl::new().arguments("-w %{num_connects}\\n");
    for target in 0..6 {
        curl = curl.url(&proxy, &format!("/{target}"));
    }
    let said = curl.run();
    let first = said[0].chars().next().unwrap();
    let expected = if first == 'a' {
        ["a1", "b0", "a0", "b0", "a0", "b0"]
    } else {
        ["b1", "a0", "b0", "a0", "b0", "a0"]
    };
    assert_eq!(said, expected);
    assert_eq!((a.accepted(), b.accepted()), (1, 1), "backend connections are reused");
}
