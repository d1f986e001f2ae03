//! The headers before IP: Ethernet II and IEEE 802.3, VLAN tags, Linux cooked, loopback. Pure.
//!
//! Sources: IEEE 802.3 §3.2, IEEE 802.1Q §9, and <https://www.tcpdump.org/linktypes.html> with its
//! pages LINUX_SLL, LINUX_SLL2 and NULL.

use super::layer::FIRST_TYPE;
use super::walk::{Next, Walk};
use super::{Cooked, Ethernet, Layer, Loopback, Malformed, Vlan};
use crate::capture::packet::LinkType;

/// The first header of a packet of this link.
#[inline]
pub(super) fn first(link: LinkType, walk: &mut Walk<'_, '_>) -> Result<Next, Malformed> {
    match link {
        LinkType::ETHERNET => ethernet(walk),
        LinkType::LINUX_SLL => cooked(walk),
        LinkType::LINUX_SLL2 => cooked_v2(walk),
        LinkType::NULL | LinkType::LOOP => loopback(link, walk),
        LinkType::IPV4 => Ok(Next::Type(0x0800)),
        LinkType::IPV6 => Ok(Next::Type(0x86dd)),
        // Some systems write 12 or 14 for raw IP: their own number for DLT_RAW.
        LinkType::RAW | LinkType(12 | 14) => Ok(Next::Ip),
        _ => Ok(Next::Data),
    }
}

#[inline]
fn ethernet(walk: &mut Walk<'_, '_>) -> Result<Next, Malformed> {
    let head = walk.head::<14>("Ethernet")?;
    let &[d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] = head;
    let ether_type = u16::from_be_bytes([t0, t1]);
    let ethernet = Ethernet {
        destination: [d0, d1, d2, d3, d4, d5],
        source: [s0, s1, s2, s3, s4, s5],
        ether_type,
    };
    walk.push("Ethernet", Layer::Ethernet(ethernet))?;
    Ok(by_type(ether_type, walk))
}

/// A length in place of a type says where the padding begins; the payload is LLC (IEEE 802.2).
#[inline]
fn by_type(ether_type: u16, walk: &mut Walk<'_, '_>) -> Next {
    if ether_type < FIRST_TYPE {
        walk.rest = walk.rest.first(ether_type.into());
        return Next::Data;
    }
    Next::Type(ether_type)
}

/// An IEEE 802.1Q or 802.1ad tag: 3 bits priority, 1 drop eligible, 12 identifier; then a type.
pub(super) fn vlan(walk: &mut Walk<'_, '_>) -> Result<Next, Malformed> {
    let &[t0, t1, n0, n1] = walk.head::<4>("VLAN")?;
    let ether_type = u16::from_be_bytes([n0, n1]);
    let vlan = Vlan {
        priority: t0 >> 5,
        drop_eligible: t0 & 0x10 != 0,
        id: u16::from_be_bytes([t0 & 0x0f, t1]),
        ether_type,
    };
    walk.push("VLAN", Layer::Vlan(vlan))?;
    Ok(by_type(ether_type, walk))
}

/// ```text
/// 0             2         4               6          14
/// packet type | ARPHRD_ | address length | address | protocol
/// ```
fn cooked(walk: &mut Walk<'_, '_>) -> Result<Next, Malformed> {
    let head = walk.head::<16>("SLL")?;
    let &[k0, k1, h0, h1, l0, l1, ..] = head;
    let &[.., a0, a1, a2, a3, a4, a5, a6, a7, p0, p1] = head;
    let cooked = Cooked {
        version: 1,
        packet_type: u16::from_be_bytes([k0, k1]),
        hardware: u16::from_be_bytes([h0, h1]),
        address: [a0, a1, a2, a3, a4, a5, a6, a7],
        address_length: u16::from_be_bytes([l0, l1]),
        protocol: u16::from_be_bytes([p0, p1]),
        interface: None,
    };
    walk.push("SLL", Layer::Cooked(cooked))?;
    Ok(by_cooked_protocol(cooked.protocol))
}

/// ```text
/// 0          2          4                 8         10            11               12
/// protocol | reserved | interface index | ARPHRD_ | packet type | address length | address
/// ```
fn cooked_v2(walk: &mut Walk<'_, '_>) -> Result<Next, Malformed> {
    let head = walk.head::<20>("SLL2")?;
    let &[p0, p1, _, _, i0, i1, i2, i3, h0, h1, kind, length, ..] = head;
    let &[.., a0, a1, a2, a3, a4, a5, a6, a7] = head;
    let cooked = Cooked {
        version: 2,
        packet_type: u16::from(kind),
        hardware: u16::from_be_bytes([h0, h1]),
        address: [a0, a1, a2, a3, a4, a5, a6, a7],
        address_length: u16::from(length),
        protocol: u16::from_be_bytes([p0, p1]),
        interface: Some(u32::from_be_bytes([i0, i1, i2, i3])),
    };
    walk.push("SLL2", Layer::Cooked(cooked))?;
    Ok(by_cooked_protocol(cooked.protocol))
}

/// Numbers below the first Ethernet type are Linux's own (4 is LLC), not lengths.
fn by_cooked_protocol(protocol: u16) -> Next {
    if protocol < FIRST_TYPE {
        return Next::Data;
    }
    Next::Type(protocol)
}

/// The family is in the byte order of the capturing host. All families are small, so of the two
/// readings the one that fits in 16 bits is right.
fn loopback(link: LinkType, walk: &mut Walk<'_, '_>) -> Result<Next, Malformed> {
    let &family = walk.head::<4>("Loopback")?;
    let little = u32::from_le_bytes(family);
    let family = if link == LinkType::LOOP || little > 0xffff {
        u32::from_be_bytes(family)
    } else {
        little
    };
    walk.push("Loopback", Layer::Loopback(Loopback { family }))?;
    Ok(match family {
        2 => Next::Type(0x0800),
        // Linux; NetBSD, OpenBSD; FreeBSD; macOS; Windows.
        10 | 24 | 28 | 30 | 23 => Next::Type(0x86dd),
        _ => Next::Data,
    })
}
