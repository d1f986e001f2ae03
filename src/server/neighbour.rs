//! Which addresses count as one client, where connections or requests are counted. Pure.

use std::net::{IpAddr, Ipv6Addr};

/// The client that an address belongs to: an IPv4 address, v4-mapped or not, or the /64 of an IPv6
/// address, because a host can choose any of its subnet's 2^64 addresses (RFC 4291 §2.5.1). All
/// hosts share the link-local prefix, so there the whole address counts.
pub(crate) fn neighbour(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) if !v6.is_unicast_link_local() => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_peer_is_its_64_bit_prefix_and_an_ipv4_one_its_address() {
        for (a, b, one_peer) in [
            ("2001:db8::1", "2001:db8::ffff:2", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("fe80::1", "fe80::2", false),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
        ] {
            let [a, b] = [a, b].map(|ip| neighbour(ip.parse().unwrap()));
            assert_eq!(a == b, one_peer, "{a} {b}");
        }
    }
}
