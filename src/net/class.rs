//! What an address is for: loopback, private, documentation, the Internet at large.
//!
//! Some blocks of addresses are never hosts on the Internet. A server may trust its own loopback, a
//! proxy must not be tricked into fetching from a private network, and a peer that claims to be
//! 203.0.113.9 was configured from a copied example. IANA's Special-Purpose Address Registries (RFC
//! 6890) list the blocks. Here they are one table, [`TABLE`], sorted by address, as of 2025-10-09;
//! compare it line by line with <https://www.iana.org/assignments/iana-ipv4-special-registry> and
//! <https://www.iana.org/assignments/iana-ipv6-special-registry>. Four kinds of row are not in the
//! registries, which cover unicast: multicast, site-local, the IPv6 space that IANA allocates from
//! (`2000::/3`, RFC 3587 §3), and the rest.
//!
//! In IPv6 this is stricter than RFC 4291, which counts as global what has no prefix of its own
//! (§2.4), even what was site-local (§2.5.7). But outside `2000::/3` nothing is allocated, so no
//! host on the Internet has such an address, and a filter loses nothing. If IANA allocates from
//! another block one day, that needs a row.
//!
//! The longest prefix that contains an address decides. Two kinds of address contain another one:
//!
//! - v4-mapped `::ffff:10.0.0.1` is classified as 10.0.0.1, because its packets carry that address
//!   (so `::ffff:0:0/96` has no row);
//! - NAT64's `64:ff9b::10.0.0.1` is [`Class::Global`] only if the address inside is global: RFC
//!   6052 §3.1 forbids this prefix for non-global addresses, and a filter that trusted it would let
//!   `64:ff9b::127.0.0.1` pass.
//!
//! To add a block: 1. add its row to [`TABLE`], at its place by address; 2. if no
//! [`Class`] fits, add one with its words in `Display`; 3. add its first and last address
//! and their neighbours to the tests.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use super::ip::canonical;
use super::prefix::Prefix;

/// What a block of addresses is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// `0.0.0.0` and `::`: no address yet, or any (RFC 1122 §3.2.1.3, RFC 4291 §2.5.2). On Linux,
    /// dialling it connects to the machine itself, so a filter must not let it pass.
    Unspecified,
    /// `0.0.0.0/8` except its first address: hosts of this network, whichever it is (RFC 791 §3.2).
    /// Only ever a source address, and rarely that.
    ThisNetwork,
    /// `127.0.0.0/8` and `::1`: this host (RFC 1122 §3.2.1.3, RFC 4291 §2.5.3).
    Loopback,
    /// `10/8`, `172.16/12`, `192.168/16`: private networks (RFC 1918).
    Private,
    /// `100.64.0.0/10`: between a provider and its customers, behind a NAT (RFC 6598).
    SharedAddressSpace,
    /// `169.254.0.0/16` and `fe80::/10`: one link (RFC 3927, RFC 4291 §2.5.6).
    LinkLocal,
    /// `fc00::/7`: private networks of IPv6 (RFC 4193).
    UniqueLocal,
    /// `224.0.0.0/4` and `ff00::/8`: groups of hosts (RFC 5771, RFC 4291 §2.7).
    Multicast,
    /// `255.255.255.255`: everyone on this link (RFC 919 §7).
    Broadcast,
    /// Examples in texts (RFC 5737, RFC 3849, RFC 9637).
    Documentation,
    /// `198.18.0.0/15` and `2001:2::/48`: laboratory tests (RFC 2544, RFC 5180; §8 there misprints
    /// the prefix, the registry and table 24 of RFC 6890 have it right).
    Benchmarking,
    /// Set aside for a protocol of the IETF, and not routed on the Internet (RFC 6890 §2.1).
    ProtocolAssignment,
    /// An IPv4 address inside an IPv6 address, or the relay for these (6to4, Teredo, NAT64): the
    /// address inside decides where packets go.
    Transition,
    /// `100::/64`, where packets are discarded (RFC 6666), and `100:0:0:1::/64`, where no packet
    /// may be sent (RFC 9780).
    Discard,
    /// Kept for the future (RFC 1112 §4), not allocated, or deprecated (RFC 3879).
    Reserved,
    /// A host on the Internet, as far as the address shows.
    Global,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Class::Unspecified => "unspecified",
            Class::ThisNetwork => "this network",
            Class::Loopback => "loopback",
            Class::Private => "private",
            Class::SharedAddressSpace => "shared address space",
            Class::LinkLocal => "link-local",
            Class::UniqueLocal => "unique local",
            Class::Multicast => "multicast",
            Class::Broadcast => "broadcast",
            Class::Documentation => "documentation",
            Class::Benchmarking => "benchmarking",
            Class::ProtocolAssignment => "protocol assignment",
            Class::Transition => "IPv4 transition",
            Class::Discard => "discard-only",
            Class::Reserved => "reserved",
            Class::Global => "global",
        })
    }
}

/// Every block: its prefix, what it is for, and its source. The last row of each family is the rest,
/// so every address has a row.
#[rustfmt::skip]
pub const TABLE: &[(Prefix, Class, &str)] = &[
    (Prefix::v4([0, 0, 0, 0], 8),          Class::ThisNetwork,        "RFC 791 §3.2"),
    (Prefix::v4([0, 0, 0, 0], 32),         Class::Unspecified,        "RFC 1122 §3.2.1.3"),
    (Prefix::v4([10, 0, 0, 0], 8),         Class::Private,            "RFC 1918"),
    (Prefix::v4([100, 64, 0, 0], 10),      Class::SharedAddressSpace, "RFC 6598"),
    (Prefix::v4([127, 0, 0, 0], 8),        Class::Loopback,           "RFC 1122 §3.2.1.3"),
    (Prefix::v4([169, 254, 0, 0], 16),     Class::LinkLocal,          "RFC 3927"),
    (Prefix::v4([172, 16, 0, 0], 12),      Class::Private,            "RFC 1918"),
    (Prefix::v4([192, 0, 0, 0], 24),       Class::ProtocolAssignment, "RFC 6890 §2.1"),
    (Prefix::v4([192, 0, 0, 0], 29),       Class::ProtocolAssignment, "RFC 7335 (DS-Lite)"),
    (Prefix::v4([192, 0, 0, 8], 32),       Class::ProtocolAssignment, "RFC 7600 (dummy address)"),
    (Prefix::v4([192, 0, 0, 9], 32),       Class::Global,             "RFC 7723 (PCP anycast)"),
    (Prefix::v4([192, 0, 0, 10], 32),      Class::Global,             "RFC 8155 (TURN anycast)"),
    (Prefix::v4([192, 0, 0, 170], 32),     Class::ProtocolAssignment, "RFC 8880 (NAT64 discovery)"),
    (Prefix::v4([192, 0, 0, 171], 32),     Class::ProtocolAssignment, "RFC 8880 (NAT64 discovery)"),
    (Prefix::v4([192, 0, 2, 0], 24),       Class::Documentation,      "RFC 5737"),
    (Prefix::v4([192, 31, 196, 0], 24),    Class::Global,             "RFC 7535 (AS112)"),
    (Prefix::v4([192, 52, 193, 0], 24),    Class::Global,             "RFC 7450 (AMT)"),
    (Prefix::v4([192, 88, 99, 0], 24),     Class::Transition,         "RFC 7526 (6to4 relay)"),
    (Prefix::v4([192, 88, 99, 2], 32),     Class::Transition,         "RFC 6751 (6a44 relay)"),
    (Prefix::v4([192, 168, 0, 0], 16),     Class::Private,            "RFC 1918"),
    (Prefix::v4([192, 175, 48, 0], 24),    Class::Global,             "RFC 7534 (AS112)"),
    (Prefix::v4([198, 18, 0, 0], 15),      Class::Benchmarking,       "RFC 2544"),
    (Prefix::v4([198, 51, 100, 0], 24),    Class::Documentation,      "RFC 5737"),
    (Prefix::v4([203, 0, 113, 0], 24),     Class::Documentation,      "RFC 5737"),
    (Prefix::v4([224, 0, 0, 0], 4),        Class::Multicast,          "RFC 5771"),
    (Prefix::v4([240, 0, 0, 0], 4),        Class::Reserved,           "RFC 1112 §4"),
    (Prefix::v4([255, 255, 255, 255], 32), Class::Broadcast,          "RFC 919 §7"),
    (Prefix::v4([0, 0, 0, 0], 0),          Class::Global,             "the rest"),

    (Prefix::v6([0, 0, 0, 0, 0, 0, 0, 0], 128),            Class::Unspecified,        "RFC 4291 §2.5.2"),
    (Prefix::v6([0, 0, 0, 0, 0, 0, 0, 1], 128),            Class::Loopback,           "RFC 4291 §2.5.3"),
    (Prefix::v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96),     Class::Transition,         "RFC 6052 (NAT64)"),
    (Prefix::v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),     Class::Transition,         "RFC 8215 (local NAT64)"),
    (Prefix::v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64),         Class::Discard,            "RFC 6666"),
    (Prefix::v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64),         Class::Discard,            "RFC 9780 (dummy prefix)"),
    (Prefix::v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3),         Class::Global,             "RFC 3587 §3"),
    (Prefix::v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),        Class::ProtocolAssignment, "RFC 2928"),
    (Prefix::v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32),        Class::Transition,         "RFC 4380 (Teredo)"),
    (Prefix::v6([0x2001, 1, 0, 0, 0, 0, 0, 1], 128),       Class::Global,             "RFC 7723 (PCP anycast)"),
    (Prefix::v6([0x2001, 1, 0, 0, 0, 0, 0, 2], 128),       Class::Global,             "RFC 8155 (TURN anycast)"),
    (Prefix::v6([0x2001, 1, 0, 0, 0, 0, 0, 3], 128),       Class::Global,             "RFC 9665 (SRP anycast)"),
    (Prefix::v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48),        Class::Benchmarking,       "RFC 5180"),
    (Prefix::v6([0x2001, 3, 0, 0, 0, 0, 0, 0], 32),        Class::Global,             "RFC 7450 (AMT)"),
    (Prefix::v6([0x2001, 4, 0x112, 0, 0, 0, 0, 0], 48),    Class::Global,             "RFC 7535 (AS112)"),
    (Prefix::v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28),     Class::ProtocolAssignment, "RFC 4843 (ORCHID, deprecated)"),
    (Prefix::v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28),     Class::Global,             "RFC 7343 (ORCHIDv2)"),
    (Prefix::v6([0x2001, 0x30, 0, 0, 0, 0, 0, 0], 28),     Class::Global,             "RFC 9374 (drone tags)"),
    (Prefix::v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),    Class::Documentation,      "RFC 3849"),
    (Prefix::v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),        Class::Transition,         "RFC 3056 (6to4)"),
    (Prefix::v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48), Class::Global,             "RFC 7534 (AS112)"),
    (Prefix::v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),        Class::Documentation,      "RFC 9637"),
    (Prefix::v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16),        Class::ProtocolAssignment, "RFC 9602 (SRv6)"),
    (Prefix::v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),         Class::UniqueLocal,        "RFC 4193"),
    (Prefix::v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),        Class::LinkLocal,          "RFC 4291 §2.5.6"),
    (Prefix::v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10),        Class::Reserved,           "RFC 3879 (was site-local)"),
    (Prefix::v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8),         Class::Multicast,          "RFC 4291 §2.7"),
    (Prefix::v6([0, 0, 0, 0, 0, 0, 0, 0], 0),              Class::Reserved,           "the rest"),
];

/// The well-known prefix of NAT64, whose last 32 bits are an IPv4 address (RFC 6052 §2.1).
const NAT64: Prefix = Prefix::v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);

/// What the address is for.
///
/// ```
/// use groundwire::net::class::{Class, classify};
///
/// assert_eq!(classify("172.31.255.255".parse().unwrap()), Class::Private);
/// assert_eq!(classify("172.32.0.0".parse().unwrap()), Class::Global);
/// assert_eq!(classify("::ffff:127.0.0.1".parse().unwrap()), Class::Loopback);
/// ```
pub fn classify(ip: IpAddr) -> Class {
    match nat64_inside(ip) {
        Some(v4) if is_global(IpAddr::V4(v4)) => Class::Global,
        _ => listed(ip),
    }
}

/// Whether the address may be a host on the Internet. False for multicast and for every block that
/// is reserved for another use.
pub fn is_global(ip: IpAddr) -> bool {
    classify(ip) == Class::Global
}

/// The row of [`TABLE`] that an address falls under: the longest prefix that contains it.
pub fn row(ip: IpAddr) -> Option<&'static (Prefix, Class, &'static str)> {
    let ip = canonical(ip);
    let rows = TABLE.iter().filter(|(prefix, _, _)| prefix.contains(ip));
    rows.max_by_key(|(prefix, _, _)| prefix.len())
}

fn listed(ip: IpAddr) -> Class {
    // The table has a /0 for each family, so there always is one.
    row(ip).map_or(Class::Reserved, |(_, class, _)| *class)
}

fn nat64_inside(ip: IpAddr) -> Option<Ipv4Addr> {
    match ip {
        IpAddr::V6(v6) if NAT64.contains(ip) => Some(Ipv4Addr::from_bits(v6.to_bits() as u32)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::generate::Seeded;
    use super::*;

    fn check(cases: &[(&str, Class)]) {
        for (text, expected) in cases {
            let ip: IpAddr = text.parse().unwrap();
            assert_eq!(classify(ip), *expected, "{text}");
            assert_eq!(is_global(ip), *expected == Class::Global, "{text}");
        }
    }

    #[test]
    fn ipv4_blocks_begin_and_end_where_the_registry_says() {
        check(&[
            ("0.0.0.0", Class::Unspecified),
            ("0.0.0.1", Class::ThisNetwork),
            ("0.255.255.255", Class::ThisNetwork),
            ("1.0.0.0", Class::Global),
            ("9.255.255.255", Class::Global),
            ("10.0.0.0", Class::Private),
            ("10.255.255.255", Class::Private),
            ("11.0.0.0", Class::Global),
            ("100.63.255.255", Class::Global),
            ("100.64.0.0", Class::SharedAddressSpace),
            ("100.127.255.255", Class::SharedAddressSpace),
            ("100.128.0.0", Class::Global),
            ("126.255.255.255", Class::Global),
            ("127.0.0.0", Class::Loopback),
            ("127.255.255.255", Class::Loopback),
            ("128.0.0.0", Class::Global),
            ("169.253.255.255", Class::Global),
            ("169.254.0.0", Class::LinkLocal),
            ("169.254.255.255", Class::LinkLocal),
            ("169.255.0.0", Class::Global),
            ("172.15.255.255", Class::Global),
            ("172.16.0.0", Class::Private),
            ("172.31.255.255", Class::Private),
            ("172.32.0.0", Class::Global),
            ("191.255.255.255", Class::Global),
            ("192.0.0.0", Class::ProtocolAssignment),
            ("192.0.0.7", Class::ProtocolAssignment),
            ("192.0.0.8", Class::ProtocolAssignment),
            ("192.0.0.9", Class::Global),
            ("192.0.0.10", Class::Global),
            ("192.0.0.11", Class::ProtocolAssignment),
            ("192.0.0.255", Class::ProtocolAssignment),
            ("192.0.1.0", Class::Global),
            ("192.0.2.0", Class::Documentation),
            ("192.0.2.255", Class::Documentation),
            ("192.0.3.0", Class::Global),
            ("192.88.98.255", Class::Global),
            ("192.88.99.0", Class::Transition),
            ("192.88.99.2", Class::Transition),
            ("192.88.100.0", Class::Global),
            ("192.167.255.255", Class::Global),
            ("192.168.0.0", Class::Private),
            ("192.168.255.255", Class::Private),
            ("192.169.0.0", Class::Global),
            ("198.17.255.255", Class::Global),
            ("198.18.0.0", Class::Benchmarking),
            ("198.19.255.255", Class::Benchmarking),
            ("198.20.0.0", Class::Global),
            ("198.51.99.255", Class::Global),
            ("198.51.100.0", Class::Documentation),
            ("198.51.101.0", Class::Global),
            ("203.0.112.255", Class::Global),
            ("203.0.113.255", Class::Documentation),
            ("203.0.114.0", Class::Global),
            ("223.255.255.255", Class::Global),
            ("224.0.0.0", Class::Multicast),
            ("239.255.255.255", Class::Multicast),
            ("240.0.0.0", Class::Reserved),
            ("255.255.255.254", Class::Reserved),
            ("255.255.255.255", Class::Broadcast),
        ]);
    }

    #[test]
    fn ipv6_blocks_begin_and_end_where_the_registry_says() {
        check(&[
            ("::", Class::Unspecified),
            ("::1", Class::Loopback),
            ("::2", Class::Reserved),
            ("::10.0.0.1", Class::Reserved), // IPv4-compatible, deprecated
            ("64:ff9b:1::", Class::Transition),
            ("64:ff9b:1:ffff:ffff:ffff:ffff:ffff", Class::Transition),
            ("64:ff9b:2::", Class::Reserved),
            ("100::", Class::Discard),
            ("100::ffff:ffff:ffff:ffff", Class::Discard),
            ("100:0:0:1::1", Class::Discard),
            ("100:0:0:2::", Class::Reserved),
            ("1fff:ffff::", Class::Reserved),
            ("2000::", Class::Global),
            ("2001::1", Class::Transition),
            ("2001:1::", Class::ProtocolAssignment),
            ("2001:1::1", Class::Global),
            ("2001:1::3", Class::Global),
            ("2001:1::4", Class::ProtocolAssignment),
            ("2001:2::", Class::Benchmarking),
            ("2001:2:0:ffff::", Class::Benchmarking),
            ("2001:2:1::", Class::ProtocolAssignment),
            ("2001:3::", Class::Global),
            ("2001:4:112::", Class::Global),
            ("2001:4:113::", Class::ProtocolAssignment),
            ("2001:10::", Class::ProtocolAssignment), // ORCHID, deprecated
            ("2001:20::", Class::Global),
            ("2001:3f:ffff::", Class::Global),
            ("2001:40::", Class::ProtocolAssignment),
            ("2001:1ff:ffff::", Class::ProtocolAssignment),
            ("2001:200::", Class::Global),
            ("2001:db7:ffff::", Class::Global),
            ("2001:db8::", Class::Documentation),
            (
                "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                Class::Documentation,
            ),
            ("2001:db9::", Class::Global),
            ("2002::", Class::Transition),
            ("2002:7f00:1::", Class::Transition),
            ("2003::", Class::Global),
            ("2620:4f:8000::1", Class::Global), // AS112, RFC 7534
            ("3ffe:ffff::", Class::Global),
            ("3fff::", Class::Documentation),
            ("3fff:fff:ffff::", Class::Documentation),
            ("3fff:1000::", Class::Global),
            ("4000::", Class::Reserved),
            ("5f00::", Class::ProtocolAssignment),
            ("5f01::", Class::Reserved),
            ("fbff:ffff::", Class::Reserved),
            ("fc00::", Class::UniqueLocal),
            (
                "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                Class::UniqueLocal,
            ),
            ("fe00::", Class::Reserved),
            ("fe80::", Class::LinkLocal),
            ("febf:ffff::", Class::LinkLocal),
            ("fec0::", Class::Reserved),
            ("ff00::", Class::Multicast),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Class::Multicast),
        ]);
    }

    #[test]
    fn an_address_inside_an_address_decides() {
        check(&[
            ("::ffff:0.0.0.0", Class::Unspecified),
            ("::ffff:127.0.0.1", Class::Loopback),
            ("::ffff:10.0.0.1", Class::Private),
            ("::ffff:8.8.8.8", Class::Global),
            ("64:ff9b::8.8.8.8", Class::Global),
            ("64:ff9b::127.0.0.1", Class::Transition),
            ("64:ff9b::10.0.0.1", Class::Transition),
            ("64:ff9b::1:808:808", Class::Reserved), // one bit past the /96
        ]);
    }

    #[test]
    fn no_block_is_listed_twice_and_every_row_names_its_source() {
        for (i, (prefix, class, source)) in TABLE.iter().enumerate() {
            assert!(
                !source.is_empty() && !class.to_string().is_empty(),
                "{prefix}"
            );
            let again = TABLE[i + 1..].iter().any(|(other, _, _)| other == prefix);
            assert!(!again, "{prefix} twice");
        }
    }

    #[test]
    fn a_class_agrees_with_what_std_can_tell() {
        let mut seeded = Seeded::new(6890);
        for _ in 0..20_000 {
            let ip = canonical(seeded.ip());
            let class = classify(ip);
            assert_eq!(class == Class::Loopback, ip.is_loopback(), "{ip}");
            assert_eq!(class == Class::Multicast, ip.is_multicast(), "{ip}");
            assert_eq!(class == Class::Unspecified, ip.is_unspecified(), "{ip}");
            if let IpAddr::V4(ip) = ip {
                assert_eq!(class == Class::Private, ip.is_private(), "{ip}");
                assert_eq!(class == Class::LinkLocal, ip.is_link_local(), "{ip}");
                assert_eq!(class == Class::Documentation, ip.is_documentation(), "{ip}");
            }
        }
    }
}
