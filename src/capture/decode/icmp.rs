//! ICMP and ICMPv6: RFC 792, RFC 4443 §2.1. Pure.
//!
//! The first four bytes are the same for all messages. The meaning of the rest depends on the type,
//! and is left to the code that shows it. [`quoted`](super::quoted) reads the packet that an error
//! quotes.

use super::checksum::Sum;
use super::walk::{Next, Walk};
use super::{Check, Icmp, Layer, Malformed};

pub(super) fn icmp(walk: &mut Walk<'_, '_>) -> Result<Next, Malformed> {
    message(false, "ICMP", Sum::default(), walk)
}

/// The checksum of ICMPv6 also covers a pseudo header (RFC 4443 §2.3).
pub(super) fn icmp6(walk: &mut Walk<'_, '_>) -> Result<Next, Malformed> {
    let sum = match walk.ends {
        Some(ends) => Sum::default().with_pseudo_header(ends, 58, walk.rest.length),
        None => Sum::default(),
    };
    message(true, "ICMPv6", sum, walk)
}

fn message(
    v6: bool,
    name: &'static str,
    sum: Sum,
    walk: &mut Walk<'_, '_>,
) -> Result<Next, Malformed> {
    let rest = walk.rest;
    let &[kind, code, c0, c1] = walk.head::<4>(name)?;
    let checksum = u16::from_be_bytes([c0, c1]);
    // Always verified, as tshark does: these packets are few.
    let check = if walk.can_verify(rest) {
        sum.with(rest.bytes).check(checksum)
    } else {
        Check::Unverified
    };
    let icmp = Icmp {
        v6,
        kind,
        code,
        checksum,
        check,
        body: walk.rest.bytes,
    };
    walk.push(name, Layer::Icmp(icmp))?;
    Ok(Next::End)
}
