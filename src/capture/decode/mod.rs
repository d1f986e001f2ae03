//! From a packet's bytes to its layers. Pure.
//!
//! [`Decoder`] keeps what packets leave for those behind them: fragments. [`quoted`] reads a packet
//! on its own.
//!
//! The files, in reading order: `layer` (what comes out), `rest` (what is left to read), `walk` (from
//! header to header); `link`, `arp`, `ip`, `ip6`, `icmp`, `tcp`, `udp` (a header each); `options`,
//! `checksum`, `fragments`.
//!
//! To add a protocol: its header as a [`Layer`], a file with one parse function, and its number in
//! `walk`.

mod arp;
mod checksum;
mod fragments;
mod icmp;
mod ip;
mod ip6;
mod layer;
mod link;
mod options;
mod rest;
mod tcp;
mod udp;
mod walk;

use std::time::Duration;

use super::flow::Segment;
use super::packet::Packet;
use fragments::Fragments;
use rest::Rest;
use walk::{Next, Walk};

pub use layer::{
    Arp, Check, Cooked, Ethernet, Extension, Fragment, Icmp, Ipv4, Ipv6, Layer, Layers, Loopback,
    Malformed, Tcp, TcpFlags, Udp, Vlan, Why,
};
pub use options::{Ipv4Option, Ipv4Options, SackBlocks, TcpOption, TcpOptions};

/// A packet and all that is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Decoded<'a> {
    /// Its number in the capture, from 1.
    pub number: u64,
    /// The packet itself.
    pub packet: Packet<'a>,
    /// Nanoseconds since the first packet; negative where a clock was set back.
    pub since_first: i64,
    /// Nanoseconds since the packet before.
    pub since_previous: i64,
    /// Its headers and messages, outermost first.
    pub layers: Layers<'a>,
    /// Where its TCP segment stands in its connection.
    pub segment: Option<Segment>,
    /// The number of its UDP conversation in this capture, from 0.
    pub udp_stream: Option<u32>,
    /// Bytes of a message of the application that is not whole yet are in it: the message is a
    /// layer of the packet that completes it.
    pub part_of_message: bool,
}

/// How to decode.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether fragments are put together (they are, without saying so). The packet's content is in
    /// the last fragment then; the others are data.
    pub reassemble: bool,
    /// Whether the checksums of IPv4, TCP and UDP are verified (they are not, as in tshark: a host's
    /// own packets are captured before its hardware writes them).
    pub checksums: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            reassemble: true,
            checksums: false,
        }
    }
}

/// Decodes the packets of one capture, in their order.
#[derive(Debug)]
pub struct Decoder {
    settings: Settings,
    fragments: Fragments,
    number: u64,
    first: Option<Duration>,
    previous: Duration,
}

impl Decoder {
    /// For a capture that begins.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            fragments: Fragments::default(),
            number: 0,
            first: None,
            previous: Duration::ZERO,
        }
    }

    /// Decodes the next packet.
    pub fn decode<'a>(&'a mut self, packet: &Packet<'a>) -> Decoded<'a> {
        self.number += 1;
        let first = *self.first.get_or_insert(packet.time);
        let previous = if self.number == 1 {
            first
        } else {
            self.previous
        };
        self.previous = packet.time;
        let mut decoded = Decoded {
            number: self.number,
            packet: *packet,
            since_first: nanoseconds(packet.time, first),
            since_previous: nanoseconds(packet.time, previous),
            layers: Layers::new(),
            segment: None,
            udp_stream: None,
            part_of_message: false,
        };
        let reassemble = self.settings.reassemble;
        let mut walk = Walk {
            layers: &mut decoded.layers,
            fragments: reassemble.then_some(&mut self.fragments),
            time: packet.time,
            checksums: self.settings.checksums,
            quoted: false,
            ends: None,
            fragmented: false,
            unverifiable: false,
        };
        let rest = Rest::new(packet.bytes, packet.length as usize);
        let next = link::first(packet.link, rest, &mut walk);
        walk.run(next);
        if let Some(Layer::Tcp(Tcp { payload, .. }) | Layer::Udp(Udp { payload, .. })) =
            decoded.layers.last()
        {
            if !payload.is_empty() {
                decoded.layers.push(Layer::Data(payload));
            }
        }
        decoded
    }
}

/// From `earlier` to `time`; what does not fit in 292 years is as long as they are.
fn nanoseconds(time: Duration, earlier: Duration) -> i64 {
    let span = |long: Duration| i64::try_from(long.as_nanos()).unwrap_or(i64::MAX);
    match time.checked_sub(earlier) {
        Some(after) => span(after),
        None => -span(earlier.saturating_sub(time)),
    }
}

/// The layers of the packet that an ICMP error quotes, from its IP header on: as far as the quotation
/// goes. That it ends early is no fault of it, so nothing of that is marked.
pub fn quoted(bytes: &[u8]) -> Layers<'_> {
    let mut layers = Layers::new();
    let mut walk = Walk {
        layers: &mut layers,
        fragments: None,
        time: Duration::ZERO,
        checksums: false,
        quoted: true,
        ends: None,
        fragmented: false,
        unverifiable: true,
    };
    walk.run(Ok(Next::Ip(Rest::new(bytes, usize::MAX))));
    layers
}
