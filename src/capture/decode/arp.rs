//! ARP: who has this address? RFC 826. Pure.
//!
//! ```text
//! 0          2          4                 5                 6           8
//! hardware | protocol | hardware length | protocol length | operation | sender's, target's
//! ```
//!
//! Only ARP for IPv4 over 6-byte hardware addresses is read: anything else is data.

use std::net::Ipv4Addr;

use super::walk::{Next, Walk};
use super::{Arp, Layer, Malformed};

pub(super) fn arp(walk: &mut Walk<'_, '_>) -> Result<Next, Malformed> {
    let whole = walk.rest;
    let &[_, _, p0, p1, hardware, protocol, o0, o1] = walk.head::<8>("ARP")?;
    if (u16::from_be_bytes([p0, p1]), hardware, protocol) != (0x0800, 6, 4) {
        walk.rest = whole;
        return Ok(Next::Data);
    }
    let addresses = walk.head::<20>("ARP")?;
    let &[s0, s1, s2, s3, s4, s5, a, b, c, d, ..] = addresses;
    let &[.., t0, t1, t2, t3, t4, t5, w, x, y, z] = addresses;
    let arp = Arp {
        operation: u16::from_be_bytes([o0, o1]),
        sender_hardware: [s0, s1, s2, s3, s4, s5],
        sender: Ipv4Addr::new(a, b, c, d),
        target_hardware: [t0, t1, t2, t3, t4, t5],
        target: Ipv4Addr::new(w, x, y, z),
    };
    walk.push("ARP", Layer::Arp(arp))?;
    Ok(Next::End)
}
