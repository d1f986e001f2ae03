//! Which protocol a stream or a datagram speaks, and its messages put together over segments. Pure.
//!
//! - DNS by port 53, 5353 or 5355; HTTP/1 by its start line, on any port; our RPC by its greeting;
//!   our frames, and any of these on another port, by a [`Rule`] ("decode as").

use crate::capture::decode::{Layer, Layers, Tcp, Udp};

use super::segment::{Ends, Segment};

/// A protocol of the application, as `-d` names it.
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
    /// `data`: none of these, whatever it looks like.
    Data,
}

/// What carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Segments.
    Tcp,
    /// Datagrams.
    Udp,
}

/// A "decode as" rule: `tcp.port==7100,frames`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What carries it.
    pub transport: Transport,
    /// The port of either side.
    pub port: u16,
    /// What it is.
    pub protocol: Protocol,
}

impl Rule {
    /// Reads `tcp.port==PORT,PROTOCOL` or `udp.port==PORT,PROTOCOL`; `None` where it is neither.
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

/// What the streams of a capture speak, and the beginnings of messages that are not whole yet.
#[derive(Clone, Debug, Default)]
pub struct Applications {
    rules: Vec<Rule>,
}

impl Applications {
    /// With these rules; the last that fits a packet wins.
    pub fn new(rules: &[Rule]) -> Self {
        Self {
            rules: rules.to_vec(),
        }
    }

    /// Takes a segment: the messages that it completes become layers, and so do bytes that are no
    /// protocol's ([`Layer::Data`]). Whether bytes of a message that is not whole yet are in it.
    pub fn tcp<'s>(
        &'s mut self,
        segment: &Segment,
        ends: Ends,
        tcp: &Tcp<'s>,
        layers: &mut Layers<'s>,
    ) -> bool {
        let _ = (segment, ends);
        if !tcp.payload.is_empty() {
            layers.push(Layer::Data(tcp.payload));
        }
        false
    }

    /// Takes a datagram: its message becomes a layer, or its bytes do.
    pub fn udp<'s>(&'s mut self, ends: Ends, udp: &Udp<'s>, layers: &mut Layers<'s>) {
        let _ = (&self.rules, ends);
        if !udp.payload.is_empty() {
            layers.push(Layer::Data(udp.payload));
        }
    }
}
