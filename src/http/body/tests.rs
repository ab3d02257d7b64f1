use super::*;

const LIMITS: HeadLimits = HeadLimits { head_bytes: 100, target_bytes: 100, fields: 3 };

fn body(from: Framing, to: Framing) -> Body {
    Body::new(from, to, true, &LIMITS)
}

/// Passes `input` as one piece: what is put, what is left, and the body after it.
fn pass(mut body: Body, input: &[u8]) -> Result<(Vec<u8>, Vec<u8>, Body), &'static str> {
    let mut bytes = input.to_vec();
    let Passed { taken, put } = body.pass(&mut bytes).map_err(|refusal| {
        assert_eq!(refusal.status, 400);
        refusal.why
    })?;
    assert!(put <= taken && taken <= input.len());
    Ok((bytes[..put].to_vec(), input[taken..].to_vec(), body))
}

fn chunked(input: &[u8]) -> Result<(Vec<u8>, Vec<u8>, Body), &'static str> {
    pass(body(Framing::Chunked, Framing::Chunked), input)
}

#[test]
fn it_is_small() {
    assert!(size_of::<Body>() <= 48, "{}", size_of::<Body>());
}

#[test]
fn what_is_empty_is_done_from_the_start() {
    for framing in [Framing::Empty, Framing::Length(0)] {
        let (put, left, mut body) =
            pass(body(framing, framing), b"GET / HTTP/1.1").expect("nothing to refuse");
        assert!(put.is_empty() && left == b"GET / HTTP/1.1" && body.is_done() && body.end().is_ok());
    }
}

#[test]
fn a_length_is_counted() {
    let framing = Framing::Length(5);
    let (put, left, mut half) = pass(body(framing, framing), b"abc").expect("good");
    assert!(put == b"abc" && left.is_empty() && !half.is_done());
    assert_eq!(half.end(), Err(Refusal::new(400, "incomplete_body")));
    let (put, left, mut done) = pass(half, b"defg").expect("good");
    assert!(put == b"de" && left == b"fg" && done.is_done() && done.end().is_ok());
    assert_eq!(done.content_bytes(), 5);
    let (put, _, body) =
        pass(body(Framing::Length(u64::MAX), Framing::Length(u64::MAX)), b"x").expect("good");
    assert!(put == b"x" && !body.is_done());
}

#[test]
fn a_close_is_a_good_end_only_where_nothing_else_is_said() {
    for to in [Framing::UntilClose, Framing::Chunked] {
        let (put, left, mut body) = pass(body(Framing::UntilClose, to), b"0\r\n\r\n").expect("good");
        assert!(put == b"0\r\n\r\n" && left.is_empty() && !body.is_done());
        assert_eq!(body.wraps(), to == Framing::Chunked);
        assert!(body.end().is_ok() && body.is_done() && body.content_bytes() == 5);
        assert_eq!(body.wraps(), to == Framing::Chunked, "the last chunk is still to be put");
    }
    for input in ["", "5", "5\r\n", "5\r\nabc", "5\r\nabcde\r", "5\r\nabcde\r\n", "0\r\n", "0\r\nA: b\r\n"] {
        let (_, _, mut body) = chunked(input.as_bytes()).expect("good so far");
        assert!(!body.is_done() && body.end().is_err_and(|refusal| refusal.why == "incomplete_body"));
    }
}

/// What comes, what leaves in chunks, what leaves without them, and what is left.
const GOOD: &[(&str, &str, &str, &str)] = &[
    ("0\r\n\r\n", "0\r\n\r\n", "", ""),
    ("3\r\nabc\r\n0\r\n\r\nGET", "3\r\nabc\r\n0\r\n\r\n", "abc", "GET"),
    ("00003\r\nabc\r\n000\r\n\r\n", "3\r\nabc\r\n0\r\n\r\n", "abc", ""),
    ("A\r\n0123456789\r\n0\r\n\r\n", "a\r\n0123456789\r\n0\r\n\r\n", "0123456789", ""),
    ("3;a=\"\t\u{e9}\"\r\nabc\r\n0;x\r\n\r\n", "3\r\nabc\r\n0\r\n\r\n", "abc", ""),
    ("1\r\na\r\n2;\r\nbc\r\n0\r\n\r\n", "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc", ""),
    ("7fffffffffffffff\r\nabc", "7fffffffffffffff\r\nabc", "abc", ""),
    ("3\r\n\r\n0\r\n0\r\n\r\n", "3\r\n\r\n0\r\n0\r\n\r\n", "\r\n0", ""),
    // Incomplete: what cannot be judged yet stays.
    ("", "", "", ""),
    ("0000", "", "", "0000"),
    ("3;a=b\r", "", "", "3;a=b\r"),
    ("3\r\nab", "3\r\nab", "ab", ""),
    ("3\r\nabc\r", "3\r\nabc", "abc", "\r"),
    ("0\r\nA: b\r\nC", "0\r\nA: b\r\n", "", "C"),
    // Trailers.
    ("0\r\nA:b\r\n\r\n", "0\r\nA:b\r\n\r\n", "", ""),
    ("0\r\nA: \t b \t \r\nB:\r\nC:  \r\n\r\nX", "0\r\nA: b\r\nB:\r\nC:\r\n\r\n", "", "X"),
    ("0\r\nA: b c\u{e9}\r\nHost: x\r\nx: y\r\n\r\n", "0\r\nA: b c\u{e9}\r\nx: y\r\n\r\n", "", ""),
];

#[test]
fn chunks_leave_in_their_canonical_form_or_not_at_all() {
    for &(input, canonical, plain, rest) in GOOD {
        for (to, output) in [(Framing::Chunked, canonical), (Framing::UntilClose, plain)] {
            let (put, left, passed) = pass(body(Framing::Chunked, to), input.as_bytes()).expect(input);
            assert_eq!(put, output.as_bytes(), "{input:?}");
            assert_eq!(left, rest.as_bytes(), "{input:?}");
            assert_eq!(passed.is_done(), canonical.ends_with("\r\n\r\n"), "{input:?}");
            assert_eq!(passed.content_bytes(), plain.len() as u64, "{input:?}");
            assert!(!passed.wraps());
        }
    }
}

const BAD: &[(&str, &str)] = &[
    ("bad_chunk_size", "\r"),
    ("bad_chunk_size", "\n"),
    ("bad_chunk_size", "\r\n"),
    ("bad_chunk_size", " 3\r\n"),
    ("bad_chunk_size", "+3\r\n"),
    ("bad_chunk_size", "-"),
    ("bad_chunk_size", "0x3\r\n"),
    ("bad_chunk_size", "3 \r\n"),
    ("bad_chunk_size", "3 ;a\r\n"),
    ("bad_chunk_size", "3\t"),
    ("bad_chunk_size", "3_0\r\n"),
    ("bad_chunk_size", "3,3\r\n"),
    ("bad_chunk_size", "3\n"),
    ("bad_chunk_size", "3\rx"),
    ("bad_chunk_size", "3\r\r\n"),
    ("bad_chunk_size", "3;a\rb"),
    ("bad_chunk_size", "g\r\n"),
    ("bad_chunk_size", ";a\r\n"),
    ("bad_chunk_size", "\u{ff13}\r\n"),
    ("bad_chunk_size", "8000000000000000"),
    ("bad_chunk_size", "ffffffffffffffff\r\n"),
    ("bad_chunk_size", "00000000000000003"),
    ("bad_chunk_extension", "3;a\n"),
    ("bad_chunk_extension", "3;a\0"),
    ("bad_chunk_extension", "3;\u{7f}"),
    ("bad_chunk_extension", "3;\u{8}"),
    ("bad_chunk_extension", "3;\u{b}"),
    ("bad_chunk_extension", "3;\u{1f}"),
    ("bad_chunk_end", "3\r\nabcd"),
    ("bad_chunk_end", "3\r\nabc\n"),
    ("bad_chunk_end", "3\r\nabc\rx"),
    ("bad_chunk_end", "3\r\nabc\r\r"),
    ("bad_chunk_end", "3\r\nabc0"),
    ("bad_trailer", "0\r\n\n"),
    ("bad_trailer", "0\r\nA\n"),
    ("bad_trailer", "0\r\nA: b\n"),
    ("bad_trailer", "0\r\nA: b\r\n c\r\n"),
    ("bad_trailer", "0\r\n A: b\r\n"),
    ("bad_trailer", "0\r\nA : b\r\n"),
    ("bad_trailer", "0\r\nA\r\n"),
    ("bad_trailer", "0\r\n: b\r\n"),
    ("bad_trailer", "0\r\nA: b\rc\r\n"),
    ("bad_trailer", "0\r\nA: b\r\r\n"),
    ("bad_trailer", "0\r\n\r\r\n"),
    ("bad_trailer", "0\r\nA: b\0\r\n"),
    ("bad_trailer", "0\r\nA: b\u{7f}\r\n"),
    ("bad_trailer", "0\r\nA\u{e9}: b\r\n"),
    ("bad_trailer", "0\r\nA(: b\r\n"),
    ("too_many_trailers", "0\r\nA:\r\nA:\r\nHost:\r\nA:\r\n"),
];

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    for &(why, input) in BAD {
        for to in [Framing::Chunked, Framing::UntilClose] {
            let result = pass(body(Framing::Chunked, to), input.as_bytes());
            assert_eq!(result.err(), Some(why), "{input:?}");
        }
        let untouched = Body::new(Framing::Chunked, Framing::Chunked, false, &LIMITS);
        assert_eq!(pass(untouched, input.as_bytes()).err(), Some(why), "dropped, but checked: {input:?}");
    }
}

#[test]
fn a_size_line_has_an_end() {
    let line = |length: usize| [b"1;".as_slice(), &vec![b'x'; length - 4], b"\r\na"].concat();
    let longest = line(chunk::LINE_BYTES_MAX);
    assert_eq!(chunked(&longest).expect("good").0, b"1\r\na");
    for bad in [&longest[..chunk::LINE_BYTES_MAX - 2], &longest[..chunk::LINE_BYTES_MAX - 1]] {
        assert!(chunked(bad).is_ok_and(|(put, left, _)| put.is_empty() && left == bad));
    }
    let longer = line(chunk::LINE_BYTES_MAX + 1);
    assert_eq!(chunked(&longer).err(), Some("chunk_line_too_long"));
    assert_eq!(chunked(&longer[..chunk::LINE_BYTES_MAX]).err(), Some("chunk_line_too_long"));
}

#[test]
fn trailers_have_an_end() {
    let section = |length: usize| [b"0\r\nA: ".as_slice(), &vec![b'x'; length - 7], b"\r\n\r\n"].concat();
    let longest = section(LIMITS.head_bytes);
    assert_eq!(longest.len(), 3 + LIMITS.head_bytes);
    assert!(chunked(&longest).is_ok_and(|(put, _, body)| put == longest && body.is_done()));
    assert_eq!(chunked(&section(LIMITS.head_bytes + 1)).err(), Some("trailers_too_big"));
    let endless = section(LIMITS.head_bytes + 50);
    assert_eq!(chunked(&endless[..3 + LIMITS.head_bytes]).err(), Some("trailers_too_big"));
    assert!(chunked(&endless[..2 + LIMITS.head_bytes]).is_ok());
}

#[test]
fn harmful_trailers_and_their_aliases_are_dropped() {
    let harmful = "Transfer-Encoding transfer_encoding CONTENT-LENGTH Content_Length Host TE Trailer Connection \
        Keep-Alive Proxy-Connection proxy_anything Upgrade Content-Encoding Content-Type Content-Range Authorization \
        WWW-Authenticate www-authenticate Cookie Cookie2 Set-Cookie SET_COOKIE Cache-Control Expect Max-Forwards Pragma \
        Range If-Match if_none_match If-Modified-Since Age Date Expires Location Retry-After Vary Via Forwarded \
        X-Forwarded-For x_forwarded-proto X-Real-IP X_Real_IP X-HTTP-Method-Override Warning";
    for name in harmful.split_ascii_whitespace() {
        let input = format!("0\r\n{name}: 1\r\nETag: \"x\"\r\n\r\n");
        assert_eq!(chunked(input.as_bytes()).expect("good").0, b"0\r\nETag: \"x\"\r\n\r\n", "{name}");
    }
    for name in
        "ETag Digest Content-Digest Server-Timing grpc-status X-Checksum Hosts T E-Tag If Viae".split(' ')
    {
        let input = format!("0\r\n{name}: 1\r\n\r\n");
        assert_eq!(chunked(input.as_bytes()).expect("good").0, input.as_bytes(), "{name}");
        let dropping = Body::new(Framing::Chunked, Framing::Chunked, false, &LIMITS);
        assert_eq!(pass(dropping, input.as_bytes()).expect("good").0, LAST_CHUNK, "{name}");
    }
}

#[test]
fn chunk_starts() {
    for size in [0, 1, 9, 10, 15, 16, 255, 256, 0xabcdef, usize::MAX] {
        let (line, length) = chunk_start(size);
        assert_eq!(&line[..length], format!("{size:x}\r\n").as_bytes());
    }
}

#[test]
fn towards_a_client() {
    use Framing::*;
    for (from, to_10, to_11) in [
        (Empty, Empty, Empty),
        (Length(3), Length(3), Length(3)),
        (Chunked, UntilClose, Chunked),
        (UntilClose, UntilClose, Chunked),
    ] {
        assert_eq!((from.towards(Version::Http10), from.towards(Version::Http11)), (to_10, to_11));
    }
}
