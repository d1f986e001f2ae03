//! From header to header: each says what comes next, until one says nothing more. Pure.
//!
//! ```text
//! link type ─> Ethernet ─> VLAN ... ─> IPv4 ─> TCP, UDP, ICMP
//!              cooked                  IPv6 ─> extension headers ... ─> TCP, UDP, ICMPv6
//!              loopback                        fragment ─> (put together) ─> ...
//!              raw IP                  ARP
//! ```
//!
//! A loop and not a recursion, so that no packet can make it deep: each turn adds at least one
//! layer, and there are at most [`Layers::MOST`].

use std::net::IpAddr;
use std::time::Duration;

use super::fragments::{Fragments, Key, Piece};
use super::rest::Rest;
use super::{Layer, Layers, Malformed, Why};
use super::{arp, icmp, ip, ip6, link, tcp, udp};

/// What comes next, and what names it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Next<'a> {
    /// An Ethernet type names it.
    Type(u16, Rest<'a>),
    /// An IP protocol number does.
    Protocol(u8, Rest<'a>),
    /// The same, in an IPv6 packet, where it may be an extension header.
    Extension(u8, Rest<'a>),
    /// An IP packet of either version: its first four bits name it.
    Ip(Rest<'a>),
    /// Bytes that nobody here reads.
    Data(Rest<'a>),
    /// Nothing: the last header holds its own payload.
    End,
}

/// What the headers so far say of those behind them.
pub(super) struct Walk<'w, 'a> {
    pub layers: &'w mut Layers<'a>,
    /// Where fragments wait for each other. Lent once a packet: what is put together is a part of
    /// the packet's layers from there on, so a fragment within it stays one.
    pub fragments: Option<&'a mut Fragments>,
    /// The time of the packet: fragments wait only so long.
    pub time: Duration,
    /// Whether checksums of IPv4, TCP and UDP are verified. (ICMP's always are, as tshark does.)
    pub checksums: bool,
    /// Whether this is a packet that an error quotes: it is not all there, and that is right.
    pub quoted: bool,
    /// Sender and receiver by the innermost IP header: a part of checksums, and of conversations.
    pub ends: Option<(IpAddr, IpAddr)>,
    /// Whether this is the first fragment of a packet that was not put together.
    pub fragmented: bool,
    /// Whether a checksum behind cannot be verified, as it is over a receiver's address that the
    /// packet will have later.
    pub unverifiable: bool,
}

impl<'a> Walk<'_, 'a> {
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
    pub fn run(&mut self, mut next: Result<Next<'a>, Malformed>) {
        loop {
            next = match next {
                Ok(Next::End) => return,
                Ok(next) => self.step(next),
                Err(malformed) if self.quoted && malformed.why == Why::Cut => return,
                Err(malformed) => return self.layers.end(malformed),
            };
        }
    }

    /// A fragment of a packet: what comes next is what the whole holds, if this was the missing
    /// piece. A first fragment is looked into if nobody puts it together; others are data.
    pub fn piece(
        &mut self,
        key: Key,
        piece: Piece<'a>,
        usable: bool,
        rest: Rest<'a>,
    ) -> Result<Next<'a>, Malformed> {
        let kept = if usable { self.fragments.take() } else { None };
        match kept {
            Some(fragments) => Ok(match fragments.add(key, piece, self.time) {
                Some((protocol, whole)) => Next::Extension(protocol, Rest::whole(whole)),
                None => Next::Data(rest),
            }),
            None if piece.offset == 0 => {
                self.fragmented = true;
                Ok(Next::Extension(piece.protocol, rest))
            }
            None => Ok(Next::Data(rest)),
        }
    }

    /// Whether all bytes that a checksum is over are here.
    pub fn can_verify(&self, message: Rest<'_>) -> bool {
        message.is_whole() && !self.fragmented && !self.unverifiable
    }

    #[inline]
    fn step(&mut self, next: Next<'a>) -> Result<Next<'a>, Malformed> {
        match next {
            Next::Type(0x0800, rest) => ip::ipv4(rest, self),
            Next::Type(0x86dd, rest) => ip6::ipv6(rest, self),
            Next::Type(0x0806, rest) => arp::arp(rest, self),
            Next::Type(0x8100 | 0x88a8 | 0x9100, rest) => link::vlan(rest, self),
            Next::Protocol(6, rest) => tcp::tcp(rest, self),
            Next::Protocol(17, rest) => udp::udp(rest, self),
            Next::Protocol(1, rest) => icmp::icmp(rest, self),
            Next::Protocol(58, rest) => icmp::icmp6(rest, self),
            Next::Protocol(4, rest) => ip::ipv4(rest, self),
            Next::Protocol(41, rest) => ip6::ipv6(rest, self),
            Next::Extension(44, rest) => ip6::fragment(rest, self),
            Next::Protocol(51, rest) => ip6::extension(51, rest, self),
            Next::Extension(kind @ (0 | 43 | 60), rest) => ip6::extension(kind, rest, self),
            Next::Extension(protocol, rest) => Ok(Next::Protocol(protocol, rest)),
            Next::Ip(rest) => match rest.bytes.first().map(|byte| byte >> 4) {
                Some(4) => ip::ipv4(rest, self),
                Some(6) => ip6::ipv6(rest, self),
                Some(version) => Err(Malformed {
                    protocol: "IP",
                    why: Why::Version(version),
                }),
                None => Err(rest.missing(1, "IP")),
            },
            Next::Type(_, rest) | Next::Protocol(_, rest) | Next::Data(rest) => {
                if !rest.bytes.is_empty() {
                    self.push("Data", Layer::Data(rest.bytes))?;
                }
                Ok(Next::End)
            }
            Next::End => Ok(Next::End),
        }
    }
}
