//! Fields of the packet as a whole: `frame.*`. Pure.

use super::super::decode::{Decoded, Layer, Why, quotation};
use super::{Field, Get, Kind, Out, Value, number};
use crate::capture::LinkType;
use crate::dns::Message;

const fn row(name: &'static str, kind: Kind, get: fn(&Decoded<'_>, Out<'_>)) -> Field {
    Field::new(name, kind, Get::Packet(get))
}

pub(super) const FIELDS: &[Field] = &[
    row("frame", Kind::Protocol, |decoded, out| {
        out(Value::Protocol("frame", decoded.packet.bytes));
    }),
    row("frame.time", Kind::Moment, epoch),
    row("frame.time_epoch", Kind::Interval, epoch),
    row("frame.time_delta", Kind::Interval, |decoded, out| {
        out(Value::Interval(decoded.since_previous.into()));
    }),
    row("frame.time_relative", Kind::Interval, |decoded, out| {
        out(Value::Interval(decoded.since_first.into()));
    }),
    row("frame.number", Kind::Unsigned(4), |decoded, out| {
        number(out, decoded.number);
    }),
    row("frame.len", Kind::Unsigned(4), |decoded, out| {
        number(out, decoded.packet.length);
    }),
    row("frame.cap_len", Kind::Unsigned(4), |decoded, out| {
        out(Value::Unsigned(decoded.packet.bytes.len() as u64));
    }),
    row("frame.interface_id", Kind::Unsigned(4), |decoded, out| {
        number(out, decoded.packet.interface);
    }),
    row("frame.protocols", Kind::Text, protocols),
    row("_ws.malformed", Kind::Protocol, |decoded, out| {
        if is_malformed(decoded) {
            out(Value::Protocol("_ws.malformed", &[]));
        }
    }),
];

/// Whether the packet was malformed when it was sent; being cut by the snap length does not count.
/// This decodes its DNS messages.
fn is_malformed(decoded: &Decoded<'_>) -> bool {
    let is_whole = decoded.packet.bytes.len() >= decoded.packet.length as usize;
    let mut layers = decoded.layers.as_slice().iter();
    layers.any(|layer| match layer {
        Layer::Malformed(malformed) => malformed.why != Why::Cut,
        Layer::Dns(octets) | Layer::Mdns(octets) | Layer::Llmnr(octets) => {
            is_whole && Message::decode(octets).is_err()
        }
        _ => false,
    })
}

fn epoch(decoded: &Decoded<'_>, out: Out<'_>) {
    out(Value::Interval(
        i128::try_from(decoded.packet.time.as_nanos()).unwrap_or(i128::MAX),
    ));
}

/// `eth:ethertype:ip:tcp:http`: `ethertype` follows each header that names the next one by such a
/// type.
fn protocols(decoded: &Decoded<'_>, out: Out<'_>) {
    let mut text = String::new();
    if matches!(
        decoded.packet.link,
        LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 | LinkType(12 | 14)
    ) {
        text.push_str("raw");
    }
    let mut add = |layer: &Layer<'_>| {
        if let Some(name) = protocol(layer) {
            text.push_str(if text.is_empty() { "" } else { ":" });
            text.push_str(name);
        }
    };
    for layer in decoded.layers.as_slice() {
        add(layer);
        let Layer::Icmp(icmp) = layer else {
            continue;
        };
        if let Some(quoted) = quotation(icmp) {
            quoted.as_slice().iter().for_each(&mut add);
        }
    }
    out(Value::Text(&text));
}

fn protocol(layer: &Layer<'_>) -> Option<&'static str> {
    Some(match layer {
        Layer::Ethernet(ethernet) if ethernet.has_length() => "eth",
        Layer::Ethernet(_) => "eth:ethertype",
        Layer::Vlan(_) => "vlan:ethertype",
        Layer::Cooked(_) => "sll:ethertype",
        Layer::Loopback(_) => "null",
        Layer::Arp(_) => "arp",
        Layer::Ipv4(_) => "ip",
        Layer::Ipv6(_) => "ipv6",
        Layer::Extension(extension) => match extension.kind {
            0 => "ipv6.hopopts",
            43 => "ipv6.routing",
            51 => "ah",
            60 => "ipv6.dstopts",
            _ => return None,
        },
        Layer::Fragment(_) => "ipv6.fraghdr",
        Layer::Icmp(icmp) if icmp.v6 => "icmpv6",
        Layer::Icmp(_) => "icmp",
        Layer::Tcp(_) => "tcp",
        Layer::Udp(_) => "udp",
        Layer::Dns(_) => "dns",
        Layer::Mdns(_) => "mdns",
        Layer::Llmnr(_) => "llmnr",
        Layer::Http(_) => "http",
        Layer::Rpc(_) => "rpc",
        Layer::Frame(_) => "frames",
        Layer::Data([]) | Layer::Malformed(_) => return None,
        Layer::Data(_) => "data",
    })
}
