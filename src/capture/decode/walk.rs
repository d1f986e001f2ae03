//! From header to header: each header says what comes next, until one ends the packet. Pure.
//!
//! ```text
//! link type ─> Ethernet ─> VLAN ... ─> IPv4 ─> TCP, UDP, ICMP
//!              cooked                  IPv6 ─> extension headers ... ─> TCP, UDP, ICMPv6
//!              loopback                        fragment ─> (reassembled) ─> ...
//!              raw IP                  ARP
//! ```
//!
//! A loop and not a recursion, so no packet can use up the stack: each header is at least one
//! layer, and there are at most [`Layers::MOST`].

use std::net::IpAddr;
use std::time::Duration;

use super::fragments::{Fragments, Key, Piece};
use super::rest::Rest;
use super::{Layer, Layers, Malformed, Why};
use super::{arp, icmp, ip, ip6, link, tcp, udp};

/// What comes next, and which kind of number identifies it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Next {
    /// An Ethernet type.
    Type(u16),
    /// An IP protocol number.
    Protocol(u8),
    /// The same in an IPv6 packet, where it may be an extension header.
    Extension(u8),
    /// An IP packet of either version: its first four bits tell which.
    Ip,
    /// Bytes that no parser here reads.
    Data,
    /// Nothing: the last header already holds its payload.
    End,
}

/// What the headers so far say about those after them.
pub(super) struct Walk<'w, 'a> {
    pub layers: &'w mut Layers<'a>,
    /// The bytes after the headers so far.
    pub rest: Rest<'a>,
    /// The fragments of earlier packets. Lent only once per packet: the reassembled bytes then
    /// belong to the packet's layers, so a fragment within them stays a fragment.
    pub fragments: Option<&'a mut Fragments>,
    /// The time of the packet, which limits how long fragments wait.
    pub time: Duration,
    /// Whether checksums of IPv4, TCP and UDP are verified. (ICMP's always are, as tshark does.)
    pub checksums: bool,
    /// Whether this is a packet that an error quotes: it may be incomplete without being wrong.
    pub quoted: bool,
    /// Source and destination of the innermost IP header: for checksums and conversations.
    pub ends: Option<(IpAddr, IpAddr)>,
    /// Whether this is the first fragment of a packet that was not reassembled.
    pub fragmented: bool,
    /// Whether a later checksum cannot be verified, because it covers a destination that the packet
    /// does not have yet.
    pub unverifiable: bool,
}

impl<'a> Walk<'_, 'a> {
    /// Takes `N` bytes off the rest, for the header of `protocol`.
    #[inline]
    pub fn head<const N: usize>(
        &mut self,
        protocol: &'static str,
    ) -> Result<&'a [u8; N], Malformed> {
        let (head, rest) = self.rest.head::<N>(protocol)?;
        self.rest = rest;
        Ok(head)
    }

    /// Takes `count` bytes off the rest, for the header of `protocol`.
    #[inline]
    pub fn split(&mut self, count: usize, protocol: &'static str) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.rest.split(count, protocol)?;
        self.rest = rest;
        Ok(head)
    }

    /// Adds a layer; an error if there are too many.
    #[inline]
    pub fn push(&mut self, protocol: &'static str, layer: Layer<'a>) -> Result<(), Malformed> {
        if self.layers.push(layer) {
            return Ok(());
        }
        let why = Why::Deep;
        Err(Malformed { protocol, why })
    }

    /// Reads header after header.
    pub fn run(&mut self, mut next: Result<Next, Malformed>) {
        loop {
            next = match next {
                Ok(Next::End) => return,
                Ok(next) => self.step(next),
                Err(malformed) if self.quoted && malformed.why == Why::Cut => return,
                Err(malformed) => return self.layers.end(malformed),
            };
        }
    }

    /// A fragment of a packet. If it was the missing piece, the content of the whole comes next. A
    /// first fragment that is not reassembled is decoded as far as it goes; others are data.
    pub fn piece(&mut self, key: Key, piece: Piece<'a>, usable: bool) -> Result<Next, Malformed> {
        let inside = |protocol| match key.protocol {
            Some(_) => Next::Protocol(protocol), // IPv4, which has no extension headers
            None => Next::Extension(protocol),
        };
        let kept = if usable { self.fragments.take() } else { None };
        match kept {
            Some(fragments) => match fragments.add(key, piece, self.time) {
                Some((protocol, whole)) => {
                    self.rest = Rest::whole(whole);
                    Ok(inside(protocol))
                }
                None => Ok(Next::Data),
            },
            None if piece.offset == 0 => {
                self.fragmented = true;
                Ok(inside(piece.protocol))
            }
            None => Ok(Next::Data),
        }
    }

    /// Whether all bytes that a checksum covers are here.
    pub fn can_verify(&self, message: Rest<'_>) -> bool {
        message.is_whole() && !self.fragmented && !self.unverifiable
    }

    #[inline]
    fn step(&mut self, next: Next) -> Result<Next, Malformed> {
        match next {
            Next::Type(0x0800) => ip::ipv4(self),
            Next::Type(0x86dd) => ip6::ipv6(self),
            Next::Type(0x0806) => arp::arp(self),
            Next::Type(0x8100 | 0x88a8 | 0x9100) => link::vlan(self),
            Next::Protocol(6) => tcp::tcp(self),
            Next::Protocol(17) => udp::udp(self),
            Next::Protocol(1) => icmp::icmp(self),
            Next::Protocol(58) => icmp::icmp6(self),
            Next::Protocol(4) => ip::ipv4(self),
            Next::Protocol(41) => ip6::ipv6(self),
            Next::Extension(44) => ip6::fragment(self),
            Next::Protocol(51) => ip6::extension(51, self),
            Next::Extension(kind @ (0 | 43 | 60)) => ip6::extension(kind, self),
            Next::Extension(protocol) => Ok(Next::Protocol(protocol)),
            Next::Ip => match self.rest.bytes.first().map(|byte| byte >> 4) {
                Some(4) => ip::ipv4(self),
                Some(6) => ip6::ipv6(self),
                Some(version) => Err(Malformed {
                    protocol: "IP",
                    why: Why::Version(version),
                }),
                None => Err(self.rest.missing(1, "IP")),
            },
            Next::Type(_) | Next::Protocol(_) | Next::Data => {
                if !self.rest.bytes.is_empty() {
                    self.push("Data", Layer::Data(self.rest.bytes))?;
                }
                Ok(Next::End)
            }
            Next::End => Ok(Next::End),
        }
    }
}
