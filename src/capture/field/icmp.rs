//! Fields of ICMP and ICMPv6: `icmp.*`, `icmpv6.*`. Pure.
//!
//! The bytes after the checksum depend on the type (RFC 792, RFC 4443, RFC 4861), so a field has a
//! value only for the types that have it.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::super::decode::Icmp;
use super::{Field, Get, Kind, Out, Value, number, status};

const UNREACHABLE: u8 = 3;
const FRAGMENTATION_NEEDED: u8 = 4;
const REDIRECT: u8 = 5;
/// Requests and replies of hosts: echo, time stamp, information, address mask (RFC 792, RFC 950).
/// All have an identifier and a sequence number.
const QUERIES: [u8; 8] = [0, 8, 13, 14, 15, 16, 17, 18];
const TOO_BIG_V6: u8 = 2;
const ECHO_V6: u8 = 128;
const ECHO_REPLY_V6: u8 = 129;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;

const fn icmp(name: &'static str, kind: Kind, get: fn(&Icmp<'_>, Out<'_>)) -> Field {
    Field::new(name, kind, Get::Icmp(get))
}

const fn icmpv6(name: &'static str, kind: Kind, get: fn(&Icmp<'_>, Out<'_>)) -> Field {
    Field::new(name, kind, Get::Icmpv6(get))
}

pub(super) const FIELDS: &[Field] = &[
    icmp("icmp", Kind::Protocol, |icmp, out| {
        out(Value::Protocol("icmp", icmp.body));
    }),
    icmp("icmp.type", Kind::Unsigned(1), |icmp, out| {
        number(out, icmp.kind);
    }),
    icmp("icmp.code", Kind::Unsigned(1), |icmp, out| {
        number(out, icmp.code);
    }),
    icmp("icmp.checksum", Kind::Hex(2), |icmp, out| {
        number(out, icmp.checksum);
    }),
    icmp("icmp.checksum.status", Kind::Unsigned(1), |icmp, out| {
        status(out, icmp.check);
    }),
    icmp("icmp.ident", Kind::Unsigned(2), |icmp, out| {
        half(icmp, &QUERIES, 0, out);
    }),
    icmp("icmp.seq", Kind::Unsigned(2), |icmp, out| {
        half(icmp, &QUERIES, 2, out);
    }),
    icmp("icmp.mtu", Kind::Unsigned(2), |icmp, out| {
        if icmp.code == FRAGMENTATION_NEEDED {
            half(icmp, &[UNREACHABLE], 2, out);
        }
    }),
    icmp("icmp.redir_gw", Kind::Ipv4, |icmp, out| {
        if let (REDIRECT, Some(gateway)) = (icmp.kind, icmp.body.first_chunk::<4>()) {
            out(Value::Ipv4(Ipv4Addr::from(*gateway)));
        }
    }),
    icmpv6("icmpv6", Kind::Protocol, |icmp, out| {
        out(Value::Protocol("icmpv6", icmp.body));
    }),
    icmpv6("icmpv6.type", Kind::Unsigned(1), |icmp, out| {
        number(out, icmp.kind);
    }),
    icmpv6("icmpv6.code", Kind::Unsigned(1), |icmp, out| {
        number(out, icmp.code);
    }),
    icmpv6("icmpv6.checksum", Kind::Hex(2), |icmp, out| {
        number(out, icmp.checksum);
    }),
    icmpv6("icmpv6.checksum.status", Kind::Unsigned(1), |icmp, out| {
        status(out, icmp.check)
    }),
    icmpv6("icmpv6.mtu", Kind::Unsigned(4), |icmp, out| {
        if let (TOO_BIG_V6, Some(mtu)) = (icmp.kind, icmp.body.first_chunk()) {
            number(out, u32::from_be_bytes(*mtu));
        }
    }),
    icmpv6("icmpv6.echo.identifier", Kind::Hex(2), |icmp, out| {
        half(icmp, &[ECHO_V6, ECHO_REPLY_V6], 0, out);
    }),
    icmpv6(
        "icmpv6.echo.sequence_number",
        Kind::Unsigned(2),
        |icmp, out| half(icmp, &[ECHO_V6, ECHO_REPLY_V6], 2, out),
    ),
    icmpv6("icmpv6.nd.ns.target_address", Kind::Ipv6, |icmp, out| {
        target(icmp, SOLICITATION, out)
    }),
    icmpv6("icmpv6.nd.na.target_address", Kind::Ipv6, |icmp, out| {
        target(icmp, ADVERTISEMENT, out)
    }),
    icmpv6("icmpv6.nd.na.flag.r", Kind::Boolean, |icmp, out| {
        flag(icmp, 0x80, out);
    }),
    icmpv6("icmpv6.nd.na.flag.s", Kind::Boolean, |icmp, out| {
        flag(icmp, 0x40, out);
    }),
    icmpv6("icmpv6.nd.na.flag.o", Kind::Boolean, |icmp, out| {
        flag(icmp, 0x20, out);
    }),
];

/// Two bytes of the body, for messages of these types.
fn half(icmp: &Icmp<'_>, types: &[u8], at: usize, out: Out<'_>) {
    let bytes = icmp.body.get(at..).and_then(<[u8]>::first_chunk);
    if let Some(bytes) = bytes.filter(|_| types.contains(&icmp.kind)) {
        number(out, u16::from_be_bytes(*bytes));
    }
}

/// The target address of a neighbour discovery message (RFC 4861 §4.3, §4.4).
fn target(icmp: &Icmp<'_>, kind: u8, out: Out<'_>) {
    let bytes = icmp.body.get(4..).and_then(<[u8]>::first_chunk::<16>);
    if let Some(bytes) = bytes.filter(|_| icmp.kind == kind) {
        out(Value::Ipv6(Ipv6Addr::from(*bytes)));
    }
}

fn flag(icmp: &Icmp<'_>, bit: u8, out: Out<'_>) {
    if let (ADVERTISEMENT, Some(flags)) = (icmp.kind, icmp.body.first()) {
        out(Value::Boolean(flags & bit != 0));
    }
}
