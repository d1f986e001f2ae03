//! TCP's header: RFC 9293 §3.1. Pure.

use super::checksum::of_message;
use super::rest::Rest;
use super::walk::{Next, Walk};
use super::{Check, Layer, Malformed, Tcp, TcpFlags, Why};

const PROTOCOL: &str = "TCP";

/// The shortest header.
const HEADER: usize = 20;

#[inline]
pub(super) fn tcp(walk: &mut Walk<'_, '_>) -> Result<Next, Malformed> {
    let rest = walk.rest;
    let (head, behind) = match rest.head::<HEADER>(PROTOCOL) {
        Ok(read) => read,
        Err(malformed) => return beginning(malformed, walk),
    };
    let mut tcp = header(head);
    tcp.check = check(&tcp, rest, walk);
    tcp.length = rest.length.saturating_sub(tcp.header_length.into()) as u32;
    let Some(options) = usize::from(tcp.header_length).checked_sub(HEADER) else {
        walk.push(PROTOCOL, Layer::Tcp(tcp))?;
        return Err(Malformed {
            protocol: PROTOCOL,
            why: Why::Length(tcp.header_length.into()),
        });
    };
    match behind.split(options, PROTOCOL) {
        Ok((options, payload)) => {
            tcp.options = options;
            tcp.payload = payload.bytes;
            walk.push(PROTOCOL, Layer::Tcp(tcp))?;
            Ok(Next::End)
        }
        // The other fields are still valid.
        Err(_) => {
            tcp.options = behind.bytes;
            walk.push(PROTOCOL, Layer::Tcp(tcp))?;
            Err(rest.missing(tcp.header_length.into(), PROTOCOL))
        }
    }
}

#[inline]
fn header<'a>(head: &[u8; HEADER]) -> Tcp<'a> {
    let &[s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, ..] = head;
    let &[.., o, f, w0, w1, c0, c1, u0, u1] = head;
    Tcp {
        source: u16::from_be_bytes([s0, s1]),
        destination: u16::from_be_bytes([d0, d1]),
        sequence: u32::from_be_bytes([q0, q1, q2, q3]),
        acknowledgment: u32::from_be_bytes([a0, a1, a2, a3]),
        header_length: (o >> 4) * 4,
        flags: TcpFlags(u16::from_be_bytes([o & 0x0f, f])),
        window: u16::from_be_bytes([w0, w1]),
        checksum: u16::from_be_bytes([c0, c1]),
        check: Check::Unverified,
        urgent: u16::from_be_bytes([u0, u1]),
        options: &[],
        payload: &[],
        length: 0,
    }
}

#[inline]
fn check(tcp: &Tcp<'_>, rest: Rest<'_>, walk: &Walk<'_, '_>) -> Check {
    match walk.ends {
        Some(ends) if walk.checksums && walk.can_verify(rest) => {
            of_message(ends, 6, rest.bytes, tcp.checksum)
        }
        _ => Check::Unverified,
    }
}

/// An incomplete header: its ports and its sequence number, if they are there. An error message
/// need not quote more than those (RFC 792); then nothing is wrong.
#[cold]
fn beginning(malformed: Malformed, walk: &mut Walk<'_, '_>) -> Result<Next, Malformed> {
    let bytes = walk.rest.bytes;
    // The sequence number only if it is complete.
    let there = if bytes.len() < 8 { 4 } else { 8 };
    if let Some(beginning) = bytes.get(..there) {
        let mut head = [0; HEADER];
        for (to, from) in head.iter_mut().zip(beginning) {
            *to = *from;
        }
        walk.push(PROTOCOL, Layer::Tcp(header(&head)))?;
    }
    Err(malformed)
}
