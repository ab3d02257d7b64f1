//! Exchanges with something wrong in them.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::exchange::input::{End, Input, Options, Say};
use super::valid;

/// What is done to bytes.
#[derive(Clone, Debug)]
enum Mutation {
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    DoubleLine(Index),
    SwapLines(Index, Index),
    Cut(Index, Option<End>),
}

fn end() -> impl Strategy<Value = Option<End>> {
    select(vec![None, Some(End::Finish), Some(End::Reset)])
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let piece = select(vec![
        "\r",
        "\n",
        "\r\n",
        "\0",
        " ",
        "\t",
        ":",
        ",",
        ";",
        "0",
        "-",
        "_",
        "\r\n\r\n",
        "HTTP/1.1",
        "chunked",
        "0\r\n\r\n",
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Connection: close\r\n",
        "Connection: upgrade\r\nUpgrade: x\r\n",
        "GET /evil HTTP/1.1\r\nHost: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        "HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
    ]);
    prop_oneof![
        (any::<Index>(), 1..=255_u8).prop_map(|(at, bits)| Mutation::Flip(at, bits)),
        (any::<Index>(), piece).prop_map(|(at, piece)| Mutation::Insert(at, piece.into())),
        (any::<Index>(), 1..5_usize).prop_map(|(at, count)| Mutation::Remove(at, count)),
        any::<Index>().prop_map(Mutation::DoubleLine),
        (any::<Index>(), any::<Index>()).prop_map(|(one, other)| Mutation::SwapLines(one, other)),
        (any::<Index>(), end()).prop_map(|(at, end)| Mutation::Cut(at, end)),
    ]
}

impl Mutation {
    fn apply(&self, say: &mut Say) {
        let bytes = &mut say.bytes;
        if bytes.is_empty() {
            return;
        }
        let mut lines: Vec<Vec<u8>> =
            bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        match self {
            Mutation::Flip(at, bits) => {
                let at = at.index(bytes.len());
                bytes[at] ^= bits;
            }
            Mutation::Insert(at, piece) => {
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, piece.iter().copied());
            }
            Mutation::Remove(at, count) => {
                let at = at.index(bytes.len());
                bytes.drain(at..(at + count).min(bytes.len()));
            }
            Mutation::DoubleLine(at) => {
                let at = at.index(lines.len());
                lines.insert(at, lines[at].clone());
                *bytes = lines.concat();
            }
            Mutation::SwapLines(one, other) => {
                let (one, other) = (one.index(lines.len()), other.index(lines.len()));
                lines.swap(one, other);
                *bytes = lines.concat();
            }
            Mutation::Cut(at, end) => {
                bytes.truncate(at.index(bytes.len()));
                say.end = *end;
            }
        }
    }
}

pub fn picks() -> impl Strategy<Value = Vec<u8>> {
    // Many small pieces, or few.
    prop_oneof![vec(any::<u8>(), 0..40), vec(select(&[4_u8, 5, 8, 9, 30, 31, 61][..]), 0..400)]
}

fn options() -> impl Strategy<Value = Options> {
    any::<[bool; 6]>().prop_map(|[hasty, narrow, small_bodies, trusts, sticky, refuses]| Options {
        hasty,
        narrow,
        small_bodies,
        trusts,
        sticky,
        refuses,
    })
}

/// A valid connection that was tampered with, on either side or both, in any pieces.
pub fn connection() -> impl Strategy<Value = Input> {
    let mutations = vec((any::<bool>(), any::<Index>(), mutation()), 0..4);
    (valid::connection(), options(), picks(), mutations).prop_map(
        |((mut input, _), options, picks, mutations)| {
            for (of_client, which, mutation) in mutations {
                let answers = input.answers.iter_mut().flatten();
                let mut says: Vec<&mut Say> =
                    if of_client { input.client.iter_mut().collect() } else { answers.collect() };
                let which = which.index(says.len());
                mutation.apply(says[which]);
            }
            (input.options, input.picks) = (options, picks);
            input
        },
    )
}

/// Any bytes at all, or nearly.
pub fn noise() -> impl Strategy<Value = Input> {
    let alphabet = prop_oneof![
        any::<u8>().prop_map(|byte| vec![byte]),
        select(vec![
            "\r\n",
            "GET",
            " ",
            "/",
            "HTTP/1.1",
            "HTTP/1.0",
            "Host: a",
            "\r\n\r\n",
            "200 OK",
            ":",
            "0",
            "5",
            "Content-Length: ",
            "Transfer-Encoding: ",
            "chunked",
            "Connection: ",
            "close",
            "upgrade",
            "Upgrade: x"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    let say =
        (vec(alphabet, 0..30), end()).prop_map(|(parts, end)| Say { bytes: parts.concat(), end }).boxed();
    let asked = Say::new("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    let client = prop_oneof![vec(say.clone(), 1..4), Just(vec![asked])];
    (client, vec(vec(say, 1..3), 0..4), options(), picks())
        .prop_map(|(client, answers, options, picks)| Input { options, picks, client, answers })
}
