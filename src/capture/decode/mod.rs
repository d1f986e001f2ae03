//! From a packet's bytes to its layers. Pure.
//!
//! [`Decoder`] keeps the state that later packets need: fragments, connections, beginnings of
//! messages. [`quoted`] reads a packet without state.
//!
//! The files, in reading order: `layer` (the result), `rest` (the bytes left to read), `walk` (from
//! header to header); `link`, `arp`, `ip`, `ip6`, `icmp`, `tcp`, `udp` (one header each);
//! `options`, `checksum`, `fragments`; `places` (what [`flow`](super::flow) knows about the
//! packet).
//!
//! To add a protocol: its header as a [`Layer`], a file with one parse function, and its number in
//! `walk`.

mod arp;
pub(super) mod checksum;
mod fragments;
mod icmp;
mod ip;
mod ip6;
mod layer;
mod link;
mod options;
mod places;
mod rest;
mod tcp;
mod udp;
mod walk;

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::flow::{Rule, Segment};
use super::packet::Packet;
use crate::net::icmp::message::{self, Family};
use fragments::Fragments;
use places::Places;
use rest::Rest;
use walk::{Next, Walk};

pub use layer::{
    Arp, Check, Cooked, Ethernet, Extension, Fragment, Icmp, Ipv4, Ipv6, Layer, Layers, Loopback,
    Malformed, Tcp, TcpFlags, Udp, Vlan, Why,
};
pub use options::{Ipv4Option, Ipv4Options, SackBlocks, TcpOption, TcpOptions};

/// A packet and all that is known about it.
#[derive(Clone, Copy, Debug)]
pub struct Decoded<'a> {
    /// Its number in the capture, from 1.
    pub number: u64,
    /// The packet itself.
    pub packet: Packet<'a>,
    /// Nanoseconds since the first packet; negative if a clock was set back.
    pub since_first: i64,
    /// Nanoseconds since the previous packet.
    pub since_previous: i64,
    /// Its headers and messages, outermost first.
    pub layers: Layers<'a>,
    /// The place of its TCP segment in its connection.
    pub segment: Option<Segment>,
    /// The number of its UDP conversation in this capture, from 0.
    pub udp_stream: Option<u32>,
    /// The number of the TCP or UDP conversation that an ICMP error is about.
    pub quoted_stream: Option<u32>,
    /// Whether it has bytes of an incomplete application message. The message is a layer of the
    /// packet that completes it.
    pub part_of_message: bool,
}

/// How to decode.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Whether the checksums of IPv4, TCP and UDP are verified (default no, as in tshark: a host's
    /// own packets are captured before its hardware writes them).
    pub checksums: bool,
    /// Which protocol is spoken on a port, if it cannot be recognized: `-d`.
    pub decode_as: Vec<Rule>,
}

/// Decodes the packets of one capture, in their order. The content of a packet in fragments is in
/// the last one that came; the others are data.
#[derive(Debug)]
pub struct Decoder {
    checksums: bool,
    fragments: Fragments,
    places: Places,
    number: u64,
    /// The times of the first packet and of the last, in nanoseconds.
    times: Option<(i64, i64)>,
}

impl Decoder {
    /// A decoder for a new capture.
    pub fn new(settings: Settings) -> Self {
        Self {
            checksums: settings.checksums,
            fragments: Fragments::default(),
            places: Places::new(&settings.decode_as),
            number: 0,
            times: None,
        }
    }

    /// Decodes the next packet.
    pub fn decode<'a>(&'a mut self, packet: &Packet<'a>) -> Decoded<'a> {
        let mut decoded = Decoded {
            number: 0,
            packet: *packet,
            since_first: 0,
            since_previous: 0,
            layers: Layers::new(),
            segment: None,
            udp_stream: None,
            quoted_stream: None,
            part_of_message: false,
        };
        self.fill(&mut decoded);
        decoded
    }

    fn fill<'a>(&'a mut self, decoded: &mut Decoded<'a>) {
        let packet = decoded.packet;
        self.number += 1;
        decoded.number = self.number;
        let time = nanoseconds(packet.time);
        let (first, previous) = *self.times.get_or_insert((time, time));
        self.times = Some((first, time));
        decoded.since_first = time.saturating_sub(first);
        decoded.since_previous = time.saturating_sub(previous);
        let mut walk = Walk {
            layers: &mut decoded.layers,
            rest: Rest::new(packet.bytes, packet.length as usize),
            fragments: Some(&mut self.fragments),
            time: packet.time,
            checksums: self.checksums,
            quoted: false,
            ends: None,
            fragmented: false,
            unverifiable: false,
        };
        let next = link::first(packet.link, &mut walk);
        walk.run(next);
        if let Some(addresses) = walk.ends {
            self.places.take(addresses, decoded);
        }
    }
}

/// Nanoseconds since 1970; times from the year 2262 on become the same number.
fn nanoseconds(time: Duration) -> i64 {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(time.subsec_nanos().into())
}

/// The layers of the packet that an ICMP error quotes; `None` for all other messages.
pub fn quotation<'a>(icmp: &Icmp<'a>) -> Option<Layers<'a>> {
    quote(icmp).map(quoted)
}

/// The bytes of that packet. They follow four bytes of the error's own (RFC 792; RFC 4443 §3);
/// extensions may follow them (RFC 4884), such as the labels of MPLS.
pub(in crate::capture) fn quote<'a>(icmp: &Icmp<'a>) -> Option<&'a [u8]> {
    let family = if icmp.v6 { Family::V6 } else { Family::V4 };
    let (own, rest) = icmp.body.split_first_chunk::<4>()?;
    icmp.is_error()
        .then(|| message::quote(family, icmp.kind, *own, rest))
}

/// The layers of the packet that an ICMP error quotes, from its IP header on. That the quotation
/// ends early is normal, so it is not marked.
pub fn quoted(bytes: &[u8]) -> Layers<'_> {
    let mut layers = Layers::new();
    let mut walk = Walk {
        layers: &mut layers,
        rest: Rest::new(bytes, usize::MAX),
        fragments: None,
        time: Duration::ZERO,
        checksums: false,
        quoted: true,
        ends: None,
        fragmented: false,
        unverifiable: true,
    };
    walk.run(Ok(Next::Ip));
    layers
}
