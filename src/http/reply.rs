//! Answers of the proxy's own: short, canned, and without a word about what is behind it.

use std::io::Write;

/// What an answer of ours depends on.
#[derive(Clone, Copy, Debug)]
pub struct Reply {
    /// The status: one of 400 408 413 414 417 429 431 500 501 502 503 504 505. Any other is written as 500.
    pub status: u16,
    /// JSON instead of plain text.
    pub json: bool,
    /// The connection ends with it (`Connection: close`).
    pub close: bool,
    /// It answers HEAD: the head only, `Content-Length` as if there were a body.
    pub head_only: bool,
    /// `Retry-After`, in seconds.
    pub retry_after_s: Option<u32>,
}

impl Reply {
    /// Appends the whole answer. Returns how much of it is the body.
    pub fn write(&self, out: &mut Vec<u8>) -> usize {
        let Canned { line, message, .. } = canned(self.status).unwrap_or(&INTERNAL);
        // Nothing here needs an escape in JSON: a test says so.
        let (media_type, body): (_, &[&str]) = if self.json {
            let (code, reason) = line.split_at("000".len());
            let (error, text) = (r#","error":""#, r#"","message":""#);
            ("application/json", &[r#"{"status":"#, code, error, reason.trim_start(), text, message, "\"}\n"])
        } else {
            ("text/plain; charset=utf-8", &[line, ": ", message, "\n"])
        };
        let length: usize = body.iter().map(|part| part.len()).sum();
        // Writing to a Vec does not fail.
        let _ = write!(
            out,
            "HTTP/1.1 {line}\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n\
             Cache-Control: no-store\r\n"
        );
        if let Some(seconds) = self.retry_after_s {
            let _ = write!(out, "Retry-After: {seconds}\r\n");
        }
        if self.close {
            out.extend_from_slice(b"Connection: close\r\n");
        }
        out.extend_from_slice(b"\r\n");
        if self.head_only {
            return 0;
        }
        body.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
        length
    }
}

/// The standard reason phrase (RFC 9110, 15; RFC 6585) of a status that a [`Reply`] may have; empty for any other.
pub fn reason_phrase(status: u16) -> &'static str {
    canned(status).map_or("", |canned| &canned.line["000 ".len()..])
}

/// What is said with a status.
struct Canned {
    status: u16,
    /// Status and reason phrase, as in the status line.
    line: &'static str,
    /// What the client can do about it.
    message: &'static str,
}

fn canned(status: u16) -> Option<&'static Canned> {
    CANNED.iter().find(|canned| canned.status == status)
}

const fn says(status: u16, line: &'static str, message: &'static str) -> Canned {
    Canned { status, line, message }
}

const INTERNAL: Canned = says(
    500,
    "500 Internal Server Error",
    "the proxy could not handle this request, the fault is not in the request",
);

const CANNED: &[Canned] = &[
    says(400, "400 Bad Request", "the request is malformed, correct it before sending it again"),
    says(408, "408 Request Timeout", "the request took too long to arrive, send it again"),
    says(413, "413 Content Too Large", "the body is larger than is accepted here, send less"),
    says(414, "414 URI Too Long", "the request target is longer than is accepted here, shorten it"),
    says(417, "417 Expectation Failed", "only 100-continue can be expected here, send it without Expect"),
    says(
        429,
        "429 Too Many Requests",
        "more requests than one client may send here, wait before the next one",
    ),
    says(
        431,
        "431 Request Header Fields Too Large",
        "the header fields are larger or more than is accepted here, send fewer (clearing cookies may help)",
    ),
    INTERNAL,
    says(501, "501 Not Implemented", "the request asks for something that is not supported here"),
    says(502, "502 Bad Gateway", "the backend gave no valid answer, try again later"),
    says(503, "503 Service Unavailable", "no backend is available, try again later"),
    says(504, "504 Gateway Timeout", "the backend did not answer in time, try again later"),
    says(505, "505 HTTP Version Not Supported", "HTTP/1.0 and HTTP/1.1 are spoken here, use one of them"),
];

#[cfg(test)]
mod tests {
    use super::*;

    const STATUSES: [u16; 13] = [400, 408, 413, 414, 417, 429, 431, 500, 501, 502, 503, 504, 505];
    const PLAIN: Reply =
        Reply { status: 503, json: false, close: false, head_only: false, retry_after_s: None };

    fn written(reply: Reply) -> String {
        let mut out = Vec::new();
        reply.write(&mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn plain_text() {
        let all = Reply { close: true, retry_after_s: Some(5), ..PLAIN };
        assert_eq!(
            written(all),
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Length: 66\r\nCache-Control: no-store\r\nRetry-After: 5\r\nConnection: close\r\n\r\n\
             503 Service Unavailable: no backend is available, try again later\n"
        );
    }

    #[test]
    fn json() {
        assert_eq!(
            written(Reply { status: 408, json: true, ..PLAIN }),
            "HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\nContent-Length: 104\r\n\
             Cache-Control: no-store\r\n\r\n\
             {\"status\":408,\"error\":\"Request Timeout\",\
             \"message\":\"the request took too long to arrive, send it again\"}\n"
        );
    }

    #[test]
    fn the_length_is_true_and_head_gets_it_too() {
        for (status, json) in STATUSES.into_iter().flat_map(|status| [(status, false), (status, true)]) {
            let reply = Reply { status, json, ..PLAIN };
            let answer = written(reply);
            let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
            assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{answer}");
            assert!(
                head.starts_with(&format!("HTTP/1.1 {status} {}\r\n", reason_phrase(status))),
                "{answer}"
            );
            assert_eq!(written(Reply { head_only: true, ..reply }), format!("{head}\r\n\r\n"));
        }
    }

    #[test]
    fn every_status_says_something_that_needs_no_escapes() {
        assert_eq!(CANNED.iter().map(|canned| canned.status).collect::<Vec<_>>(), STATUSES);
        for Canned { status, line, message } in CANNED {
            assert!(line.starts_with(&format!("{status} ")) && !message.is_empty());
            let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\' || byte == b' ';
            assert!(line.bytes().chain(message.bytes()).all(plain), "{line}: {message}");
        }
    }

    #[test]
    fn an_unknown_status_is_an_internal_error() {
        for status in [0, 200, 418, u16::MAX] {
            assert_eq!(reason_phrase(status), "");
            assert_eq!(written(Reply { status, ..PLAIN }), written(Reply { status: 500, ..PLAIN }));
        }
    }
}
