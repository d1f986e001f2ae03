//! The addresses in a prefix: how many, the first and the last, and which of them are for hosts.
//!
//! In an IPv4 network the first address stands for the network and the last one is the broadcast
//! address, so hosts use the addresses in between (RFC 919 §7, RFC 950 §2.1). A point-to-point link
//! needs neither: in a /31 both addresses are hosts (RFC 3021), and a /32 is one host. IPv6 has no
//! broadcast. Its first address is a router's anycast address (RFC 4291 §2.6.1); it is counted
//! here, because Linux also lets a host use it.
//!
//! ```text
//! 192.0.2.0/29      .0         .1 ... .6       .7
//!                   network    6 hosts         broadcast
//! ```

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::prefix::{Prefix, bits, first_address, mask_v4, mask_v6};

/// A number of addresses. An IPv6 /0 has one more than 128 bits can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressCount {
    /// The bits that are free to choose.
    host_bits: u8,
    /// How many of the addresses are not counted.
    without: u8,
}

impl AddressCount {
    /// The number; `None` for 2^128, which no integer holds.
    pub fn get(self) -> Option<u128> {
        let all = 1_u128.checked_shl(u32::from(self.host_bits))?;
        Some(all - u128::from(self.without))
    }
}

impl fmt::Display for AddressCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Some(count) => count.fmt(f),
            None => f.write_str("340282366920938463463374607431768211456"),
        }
    }
}

impl Prefix {
    /// The prefix of this length that contains the address: `10.0.0.0/8` for `10.1.2.3` and 8.
    /// `None` when the length is above 32 (IPv4) or 128 (IPv6).
    pub fn around(ip: IpAddr, len: u8) -> Option<Prefix> {
        let fits = len <= bits(ip);
        fits.then(|| Prefix::new(first_address(ip, len), len).ok())?
    }

    /// The last address; all its host bits are one.
    pub fn last(&self) -> IpAddr {
        let len = self.len();
        match self.network() {
            IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() | !mask_v4(len))),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() | !mask_v6(len))),
        }
    }

    /// The length as an IPv4 mask (`255.255.255.0`); `None` for IPv6, which has none.
    pub fn mask(&self) -> Option<Ipv4Addr> {
        let is_v4 = self.network().is_ipv4();
        is_v4.then(|| Ipv4Addr::from_bits(mask_v4(self.len())))
    }

    /// The broadcast address; `None` for IPv6, and for a /31 and a /32.
    pub fn broadcast(&self) -> Option<IpAddr> {
        self.has_broadcast().then(|| self.last())
    }

    fn has_broadcast(&self) -> bool {
        self.network().is_ipv4() && self.len() <= 30
    }

    /// The first and the last address that a host may have.
    pub fn hosts(&self) -> (IpAddr, IpAddr) {
        match (self.network(), self.last()) {
            // There are at least four addresses, so neither leaves the prefix.
            (IpAddr::V4(first), IpAddr::V4(last)) if self.has_broadcast() => (
                IpAddr::V4(Ipv4Addr::from_bits(first.to_bits() + 1)),
                IpAddr::V4(Ipv4Addr::from_bits(last.to_bits() - 1)),
            ),
            ends => ends,
        }
    }

    /// How many addresses there are between the two of [`hosts`](Prefix::hosts), both included.
    pub fn host_count(&self) -> AddressCount {
        AddressCount {
            host_bits: bits(self.network()) - self.len(),
            without: if self.has_broadcast() { 2 } else { 0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::generate::Seeded;
    use super::super::ip::canonical;
    use super::*;

    #[test]
    fn networks_of_every_kind_have_the_hosts_of_the_rfcs() {
        // prefix, mask, broadcast, first host, last host, how many
        let table = [
            (
                "192.0.2.0/24",
                "255.255.255.0",
                "192.0.2.255",
                "192.0.2.1",
                "192.0.2.254",
                "254",
            ),
            (
                "192.0.2.0/29",
                "255.255.255.248",
                "192.0.2.7",
                "192.0.2.1",
                "192.0.2.6",
                "6",
            ),
            (
                "192.0.2.4/30",
                "255.255.255.252",
                "192.0.2.7",
                "192.0.2.5",
                "192.0.2.6",
                "2",
            ),
            (
                "192.0.2.6/31",
                "255.255.255.254",
                "",
                "192.0.2.6",
                "192.0.2.7",
                "2",
            ),
            (
                "192.0.2.6/32",
                "255.255.255.255",
                "",
                "192.0.2.6",
                "192.0.2.6",
                "1",
            ),
            (
                "0.0.0.0/0",
                "0.0.0.0",
                "255.255.255.255",
                "0.0.0.1",
                "255.255.255.254",
                "4294967294",
            ),
            (
                "2001:db8::/64",
                "",
                "",
                "2001:db8::",
                "2001:db8::ffff:ffff:ffff:ffff",
                "18446744073709551616",
            ),
            ("2001:db8::/127", "", "", "2001:db8::", "2001:db8::1", "2"),
            ("2001:db8::5/128", "", "", "2001:db8::5", "2001:db8::5", "1"),
            (
                "::/0",
                "",
                "",
                "::",
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "340282366920938463463374607431768211456",
            ),
        ];
        for (text, mask, broadcast, first, last, count) in table {
            let prefix: Prefix = text.parse().unwrap();
            let shown = |ip: Option<IpAddr>| ip.map_or(String::new(), |ip| ip.to_string());
            assert_eq!(shown(prefix.mask().map(IpAddr::V4)), mask, "{text}");
            assert_eq!(shown(prefix.broadcast()), broadcast, "{text}");
            let hosts = prefix.hosts();
            assert_eq!(
                (hosts.0.to_string(), hosts.1.to_string()),
                (first.into(), last.into()),
                "{text}"
            );
            assert_eq!(prefix.host_count().to_string(), count, "{text}");
        }
    }

    #[test]
    fn an_address_lies_in_the_prefix_around_it_and_so_do_both_ends() {
        let mut random = Seeded::new(4_632);
        for _ in 0..2_000 {
            let ip = canonical(random.ip());
            let bits = if ip.is_ipv4() { 32 } else { 128 };
            let len = random.below(bits + 1) as u8;
            let prefix = Prefix::around(ip, len).unwrap();
            assert!(prefix.contains(ip), "{ip} {prefix}");
            assert!(prefix.contains(prefix.last()), "{prefix}");
            let (first, last) = prefix.hosts();
            assert!(
                first <= last && prefix.contains(first) && prefix.contains(last),
                "{prefix}"
            );
        }
    }

    #[test]
    fn a_length_beyond_the_address_has_no_prefix() {
        assert_eq!(Prefix::around("10.0.0.1".parse().unwrap(), 33), None);
        assert_eq!(Prefix::around("::1".parse().unwrap(), 129), None);
        let all = Prefix::around("10.0.0.1".parse().unwrap(), 0).unwrap();
        assert_eq!(all.to_string(), "0.0.0.0/0");
    }
}
