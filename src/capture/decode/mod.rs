//! From a packet's bytes to its layers. Pure.

mod layer;

use super::flow::Segment;
use super::packet::Packet;

pub use layer::{
    Arp, Check, Cooked, Ethernet, Extension, Fragment, Icmp, Ipv4, Ipv6, Layer, Layers, Loopback,
    Malformed, Tcp, TcpFlags, Udp, Vlan, Why,
};

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
