//! UDP: RFC 768. Pure.

use super::checksum::Sum;
use super::rest::Rest;
use super::walk::{Next, Walk};
use super::{Check, Layer, Malformed, Udp, Why};

const PROTOCOL: &str = "UDP";

/// The header, in bytes.
const HEADER: usize = 8;

#[inline]
pub(super) fn udp<'a>(rest: Rest<'a>, walk: &mut Walk<'_, 'a>) -> Result<Next<'a>, Malformed> {
    let (&[s0, s1, d0, d1, l0, l1, c0, c1], behind) = rest.head::<HEADER>(PROTOCOL)?;
    let length = u16::from_be_bytes([l0, l1]);
    let mut udp = Udp {
        source: u16::from_be_bytes([s0, s1]),
        destination: u16::from_be_bytes([d0, d1]),
        length,
        checksum: u16::from_be_bytes([c0, c1]),
        check: Check::Unverified,
        payload: &[],
    };
    let announced = match length {
        // A jumbogram: longer than the field can say (RFC 2675 §4).
        0 if matches!(walk.ends, Some((source, _)) if source.is_ipv6()) => rest.length,
        length => usize::from(length),
    };
    // A fragment holds less than its UDP header says, and a quotation may.
    let too_long = announced > rest.length && !walk.fragmented && !walk.quoted;
    if announced < HEADER || too_long {
        walk.push(PROTOCOL, Layer::Udp(udp))?;
        return Err(Malformed {
            protocol: PROTOCOL,
            why: Why::Length(length.into()),
        });
    }
    udp.check = check(&udp, rest.first(announced), walk);
    udp.payload = behind.first(announced - HEADER).bytes;
    walk.push(PROTOCOL, Layer::Udp(udp))?;
    Ok(Next::End)
}

#[inline]
fn check(udp: &Udp<'_>, message: Rest<'_>, walk: &Walk<'_, '_>) -> Check {
    match walk.ends {
        Some(ends) if walk.checksums && udp.checksum != 0 && walk.can_verify(message) => {
            let sum = Sum::default()
                .with_pseudo_header(ends, 17, message.length)
                .with(message.bytes);
            match sum.check(udp.checksum) {
                // 0 says that there is none, so a sum of 0 is sent as all ones.
                Check::Bad(0) => Check::Bad(0xffff),
                check => check,
            }
        }
        _ => Check::Unverified,
    }
}
