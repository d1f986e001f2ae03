//! The layers of a packet as values: each header's fields, by the names of its RFC. Pure.
//!
//! The other files of this folder parse (`link`, `ip`, `tcp` ...); the code that shows, filters and
//! follows reads these values. It reads bytes only if a layer is a message of an application. A
//! header that is missing or contradicts itself is a [`Layer::Malformed`], always the last layer;
//! if a transport header was cut, the fields that are there come before it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Below this, an Ethernet type is the length of the payload (IEEE 802.3 §3.2.6).
pub(super) const FIRST_TYPE: u16 = 1536;

/// One header of a packet, or a message or data in its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer<'a> {
    /// Ethernet II or IEEE 802.3.
    Ethernet(Ethernet),
    /// An IEEE 802.1Q or 802.1ad tag.
    Vlan(Vlan),
    /// Linux cooked, v1 or v2.
    Cooked(Cooked),
    /// BSD or OpenBSD loopback.
    Loopback(Loopback),
    /// ARP for IPv4 over Ethernet (RFC 826).
    Arp(Arp),
    /// RFC 791.
    Ipv4(Ipv4<'a>),
    /// RFC 8200.
    Ipv6(Ipv6),
    /// A hop-by-hop, routing, destination options or authentication header (RFC 8200 §4, RFC 4302).
    Extension(Extension<'a>),
    /// IPv6 fragment header (RFC 8200 §4.5).
    Fragment(Fragment),
    /// ICMP (RFC 792) or ICMPv6 (RFC 4443).
    Icmp(Icmp<'a>),
    /// RFC 9293.
    Tcp(Tcp<'a>),
    /// RFC 768.
    Udp(Udp<'a>),
    /// One whole DNS message (RFC 1035 §4), without the length that TCP puts before it.
    Dns(&'a [u8]),
    /// A message of multicast DNS (RFC 6762): a datagram on its port.
    Mdns(&'a [u8]),
    /// A message of link-local multicast name resolution (RFC 4795), likewise.
    Llmnr(&'a [u8]),
    /// An HTTP/1.1 header section with its start line and empty line (RFC 9112), as much as the
    /// snap length kept of it, without the body.
    Http(&'a [u8]),
    /// One frame of our RPC, without its length (`rpc/message.rs`).
    Rpc(&'a [u8]),
    /// One frame of our wire format, without its length (`wire/frame.rs`).
    Frame(&'a [u8]),
    /// Bytes that belong to no protocol here: the payload, without padding.
    Data(&'a [u8]),
    /// Decoding failed here.
    Malformed(Malformed),
}

impl Layer<'_> {
    /// The source and the destination address of an IP header; `None` for all other layers.
    pub fn addresses(&self) -> Option<(IpAddr, IpAddr)> {
        match self {
            Layer::Ipv4(ip) => Some((ip.source.into(), ip.destination.into())),
            Layer::Ipv6(ip) => Some((ip.source.into(), ip.destination.into())),
            _ => None,
        }
    }
}

/// Ethernet II: addresses and the type of the payload, which in IEEE 802.3 is a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ethernet {
    /// The destination address.
    pub destination: [u8; 6],
    /// The source address.
    pub source: [u8; 6],
    /// The type of the next header: 0x0800 IPv4, 0x86dd IPv6, 0x0806 ARP, 0x8100 a VLAN tag ...
    pub ether_type: u16,
}

impl Ethernet {
    /// Whether `ether_type` is the length of the payload (IEEE 802.3 §3.2.6).
    pub fn has_length(&self) -> bool {
        self.ether_type < FIRST_TYPE
    }
}

/// A VLAN tag: IEEE 802.1Q §9.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vlan {
    /// Priority code point, 0 to 7.
    pub priority: u8,
    /// Drop eligible indicator.
    pub drop_eligible: bool,
    /// VLAN identifier, 12 bits.
    pub id: u16,
    /// The type of the next header.
    pub ether_type: u16,
}

/// Linux cooked header: a capture on "any" has it in place of Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cooked {
    /// 1 or 2.
    pub version: u8,
    /// 0 to us, 1 broadcast, 2 multicast, 3 to another host, 4 sent by us.
    pub packet_type: u16,
    /// The kind of the device (ARPHRD_): 1 Ethernet, 772 loopback.
    pub hardware: u16,
    /// The sender's hardware address; `address_length` bytes of it count.
    pub address: [u8; 8],
    /// The length of that address, in bytes; more than 8 if it did not fit.
    pub address_length: u16,
    /// The type of the next header, as in Ethernet.
    pub protocol: u16,
    /// The interface's index: only version 2 has it.
    pub interface: Option<u32>,
}

/// The address family before an IP packet on a BSD loopback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loopback {
    /// 2 is IPv4; 10, 23, 24, 28 and 30 are IPv6 on one system or another.
    pub family: u32,
}

/// ARP: which host has this address?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// 1 request, 2 reply.
    pub operation: u16,
    /// The sender's hardware address.
    pub sender_hardware: [u8; 6],
    /// The sender's protocol address.
    pub sender: Ipv4Addr,
    /// The target's hardware address: zero in a request.
    pub target_hardware: [u8; 6],
    /// The target's protocol address.
    pub target: Ipv4Addr,
}

/// The result of verifying a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// It is right.
    Good,
    /// It is wrong: this is the right value.
    Bad(u16),
    /// It cannot be verified: the packet was cut, is a fragment, or has no checksum.
    Unverified,
}

/// RFC 791 §3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4<'a> {
    /// The header's length in bytes, options included: 20 to 60.
    pub header_length: u8,
    /// Differentiated services and ECN (RFC 2474, 3168).
    pub tos: u8,
    /// The length of header and payload, in bytes, as the header says (0 before segmentation
    /// offload).
    pub total_length: u16,
    /// The identification: the fragments of one packet share it.
    pub id: u16,
    /// Three bits: reserved, don't fragment, more fragments.
    pub flags: u8,
    /// The offset of the fragment's payload in the whole, in bytes.
    pub fragment_offset: u16,
    /// Time to live.
    pub ttl: u8,
    /// 1 ICMP, 6 TCP, 17 UDP ...
    pub protocol: u8,
    /// The header's checksum.
    pub checksum: u16,
    /// Whether the checksum is right.
    pub check: Check,
    /// The source address.
    pub source: Ipv4Addr,
    /// The destination address.
    pub destination: Ipv4Addr,
    /// The options, padding included.
    pub options: &'a [u8],
}

impl Ipv4<'_> {
    /// Whether more fragments follow.
    pub fn more_fragments(&self) -> bool {
        self.flags & 1 != 0
    }

    /// Whether it is a fragment of a packet.
    pub fn is_fragment(&self) -> bool {
        self.more_fragments() || self.fragment_offset > 0
    }
}

/// RFC 8200 §3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6 {
    /// Differentiated services and ECN.
    pub traffic_class: u8,
    /// 20 bits.
    pub flow_label: u32,
    /// The length of what follows the header, in bytes, as the header says.
    pub payload_length: u16,
    /// The next header: a protocol or an extension header.
    pub next_header: u8,
    /// The counterpart of IPv4's time to live.
    pub hop_limit: u8,
    /// The source address.
    pub source: Ipv6Addr,
    /// The destination address.
    pub destination: Ipv6Addr,
}

/// An IPv6 extension header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    /// Which: 0 hop-by-hop, 43 routing, 51 authentication, 60 destination options.
    pub kind: u8,
    /// The next header.
    pub next_header: u8,
    /// All of its bytes.
    pub bytes: &'a [u8],
}

/// IPv6 fragment header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// The protocol of the whole packet's payload.
    pub next_header: u8,
    /// The offset of this part in the whole, in bytes.
    pub offset: u16,
    /// Whether more fragments follow.
    pub more: bool,
    /// The identification: the fragments of one packet share it.
    pub id: u32,
}

/// ICMP and ICMPv6: the same first four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmp<'a> {
    /// Whether it is ICMPv6, whose types have other numbers.
    pub v6: bool,
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// Checksum.
    pub checksum: u16,
    /// Whether the checksum is right.
    pub check: Check,
    /// The bytes after the checksum: identifier and sequence number of an echo, the packet that an
    /// error quotes, the target and options of a neighbour discovery message.
    pub body: &'a [u8],
}

impl Icmp<'_> {
    /// Whether it is an error, which quotes the packet that caused it (RFC 792; RFC 4443 §2.1).
    pub fn is_error(&self) -> bool {
        match self.v6 {
            true => matches!(self.kind, 1..=4),
            false => matches!(self.kind, 3..=5 | 11 | 12),
        }
    }
}

/// TCP's control bits, with the names of RFC 9293 §3.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags(pub u16);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: u16 = 0x001;
    /// Synchronise sequence numbers.
    pub const SYN: u16 = 0x002;
    /// Reset the connection.
    pub const RST: u16 = 0x004;
    /// Push.
    pub const PSH: u16 = 0x008;
    /// The acknowledgment number is valid.
    pub const ACK: u16 = 0x010;
    /// The urgent pointer is valid.
    pub const URG: u16 = 0x020;
    /// ECN echo (RFC 3168).
    pub const ECE: u16 = 0x040;
    /// Congestion window reduced (RFC 3168).
    pub const CWR: u16 = 0x080;
    /// Accurate ECN (RFC 9768, NS before).
    pub const AE: u16 = 0x100;

    /// Whether one of these bits is set.
    pub fn has(self, bits: u16) -> bool {
        self.0 & bits != 0
    }
}

/// RFC 9293 §3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcp<'a> {
    /// Source port.
    pub source: u16,
    /// Destination port.
    pub destination: u16,
    /// Sequence number of the first byte, as in the header.
    pub sequence: u32,
    /// Acknowledgment number, as in the header.
    pub acknowledgment: u32,
    /// The header's length in bytes, options included: 20 to 60. It is 0 if the first 20 bytes are
    /// not all there, as in the quotation of an ICMP error: then only ports and sequence number are
    /// valid. (If the sender wrote 0, a [`Why::Length`] follows, and all other fields are valid.)
    pub header_length: u8,
    /// Control bits, 12 of them.
    pub flags: TcpFlags,
    /// Window, as in the header: not scaled.
    pub window: u16,
    /// Checksum.
    pub checksum: u16,
    /// Whether the checksum is right.
    pub check: Check,
    /// Urgent pointer.
    pub urgent: u16,
    /// The options, padding included.
    pub options: &'a [u8],
    /// The payload, as much as was kept, without padding of the link.
    pub payload: &'a [u8],
    /// The length of the payload on the wire, in bytes, according to the IP header.
    pub length: u32,
}

impl Tcp<'_> {
    /// How many sequence numbers it takes: one for each byte of the payload, for SYN and for FIN
    /// (SEG.LEN of RFC 9293 §3.4).
    pub fn segment_length(&self) -> u32 {
        let control = [TcpFlags::SYN, TcpFlags::FIN].map(|bit| u32::from(self.flags.has(bit)));
        control.into_iter().fold(self.length, u32::wrapping_add)
    }
}

/// RFC 768.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Udp<'a> {
    /// Whether all 8 bytes of the header are there; if not, only the ports are valid.
    pub is_whole: bool,
    /// Source port.
    pub source: u16,
    /// Destination port.
    pub destination: u16,
    /// Header and payload, in bytes, as the header says.
    pub length: u16,
    /// Checksum; 0 is none.
    pub checksum: u16,
    /// Whether the checksum is right.
    pub check: Check,
    /// The payload, as much as was kept.
    pub payload: &'a [u8],
}

/// Why the rest of a packet could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The protocol whose header is wrong: `IPv4`, `TCP` ...
    pub protocol: &'static str,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The snap length has cut it: the packet is not wrong, but the rest was not kept.
    Cut,
    /// The packet ends within the header.
    Short {
        /// The bytes that are there.
        have: usize,
        /// The bytes that the header needs.
        need: usize,
    },
    /// An impossible length in the header.
    Length(u32),
    /// Not the version that the header before announced.
    Version(u8),
    /// The packet has more headers than [`Layers::MOST`].
    Deep,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { protocol, why } = self;
        match why {
            Why::Cut => write!(
                f,
                "Packet size limited during capture: {protocol} truncated"
            ),
            Why::Short { have, need } => {
                write!(f, "Malformed Packet: {protocol}: {have} bytes of {need}")
            }
            Why::Length(length) => write!(f, "Malformed Packet: {protocol}: length {length}"),
            Why::Version(version) => write!(f, "Malformed Packet: {protocol}: version {version}"),
            Why::Deep => write!(f, "Malformed Packet: {protocol}: too many headers"),
        }
    }
}

/// The layers of one packet, outermost first; allocates no memory.
#[derive(Clone, Copy, Debug)]
pub struct Layers<'a> {
    list: [Layer<'a>; Layers::MOST],
    count: usize,
}

impl<'a> Layers<'a> {
    /// The most headers and messages that a packet is decoded to.
    pub const MOST: usize = 16;

    /// No layers yet. (A constant: copying it costs half as much as filling in a new one and moving
    /// it.)
    const NONE: Layers<'static> = Layers {
        list: [Layer::Data(&[]); Layers::MOST],
        count: 0,
    };

    /// No layers yet.
    #[inline]
    pub const fn new() -> Self {
        Self::NONE
    }

    /// Adds an inner layer. `false` if there is no room; then it is not kept.
    #[inline]
    pub fn push(&mut self, layer: Layer<'a>) -> bool {
        match self.list.get_mut(self.count) {
            Some(place) => {
                *place = layer;
                self.count += 1;
                true
            }
            None => false,
        }
    }

    /// Adds a malformed layer as the last one; if there is no room, it replaces the last one.
    #[cold]
    pub fn end(&mut self, malformed: Malformed) {
        self.count = self.count.min(Self::MOST - 1);
        self.push(Layer::Malformed(malformed));
    }

    /// All layers, outermost first.
    #[inline]
    pub fn as_slice(&self) -> &[Layer<'a>] {
        self.list.get(..self.count).unwrap_or_default()
    }

    /// The innermost layer.
    pub fn last(&self) -> Option<&Layer<'a>> {
        self.as_slice().last()
    }
}

impl Default for Layers<'_> {
    fn default() -> Self {
        Self::new()
    }
}
