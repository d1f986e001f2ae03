//! IPv6 and its extension headers: RFC 8200 §3 and §4, RFC 4302 §2. Pure.
//!
//! Each extension header names the next one, so a packet may chain any number of them; here the
//! number of layers is limited ([`Why::Deep`](super::Why::Deep)).

use std::net::Ipv6Addr;

use super::fragments::{Key, Piece};
use super::walk::{Next, Walk};
use super::{Extension, Fragment, Ipv6, Layer, Malformed, Why};

const PROTOCOL: &str = "IPv6";

/// The header, in bytes.
const HEADER: usize = 40;

/// The authentication header counts its length in other units than the others.
const AUTHENTICATION: u8 = 51;
const ROUTING: u8 = 43;
const HOP_BY_HOP: u8 = 0;

#[inline]
pub(super) fn ipv6(walk: &mut Walk<'_, '_>) -> Result<Next, Malformed> {
    let (first, _) = walk.rest.head::<1>(PROTOCOL)?;
    if first[0] >> 4 != 6 {
        return Err(Malformed {
            protocol: PROTOCOL,
            why: Why::Version(first[0] >> 4),
        });
    }
    // All of it at once, so that the error for a short header gives its full length.
    walk.rest.head::<HEADER>(PROTOCOL)?;
    let start = walk.head::<8>(PROTOCOL)?;
    let &source = walk.head::<16>(PROTOCOL)?;
    let &destination = walk.head::<16>(PROTOCOL)?;
    let &[v0, v1, v2, v3, p0, p1, next_header, hop_limit] = start;
    let word = u32::from_be_bytes([v0, v1, v2, v3]);
    let ipv6 = Ipv6 {
        traffic_class: (word >> 20) as u8,
        flow_label: word & 0xf_ffff,
        payload_length: u16::from_be_bytes([p0, p1]),
        next_header,
        hop_limit,
        source: Ipv6Addr::from(source),
        destination: Ipv6Addr::from(destination),
    };
    walk.ends = Some((ipv6.source.into(), ipv6.destination.into()));
    walk.push(PROTOCOL, Layer::Ipv6(ipv6))?;
    // The length of a jumbogram is in a hop-by-hop option (RFC 2675 §2): here it is what is left.
    if ipv6.payload_length > 0 || next_header != HOP_BY_HOP {
        walk.rest = walk.rest.first(ipv6.payload_length.into());
    }
    Ok(Next::Extension(next_header))
}

/// Hop-by-hop, routing, destination options, authentication: next header, length, the rest.
pub(super) fn extension(kind: u8, walk: &mut Walk<'_, '_>) -> Result<Next, Malformed> {
    let name = match kind {
        HOP_BY_HOP => "IPv6 hop-by-hop options",
        ROUTING => "IPv6 routing header",
        AUTHENTICATION => "AH",
        _ => "IPv6 destination options",
    };
    let (&[next_header, length], _) = walk.rest.head::<2>(name)?;
    let length = match kind {
        AUTHENTICATION => (usize::from(length) + 2) * 4,
        _ => (usize::from(length) + 1) * 8,
    };
    let bytes = walk.split(length, name)?;
    // While segments are left, the checksum is over a later destination, not the header's (§8.1).
    if kind == ROUTING && bytes.get(3).is_some_and(|left| *left > 0) {
        walk.unverifiable = true;
    }
    let extension = Extension {
        kind,
        next_header,
        bytes,
    };
    walk.push(name, Layer::Extension(extension))?;
    Ok(Next::Extension(next_header))
}

/// ```text
/// 0             1          2                               4
/// next header | reserved | offset 13, reserved 2, more 1 | identification
/// ```
pub(super) fn fragment(walk: &mut Walk<'_, '_>) -> Result<Next, Malformed> {
    let &[next_header, _, o0, o1, i0, i1, i2, i3] = walk.head::<8>("IPv6 fragment")?;
    let place = u16::from_be_bytes([o0, o1]);
    let fragment = Fragment {
        next_header,
        offset: place & !7,
        more: place & 1 != 0,
        id: u32::from_be_bytes([i0, i1, i2, i3]),
    };
    walk.push("IPv6 fragment", Layer::Fragment(fragment))?;
    let Some(ends) = walk.ends else {
        return Ok(Next::Data);
    };
    // An "atomic" fragment is a whole packet, and does not wait for others (RFC 6946).
    if fragment.offset == 0 && !fragment.more {
        return Ok(Next::Extension(next_header));
    }
    let key = Key {
        ends,
        id: fragment.id,
        protocol: None,
    };
    let piece = Piece {
        offset: fragment.offset.into(),
        more: fragment.more,
        protocol: next_header,
        bytes: walk.rest.bytes,
    };
    walk.piece(key, piece, walk.rest.is_whole())
}
