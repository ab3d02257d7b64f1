//! The authority of a request: `host[:port]`, as in Host and in an absolute-form target.

use std::net::Ipv6Addr;

/// The authority as text, if it is a valid one: a name, an IPv4 address or an IPv6 address in brackets, then perhaps a
/// port (RFC 3986, 3.2). The host is not empty; the port may be, as that grammar has it.
///
/// Commas are valid there in theory, and refused: in practice they are two Host fields that somebody joined.
pub(super) fn authority(value: &[u8]) -> Option<&str> {
    let after_host = if let Some(inside) = value.strip_prefix(b"[") {
        let end = inside.iter().position(|byte| *byte == b']')?;
        std::str::from_utf8(&inside[..end]).ok()?.parse::<Ipv6Addr>().ok()?;
        &inside[end + 1..]
    } else {
        let end = value.iter().position(|byte| *byte == b':').unwrap_or(value.len());
        if end == 0 || !is_name(&value[..end]) {
            return None;
        }
        &value[end..]
    };
    let port_is_valid = match after_host {
        [] => true,
        [b':', port @ ..] => is_port(port),
        _ => false,
    };
    if port_is_valid { std::str::from_utf8(value).ok() } else { None }
}

fn is_name(name: &[u8]) -> bool {
    let plain = name.iter().all(|byte| IN_NAME[usize::from(*byte)]);
    plain && (!name.contains(&b'%') || percents_are_whole(name))
}

/// Whether two hex digits follow every `%`.
fn percents_are_whole(name: &[u8]) -> bool {
    let mut after = name.split(|byte| *byte == b'%').skip(1);
    after.all(|rest| rest.len() >= 2 && rest[..2].iter().all(u8::is_ascii_hexdigit))
}

fn is_port(port: &[u8]) -> bool {
    let number = |number: u32, digit: &u8| number * 10 + u32::from(digit - b'0');
    port.len() <= 5 && port.iter().all(u8::is_ascii_digit) && port.iter().fold(0, number) <= 65_535
}

/// What a name is made of: unreserved bytes, `%` and the sub-delimiters, but no comma.
const IN_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0u8;
    while byte < 128 {
        let mark = matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'%'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b';'
                | b'='
        );
        table[byte as usize] = mark || byte.is_ascii_alphanumeric();
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        let good = [
            "a",
            "example.com",
            "example.com:80",
            "example.com:",
            "a_b-c.d~",
            "192.0.2.1:65535",
            "[::1]",
            "[::1]:8080",
            "[2001:db8::192.0.2.1]:",
            "x%41y",
            "a:00080",
        ];
        for good in good {
            assert_eq!(authority(good.as_bytes()), Some(good));
        }
        let bad = [
            "",
            ":80",
            "a,b",
            "a b",
            "a/b",
            "u@a",
            "a:65536",
            "a:8x",
            "a:+8",
            "a:1:2",
            "::1",
            "[::1",
            "[]",
            "[::1]x",
            "[::g]",
            "[::1%25eth0]",
            "a%4",
            "a%zz",
            "a%",
            "a\"b",
            "a\\b",
            "a<b",
            "a?b",
            "a#b",
            "é",
            "a:000080",
        ];
        for bad in bad {
            assert_eq!(authority(bad.as_bytes()), None, "{bad}");
        }
    }
}
