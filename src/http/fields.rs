//! Fields of a head: room for them, what each means to a proxy, and how they are written.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::message::{Framing, HeadLimits, Version};

/// Room for parsed fields, on the caller's stack.
pub struct Fields<'b> {
    pub(super) storage: [MaybeUninit<httparse::Header<'b>>; HeadLimits::MAX_FIELDS],
    /// For each field parsed: what it is. Filled in when a head is parsed, so that forwarding compares no names.
    pub(super) kinds: [Kind; HeadLimits::MAX_FIELDS],
}

impl Default for Fields<'_> {
    /// Empty room: the part that takes space is left uninitialised.
    fn default() -> Self {
        Fields {
            storage: [const { MaybeUninit::uninit() }; HeadLimits::MAX_FIELDS],
            kinds: [Kind::Other; HeadLimits::MAX_FIELDS],
        }
    }
}

/// What a field is to a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Not the proxy's business: forwarded as it is, unless nominated.
    Other,
    Accept,
    Connection,
    ContentLength,
    Cookie,
    Expect,
    Forwarded,
    Host,
    Trailer,
    TransferEncoding,
    Upgrade,
    Via,
    XForwardedFor,
    XForwardedHost,
    XForwardedProto,
    /// Other things that are said about earlier hops: the rest of X-Forwarded-*, and X-Real-IP.
    AboutHops,
    /// `content_length` or `transfer_encoding`: a backend that reads `_` as `-` would see a framing we did not.
    FramingAlias,
    /// For this connection only, or nominated, or an underscore alias of what is said about earlier hops.
    ///
    /// Proxy-Authorization is here because it is meant for the next proxy (RFC 9110, 11.7.2): a backend that we choose
    /// must not learn a password that is none of its business. Proxy-Authenticate is not: it holds no secret, and
    /// without it a 407 could not be understood.
    Dropped,
}

/// Known names by length, in lower case.
const KNOWN: [&[(&[u8], Kind)]; 20] = [
    &[],
    &[],
    &[(b"te", Kind::Dropped)],
    &[(b"via", Kind::Via)],
    &[(b"host", Kind::Host)],
    &[],
    &[(b"accept", Kind::Accept), (b"cookie", Kind::Cookie), (b"expect", Kind::Expect)],
    &[(b"upgrade", Kind::Upgrade), (b"trailer", Kind::Trailer)],
    &[],
    &[(b"forwarded", Kind::Forwarded), (b"x-real-ip", Kind::AboutHops)],
    &[(b"connection", Kind::Connection), (b"keep-alive", Kind::Dropped)],
    &[],
    &[],
    &[],
    &[(b"content-length", Kind::ContentLength), (b"http2-settings", Kind::Dropped)],
    &[(b"x-forwarded-for", Kind::XForwardedFor)],
    &[(b"x-forwarded-host", Kind::XForwardedHost), (b"proxy-connection", Kind::Dropped)],
    &[(b"transfer-encoding", Kind::TransferEncoding), (b"x-forwarded-proto", Kind::XForwardedProto)],
    &[],
    &[(b"proxy-authorization", Kind::Dropped)],
];

impl Kind {
    /// What a field of this name is.
    pub(super) fn of(name: &str) -> Kind {
        let name = name.as_bytes();
        let Some(&first) = name.first() else { return Kind::Other };
        let known = KNOWN.get(name.len()).copied().unwrap_or(&[]);
        // Most names differ in their length or their first byte.
        for (known, kind) in known.iter().filter(|(known, _)| first | CASE == known[0]) {
            if is_any_case_of(name, known) {
                return *kind;
            }
            if alike(name, known) {
                return kind.alias();
            }
        }
        if first | CASE != b'x' || !name.get(..12).is_some_and(|start| alike(start, b"x-forwarded-")) {
            return Kind::Other;
        }
        if name.contains(&b'_') { Kind::AboutHops.alias() } else { Kind::AboutHops }
    }

    /// What a name is that is one of this kind but for underscores.
    fn alias(self) -> Kind {
        match self {
            Kind::ContentLength | Kind::TransferEncoding => Kind::FramingAlias,
            kind if kind.tells_about_hops() => Kind::Dropped,
            _ => Kind::Other,
        }
    }

    /// Whether it says who was on the way here: believed only from whom is trusted.
    pub(super) fn tells_about_hops(self) -> bool {
        use Kind::{AboutHops, Forwarded, XForwardedFor, XForwardedHost, XForwardedProto};
        matches!(self, AboutHops | Forwarded | XForwardedFor | XForwardedHost | XForwardedProto)
    }

    /// Whether `Connection` can have it removed. Not what the proxy itself answers for: framing and routing would
    /// change behind its back, and a client could disown what was said about it.
    pub(super) fn heeds_nomination(self) -> bool {
        matches!(self, Kind::Other | Kind::Accept | Kind::Cookie | Kind::Trailer)
    }
}

/// In names, which are tokens, this bit is the case of a letter; everything else that is in a known name has it.
const CASE: u8 = 0x20;

/// Whether a name is the known one, which is as long: any case. Without a branch for each byte.
fn is_any_case_of(name: &[u8], known: &[u8]) -> bool {
    name.iter().zip(known).fold(0, |differences, (byte, known)| differences | ((byte | CASE) ^ known)) == 0
}

/// The same, and `_` passes for `-`.
fn alike(name: &[u8], known: &[u8]) -> bool {
    let same =
        |(byte, known): (&u8, &u8)| byte.to_ascii_lowercase() == *known || (*byte == b'_' && *known == b'-');
    name.len() == known.len() && name.iter().zip(known).all(same)
}

/// The elements of a comma-separated list, without whitespace around them; empty ones too.
pub(super) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(trim)
}

/// Without the optional whitespace (space, tab) around it.
pub(super) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Without the quotes around it, if there are both.
pub(super) fn unquote(value: &[u8]) -> &[u8] {
    if let [b'"', inside @ .., b'"'] = value { inside } else { value }
}

/// Whether it is a token (RFC 9110, 5.6.2).
pub(super) fn is_token(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(|byte| is_token_byte(*byte))
}

pub(super) fn is_token_byte(byte: u8) -> bool {
    IN_TOKEN[usize::from(byte)]
}

const IN_TOKEN: [bool; 256] = {
    let marks = b"!#$%&'*+-.^_`|~";
    let mut table = [false; 256];
    let mut index = 0;
    while index < marks.len() {
        table[marks[index] as usize] = true;
        index += 1;
    }
    let mut byte = 0u8;
    while byte < 128 {
        table[byte as usize] |= byte.is_ascii_alphanumeric();
        byte += 1;
    }
    table
};

/// Whether an LF comes without its CR. (A CR without its LF does not get past httparse.)
pub(super) fn has_bare_lf(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.get(1..) else { return false };
    // Without a branch, so that it is done many bytes at a time.
    let bare = bytes
        .iter()
        .zip(rest)
        .fold(0, |bare, (before, byte)| bare | (u8::from(*byte == b'\n') & u8::from(*before != b'\r')));
    bare != 0 || bytes[0] == b'\n'
}

pub(super) fn write_field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Writes the fields of a head: as they came, neighbours in one piece, or otherwise.
pub(super) struct FieldWriter<'a> {
    out: &'a mut Vec<u8>,
    head: &'a [u8],
    /// Lines of the head that are to be copied, and are not yet.
    run: Range<usize>,
}

impl<'a> FieldWriter<'a> {
    /// For fields that were parsed from `head`.
    pub(super) fn new(out: &'a mut Vec<u8>, head: &'a [u8]) -> FieldWriter<'a> {
        FieldWriter { out, head, run: 0..0 }
    }

    /// Writes a field of the head with the value it has.
    pub(super) fn keep(&mut self, field: &httparse::Header<'_>) {
        match self.line_of(field) {
            Some(line) if line.start == self.run.end => self.run.end = line.end,
            Some(line) => {
                self.out();
                self.run = line;
            }
            None => write_field(self.out(), field.name, field.value),
        }
    }

    /// Where something else is to be written, after everything before it.
    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        self.out.extend_from_slice(&self.head[std::mem::take(&mut self.run)]);
        self.out
    }

    /// Where the head has this field, if it is spelled there as [`write_field`] would.
    fn line_of(&self, field: &httparse::Header<'_>) -> Option<Range<usize>> {
        let place = |part: &[u8]| (part.as_ptr() as usize).wrapping_sub(self.head.as_ptr() as usize);
        let (name, value) = (place(field.name.as_bytes()), place(field.value));
        let end = value.checked_add(field.value.len())?;
        let is_plain = name.checked_add(field.name.len() + 2)? == value
            && self.head.get(value - 2..value) == Some(b": ")
            && self.head.get(end..end + 2) == Some(b"\r\n");
        is_plain.then(|| name..end + 2)
    }
}

/// The field that tells how the body is framed, if one does.
pub(super) fn write_framing(out: &mut Vec<u8>, framing: Framing) {
    match framing {
        Framing::Length(bytes) => write_content_length(out, bytes),
        Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        Framing::Empty | Framing::UntilClose => {}
    }
}

pub(super) fn write_content_length(out: &mut Vec<u8>, bytes: u64) {
    out.extend_from_slice(b"Content-Length: ");
    write_number(out, bytes);
    out.extend_from_slice(b"\r\n");
}

/// In decimal. (`write!` takes ten times as long.)
pub(super) fn write_number(out: &mut Vec<u8>, mut number: u64) {
    const DIGITS_MAX: usize = u64::MAX.ilog10() as usize + 1;
    let mut digits = [0; DIGITS_MAX];
    let mut start = DIGITS_MAX;
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return out.extend_from_slice(&digits[start..]);
        }
    }
}

/// `Via`, a line of its own after those of earlier proxies: it names the version the message was received with.
pub(super) fn write_via(out: &mut Vec<u8>, received: Version) {
    out.extend_from_slice(match received {
        Version::Http10 => b"Via: 1.0 lbproxy\r\n",
        Version::Http11 => b"Via: 1.1 lbproxy\r\n",
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_stand_at_their_length() {
        for (length, names) in KNOWN.iter().enumerate() {
            for (name, kind) in *names {
                assert_eq!(name.len(), length);
                let name = std::str::from_utf8(name).expect("ASCII");
                assert_eq!(Kind::of(name), *kind, "{name}");
                assert_eq!(Kind::of(&name.to_uppercase()), *kind, "{name}");
            }
        }
    }

    #[test]
    fn names_with_underscores_are_told_apart() {
        let cases = [
            ("content_length", Kind::FramingAlias),
            ("Transfer_Encoding", Kind::FramingAlias),
            ("X_Forwarded-For", Kind::Dropped),
            ("x_forwarded_anything", Kind::Dropped),
            ("x_real_ip", Kind::Dropped),
            ("keep_alive", Kind::Other),
            ("x-forwarded-port", Kind::AboutHops),
            ("x-forwarded", Kind::Other),
            ("content-lengths", Kind::Other),
        ];
        for (name, kind) in cases {
            assert_eq!(Kind::of(name), kind, "{name}");
        }
    }

    #[test]
    fn a_bare_lf_is_found_wherever_it_is() {
        for good in ["", "\r", "\r\n", "a\r\n\r\nb", "\r\r\n"] {
            assert!(!has_bare_lf(good.as_bytes()), "{good:?}");
        }
        for bad in ["\n", "a\n", "\r\n\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nb", "\n\r\n"] {
            assert!(has_bare_lf(bad.as_bytes()), "{bad:?}");
        }
    }

    #[test]
    fn lists_are_split_and_trimmed() {
        let list: Vec<_> = elements(b" a ,\tb\t,, c d").collect();
        assert_eq!(list, [&b"a"[..], b"b", b"", b"c d"]);
        assert_eq!(trim(b" \t "), b"");
    }
}
