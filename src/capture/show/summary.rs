//! A packet in a line: number, time, source, destination, protocol, length, info. Pure.
//!
//! ```text
//!     4 0.000042000    127.0.0.1 → 127.0.0.1    TCP 66 51234 → 7000 [ACK] Seq=1 Ack=1 Win=65536 Len=0
//! ```
//!
//! The last header decides the content of the line; the headers before it give addresses and ports.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::digits::Text;
use super::time::{self, TimeFormat};
use super::{arp, dns, http, icmp, numbers, rpc, tcp};
use crate::capture::decode::{Check, Decoded, Ethernet, Icmp, Ipv4, Layer, Malformed, Tcp, Udp};

/// The most echo requests that wait for their reply; beyond that, the oldest is given up.
const ECHOES: usize = 4096;

/// The form of the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The origin of the time column.
    pub time: TimeFormat,
    /// Digits of its fraction, 0 to 9: tshark shows 6 for a file with microseconds, 9 for one with
    /// nanoseconds.
    pub digits: u8,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            time: TimeFormat::default(),
            digits: 9,
        }
    }
}

/// Writes lines. It remembers echo requests, so that the line of a reply can name its request.
#[derive(Debug, Default)]
pub struct Summary {
    options: Options,
    text: Text,
    echoes: Echoes,
}

/// The asking and the asked address, identifier and sequence number.
type Echo = (Address, Address, u16, u16);

/// Echo requests without a reply, and the numbers of their packets.
#[derive(Debug, Default)]
struct Echoes {
    numbers: BTreeMap<Echo, u64>,
    /// The same requests by packet number: the oldest first.
    requests: BTreeMap<u64, Echo>,
}

impl Echoes {
    /// Remembers a request; of two that are equal, the later one.
    fn asked(&mut self, request: Echo, number: u64) {
        if let Some(before) = self.numbers.insert(request, number) {
            self.requests.remove(&before);
        }
        self.requests.insert(number, request);
        if self.requests.len() > ECHOES {
            if let Some((_, oldest)) = self.requests.pop_first() {
                self.numbers.remove(&oldest);
            }
        }
    }

    /// Forgets a request that has its reply; returns the number of its packet.
    fn answered(&mut self, request: &Echo) -> Option<u64> {
        let number = self.numbers.remove(request)?;
        self.requests.remove(&number);
        Some(number)
    }
}

/// The content of the source and destination columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Address {
    #[default]
    None,
    Hardware([u8; 6]),
    Ip(IpAddr),
}

/// What the line needs from the headers before the last one.
#[derive(Default)]
struct Headers<'d, 'a> {
    source: Address,
    destination: Address,
    hops: u8,
    tcp: Option<&'d Tcp<'a>>,
    /// The last layer that is neither data nor malformed.
    last: Option<&'d Layer<'a>>,
    malformed: Option<&'d Malformed>,
}

impl Summary {
    /// The state before the first packet.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }

    /// From the next line on, times have this many digits: those of the packet's interface.
    pub fn set_digits(&mut self, digits: u8) {
        self.options.digits = digits;
    }

    /// Adds the packet's line, without an end of line.
    pub fn line(&mut self, decoded: &Decoded<'_>, out: &mut String) {
        let headers = Headers::of(decoded);
        let text = &mut self.text;
        text.clear();
        text.number(decoded.number);
        text.right(0, 5);
        text.space();
        time::column(
            text,
            decoded,
            self.options.time,
            self.options.digits.min(9).into(),
        );
        text.space();
        let start = text.len();
        headers.source.write(text);
        text.right(start, 12);
        text.text(" → ");
        let start = text.len();
        headers.destination.write(text);
        text.left(start, 12);
        text.space();
        self.rest(decoded, &headers);
        out.push_str(self.text.as_str());
    }

    /// Protocol, length and info.
    fn rest(&mut self, decoded: &Decoded<'_>, headers: &Headers<'_, '_>) {
        let out = &mut self.text;
        if let Some(malformed) = headers.malformed {
            return malformed_rest(out, decoded, headers, malformed);
        }
        match headers.last {
            Some(Layer::Tcp(segment)) => tcp_rest(out, decoded, segment),
            Some(Layer::Udp(datagram)) => udp_rest(out, decoded, headers, datagram),
            Some(Layer::Icmp(message)) => {
                column(out, if message.v6 { "ICMPv6" } else { "ICMP" }, decoded);
                icmp::info(out, message, headers.hops);
                self.echo(decoded.number, headers, message);
                if icmp::is_short(message) {
                    self.text.text(short(decoded));
                }
            }
            Some(Layer::Dns(octets)) => dns_rest(out, decoded, "DNS", octets),
            Some(Layer::Mdns(octets)) => dns_rest(out, decoded, "MDNS", octets),
            Some(Layer::Llmnr(octets)) => dns_rest(out, decoded, "LLMNR", octets),
            Some(Layer::Http(section)) => match headers.tcp {
                Some(segment) if !section.contains(&b'\n') => {
                    tcp_rest(out, decoded, segment);
                    out.text(short(decoded));
                }
                _ => http_rest(out, decoded, headers),
            },
            Some(Layer::Rpc(_)) => messages_rest(out, decoded, "RPC"),
            Some(Layer::Frame(_)) => messages_rest(out, decoded, "FRAMES"),
            Some(Layer::Arp(message)) => {
                column(out, arp::protocol(message), decoded);
                arp::info(out, message);
            }
            Some(layer) => lower_rest(out, decoded, layer),
            None => {
                column(out, "N/A", decoded);
                // Writing to Text cannot fail.
                let _ = std::fmt::Write::write_fmt(out, format_args!("{}", decoded.packet.link));
            }
        }
    }

    /// Remembers a request; for a reply, names the request that it answers.
    fn echo(&mut self, number: u64, headers: &Headers<'_, '_>, message: &Icmp<'_>) {
        let (Some(is_request), Some((id, sequence))) =
            (icmp::is_request(message), icmp::echo(message))
        else {
            return;
        };
        let (from, to) = (headers.source, headers.destination);
        if is_request {
            return self.echoes.asked((from, to, id, sequence), number);
        }
        if let Some(request) = self.echoes.answered(&(to, from, id, sequence)) {
            self.text.text(" (request in ");
            self.text.number(request);
            self.text.text(")");
        }
    }
}

impl<'d, 'a> Headers<'d, 'a> {
    #[inline]
    fn of(decoded: &'d Decoded<'a>) -> Self {
        let mut headers = Self::default();
        for layer in decoded.layers.as_slice() {
            match layer {
                Layer::Data(_) => continue,
                Layer::Malformed(malformed) => {
                    headers.malformed = Some(malformed);
                    continue;
                }
                Layer::Ethernet(ethernet) => {
                    headers.source = Address::Hardware(ethernet.source);
                    headers.destination = Address::Hardware(ethernet.destination);
                }
                Layer::Cooked(cooked) if cooked.address_length == 6 => {
                    let [a, b, c, d, e, f, ..] = cooked.address;
                    headers.source = Address::Hardware([a, b, c, d, e, f]);
                }
                Layer::Ipv4(ip) => {
                    headers.source = Address::Ip(ip.source.into());
                    headers.destination = Address::Ip(ip.destination.into());
                    headers.hops = ip.ttl;
                }
                Layer::Ipv6(ip) => {
                    headers.source = Address::Ip(ip.source.into());
                    headers.destination = Address::Ip(ip.destination.into());
                    headers.hops = ip.hop_limit;
                }
                Layer::Tcp(tcp) => headers.tcp = Some(tcp),
                _ => {}
            }
            headers.last = Some(layer);
        }
        headers
    }
}

impl Address {
    #[inline]
    fn write(self, out: &mut Text) {
        match self {
            Address::None => {}
            Address::Hardware(address) => out.hardware(&address),
            Address::Ip(IpAddr::V4(address)) => out.ipv4(address),
            Address::Ip(IpAddr::V6(address)) => out.ipv6(address),
        }
    }
}

/// The words for a message that ends within its fields.
fn short(decoded: &Decoded<'_>) -> &'static str {
    if decoded.packet.bytes.len() < decoded.packet.length as usize {
        "[Packet size limited during capture]"
    } else {
        "[Malformed Packet]"
    }
}

/// The columns of protocol and length.
#[inline]
fn column(out: &mut Text, protocol: &str, decoded: &Decoded<'_>) {
    out.text(protocol);
    out.space();
    out.number(decoded.packet.length);
    out.space();
}

fn tcp_rest(out: &mut Text, decoded: &Decoded<'_>, segment: &Tcp<'_>) {
    column(out, "TCP", decoded);
    tcp::marks(out, decoded.segment.as_ref());
    tcp::info(out, segment, decoded.segment.as_ref());
    if decoded.part_of_message {
        out.text(" [TCP segment of a reassembled PDU]");
    }
}

fn ports(out: &mut Text, source: u16, destination: u16) {
    out.number(source);
    out.text(" → ");
    out.number(destination);
}

fn udp_rest(out: &mut Text, decoded: &Decoded<'_>, headers: &Headers<'_, '_>, datagram: &Udp<'_>) {
    column(out, "UDP", decoded);
    ports(out, datagram.source, datagram.destination);
    out.text(" Len=");
    out.number(datagram.length.saturating_sub(8));
    if matches!(datagram.check, Check::Bad(_)) {
        out.text(" [UDP CHECKSUM INCORRECT]");
    }
    // Only in IPv4 may a sender omit the checksum (RFC 8200 §8.1).
    let v6 = matches!(headers.source, Address::Ip(IpAddr::V6(_)));
    if v6 && datagram.checksum == 0 {
        out.text(" [ILLEGAL CHECKSUM (0)]");
    }
}

fn dns_rest(out: &mut Text, decoded: &Decoded<'_>, protocol: &str, octets: &[u8]) {
    column(out, protocol, decoded);
    tcp::marks(out, decoded.segment.as_ref());
    dns::info(out, octets, protocol == "MDNS", short(decoded));
}

/// The header sections of a segment, and the kind of body that follows the last one.
fn http_rest(out: &mut Text, decoded: &Decoded<'_>, headers: &Headers<'_, '_>) {
    let segment = headers.tcp.map_or(&[][..], |tcp| tcp.payload);
    let mut media_type = None;
    for layer in decoded.layers.as_slice() {
        if let Layer::Http(section) = layer {
            media_type = http::media_type(section, segment);
        }
    }
    column(out, http::protocol(media_type), decoded);
    tcp::marks(out, decoded.segment.as_ref());
    for layer in decoded.layers.as_slice() {
        if let Layer::Http(section) = layer {
            http::info(out, section);
            if !section.ends_with(b"\n\r\n") && !section.ends_with(b"\n\n") {
                out.text(short(decoded));
            }
        }
    }
    http::body(out, media_type);
}

/// All messages of RPC, or frames, of a segment.
fn messages_rest(out: &mut Text, decoded: &Decoded<'_>, protocol: &str) {
    column(out, protocol, decoded);
    tcp::marks(out, decoded.segment.as_ref());
    let mut between = "";
    for layer in decoded.layers.as_slice() {
        let (Layer::Rpc(frame) | Layer::Frame(frame)) = layer else {
            continue;
        };
        out.text(between);
        match layer {
            Layer::Rpc(_) => rpc::info(out, frame),
            _ => rpc::frame(out, frame),
        }
        between = ", ";
    }
}

/// A packet that ends with a link or IP header, because no parser here reads the rest.
fn lower_rest(out: &mut Text, decoded: &Decoded<'_>, layer: &Layer<'_>) {
    match layer {
        Layer::Ethernet(ethernet) => ethernet_rest(out, decoded, ethernet),
        Layer::Vlan(vlan) => {
            type_column(out, decoded, vlan.ether_type);
            out.text("PRI: ");
            out.number(vlan.priority);
            out.text("  DEI: ");
            out.number(u8::from(vlan.drop_eligible));
            out.text("  ID: ");
            out.number(vlan.id);
        }
        Layer::Cooked(cooked) => {
            type_column(out, decoded, cooked.protocol);
            out.text(numbers::packet_type(cooked.packet_type));
        }
        Layer::Loopback(_) => {
            column(out, "N/A", decoded);
            out.text("Null/Loopback");
        }
        Layer::Ipv4(ip) => ipv4_rest(out, decoded, ip),
        Layer::Ipv6(ip) => next_header(out, decoded, ip.next_header),
        Layer::Extension(header) => next_header(out, decoded, header.next_header),
        Layer::Fragment(fragment) => {
            column(out, "IPv6", decoded);
            out.text("IPv6 fragment (off=");
            out.number(fragment.offset);
            out.text(if fragment.more { " more=y" } else { " more=n" });
            out.text(" ident=0x");
            out.hex(fragment.id, 8);
            out.text(" nxt=");
            out.number(fragment.next_header);
            out.text(")");
        }
        // The others have lines of their own.
        _ => column(out, "N/A", decoded),
    }
}

fn ethernet_rest(out: &mut Text, decoded: &Decoded<'_>, ethernet: &Ethernet) {
    if ethernet.has_length() {
        column(out, "LLC", decoded);
        out.text("IEEE 802.3 Ethernet");
        return;
    }
    type_column(out, decoded, ethernet.ether_type);
    out.text("Ethernet II");
}

/// Protocol and length, if only an Ethernet type is known.
fn type_column(out: &mut Text, decoded: &Decoded<'_>, number: u16) {
    match numbers::ether_type(number) {
        Some(name) => column(out, name, decoded),
        None => {
            out.text("0x");
            out.hex(number, 4);
            column(out, "", decoded);
        }
    }
}

fn ipv4_rest(out: &mut Text, decoded: &Decoded<'_>, ip: &Ipv4<'_>) {
    column(out, "IPv4", decoded);
    if ip.is_fragment() {
        out.text("Fragmented IP protocol (proto=");
        out.text(numbers::ip_protocol(ip.protocol));
        out.space();
        out.number(ip.protocol);
        out.text(", off=");
        out.number(ip.fragment_offset);
        out.text(", ID=");
        out.hex(ip.id, 4);
        out.text(")");
    } else {
        protocol_name(out, ip.protocol);
    }
}

fn next_header(out: &mut Text, decoded: &Decoded<'_>, number: u8) {
    column(out, "IPv6", decoded);
    if number == 59 {
        return out.text("IPv6 no next header");
    }
    out.text("Unknown IP Protocol: ");
    protocol_name(out, number);
}

fn protocol_name(out: &mut Text, number: u8) {
    out.text(numbers::ip_protocol(number));
    out.text(" (");
    out.number(number);
    out.text(")");
}

/// A packet whose last header is malformed or incomplete. Of a transport header, the fields that
/// are there are shown.
fn malformed_rest(
    out: &mut Text,
    decoded: &Decoded<'_>,
    headers: &Headers<'_, '_>,
    malformed: &Malformed,
) {
    column(out, malformed.protocol, decoded);
    match headers.last {
        Some(Layer::Tcp(segment)) if segment.header_length > 0 => {
            tcp::info(out, segment, decoded.segment.as_ref());
        }
        Some(Layer::Tcp(segment)) => ports(out, segment.source, segment.destination),
        Some(Layer::Udp(datagram)) => ports(out, datagram.source, datagram.destination),
        _ => {}
    }
    out.text("[");
    // Writing to Text cannot fail.
    let _ = std::fmt::Write::write_fmt(out, format_args!("{malformed}"));
    out.text("]");
}
