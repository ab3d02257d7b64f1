//! What the policies of lbproxy are called elsewhere.

/// The line of a proxy's configuration for the same idea as a policy of lbproxy's; empty if it is its default. `None` if
/// it has none.
pub fn equivalent(peer: &str, policy: &str) -> Option<&'static str> {
    Some(match (peer, policy) {
        ("haproxy", "round_robin") => "balance roundrobin",
        ("haproxy", "fewest_connections") => "balance leastconn",
        ("haproxy", "ip_hashing" | "maglev") => "balance source\n    hash-type consistent",
        ("haproxy", "random") => "balance random(1)",
        ("haproxy", "two_choices") => "balance random(2)",
        ("nginx", "round_robin") => "",
        ("nginx", "fewest_connections") => "least_conn;",
        // ip_hash takes only three of the four bytes of an address.
        ("nginx", "ip_hashing" | "maglev") => "hash $remote_addr consistent;",
        ("nginx", "random") => "random;",
        ("nginx", "two_choices") => "random two least_conn;",
        _ => return None,
    })
}
