//! Fields of IPv4 and IPv6: `ip.*`, `ipv6.*`. Pure.

use super::super::decode::{Fragment, Ipv4, Ipv6};
use super::{Field, Get, Kind, Out, Value, number, status};

const fn ip(name: &'static str, kind: Kind, get: fn(&Ipv4<'_>, Out<'_>)) -> Field {
    Field::new(name, kind, Get::Ipv4(get))
}

const fn ipv6(name: &'static str, kind: Kind, get: fn(&Ipv6, Out<'_>)) -> Field {
    Field::new(name, kind, Get::Ipv6(get))
}

const fn fragment(name: &'static str, kind: Kind, get: fn(&Fragment, Out<'_>)) -> Field {
    Field::new(name, kind, Get::Fragment(get))
}

pub(super) const FIELDS: &[Field] = &[
    ip("ip", Kind::Protocol, |_, out| {
        out(Value::Protocol("ip", &[]));
    }),
    // For both versions.
    Field::new("ip.version", Kind::Unsigned(1), Get::IpVersion),
    ip("ip.hdr_len", Kind::Unsigned(1), |ip, out| {
        number(out, ip.header_length);
    }),
    ip("ip.dsfield", Kind::Hex(1), |ip, out| number(out, ip.tos)),
    ip("ip.dsfield.dscp", Kind::Unsigned(1), |ip, out| {
        number(out, ip.tos >> 2);
    }),
    ip("ip.dsfield.ecn", Kind::Unsigned(1), |ip, out| {
        number(out, ip.tos & 3);
    }),
    ip("ip.len", Kind::Unsigned(2), |ip, out| {
        number(out, ip.total_length);
    }),
    ip("ip.id", Kind::Hex(2), |ip, out| number(out, ip.id)),
    ip("ip.flags", Kind::Hex(1), |ip, out| number(out, ip.flags)),
    ip("ip.flags.rb", Kind::Boolean, |ip, out| {
        out(Value::Boolean(ip.flags & 4 != 0));
    }),
    ip("ip.flags.df", Kind::Boolean, |ip, out| {
        out(Value::Boolean(ip.flags & 2 != 0));
    }),
    ip("ip.flags.mf", Kind::Boolean, |ip, out| {
        out(Value::Boolean(ip.more_fragments()));
    }),
    // As in the header: in units of eight bytes.
    ip("ip.frag_offset", Kind::Unsigned(2), |ip, out| {
        number(out, ip.fragment_offset / 8);
    }),
    ip("ip.ttl", Kind::Unsigned(1), |ip, out| number(out, ip.ttl)),
    ip("ip.proto", Kind::Unsigned(1), |ip, out| {
        number(out, ip.protocol);
    }),
    ip("ip.checksum", Kind::Hex(2), |ip, out| {
        number(out, ip.checksum);
    }),
    ip("ip.checksum.status", Kind::Unsigned(1), |ip, out| {
        status(out, ip.check);
    }),
    ip("ip.src", Kind::Ipv4, |ip, out| out(Value::Ipv4(ip.source))),
    ip("ip.dst", Kind::Ipv4, |ip, out| {
        out(Value::Ipv4(ip.destination));
    }),
    ip("ip.addr", Kind::Ipv4, |ip, out| {
        out(Value::Ipv4(ip.source));
        out(Value::Ipv4(ip.destination));
    }),
    ipv6("ipv6", Kind::Protocol, |_, out| {
        out(Value::Protocol("ipv6", &[]));
    }),
    ipv6("ipv6.version", Kind::Unsigned(1), |_, out| {
        number(out, 6u8);
    }),
    ipv6("ipv6.tclass", Kind::Hex(4), |ip, out| {
        number(out, ip.traffic_class);
    }),
    ipv6("ipv6.tclass.dscp", Kind::Unsigned(4), |ip, out| {
        number(out, ip.traffic_class >> 2);
    }),
    ipv6("ipv6.tclass.ecn", Kind::Unsigned(4), |ip, out| {
        number(out, ip.traffic_class & 3);
    }),
    ipv6("ipv6.flow", Kind::Hex(3), |ip, out| {
        number(out, ip.flow_label);
    }),
    ipv6("ipv6.plen", Kind::Unsigned(2), |ip, out| {
        number(out, ip.payload_length);
    }),
    ipv6("ipv6.nxt", Kind::Unsigned(1), |ip, out| {
        number(out, ip.next_header);
    }),
    ipv6("ipv6.hlim", Kind::Unsigned(1), |ip, out| {
        number(out, ip.hop_limit);
    }),
    ipv6("ipv6.src", Kind::Ipv6, |ip, out| {
        out(Value::Ipv6(ip.source));
    }),
    ipv6("ipv6.dst", Kind::Ipv6, |ip, out| {
        out(Value::Ipv6(ip.destination));
    }),
    ipv6("ipv6.addr", Kind::Ipv6, |ip, out| {
        out(Value::Ipv6(ip.source));
        out(Value::Ipv6(ip.destination));
    }),
    fragment("ipv6.fraghdr", Kind::Protocol, |_, out| {
        out(Value::Protocol("ipv6.fraghdr", &[]));
    }),
    fragment("ipv6.fraghdr.nxt", Kind::Unsigned(1), |part, out| {
        number(out, part.next_header);
    }),
    fragment("ipv6.fraghdr.offset", Kind::Unsigned(2), |part, out| {
        number(out, part.offset / 8);
    }),
    fragment("ipv6.fraghdr.more", Kind::Boolean, |part, out| {
        out(Value::Boolean(part.more));
    }),
    fragment("ipv6.fraghdr.ident", Kind::Hex(4), |part, out| {
        number(out, part.id);
    }),
];
