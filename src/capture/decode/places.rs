//! A packet's place in its conversation, and the messages in it: what
//! [`flow`](crate::capture::flow) knows about its transport layer. Pure.

use std::net::IpAddr;

use super::{Decoded, Icmp, Layer, Malformed, Tcp, Udp, Why, quotation};
use crate::capture::flow::{Applications, Ends, Flows, Rule};

/// The conversations of a capture, and what they speak.
#[derive(Debug)]
pub(super) struct Places {
    flows: Flows,
    applications: Applications,
}

impl Places {
    pub fn new(rules: &[Rule]) -> Self {
        Self {
            flows: Flows::new(),
            applications: Applications::new(rules),
        }
    }

    /// Takes a packet between these addresses, decoded as far as its transport layer. A malformed
    /// one has a place in its conversation if tshark gives it one, but no message.
    pub fn take<'a>(&'a mut self, addresses: (IpAddr, IpAddr), decoded: &mut Decoded<'a>) {
        match *decoded.layers.as_slice() {
            [.., Layer::Tcp(tcp)] => self.tcp(addresses, &tcp, true, decoded),
            [.., Layer::Tcp(tcp), Layer::Malformed(malformed)] if is_placed(&tcp, malformed) => {
                self.tcp(addresses, &tcp, false, decoded);
            }
            [.., Layer::Udp(udp)] => self.udp(addresses, &udp, true, decoded),
            [.., Layer::Udp(udp), Layer::Malformed(_)] if udp.length >= 8 => {
                self.udp(addresses, &udp, false, decoded);
            }
            [.., Layer::Icmp(icmp)] => decoded.quoted_stream = self.quoted(&icmp),
            _ => {}
        }
    }

    /// The conversation that an error is about; it may be a new one.
    fn quoted(&mut self, icmp: &Icmp<'_>) -> Option<u32> {
        let layers = quotation(icmp)?;
        let [ip, .., transport] = layers.as_slice() else {
            return None;
        };
        let addresses = ip.addresses()?;
        match transport {
            Layer::Tcp(tcp) if tcp.header_length > 0 => {
                let ends = Ends::between(addresses, tcp.source, tcp.destination);
                Some(self.flows.quoted_tcp(ends, tcp))
            }
            Layer::Udp(udp) => {
                let ends = Ends::between(addresses, udp.source, udp.destination);
                Some(self.flows.udp(ends))
            }
            _ => None,
        }
    }

    fn tcp<'a>(
        &'a mut self,
        addresses: (IpAddr, IpAddr),
        tcp: &Tcp<'a>,
        readable: bool,
        decoded: &mut Decoded<'a>,
    ) {
        let ends = Ends::between(addresses, tcp.source, tcp.destination);
        let (number, time) = (decoded.number, decoded.packet.time);
        let segment = self.flows.tcp(ends, tcp, number, time);
        if readable {
            let layers = &mut decoded.layers;
            decoded.part_of_message = self.applications.tcp(&segment, ends, tcp, layers);
        }
        decoded.segment = Some(segment);
    }

    fn udp<'a>(
        &'a mut self,
        addresses: (IpAddr, IpAddr),
        udp: &Udp<'a>,
        readable: bool,
        decoded: &mut Decoded<'a>,
    ) {
        let ends = Ends::between(addresses, udp.source, udp.destination);
        decoded.udp_stream = Some(self.flows.udp(ends));
        if readable {
            self.applications.udp(ends, udp, &mut decoded.layers);
        }
    }
}

/// Whether the fields are there, and the length of the payload is known.
fn is_placed(tcp: &Tcp<'_>, malformed: Malformed) -> bool {
    match malformed.why {
        Why::Length(_) => true,
        Why::Cut => tcp.header_length > 0,
        _ => false,
    }
}
