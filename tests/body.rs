//! What holds for every body, as properties.

#[path = "strict/checks.rs"]
mod checks;
#[path = "strict/mod.rs"]
mod strict;

use lbproxy::http::{Body, Framing};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::checks::{LIMITS, chunked, chunked_body, feed};

/// `bytes`, cut at these places, wherever they are.
fn cut<'b>(bytes: &'b [u8], places: &[prop::sample::Index]) -> Vec<&'b [u8]> {
    let mut places: Vec<usize> = places.iter().map(|place| place.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

/// A chunked body as somebody may send it, and what it means.
#[derive(Clone, Debug)]
struct Sample {
    wire: Vec<u8>,
    content: Vec<u8>,
    /// Those that are to arrive.
    trailers: Vec<strict::Field>,
}

fn size_line(size: usize) -> impl Strategy<Value = Vec<u8>> {
    let extension = prop_oneof![
        3 => Just(String::new()),
        1 => "(;[a-z]{1,5}(=([a-z0-9]{1,8}|\"[ -!#-~\t]{0,20}\"))?){1,3}",
    ];
    (0..5_usize, any::<bool>(), extension).prop_map(move |(zeros, upper, extension)| {
        let digits = if upper { format!("{size:X}") } else { format!("{size:x}") };
        format!("{}{digits}{extension}\r\n", "0".repeat(zeros)).into_bytes()
    })
}

fn chunk() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let some = prop_oneof![vec(any::<u8>(), 1..40), vec(prop::sample::select(&b"0\r\n;A: "[..]), 1..300)];
    some.prop_flat_map(|content| {
        size_line(content.len())
            .prop_map(move |line| ([&line, &content[..], b"\r\n"].concat(), content.clone()))
    })
}

/// A trailer line, its name, its value, and whether it is to arrive.
fn trailer() -> impl Strategy<Value = (String, String, String, bool)> {
    let name = prop_oneof![
        3 => "x-[a-z]{1,8}".prop_map(|name| (name, true)),
        1 => prop::sample::select(&["Host", "content_length", "Transfer-Encoding", "If-Range", "TE"][..])
            .prop_map(|name| (name.to_owned(), false)),
    ];
    (name, "([!-~]([ -~]{0,20}[!-~])?)?", "[ \t]{0,3}", "[ \t]{0,3}").prop_map(
        |((name, kept), value, before, after)| {
            (format!("{name}:{before}{value}{after}\r\n"), name, value, kept)
        },
    )
}

fn sample() -> impl Strategy<Value = Sample> {
    (vec(chunk(), 0..6), size_line(0), vec(trailer(), 0..5)).prop_map(|(chunks, last, trailers)| {
        let mut wire: Vec<u8> = chunks.iter().flat_map(|(wire, _)| wire.clone()).collect();
        wire.extend_from_slice(&last);
        wire.extend(trailers.iter().flat_map(|(line, ..)| line.bytes()));
        wire.extend_from_slice(b"\r\n");
        let content = chunks.into_iter().flat_map(|(_, content)| content).collect();
        let kept = trailers.into_iter().filter(|(.., kept)| *kept);
        let trailers = kept.map(|(_, name, value, _)| strict::Field { name, value }).collect();
        Sample { wire, content, trailers }
    })
}

proptest! {
    #[test]
    fn pieces_do_not_matter(
        sample in sample(),
        next in vec(any::<u8>(), 0..20),
        places in vec(any::<prop::sample::Index>(), 0..30),
    ) {
        let bytes = [&sample.wire[..], &next].concat();
        for to in [Framing::Chunked, Framing::UntilClose] {
            let whole = feed(chunked(to), [&bytes[..]]).expect("a valid body");
            prop_assert!(whole.done);
            prop_assert_eq!(&whole.left, &next);
            prop_assert_eq!(whole.content_bytes, sample.content.len() as u64);
            if to == Framing::Chunked {
                let (content, trailers, length) = strict::parse_chunked(&whole.out).expect("a strict body");
                prop_assert_eq!(length, whole.out.len());
                prop_assert_eq!((&content, &trailers), (&sample.content, &sample.trailers));
                // Canonical now: a second time changes nothing.
                prop_assert_eq!(feed(chunked(to), [&whole.out[..]]).expect("canonical").out, whole.out.clone());
            } else {
                prop_assert_eq!(&whole.out, &sample.content);
            }
            prop_assert_eq!(&feed(chunked(to), cut(&bytes, &places)).expect("a valid body"), &whole);
            prop_assert_eq!(&feed(chunked(to), bytes.chunks(1)).expect("a valid body"), &whole);
        }
    }

    #[test]
    fn any_bytes_in_any_pieces(
        bytes in vec(prop_oneof![any::<u8>(), prop::sample::select(&b"00123abF;:x \t\r\n\r\n"[..])], 0..200),
        places in vec(any::<prop::sample::Index>(), 0..10),
    ) {
        same_however_cut(&bytes, cut(&bytes, &places))?;
        chunked_body(&bytes);
    }

    #[test]
    fn a_flipped_byte_is_refused_or_still_one_message(
        sample in sample(),
        place in any::<prop::sample::Index>(),
        byte in prop_oneof![any::<u8>(), prop::sample::select(&b"0123456789abcdef;: \t\r\n\0"[..])],
    ) {
        let mut bytes = sample.wire;
        let place = place.index(bytes.len());
        bytes[place] = byte;
        chunked_body(&bytes);
    }

    #[test]
    fn lengths_and_closes(
        bytes in vec(any::<u8>(), 0..200),
        length in 0..250_u64,
        places in vec(any::<prop::sample::Index>(), 0..10),
    ) {
        let framing = Framing::Length(length);
        let outcome = feed(Body::new(framing, framing, true, &LIMITS), cut(&bytes, &places)).expect("no framing");
        let count = bytes.len().min(length as usize);
        prop_assert_eq!((&outcome.out[..], &outcome.left[..]), bytes.split_at(count));
        prop_assert_eq!((outcome.done, outcome.content_bytes), (count as u64 == length, count as u64));
        for to in [Framing::UntilClose, Framing::Chunked] {
            let body = Body::new(Framing::UntilClose, to, true, &LIMITS);
            let outcome = feed(body, cut(&bytes, &places)).expect("no framing");
            prop_assert!(outcome.out == bytes && outcome.left.is_empty() && !outcome.done);
            prop_assert_eq!(outcome.content_bytes, bytes.len() as u64);
        }
    }
}

/// Every byte of a body that has a bit of everything, in all 256 ways, and cut at every place.
#[test]
fn every_mutation_of_one_body() {
    let wire = b"3\r\nabc\r\n0A;x=\"y\"\r\n0\r\n\r\nGET /\r\n00\r\nX-A:  b \r\nHost: h\r\nX-C:d\r\n\r\n";
    assert!(feed(chunked(Framing::Chunked), [&wire[..]]).expect("valid").done);
    for place in 0..wire.len() {
        for byte in 0..=255 {
            let mut bytes = wire.to_vec();
            bytes[place] = byte;
            chunked_body(&bytes);
            if b"\r\n 0;:".contains(&byte) {
                for cut in 0..=bytes.len() {
                    same_however_cut(&bytes, vec![&bytes[..cut], &bytes[cut..]]).expect("the same");
                }
            }
        }
    }
}

fn same_however_cut(bytes: &[u8], pieces: Vec<&[u8]>) -> Result<(), TestCaseError> {
    for to in [Framing::Chunked, Framing::UntilClose] {
        prop_assert_eq!(feed(chunked(to), [bytes]), feed(chunked(to), pieces.iter().copied()));
    }
    Ok(())
}
