//! Which protocol a stream or a datagram uses, and its messages, reassembled over segments. Pure.
//!
//! DNS by port 53, multicast DNS by 5353, LLMNR by 5355 (over TCP all three are DNS); HTTP/1 by its
//! start line, on any port; our RPC by its greeting; our frames, and any of these on another port, by
//! a [`Rule`] ("decode as").

use crate::capture::decode::{Layer, Layers, Tcp, TcpFlags, Udp};

use super::segment::{Ends, Segment};
use super::streams::{Completed, Streams, push};

/// An application protocol, by its name in `-d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `dns`: RFC 1035; over TCP with a length before each message.
    Dns,
    /// `http`: RFC 9112.
    Http,
    /// `rpc`: ours, `rpc/message.rs`.
    Rpc,
    /// `frames`: our wire format, `wire/frame.rs`.
    Frames,
    /// `data`: none of these, whatever the bytes look like.
    Data,
}

/// A transport that carries messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP segments.
    Tcp,
    /// UDP datagrams.
    Udp,
}

/// A "decode as" rule: `tcp.port==7100,frames`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The transport that carries it.
    pub transport: Transport,
    /// The port of either side.
    pub port: u16,
    /// The protocol.
    pub protocol: Protocol,
}

impl Rule {
    /// Reads `tcp.port==PORT,PROTOCOL` or `udp.port==PORT,PROTOCOL`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (which, protocol) = text.split_once(',')?;
        let (field, port) = which.split_once("==")?;
        let transport = match field.trim() {
            "tcp.port" => Transport::Tcp,
            "udp.port" => Transport::Udp,
            _ => return None,
        };
        let protocol = match protocol.trim() {
            "dns" => Protocol::Dns,
            "http" => Protocol::Http,
            "rpc" => Protocol::Rpc,
            "frames" => Protocol::Frames,
            "data" => Protocol::Data,
            _ => return None,
        };
        let port = port.trim().parse().ok()?;
        Some(Self {
            transport,
            port,
            protocol,
        })
    }
}

/// The protocols of a capture's streams, and the beginnings of messages that are not complete.
///
/// Memory: about 150 bytes per stream, for the last [`Flows::MOST`](super::Flows::MOST) of them; a
/// beginning of at most 64 KiB per side, and at most [`Applications::HELD`] of all together: beyond
/// that, the oldest are given up.
#[derive(Clone, Debug, Default)]
pub struct Applications {
    streams: Streams,
    /// The last message that was put together.
    done: Vec<u8>,
}

impl Applications {
    /// The most bytes that unfinished messages take together.
    pub const HELD: usize = 32 * 1024 * 1024;

    /// Starts with these rules; of those that fit a packet, the last one applies.
    pub fn new(rules: &[Rule]) -> Self {
        Self {
            streams: Streams::new(rules.to_vec()),
            done: Vec::new(),
        }
    }

    /// Takes a segment: the messages that it completes become layers, and so do bytes of no
    /// protocol ([`Layer::Data`]). Returns whether it has bytes of a message that is not complete.
    ///
    /// Bytes are taken in sequence: late or repeated bytes are data, and a message with a gap is
    /// given up.
    pub fn tcp<'s>(
        &'s mut self,
        segment: &Segment,
        ends: Ends,
        tcp: &Tcp<'s>,
        layers: &mut Layers<'s>,
    ) -> bool {
        if tcp.payload.is_empty() {
            return false;
        }
        // A reset may give its reason in words, which are not bytes of the stream (RFC 9293
        // §3.5.3).
        if tcp.flags.has(TcpFlags::RST) {
            layers.push(Layer::Data(tcp.payload));
            return false;
        }
        let Self { streams, done } = self;
        let sender = streams.sender(segment, ends);
        let Some(mut rest) = streams.in_order(sender, segment, tcp) else {
            layers.push(Layer::Data(tcp.payload));
            return false;
        };
        let lost = u64::from(tcp.length).saturating_sub(tcp.payload.len() as u64);
        if lost > 0 {
            streams.cut(sender, rest, lost, layers);
            return false;
        }
        match streams.complete(sender, rest, done) {
            Completed::Nothing => {}
            Completed::StillMore => return true,
            Completed::Message(found, used) => {
                push(found, done, layers);
                rest = rest.get(used..).unwrap_or_default();
            }
        }
        streams.messages(sender, rest, layers)
    }

    /// Takes a datagram: its message becomes a layer, or its bytes become data.
    pub fn udp<'s>(&'s mut self, ends: Ends, udp: &Udp<'s>, layers: &mut Layers<'s>) {
        if udp.payload.is_empty() {
            return;
        }
        let is_dns = udp.payload.len() >= DNS_HEADER;
        layers.push(match self.streams.rule(Transport::Udp, ends) {
            Some(Protocol::Dns) if is_dns => Layer::Dns(udp.payload),
            Some(Protocol::Frames) => Layer::Frame(udp.payload),
            None if is_dns => by_ports(ends, udp.payload),
            _ => Layer::Data(udp.payload),
        });
    }
}

/// The length of the header of every DNS message (RFC 1035 §4.1.1).
const DNS_HEADER: usize = 12;

/// A datagram without a rule. If both ports are known, the lower one decides, as in Wireshark.
fn by_ports(ends: Ends, message: &[u8]) -> Layer<'_> {
    let (one, other) = (ends.source.1, ends.destination.1);
    for port in [one.min(other), one.max(other)] {
        match port {
            53 => return Layer::Dns(message),
            5353 => return Layer::Mdns(message),
            5355 => return Layer::Llmnr(message),
            _ => {}
        }
    }
    Layer::Data(message)
}
