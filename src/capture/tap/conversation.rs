//! Packets for the bytes that a relay passed on: what a capture between client and target would
//! show without the relay. Pure.
//!
//! The relay sees reads and writes, not segments, so the segments are made up: a handshake; the
//! bytes in segments of at most an MSS; an acknowledgment for every second one and for the last
//! (RFC 9293 §3.8.6.3); a FIN when a side ends its direction; a RST when the connection was reset.
//! Numbers and checksums are right, and the order is that of the calls, so Wireshark, which
//! recomputes all of it, finds no fault. The relay cannot know losses, retransmissions, windows and
//! round-trip times, so these are *not* shown.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::headers::{self, Segment};
use crate::capture::decode::TcpFlags;
use crate::capture::flow::{Direction, Ends};
use crate::capture::packet::{LinkType, Packet};
use crate::server::mix;

/// Payload of a segment: 1,500 bytes of Ethernet less both headers.
const MSS_IPV4: u16 = 1460;
const MSS_IPV6: u16 = 1440;
/// A window that is never full: at most two segments are unacknowledged.
const WINDOW: u16 = 65_535;
/// The port of a made-up target: reserved at IANA, so no protocol is recognized by it.
pub const MADE_UP_TARGET: u16 = 49_151;
/// The first made-up port of a client, and how many there are (RFC 6335 §6: dynamic ports).
const FIRST_CLIENT: u16 = 49_152;
const CLIENTS: u64 = 16_384;

/// The function to which the packets are passed.
pub type Emit<'e> = &'e mut dyn FnMut(Packet<'_>);

/// The addresses of connection `number` in its packets. An end on a Unix socket, without an IP
/// address, gets one on loopback: a target port 49151, clients the ports from 49152 on in rotation.
pub fn ends(client: Option<SocketAddr>, target: Option<SocketAddr>, number: u64) -> Ends {
    let beside = |other: Option<SocketAddr>, port| {
        let ip = match other {
            Some(SocketAddr::V6(_)) => IpAddr::V6(Ipv6Addr::LOCALHOST),
            _ => IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        SocketAddr::new(ip, port)
    };
    let turn = (number % CLIENTS) as u16;
    headers::ends(
        client.unwrap_or_else(|| beside(target, FIRST_CLIENT + turn)),
        target.unwrap_or_else(|| beside(client, MADE_UP_TARGET)),
    )
}

/// One side of a connection, as a sender.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    /// The sequence number of its next byte.
    next: u32,
    /// The identification of its last packet.
    id: u16,
    ended: bool,
}

/// A TCP connection whose packets are made up.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// From the client to the target.
    ends: Ends,
    client: Side,
    target: Side,
    reset: bool,
    /// The packet under construction; kept to reuse its memory.
    packet: Vec<u8>,
}

impl Conversation {
    /// A connection before its handshake. `seed` decides the initial sequence numbers; connections
    /// between the same ends should have different ones.
    pub fn new(ends: Ends, seed: u64) -> Self {
        let first = |salt: u64| Side {
            next: (mix(seed ^ salt) >> 32) as u32,
            ..Side::default()
        };
        Self {
            ends,
            client: first(1),
            target: first(2),
            reset: false,
            packet: Vec::new(),
        }
    }

    /// The handshake.
    pub fn open(&mut self, time: Duration, emit: Emit<'_>) {
        self.send(time, Direction::Forward, TcpFlags::SYN, &[], emit);
        let both = TcpFlags::SYN | TcpFlags::ACK;
        self.send(time, Direction::Back, both, &[], emit);
        self.acknowledge(time, Direction::Forward, emit);
    }

    /// A SYN that is answered only by a reset: the target was not reached.
    pub fn refuse(&mut self, time: Duration, emit: Emit<'_>) {
        self.send(time, Direction::Forward, TcpFlags::SYN, &[], emit);
        self.target.next = 0; // RFC 9293 §3.10.7.1: to a segment without ACK, a reset numbered 0
        self.reset(time, Direction::Back, emit);
    }

    /// Bytes in this direction, and their acknowledgments.
    pub fn data(&mut self, time: Duration, way: Direction, bytes: &[u8], emit: Emit<'_>) {
        let mss = usize::from(self.mss());
        let mut segments = bytes.chunks(mss).enumerate().peekable();
        while let Some((number, segment)) = segments.next() {
            let is_last = segments.peek().is_none();
            let push = if is_last { TcpFlags::PSH } else { 0 };
            self.send(time, way, TcpFlags::ACK | push, segment, emit);
            if is_last || number % 2 == 1 {
                self.acknowledge(time, other(way), emit);
            }
        }
    }

    /// The end of this direction: a FIN, and its acknowledgment. The other direction goes on.
    pub fn end(&mut self, time: Duration, way: Direction, emit: Emit<'_>) {
        if self.sender(way).ended {
            return;
        }
        let flags = TcpFlags::FIN | TcpFlags::ACK;
        self.send(time, way, flags, &[], emit);
        self.sender(way).ended = true;
        self.acknowledge(time, other(way), emit);
    }

    /// The sender of this direction has reset the connection; nothing follows.
    pub fn reset(&mut self, time: Duration, way: Direction, emit: Emit<'_>) {
        self.send(time, way, TcpFlags::RST | TcpFlags::ACK, &[], emit);
        self.reset = true;
    }

    fn acknowledge(&mut self, time: Duration, way: Direction, emit: Emit<'_>) {
        self.send(time, way, TcpFlags::ACK, &[], emit);
    }

    /// One segment; SYN and FIN count as a byte each (RFC 9293 §3.4).
    fn send(&mut self, time: Duration, way: Direction, flags: u16, bytes: &[u8], emit: Emit<'_>) {
        if self.reset {
            return;
        }
        let is_syn = flags & TcpFlags::SYN != 0;
        let head = Segment {
            sequence: self.sender(way).next,
            acknowledgment: match flags & TcpFlags::ACK {
                0 => 0,
                _ => self.sender(other(way)).next,
            },
            flags,
            window: if flags & TcpFlags::RST == 0 {
                WINDOW
            } else {
                0
            },
            mss: is_syn.then(|| self.mss()),
        };
        let ends = match way {
            Direction::Forward => self.ends,
            Direction::Back => self.ends.reversed(),
        };
        let counted = u32::from(is_syn) + u32::from(flags & TcpFlags::FIN != 0);
        let side = self.sender(way);
        side.next = side.next.wrapping_add(counted + bytes.len() as u32);
        side.id = side.id.wrapping_add(1);
        let id = side.id;
        headers::tcp(&mut self.packet, &ends, id, &head, bytes);
        emit(Packet::whole(time, LinkType::RAW, &self.packet));
    }

    fn sender(&mut self, way: Direction) -> &mut Side {
        match way {
            Direction::Forward => &mut self.client,
            Direction::Back => &mut self.target,
        }
    }

    fn mss(&self) -> u16 {
        match self.ends.source.0 {
            IpAddr::V4(_) => MSS_IPV4,
            IpAddr::V6(_) => MSS_IPV6,
        }
    }
}

/// Datagrams between a client and the target.
#[derive(Clone, Debug)]
pub struct Datagrams {
    ends: Ends,
    /// The identifications of the last packets of client and target.
    client: u16,
    target: u16,
    packet: Vec<u8>,
}

impl Datagrams {
    /// From the client to the target of these ends.
    pub fn new(ends: Ends) -> Self {
        Self {
            ends,
            client: 0,
            target: 0,
            packet: Vec::new(),
        }
    }

    /// A datagram in this direction. If no IP packet can carry it (from a Unix socket), its first
    /// 65,507 bytes.
    pub fn datagram(&mut self, time: Duration, way: Direction, bytes: &[u8], emit: Emit<'_>) {
        let (ends, id) = match way {
            Direction::Forward => (self.ends, &mut self.client),
            Direction::Back => (self.ends.reversed(), &mut self.target),
        };
        *id = id.wrapping_add(1);
        headers::udp(&mut self.packet, &ends, *id, bytes);
        emit(Packet::whole(time, LinkType::RAW, &self.packet));
    }
}

/// The other direction.
pub(super) fn other(way: Direction) -> Direction {
    match way {
        Direction::Forward => Direction::Back,
        Direction::Back => Direction::Forward,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet's flags, numbers and length, read at the offsets of the RFC.
    #[derive(Debug, PartialEq)]
    struct Seen {
        forward: bool,
        flags: u16,
        sequence: u32,
        acknowledgment: u32,
        payload: Vec<u8>,
    }

    struct Made(Vec<Seen>);

    impl Made {
        fn see(&mut self, packet: Packet<'_>) {
            let tcp = &packet.bytes[20..];
            let number = |at: usize| u32::from_be_bytes(tcp[at..at + 4].try_into().unwrap());
            let header = usize::from(tcp[12] >> 4) * 4;
            self.0.push(Seen {
                forward: tcp[0..2] == 40_000_u16.to_be_bytes(),
                flags: u16::from(tcp[13]),
                sequence: number(4),
                acknowledgment: number(8),
                payload: tcp[header..].to_vec(),
            });
        }
    }

    fn conversation(seed: u64) -> Conversation {
        let client = Some("127.0.0.1:40000".parse().unwrap());
        let target = Some("127.0.0.1:80".parse().unwrap());
        Conversation::new(ends(client, target, 0), seed)
    }

    /// Relative numbers, as Wireshark shows them, one line a packet.
    fn shown(made: &Made) -> Vec<String> {
        let base = |forward| {
            let first = made.0.iter().find(|seen| seen.forward == forward);
            first.map_or(0, |seen| seen.sequence)
        };
        let line = |seen: &Seen| {
            let arrow = if seen.forward { '>' } else { '<' };
            let sequence = seen.sequence.wrapping_sub(base(seen.forward));
            let acknowledged = seen.acknowledgment.wrapping_sub(base(!seen.forward));
            let acknowledged = if seen.flags & 0x10 == 0 {
                0
            } else {
                acknowledged
            };
            let (flags, length) = (seen.flags, seen.payload.len());
            format!("{arrow} {flags:02x} {sequence} {acknowledged} {length}")
        };
        made.0.iter().map(line).collect()
    }

    #[test]
    fn a_request_and_its_answer_with_half_closes_are_numbered_as_tcp_numbers_them() {
        let (mut tcp, mut made, now) = (conversation(3), Made(Vec::new()), Duration::ZERO);
        let emit: Emit<'_> = &mut |packet| made.see(packet);
        tcp.open(now, emit);
        tcp.data(now, Direction::Forward, b"hello", emit);
        tcp.end(now, Direction::Forward, emit);
        tcp.data(now, Direction::Back, &[1; 3000], emit);
        tcp.end(now, Direction::Back, emit);
        tcp.end(now, Direction::Back, emit); // has ended already
        let expected = [
            "> 02 0 0 0",
            "< 12 0 1 0",
            "> 10 1 1 0", // handshake
            "> 18 1 1 5",
            "< 10 1 6 0", // the request
            "> 11 6 1 0",
            "< 10 1 7 0", // its end
            "< 10 1 7 1460",
            "< 10 1461 7 1460",
            "> 10 7 2921 0", // the answer
            "< 18 2921 7 80",
            "> 10 7 3001 0",
            "< 11 3001 7 0",
            "> 10 7 3002 0", // and its end
        ];
        assert_eq!(shown(&made), expected);
    }

    #[test]
    fn after_a_reset_there_is_nothing() {
        let (mut tcp, mut made, now) = (conversation(3), Made(Vec::new()), Duration::ZERO);
        let emit: Emit<'_> = &mut |packet| made.see(packet);
        tcp.open(now, emit);
        tcp.reset(now, Direction::Back, emit);
        tcp.data(now, Direction::Forward, b"late", emit);
        tcp.end(now, Direction::Forward, emit);
        assert_eq!(shown(&made).last().unwrap(), "< 14 1 1 0");
    }

    #[test]
    fn a_refused_connection_is_a_syn_and_a_reset_that_acknowledges_it() {
        let (mut tcp, mut made) = (conversation(3), Made(Vec::new()));
        tcp.refuse(Duration::ZERO, &mut |packet| made.see(packet));
        assert_eq!(shown(&made), ["> 02 0 0 0", "< 14 0 1 0"]);
        assert_eq!(made.0[1].sequence, 0);
    }

    #[test]
    fn numbers_go_round_at_the_end_of_32_bits() {
        let (mut tcp, mut made, now) = (conversation(3), Made(Vec::new()), Duration::ZERO);
        tcp.client.next = u32::MAX - 1;
        let emit: Emit<'_> = &mut |packet| made.see(packet);
        tcp.open(now, emit);
        tcp.data(now, Direction::Forward, &[0; 100], emit);
        assert_eq!(made.0[3].sequence, u32::MAX);
        assert_eq!(made.0[4].acknowledgment, 99);
    }

    #[test]
    fn payloads_put_together_are_the_bytes_that_passed() {
        let (mut tcp, mut made) = (conversation(9), Made(Vec::new()));
        let bytes: Vec<u8> = (0..100_000_u32)
            .map(|n| (n.wrapping_mul(n) >> 3) as u8)
            .collect();
        for part in bytes.chunks(7777) {
            let emit: Emit<'_> = &mut |packet| made.see(packet);
            tcp.data(Duration::ZERO, Direction::Back, part, emit);
        }
        let sent = made.0.iter().filter(|seen| !seen.forward);
        assert_eq!(
            sent.flat_map(|seen| seen.payload.clone())
                .collect::<Vec<_>>(),
            bytes
        );
    }

    #[test]
    fn unix_sockets_get_loopback_addresses_and_clients_different_ports() {
        let [first, second] = [0, 1].map(|number| ends(None, None, number));
        assert_eq!(first.source, (Ipv4Addr::LOCALHOST.into(), 49_152));
        assert_eq!(first.destination, (Ipv4Addr::LOCALHOST.into(), 49_151));
        assert_eq!(second.source.1, 49_153);
        assert_eq!(ends(None, None, 16_384), first);
        let beside = ends(None, Some("[::1]:80".parse().unwrap()), 0);
        assert_eq!(beside.source.0, Ipv6Addr::LOCALHOST);
    }

    #[test]
    fn a_seed_repeats_its_numbers_and_another_has_others() {
        let first = |seed| conversation(seed).client.next;
        assert_eq!(first(1), first(1));
        assert_ne!(first(1), first(2));
        assert_ne!(conversation(1).client.next, conversation(1).target.next);
    }
}
