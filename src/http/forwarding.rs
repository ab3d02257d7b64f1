//! Who was on the way: X-Forwarded-For and its kin, and Forwarded (RFC 7239), written and believed.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use super::fields::{Kind, is_token, trim, unquote, write_field, write_number};
use super::request::Request;

/// How a request is to be forwarded.
#[derive(Clone, Copy, Debug)]
pub struct Forward {
    /// The peer of the connection the request came on.
    pub peer: IpAddr,
    /// What the peer says about earlier hops is believed and extended; otherwise it is dropped and we say it anew.
    pub trusted: bool,
    /// Write X-Forwarded-For, -Proto and -Host.
    pub x_forwarded: bool,
    /// Write Forwarded (RFC 7239).
    pub rfc7239: bool,
}

/// Writes what a trusted peer said about earlier hops, in its place; the peer itself is added to the end of the list.
pub(super) fn write_received(request: &Request<'_, '_>, index: usize, out: &mut Vec<u8>, how: &Forward) {
    let (field, kind) = (&request.fields[index], request.kinds[index]);
    let extended = match kind {
        Kind::XForwardedFor => how.x_forwarded,
        Kind::Forwarded => how.rfc7239,
        _ => false,
    };
    let is_last = !request.kinds[index + 1..].contains(&kind);
    if !extended || !is_last {
        return write_field(out, field.name, field.value);
    }
    out.extend_from_slice(field.name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(field.value);
    if !field.value.is_empty() {
        out.extend_from_slice(b", ");
    }
    match kind {
        Kind::XForwardedFor => write_address(out, how.peer),
        _ => write_element(request, out, how.peer),
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes what the peer did not say about itself, or is not trusted to.
pub(super) fn write_new(request: &Request<'_, '_>, out: &mut Vec<u8>, how: &Forward) {
    let is_new = |kind| !how.trusted || !request.kinds.contains(&kind);
    if how.x_forwarded {
        if is_new(Kind::XForwardedFor) {
            out.extend_from_slice(b"X-Forwarded-For: ");
            write_address(out, how.peer);
            out.extend_from_slice(b"\r\n");
        }
        if is_new(Kind::XForwardedProto) {
            out.extend_from_slice(b"X-Forwarded-Proto: http\r\n");
        }
        if is_new(Kind::XForwardedHost) && !request.host.is_empty() {
            write_field(out, "X-Forwarded-Host", request.host.as_bytes());
        }
    }
    if how.rfc7239 && is_new(Kind::Forwarded) {
        out.extend_from_slice(b"Forwarded: ");
        write_element(request, out, how.peer);
        out.extend_from_slice(b"\r\n");
    }
}

fn write_address(out: &mut Vec<u8>, address: IpAddr) {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            for (index, octet) in address.octets().into_iter().enumerate() {
                if index > 0 {
                    out.push(b'.');
                }
                write_number(out, u64::from(octet));
            }
        }
        // Writing to a Vec cannot fail.
        IpAddr::V6(address) => _ = write!(out, "{address}"),
    }
}

/// One element of Forwarded.
fn write_element(request: &Request<'_, '_>, out: &mut Vec<u8>, peer: IpAddr) {
    let is_v6 = peer.to_canonical().is_ipv6();
    out.extend_from_slice(if is_v6 { b"for=\"[" } else { b"for=" });
    write_address(out, peer);
    out.extend_from_slice(if is_v6 { b"]\"" } else { b"" });
    // A valid authority holds neither quotes nor backslashes.
    if is_token(request.host.as_bytes()) {
        out.extend_from_slice(b";host=");
        out.extend_from_slice(request.host.as_bytes());
    } else if !request.host.is_empty() {
        out.extend_from_slice(b";host=\"");
        out.extend_from_slice(request.host.as_bytes());
        out.push(b'"');
    }
    out.extend_from_slice(b";proto=http");
}

/// Walks back from `peer` for as long as whoever speaks is trusted: see [`Request::client`].
pub(super) fn client(request: &Request<'_, '_>, peer: IpAddr, trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
    if request.kinds.contains(&Kind::XForwardedFor) {
        let hops = request.values(Kind::XForwardedFor).rev().flat_map(|value| value.rsplit(|b| *b == b','));
        let hops = hops.map(trim).filter(|hop| !hop.is_empty());
        walk(hops.map(address), peer, trusted)
    } else {
        let hops = request.values(Kind::Forwarded).rev().flat_map(elements_from_the_right);
        let hops = hops.map(trim).filter(|hop| !hop.is_empty());
        walk(hops.map(forwarded_for), peer, trusted)
    }
}

fn walk(
    mut hops: impl Iterator<Item = Option<IpAddr>>,
    peer: IpAddr,
    trusted: impl Fn(IpAddr) -> bool,
) -> IpAddr {
    let mut client = peer.to_canonical();
    while trusted(client) {
        // Whoever is behind a hop that hides or garbles it, the hop is all we know.
        let Some(Some(hop)) = hops.next() else { break };
        client = hop;
    }
    client
}

/// An address with or without a port; in brackets or not, if it is an IPv6 address without one.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))?;
    Some(address.to_canonical())
}

/// Elements of a Forwarded field, the last one first: commas in quotes do not count. It is read from the right because
/// that end was written by the hop we trust; what stands further left cannot change how it is read.
fn elements_from_the_right(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    value.rsplit(move |byte| {
        quoted ^= *byte == b'"';
        *byte == b',' && !quoted
    })
}

/// The address that an element of Forwarded names in `for`.
fn forwarded_for(element: &[u8]) -> Option<IpAddr> {
    let mut pairs = element.split(|byte| *byte == b';').map(trim);
    let node = pairs.find_map(|pair| match pair {
        [b'f' | b'F', b'o' | b'O', b'r' | b'R', b'=', node @ ..] => Some(node),
        _ => None,
    })?;
    address(unquote(node))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_and_without_ports() {
        let cases = [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:80", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:80", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
        ];
        for (text, expected) in cases {
            assert_eq!(address(text.as_bytes()), Some(expected.parse().expect("an address")), "{text}");
        }
        for bad in ["", "unknown", "_hidden", "192.0.2.1:", "192.0.2.256", "[::1", "::1]", "a.example"] {
            assert_eq!(address(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn what_an_element_names() {
        let named = |element: &str| forwarded_for(element.as_bytes()).map(|address| address.to_string());
        assert_eq!(named("for=192.0.2.1").as_deref(), Some("192.0.2.1"));
        assert_eq!(named("proto=http; For=\"[::1]:80\";by=a").as_deref(), Some("::1"));
        for bad in ["for=unknown", "by=192.0.2.1", "forward=192.0.2.1", "for 192.0.2.1", "for=\"192.0.2.1"] {
            assert_eq!(named(bad), None, "{bad}");
        }
    }

    #[test]
    fn commas_in_quotes_are_no_ends() {
        let split: Vec<_> = elements_from_the_right(b"for=\"a,b\",for=c").collect();
        assert_eq!(split, [&b"for=c"[..], b"for=\"a,b\""]);
    }
}
