//! A packet as it was captured: when, on what kind of link, how long, and its bytes. Pure.
//!
//! Capture files ([`file`](super::file)), the live capture and the tap all make these packets;
//! everything after them reads these.

use std::fmt;
use std::time::Duration;

/// The kind of header that a packet begins with: a number that all capture formats use
/// (<https://www.tcpdump.org/linktypes.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: the address family in 4 bytes of the capturing host's order, then IP.
    pub const NULL: LinkType = LinkType(0);
    /// Ethernet II and IEEE 802.3.
    pub const ETHERNET: LinkType = LinkType(1);
    /// An IPv4 or IPv6 packet, told apart by its first four bits.
    pub const RAW: LinkType = LinkType(101);
    /// OpenBSD loopback: as [`LinkType::NULL`], in network order.
    pub const LOOP: LinkType = LinkType(108);
    /// Linux "cooked" capture, version 1: a header of 16 bytes.
    pub const LINUX_SLL: LinkType = LinkType(113);
    /// An IPv4 packet.
    pub const IPV4: LinkType = LinkType(228);
    /// An IPv6 packet.
    pub const IPV6: LinkType = LinkType(229);
    /// Linux "cooked" capture, version 2: a header of 20 bytes.
    pub const LINUX_SLL2: LinkType = LinkType(276);
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            LinkType::NULL => "BSD loopback",
            LinkType::ETHERNET => "Ethernet",
            LinkType(12 | 14) | LinkType::RAW => "raw IP",
            LinkType::LOOP => "OpenBSD loopback",
            LinkType::LINUX_SLL => "Linux cooked",
            LinkType::IPV4 => "raw IPv4",
            LinkType::IPV6 => "raw IPv6",
            LinkType::LINUX_SLL2 => "Linux cooked v2",
            LinkType(number) => return write!(f, "link type {number}"),
        };
        f.write_str(name)
    }
}

/// A packet, or the part of it that was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// When it passed, since 1970-01-01 00:00 UTC.
    pub time: Duration,
    /// The kind of its first header.
    pub link: LinkType,
    /// Its length on the wire, in bytes: more than `bytes` has if the snap length has cut the
    /// packet.
    pub length: u32,
    /// The number of the interface on which it was seen, as its file counts them; 0 if there is
    /// one.
    pub interface: u32,
    /// The bytes that were kept.
    pub bytes: &'a [u8],
}

impl<'a> Packet<'a> {
    /// A whole packet.
    pub fn whole(time: Duration, link: LinkType, bytes: &'a [u8]) -> Self {
        Self {
            time,
            link,
            length: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            interface: 0,
            bytes,
        }
    }
}
