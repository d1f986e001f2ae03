//! IPv4: RFC 791 §3.1. Pure.
//!
//! If the header's lengths contradict each other or the packet, this code does as tshark does:
//!
//! - a header shorter than 20 bytes, or a total length shorter than the header, is malformed;
//! - a total length beyond the packet's end is cut to the packet;
//! - with a total length of 0 the packet extends to the end: it was captured before the sender's
//!   hardware split it (segmentation offload).
//!
//! A packet whose version is 6 is read as IPv6.

use std::net::Ipv4Addr;

use super::checksum::Sum;
use super::fragments::{Key, Piece};
use super::rest::Rest;
use super::walk::{Next, Walk};
use super::{Check, Ipv4, Layer, Malformed, Why};

const PROTOCOL: &str = "IPv4";

/// The shortest header.
const HEADER: usize = 20;

#[inline]
pub(super) fn ipv4(walk: &mut Walk<'_, '_>) -> Result<Next, Malformed> {
    let whole = walk.rest;
    let (head, rest) = whole.head::<HEADER>(PROTOCOL)?;
    let mut header = header(head);
    let header_length = usize::from(header.header_length);
    let total_length = usize::from(header.total_length);
    match head[0] >> 4 {
        4 => {}
        6 => return Ok(Next::Type(0x86dd)),
        version => return malformed(Why::Version(version)),
    }
    let Some(options) = header_length.checked_sub(HEADER) else {
        return malformed(Why::Length(header.header_length.into()));
    };
    if total_length < header_length && total_length != 0 {
        return malformed(Why::Length(header.total_length.into()));
    }
    let split = rest.split(options, PROTOCOL);
    header.options = split.map_or(rest.bytes, |(options, _)| options);
    header.check = check(&header, whole, walk);
    walk.ends = Some((header.source.into(), header.destination.into()));
    walk.push(PROTOCOL, Layer::Ipv4(header))?;
    let (_, payload) = split?;
    let length = match total_length.checked_sub(header_length) {
        Some(length) => length,
        None => payload.length,
    };
    walk.rest = payload.first(length);
    follow(&header, length, walk)
}

fn malformed<T>(why: Why) -> Result<T, Malformed> {
    let protocol = PROTOCOL;
    Err(Malformed { protocol, why })
}

#[inline]
fn header<'a>(head: &[u8; HEADER]) -> Ipv4<'a> {
    let &[
        first,
        tos,
        t0,
        t1,
        i0,
        i1,
        f0,
        f1,
        ttl,
        protocol,
        c0,
        c1,
        ..,
    ] = head;
    let &[.., a, b, c, d, w, x, y, z] = head;
    let fragment = u16::from_be_bytes([f0, f1]);
    Ipv4 {
        header_length: (first & 0x0f) * 4,
        tos,
        total_length: u16::from_be_bytes([t0, t1]),
        id: u16::from_be_bytes([i0, i1]),
        flags: f0 >> 5,
        // In units of 8 bytes: 13 bits become 16.
        fragment_offset: fragment << 3,
        ttl,
        protocol,
        checksum: u16::from_be_bytes([c0, c1]),
        check: Check::Unverified,
        source: Ipv4Addr::new(a, b, c, d),
        destination: Ipv4Addr::new(w, x, y, z),
        options: &[],
    }
}

#[inline]
fn check(header: &Ipv4<'_>, whole: Rest<'_>, walk: &Walk<'_, '_>) -> Check {
    if !walk.checksums || walk.quoted {
        return Check::Unverified;
    }
    match whole.bytes.get(..usize::from(header.header_length)) {
        Some(bytes) => Sum::default().with(bytes).check(header.checksum),
        None => Check::Unverified,
    }
}

/// The payload of the packet; `length` is its length according to the header.
#[inline]
fn follow(header: &Ipv4<'_>, length: usize, walk: &mut Walk<'_, '_>) -> Result<Next, Malformed> {
    let payload = walk.rest;
    if payload.length == 0 {
        return Ok(Next::End);
    }
    if !header.is_fragment() {
        return Ok(Next::Protocol(header.protocol));
    }
    let key = Key {
        ends: (header.source.into(), header.destination.into()),
        id: header.id.into(),
        protocol: Some(header.protocol),
    };
    let piece = Piece {
        offset: header.fragment_offset.into(),
        more: header.more_fragments(),
        protocol: header.protocol,
        bytes: payload.bytes,
    };
    // An incomplete piece would leave a hole; one with a wrong header may belong to another packet.
    let usable = payload.bytes.len() == length && !matches!(header.check, Check::Bad(_));
    walk.piece(key, piece, usable)
}
