//! UDP: RFC 768. Pure.

use super::checksum::of_message;
use super::rest::Rest;
use super::walk::{Next, Walk};
use super::{Check, Layer, Malformed, Udp, Why};

const PROTOCOL: &str = "UDP";

/// The header, in bytes.
const HEADER: usize = 8;

#[inline]
pub(super) fn udp(walk: &mut Walk<'_, '_>) -> Result<Next, Malformed> {
    let rest = walk.rest;
    let (head, behind) = match rest.head::<HEADER>(PROTOCOL) {
        Ok(read) => read,
        Err(malformed) => return beginning(malformed, walk),
    };
    let mut udp = header(head);
    let announced = match udp.length {
        // A jumbogram: its length does not fit into the field (RFC 2675 §4).
        0 if matches!(walk.ends, Some((source, _)) if source.is_ipv6()) => rest.length,
        length => usize::from(length),
    };
    // A fragment has fewer bytes than its UDP header announces.
    let too_long = announced > rest.length && !walk.fragmented;
    let payload = behind.first(announced.saturating_sub(HEADER));
    udp.payload = payload.bytes;
    udp.check = check(&udp, rest.first(announced), walk);
    walk.push(PROTOCOL, Layer::Udp(udp))?;
    let why = if announced < HEADER || too_long {
        Why::Length(udp.length.into())
    } else if payload.bytes.is_empty() && payload.length > 0 {
        Why::Cut
    } else {
        return Ok(Next::End);
    };
    Err(Malformed {
        protocol: PROTOCOL,
        why,
    })
}

#[inline]
fn header<'a>(head: &[u8; HEADER]) -> Udp<'a> {
    let &[s0, s1, d0, d1, l0, l1, c0, c1] = head;
    Udp {
        is_whole: true,
        source: u16::from_be_bytes([s0, s1]),
        destination: u16::from_be_bytes([d0, d1]),
        length: u16::from_be_bytes([l0, l1]),
        checksum: u16::from_be_bytes([c0, c1]),
        check: Check::Unverified,
        payload: &[],
    }
}

/// An incomplete header: its ports, if they are there.
#[cold]
fn beginning(malformed: Malformed, walk: &mut Walk<'_, '_>) -> Result<Next, Malformed> {
    if let Some(&[s0, s1, d0, d1]) = walk.rest.bytes.first_chunk::<4>() {
        let ports = Udp {
            is_whole: false,
            ..header(&[s0, s1, d0, d1, 0, 0, 0, 0])
        };
        walk.push(PROTOCOL, Layer::Udp(ports))?;
    }
    Err(malformed)
}

#[inline]
fn check(udp: &Udp<'_>, message: Rest<'_>, walk: &Walk<'_, '_>) -> Check {
    match walk.ends {
        Some(ends) if walk.checksums && udp.checksum != 0 && walk.can_verify(message) => {
            match of_message(ends, 17, message.bytes, udp.checksum) {
                // 0 means that there is no checksum, so a sum of 0 is sent as all ones.
                Check::Bad(0) => Check::Bad(0xffff),
                check => check,
            }
        }
        _ => Check::Unverified,
    }
}
