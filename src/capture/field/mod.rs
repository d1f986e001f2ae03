//! Fields: the values in a packet, by Wireshark's names. Pure.
//!
//! `tcp.flags.syn` is a [`Field`]. In a [`Decoded`] packet it has no value, one, or several
//! (`tcp.port` has two). Display filters ([`filter`](super::filter)) compare the values, and
//! [`Line`] prints them as `tshark -T fields` does. Names, types and printed forms are those of
//! Wireshark 4.0 (`tshark -G fields`); the fields that only we have are in `rpc.rs`.
//!
//! To add a field: 1. a row in the table of its protocol's file: its name, its [`Kind`] (which also
//! decides how it is printed), and a function that passes each of its values to `out`; 2. its row
//! in the table of `docs/filters.md`, which a test prints if it is missing. To add a protocol: 1. a
//! file beside this one with a `FIELDS` table; 2. that table in `TABLES`; 3. a variant of `Get` if
//! its [`Layer`] is new.

pub(super) mod dns;
mod frame;
pub(super) mod http;
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

use std::cell::OnceCell;

use super::decode::{
    self, Arp, Check, Cooked, Decoded, Ethernet, Fragment, Icmp, Ipv4, Ipv6, Layer, Layers,
    Loopback, Tcp, Udp, Vlan,
};
use super::flow::{Marks, Segment};
use crate::dns::{Message, Record};

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

/// The function to which a getter passes its values.
type Out<'o> = &'o mut dyn FnMut(Value<'_>);

/// The DNS messages of a packet, once they are decoded.
type Messages = OnceCell<Vec<Message>>;

/// How the values of a field are found: in which layer, and by which function.
enum Get {
    Packet(fn(&Decoded<'_>, Out<'_>)),
    Ethernet(fn(&Ethernet, Out<'_>)),
    Vlan(fn(&Vlan, Out<'_>)),
    Cooked(fn(&Cooked, Out<'_>)),
    Loopback(fn(&Loopback, Out<'_>)),
    Arp(fn(&Arp, Out<'_>)),
    /// 4 or 6.
    IpVersion,
    Ipv4(fn(&Ipv4<'_>, Out<'_>)),
    Ipv6(fn(&Ipv6, Out<'_>)),
    Fragment(fn(&Fragment, Out<'_>)),
    /// ICMP, not ICMPv6.
    Icmp(fn(&Icmp<'_>, Out<'_>)),
    Icmpv6(fn(&Icmp<'_>, Out<'_>)),
    Tcp(fn(&Tcp<'_>, Out<'_>)),
    /// A field that depends on the connection.
    Segment(fn(&Tcp<'_>, &Segment, Out<'_>)),
    /// Whether the segment has this mark.
    Mark(Marks),
    Udp(fn(&Udp<'_>, Out<'_>)),
    /// From the bytes of a message of one of these protocols.
    Dns(fn(&[u8], Out<'_>)),
    Mdns(fn(&[u8], Out<'_>)),
    Llmnr(fn(&[u8], Out<'_>)),
    /// From the bytes of a message of any of the three: the header.
    DnsHeader(fn(&[u8], Out<'_>)),
    /// From the same message, decoded: names and records.
    Message(fn(&Message, Out<'_>)),
    /// From each record of that message.
    Record(fn(&Record, Out<'_>)),
    Http(fn(&[u8], Out<'_>)),
    /// The values of the field lines with this name.
    HttpLine(&'static str),
    Rpc(fn(&[u8], Out<'_>)),
    Frame(fn(&[u8], Out<'_>)),
    Data(fn(&[u8], Out<'_>)),
}

/// A property that a packet may have, once or several times.
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

    /// All fields, protocol by protocol.
    pub fn all() -> impl Iterator<Item = &'static Field> {
        TABLES.iter().copied().flatten()
    }

    /// Its name: `tcp.port`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The kind of its values.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether values of this protocol have bytes; headers that are kept as numbers have none.
    pub(super) fn has_bytes(&self) -> bool {
        let is_numbers = matches!(
            self.get,
            Get::Ethernet(_)
                | Get::Vlan(_)
                | Get::Cooked(_)
                | Get::Loopback(_)
                | Get::Arp(_)
                | Get::Ipv4(_)
                | Get::Ipv6(_)
                | Get::Fragment(_)
        );
        !is_numbers && self.name != "_ws.malformed"
    }

    /// Passes all values in the packet to `out`, outermost layer first, including those in the
    /// quotation of an ICMP error. Allocates nothing, except for names and records of DNS, the two
    /// texts that are composed (`frame.protocols`, `tcp.flags.str`), and text that is not UTF-8.
    pub fn values(&self, decoded: &Decoded<'_>, out: &mut dyn FnMut(Value<'_>)) {
        self.values_with(decoded, &Messages::default(), out);
    }

    /// The same for several fields of one packet: its DNS messages are decoded only once, for the
    /// first field that needs them.
    fn values_with(&self, decoded: &Decoded<'_>, messages: &Messages, out: Out<'_>) {
        let messages = || {
            let decode = || dns::messages(decoded.layers.as_slice());
            messages.get_or_init(decode).iter()
        };
        match self.get {
            Get::Packet(get) => return get(decoded, out),
            Get::Message(get) => return messages().for_each(|message| get(message, out)),
            Get::Record(get) => {
                let records = messages().flat_map(dns::records);
                return records.for_each(|record| get(record, out));
            }
            _ => {}
        }
        for layer in decoded.layers.as_slice() {
            self.of_layer(decoded, layer, out);
            if let Layer::Icmp(icmp) = layer {
                for layer in decode::quotation(icmp).iter().flat_map(Layers::as_slice) {
                    self.of_layer(decoded, layer, out);
                }
            }
        }
    }

    fn of_segment(&self, tcp: &Tcp<'_>, segment: &Segment, out: Out<'_>) {
        match &self.get {
            Get::Tcp(get) => get(tcp, out),
            Get::Segment(get) => get(tcp, segment, out),
            Get::Mark(mark) => tcp::marked(segment, *mark, out),
            _ => {}
        }
    }

    /// A TCP header without a place in its connection, quoted or cut: the fields that are there,
    /// with absolute numbers. (A quotation does not tell the length of the payload.)
    fn of_alone(&self, stream: Option<u32>, tcp: &Tcp<'_>, out: Out<'_>) {
        let is_whole = tcp.header_length > 0;
        match (self.name, stream) {
            ("tcp.len", _) => {}
            ("tcp.seq", _) if is_whole || tcp.sequence != 0 => number(out, tcp.sequence),
            ("tcp.ack", _) if is_whole => number(out, tcp.acknowledgment),
            ("tcp.window_size", _) if is_whole => number(out, tcp.window),
            ("tcp.stream", Some(stream)) => number(out, stream),
            (name, _) => match self.get {
                Get::Tcp(get) if is_whole || name == "tcp" || name.ends_with("port") => {
                    get(tcp, out);
                }
                _ => {}
            },
        }
    }

    fn of_layer(&self, decoded: &Decoded<'_>, layer: &Layer<'_>, out: Out<'_>) {
        match (&self.get, layer) {
            (Get::Ethernet(get), Layer::Ethernet(ethernet)) => get(ethernet, out),
            (Get::Vlan(get), Layer::Vlan(tag)) => get(tag, out),
            (Get::Cooked(get), Layer::Cooked(cooked)) => get(cooked, out),
            (Get::Loopback(get), Layer::Loopback(loopback)) => get(loopback, out),
            (Get::Arp(get), Layer::Arp(arp)) => get(arp, out),
            (Get::IpVersion, Layer::Ipv4(_)) => number(out, 4u8),
            (Get::IpVersion, Layer::Ipv6(_)) => number(out, 6u8),
            (Get::Ipv4(get), Layer::Ipv4(ip)) => get(ip, out),
            (Get::Ipv6(get), Layer::Ipv6(ip)) => get(ip, out),
            (Get::Fragment(get), Layer::Fragment(fragment)) => get(fragment, out),
            (Get::Icmp(get), Layer::Icmp(icmp)) if !icmp.v6 => get(icmp, out),
            (Get::Icmpv6(get), Layer::Icmp(icmp)) if icmp.v6 => get(icmp, out),
            (Get::Tcp(_) | Get::Segment(_) | Get::Mark(_), Layer::Tcp(tcp)) => {
                match &decoded.segment {
                    Some(segment) => self.of_segment(tcp, segment, out),
                    None => self.of_alone(decoded.quoted_stream, tcp, out),
                }
            }
            (Get::Udp(get), Layer::Udp(udp))
                if udp.is_whole || self.name == "udp" || self.name.ends_with("port") =>
            {
                get(udp, out);
            }
            (Get::Dns(get), Layer::Dns(message)) => get(message, out),
            (Get::Mdns(get), Layer::Mdns(message)) => get(message, out),
            (Get::Llmnr(get), Layer::Llmnr(message)) => get(message, out),
            (Get::DnsHeader(get), Layer::Dns(message) | Layer::Mdns(message)) => get(message, out),
            (Get::DnsHeader(get), Layer::Llmnr(message)) if dns::is_of_llmnr(self.name) => {
                get(message, out);
            }
            (Get::Http(get), Layer::Http(head)) => get(head, out),
            (Get::HttpLine(name), Layer::Http(head)) => http::field(head, name, out),
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

/// Passes on a number.
fn number(out: Out<'_>, value: impl Into<u64>) {
    out(Value::Unsigned(value.into()));
}

/// The value of Wireshark's `checksum.status`: 0 bad, 1 good, 2 unverified.
fn status(out: Out<'_>, check: Check) {
    let status = match check {
        Check::Bad(_) => 0u8,
        Check::Good => 1,
        Check::Unverified => 2,
    };
    number(out, status);
}
