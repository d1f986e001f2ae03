//! Fields: what is in a packet, by the names that Wireshark gives it. Pure.
//!
//! `tcp.flags.syn` is a [`Field`]; of a [`Decoded`] packet it has no value, one, or several
//! (`tcp.port` has two). Display filters ([`filter`](super::filter)) compare the values, and
//! [`Line`] prints them as `tshark -T fields` does. Names, types and printed forms are those of
//! Wireshark 4.0 (`tshark -G fields`); what is ours alone is in `rpc.rs`.
//!
//! To add a field: 1. a row in the table of its protocol's file: its name, its [`Kind`] (which says
//! how it is printed, too), and a function that hands each of its values to `out`; 2. its
//! row in the table of `docs/filters.md`, which a test prints when it is not there.
//! To add a protocol: 1. a file beside this one with a `FIELDS` table; 2. that table in `TABLES`;
//! 3. a variant of `Get` where its [`Layer`] is a new one.

mod dns;
mod frame;
mod http;
mod icmp;
mod ip;
mod line;
mod link;
mod rpc;
#[cfg(test)]
pub(super) mod sample;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;
mod value;

use super::decode::{
    self, Arp, Check, Cooked, Decoded, Ethernet, Fragment, Icmp, Ipv4, Ipv6, Layer, Layers,
    Loopback, Tcp, Udp, Vlan,
};
use super::flow::Segment;
use crate::dns::Message;

pub use line::{Line, LineError};
pub use value::{Kind, Value};

/// All tables, outermost protocol first.
static TABLES: [&[Field]; 9] = [
    frame::FIELDS,
    link::FIELDS,
    ip::FIELDS,
    icmp::FIELDS,
    tcp::FIELDS,
    udp::FIELDS,
    dns::FIELDS,
    http::FIELDS,
    rpc::FIELDS,
];

/// Where a getter hands its values to.
type Out<'o> = &'o mut dyn FnMut(Value<'_>);

/// How the values of a field are found: from which layer, and by which function.
enum Get {
    Packet(fn(&Decoded<'_>, Out<'_>)),
    Ethernet(fn(&Ethernet, Out<'_>)),
    Vlan(fn(&Vlan, Out<'_>)),
    Cooked(fn(&Cooked, Out<'_>)),
    Loopback(fn(&Loopback, Out<'_>)),
    Arp(fn(&Arp, Out<'_>)),
    Ipv4(fn(&Ipv4<'_>, Out<'_>)),
    Ipv6(fn(&Ipv6, Out<'_>)),
    Fragment(fn(&Fragment, Out<'_>)),
    /// ICMP, not ICMPv6.
    Icmp(fn(&Icmp<'_>, Out<'_>)),
    Icmpv6(fn(&Icmp<'_>, Out<'_>)),
    Tcp(fn(&Tcp<'_>, Out<'_>)),
    /// What needs the connection.
    Segment(fn(&Tcp<'_>, &Segment, Out<'_>)),
    Udp(fn(&Udp<'_>, Out<'_>)),
    /// The bytes of a DNS message: what its header says.
    Dns(fn(&[u8], Out<'_>)),
    /// The message, decoded for this field only: names and records.
    Message(fn(&Message, Out<'_>)),
    Http(fn(&[u8], Out<'_>)),
    Rpc(fn(&[u8], Out<'_>)),
    Frame(fn(&[u8], Out<'_>)),
    Data(fn(&[u8], Out<'_>)),
}

/// Something that a packet may have, once or several times.
pub struct Field {
    name: &'static str,
    kind: Kind,
    get: Get,
}

impl Field {
    const fn new(name: &'static str, kind: Kind, get: Get) -> Self {
        Self { name, kind, get }
    }

    /// The field of this name. Names have small letters only, as Wireshark's.
    pub fn find(name: &str) -> Option<&'static Field> {
        Self::all().find(|field| field.name == name)
    }

    /// All there are, protocol by protocol.
    pub fn all() -> impl Iterator<Item = &'static Field> {
        TABLES.iter().copied().flatten()
    }

    /// Its name: `tcp.port`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What its values are.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Hands all values that the packet has to `out`, outermost layer first; what an ICMP error
    /// quotes has values, too. Allocates nothing, but for the names and records of DNS, the two
    /// texts that are put together (`frame.protocols`, `tcp.flags.str`), and text that is not UTF-8.
    pub fn values(&self, decoded: &Decoded<'_>, out: &mut dyn FnMut(Value<'_>)) {
        if let Get::Packet(get) = self.get {
            return get(decoded, out);
        }
        for layer in decoded.layers.as_slice() {
            self.of_layer(decoded, layer, out);
            if let Some(quoted) = quotation(layer) {
                for layer in quoted.as_slice() {
                    self.of_layer(decoded, layer, out);
                }
            }
        }
    }

    fn of_layer(&self, decoded: &Decoded<'_>, layer: &Layer<'_>, out: Out<'_>) {
        match (&self.get, layer) {
            (Get::Ethernet(get), Layer::Ethernet(ethernet)) => get(ethernet, out),
            (Get::Vlan(get), Layer::Vlan(tag)) => get(tag, out),
            (Get::Cooked(get), Layer::Cooked(cooked)) => get(cooked, out),
            (Get::Loopback(get), Layer::Loopback(loopback)) => get(loopback, out),
            (Get::Arp(get), Layer::Arp(arp)) => get(arp, out),
            (Get::Ipv4(get), Layer::Ipv4(ip)) => get(ip, out),
            (Get::Ipv6(get), Layer::Ipv6(ip)) => get(ip, out),
            (Get::Fragment(get), Layer::Fragment(fragment)) => get(fragment, out),
            (Get::Icmp(get), Layer::Icmp(icmp)) if !icmp.v6 => get(icmp, out),
            (Get::Icmpv6(get), Layer::Icmp(icmp)) if icmp.v6 => get(icmp, out),
            (Get::Tcp(get), Layer::Tcp(tcp)) => get(tcp, out),
            (Get::Segment(get), Layer::Tcp(tcp)) => {
                if let Some(segment) = &decoded.segment {
                    get(tcp, segment, out);
                }
            }
            (Get::Udp(get), Layer::Udp(udp)) => get(udp, out),
            (Get::Dns(get), Layer::Dns(message)) => get(message, out),
            (Get::Message(get), Layer::Dns(message)) => {
                if let Some(message) = dns::decode(message) {
                    get(&message, out);
                }
            }
            (Get::Http(get), Layer::Http(head)) => get(head, out),
            (Get::Rpc(get), Layer::Rpc(frame)) => get(frame, out),
            (Get::Frame(get), Layer::Frame(frame)) => get(frame, out),
            (Get::Data(get), Layer::Data(data)) if !data.is_empty() => get(data, out),
            _ => {}
        }
    }
}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// The layers of the packet that an ICMP error is about: behind four bytes of the error's own
/// (RFC 792; RFC 4443 §3).
fn quotation<'a>(layer: &Layer<'a>) -> Option<Layers<'a>> {
    let Layer::Icmp(icmp) = layer else {
        return None;
    };
    let is_error = match icmp.v6 {
        true => matches!(icmp.kind, 1..=4),
        false => matches!(icmp.kind, 3..=5 | 11 | 12),
    };
    let packet = icmp.body.get(4..).filter(|_| is_error)?;
    Some(decode::quoted(packet))
}

/// Hands a number on.
fn number(out: Out<'_>, value: impl Into<u64>) {
    out(Value::Unsigned(value.into()));
}

/// What `check` is in Wireshark's `checksum.status`: 0 bad, 1 good, 2 unverified.
fn status(out: Out<'_>, check: Check) {
    let status = match check {
        Check::Bad(_) => 0u8,
        Check::Good => 1,
        Check::Unverified => 2,
    };
    number(out, status);
}
