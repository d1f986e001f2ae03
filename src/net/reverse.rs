//! The name of an address in the DNS: `1.0.0.127.in-addr.arpa` (RFC 1035 §3.5), and one label for
//! each of the 32 hexadecimal digits of an IPv6 address, under `ip6.arpa` (RFC 3596 §2.5).
//!
//! In a name the most general part comes last, in an address first, so the order is reversed.

use std::fmt::Write;
use std::net::IpAddr;

use super::ip::canonical;

/// The DNS name that holds the host names of an address (as PTR records), without the final dot. A
/// v4-mapped address has the name of the IPv4 address.
///
/// ```
/// use groundwire::net::reverse_name;
///
/// assert_eq!(reverse_name("192.0.2.5".parse().unwrap()), "5.2.0.192.in-addr.arpa");
/// ```
pub fn reverse_name(ip: IpAddr) -> String {
    let mut name = String::new();
    // Writing to a String cannot fail.
    match canonical(ip) {
        IpAddr::V4(v4) => {
            for octet in v4.octets().into_iter().rev() {
                let _ = write!(name, "{octet}.");
            }
            name.push_str("in-addr.arpa");
        }
        IpAddr::V6(v6) => {
            for octet in v6.octets().into_iter().rev() {
                let _ = write!(name, "{:x}.{:x}.", octet & 0x0f, octet >> 4);
            }
            name.push_str("ip6.arpa");
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfcs_come_out() {
        // The first is that of RFC 1035 §3.5, the last that of RFC 3596 §2.5.
        let table = [
            ("10.2.0.52", "52.0.2.10.in-addr.arpa"),
            ("0.0.0.0", "0.0.0.0.in-addr.arpa"),
            ("255.255.255.255", "255.255.255.255.in-addr.arpa"),
            ("::ffff:127.0.0.1", "1.0.0.127.in-addr.arpa"),
            (
                "4321:0:1:2:3:4:567:89ab",
                "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa",
            ),
        ];
        for (ip, name) in table {
            assert_eq!(reverse_name(ip.parse().unwrap()), name);
        }
    }

    #[test]
    fn an_ipv6_address_has_thirty_two_digits() {
        let name = reverse_name("::1".parse().unwrap());
        assert!(name.starts_with("1.0.0.0."), "{name}");
        assert_eq!(name.split('.').count(), 32 + 2);
    }
}
