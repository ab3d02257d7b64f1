//! The client, as hashing policies see it.

use std::net::IpAddr;

use twox_hash::XxHash3_64;

/// What is hashed of an address: its sixteen bytes as IPv6, IPv4 being IPv4-mapped.
///
/// The layout is part of the answers: another would move nearly all clients of everyone.
pub(super) fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// A number that stands for a client.
pub(in crate::balance) fn client_key(address: IpAddr) -> u64 {
    XxHash3_64::oneshot(&octets(address))
}
