//! Fields of the link: `eth.*`, `vlan.*`, `sll.*`, `null.*`, `arp.*`. Pure.

use super::super::decode::{Arp, Cooked, Ethernet, Loopback, Vlan};
use super::{Field, Get, Kind, Out, Value, number};

/// The bits in the first byte of a hardware address: group address; locally assigned.
const GROUP: u8 = 1;
const LOCAL: u8 = 2;

const fn eth(name: &'static str, kind: Kind, get: fn(&Ethernet, Out<'_>)) -> Field {
    Field::new(name, kind, Get::Ethernet(get))
}

const fn vlan(name: &'static str, kind: Kind, get: fn(&Vlan, Out<'_>)) -> Field {
    Field::new(name, kind, Get::Vlan(get))
}

const fn sll(name: &'static str, kind: Kind, get: fn(&Cooked, Out<'_>)) -> Field {
    Field::new(name, kind, Get::Cooked(get))
}

const fn null(name: &'static str, kind: Kind, get: fn(&Loopback, Out<'_>)) -> Field {
    Field::new(name, kind, Get::Loopback(get))
}

const fn arp(name: &'static str, kind: Kind, get: fn(&Arp, Out<'_>)) -> Field {
    Field::new(name, kind, Get::Arp(get))
}

pub(super) const FIELDS: &[Field] = &[
    eth("eth", Kind::Protocol, |_, out| {
        out(Value::Protocol("eth", &[]));
    }),
    eth("eth.dst", Kind::Ether, |eth, out| {
        out(Value::Ether(eth.destination));
    }),
    eth("eth.src", Kind::Ether, |eth, out| {
        out(Value::Ether(eth.source));
    }),
    eth("eth.addr", Kind::Ether, |eth, out| {
        out(Value::Ether(eth.destination));
        out(Value::Ether(eth.source));
    }),
    eth("eth.lg", Kind::Boolean, |eth, out| bits(eth, LOCAL, out)),
    eth("eth.ig", Kind::Boolean, |eth, out| bits(eth, GROUP, out)),
    eth("eth.type", Kind::Hex(2), |eth, out| {
        if !eth.has_length() {
            number(out, eth.ether_type);
        }
    }),
    eth("eth.len", Kind::Unsigned(2), |eth, out| {
        if eth.has_length() {
            number(out, eth.ether_type);
        }
    }),
    vlan("vlan", Kind::Protocol, |_, out| {
        out(Value::Protocol("vlan", &[]));
    }),
    vlan("vlan.priority", Kind::Unsigned(2), |tag, out| {
        number(out, tag.priority);
    }),
    vlan("vlan.dei", Kind::Boolean, |tag, out| {
        out(Value::Boolean(tag.drop_eligible));
    }),
    vlan("vlan.id", Kind::Unsigned(2), |tag, out| number(out, tag.id)),
    vlan("vlan.etype", Kind::Hex(2), |tag, out| {
        number(out, tag.ether_type);
    }),
    sll("sll", Kind::Protocol, |_, out| {
        out(Value::Protocol("sll", &[]));
    }),
    sll("sll.pkttype", Kind::Unsigned(2), |sll, out| {
        number(out, sll.packet_type);
    }),
    sll("sll.hatype", Kind::Unsigned(2), |sll, out| {
        number(out, sll.hardware);
    }),
    sll("sll.halen", Kind::Unsigned(2), |sll, out| {
        number(out, sll.address_length);
    }),
    sll("sll.src.eth", Kind::Ether, |sll, out| {
        if let (6, Some(address)) = (sll.address_length, sll.address.first_chunk()) {
            out(Value::Ether(*address));
        }
    }),
    sll("sll.etype", Kind::Hex(2), |sll, out| {
        number(out, sll.protocol);
    }),
    sll("sll.ifindex", Kind::Unsigned(4), |sll, out| {
        if let Some(interface) = sll.interface {
            number(out, interface);
        }
    }),
    null("null", Kind::Protocol, |_, out| {
        out(Value::Protocol("null", &[]));
    }),
    null("null.family", Kind::Unsigned(4), |null, out| {
        number(out, null.family);
    }),
    arp("arp", Kind::Protocol, |_, out| {
        out(Value::Protocol("arp", &[]));
    }),
    arp("arp.opcode", Kind::Unsigned(2), |arp, out| {
        number(out, arp.operation);
    }),
    arp("arp.src.hw_mac", Kind::Ether, |arp, out| {
        out(Value::Ether(arp.sender_hardware));
    }),
    arp("arp.src.proto_ipv4", Kind::Ipv4, |arp, out| {
        out(Value::Ipv4(arp.sender));
    }),
    arp("arp.dst.hw_mac", Kind::Ether, |arp, out| {
        out(Value::Ether(arp.target_hardware));
    }),
    arp("arp.dst.proto_ipv4", Kind::Ipv4, |arp, out| {
        out(Value::Ipv4(arp.target));
    }),
];

/// This bit of the destination, then of the source.
fn bits(eth: &Ethernet, bit: u8, out: Out<'_>) {
    for [first, ..] in [eth.destination, eth.source] {
        out(Value::Boolean(first & bit != 0));
    }
}
