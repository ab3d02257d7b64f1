//! Address ranges such as `10.0.0.0/8`.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// The addresses that share their first `prefix_bits` with `first`.
///
/// Never a range of IPv4-mapped IPv6 addresses: those count as IPv4, so it would hold nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    first: IpAddr,
    prefix_bits: u8,
}

impl Cidr {
    /// Whether `address` is of this range. IPv4-mapped IPv6 is IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.first.is_ipv4() == address.is_ipv4() && masked(address, self.prefix_bits) == self.first
    }

    /// Whether it holds all of IPv4, or all of IPv6.
    pub fn is_everybody(&self) -> bool {
        self.prefix_bits == 0
    }
}

impl FromStr for Cidr {
    type Err = String;

    /// `ADDRESS/BITS`, or an address alone, which is a range of one.
    fn from_str(text: &str) -> Result<Cidr, String> {
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let first: IpAddr = address.parse().map_err(|_| {
            format!("{text:?} is not a range of addresses: write one such as 10.0.0.0/8, or an address")
        })?;
        let most = if first.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match bits {
            None => most,
            Some(bits) => parse_bits(bits).filter(|bits| *bits <= most).ok_or_else(|| {
                format!("{text:?} is not a range of addresses: use /0 to /{most} after the address")
            })?,
        };
        if masked(first, prefix_bits) != first {
            let meant = Cidr { first: masked(first, prefix_bits), prefix_bits };
            return Err(format!("{text:?} has bits beyond its prefix: write {meant}"));
        }
        if let v4 @ IpAddr::V4(_) = first.to_canonical()
            && first.is_ipv6()
        {
            // A prefix below 96 would have had bits beyond it.
            let meant = Cidr { first: v4, prefix_bits: prefix_bits - 96 };
            return Err(format!("{text:?} is a range of IPv4 addresses: write {meant}"));
        }
        Ok(Cidr { first, prefix_bits })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix_bits)
    }
}

/// Digits alone: the parser of integers takes a sign as well.
fn parse_bits(text: &str) -> Option<u8> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn masked(address: IpAddr, prefix_bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix_bits)).unwrap_or(0);
            IpAddr::V4((u32::from(v4) & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix_bits)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(v6) & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_what_shares_their_prefix() {
        let holds =
            |range: &str, address: &str| range.parse::<Cidr>().unwrap().contains(address.parse().unwrap());
        assert!(holds("10.0.0.0/8", "10.255.0.1") && !holds("10.0.0.0/8", "11.0.0.0"));
        assert!(holds("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(holds("192.0.2.7", "192.0.2.7") && !holds("192.0.2.7", "192.0.2.8"));
        assert!(holds("0.0.0.0/0", "203.0.113.9") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("fd00::/8", "fdff::1") && !holds("fd00::/8", "fe80::1"));
        assert!(holds("::/0", "2001:db8::1"));
    }

    #[test]
    fn what_is_no_range_says_why() {
        let error = |text: &str| text.parse::<Cidr>().unwrap_err();
        for text in ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.0/256"]
        {
            let expected = format!("{text:?} is not a range of addresses: use /0 to /32 after the address");
            assert_eq!(error(text), expected);
        }
        assert_eq!(
            error("::/129"),
            "\"::/129\" is not a range of addresses: use /0 to /128 after the address"
        );
        for text in ["localhost", "", "/8", "10.0.0/8", "10.0.0.0 /8", "[::1]"] {
            let expected =
                format!("{text:?} is not a range of addresses: write one such as 10.0.0.0/8, or an address");
            assert_eq!(error(text), expected);
        }
        assert_eq!(error("10.1.2.3/8"), "\"10.1.2.3/8\" has bits beyond its prefix: write 10.0.0.0/8");
        let mapped = "\"::ffff:10.0.0.0/104\" is a range of IPv4 addresses: write 10.0.0.0/8";
        assert_eq!(error("::ffff:10.0.0.0/104"), mapped);
        let wide = "\"::ffff:0.0.0.0/90\" has bits beyond its prefix: write ::ffc0:0:0/90";
        assert_eq!(error("::ffff:0.0.0.0/90"), wide);
    }
}
