//! IP, TCP and UDP headers around a payload, with right lengths and checksums. Pure.
//!
//! The packets begin with the IP header ([`LinkType::RAW`](crate::capture::LinkType::RAW)), so no
//! Ethernet header is needed. Sources: RFC 791 §3.1, RFC 8200 §3 and §8.1, RFC 9293 §3.1, RFC 768.

use std::net::{IpAddr, SocketAddr};

use crate::capture::decode::checksum::Sum;
use crate::capture::flow::Ends;
use crate::net::ip::in_one_family;

/// The largest payload of a made-up datagram, in bytes, as over IPv4: 65,535 less both headers.
pub const MOST: usize = 65_507;
/// Protocol numbers of IP.
const TCP: u8 = 6;
const UDP: u8 = 17;
/// How many routers the packet could pass: the initial value of most systems.
const TTL: u8 = 64;
/// IPv4 flags: don't fragment.
const DONT_FRAGMENT: u16 = 0x4000;

/// The numbers of a TCP header that change from segment to segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub sequence: u32,
    pub acknowledgment: u32,
    /// The bits of [`TcpFlags`](crate::capture::decode::TcpFlags).
    pub flags: u16,
    pub window: u16,
    /// The MSS option (RFC 9293 §3.7.1), for a SYN.
    pub mss: Option<u16>,
}

/// The two ends in the form that one packet can have: of one family, with IPv4 peers of an IPv6
/// socket as IPv4.
pub(super) fn ends(client: SocketAddr, target: SocketAddr) -> Ends {
    let (from, to) = in_one_family(client.ip(), target.ip());
    Ends {
        source: (from, client.port()),
        destination: (to, target.port()),
    }
}

/// Writes a TCP segment to `out`, in place of its content.
pub(super) fn tcp(out: &mut Vec<u8>, ends: &Ends, id: u16, head: &Segment, payload: &[u8]) {
    // The header's length in words of 4 bytes.
    let words: u16 = if head.mss.is_some() { 6 } else { 5 };
    ip(out, ends, TCP, id, usize::from(words) * 4 + payload.len());
    let begin = out.len();
    out.extend(ends.source.1.to_be_bytes());
    out.extend(ends.destination.1.to_be_bytes());
    out.extend(head.sequence.to_be_bytes());
    out.extend(head.acknowledgment.to_be_bytes());
    out.extend(((words << 12) | head.flags).to_be_bytes());
    out.extend(head.window.to_be_bytes());
    out.extend([0; 4]); // checksum, urgent pointer
    if let Some(mss) = head.mss {
        out.extend([2, 4]); // kind and length of the option
        out.extend(mss.to_be_bytes());
    }
    out.extend_from_slice(payload);
    let sum = checksum(ends, TCP, out.get(begin..).unwrap_or_default());
    put(out, begin + 16, sum);
}

/// Writes a datagram to `out`, in place of its content; a payload longer than [`MOST`] loses its
/// end.
pub(super) fn udp(out: &mut Vec<u8>, ends: &Ends, id: u16, payload: &[u8]) {
    let payload = payload.get(..MOST).unwrap_or(payload);
    let length = 8 + payload.len();
    ip(out, ends, UDP, id, length);
    let begin = out.len();
    out.extend(ends.source.1.to_be_bytes());
    out.extend(ends.destination.1.to_be_bytes());
    out.extend((length as u16).to_be_bytes());
    out.extend([0; 2]);
    out.extend_from_slice(payload);
    let sum = checksum(ends, UDP, out.get(begin..).unwrap_or_default());
    // 0 would mean that there is no checksum (RFC 768); all ones is the same number.
    put(out, begin + 6, if sum == 0 { 0xffff } else { sum });
}

/// Starts a packet whose payload has `length` bytes, at most [`MOST`] and a UDP header.
fn ip(out: &mut Vec<u8>, ends: &Ends, protocol: u8, id: u16, length: usize) {
    out.clear();
    match (ends.source.0, ends.destination.0) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            out.extend([0x45, 0]); // version and header length in words; service
            out.extend(((20 + length) as u16).to_be_bytes());
            out.extend(id.to_be_bytes());
            out.extend(DONT_FRAGMENT.to_be_bytes());
            out.extend([TTL, protocol, 0, 0]);
            out.extend(from.octets());
            out.extend(to.octets());
            let sum = Sum::default().with(out).finish();
            put(out, 10, sum);
        }
        (from, to) => {
            out.extend([0x60, 0, 0, 0]); // version, class, flow label
            out.extend((length as u16).to_be_bytes());
            out.extend([protocol, TTL]);
            for address in [from, to] {
                out.extend(match address {
                    IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
                    IpAddr::V6(v6) => v6.octets(),
                });
            }
        }
    }
}

/// The checksum of a TCP or UDP header with its payload.
fn checksum(ends: &Ends, protocol: u8, bytes: &[u8]) -> u16 {
    let between = (ends.source.0, ends.destination.0);
    Sum::default()
        .with_pseudo_header(between, protocol, bytes.len())
        .with(bytes)
        .finish()
}

/// Writes two bytes over others.
fn put(out: &mut [u8], at: usize, value: u16) {
    if let Some(place) = out.get_mut(at..at + 2) {
        place.copy_from_slice(&value.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::icmp::checksum::checksum as independent;

    fn some(ends: &Ends, payload: &[u8]) -> [Vec<u8>; 2] {
        let head = Segment {
            sequence: 0xfedc_ba98,
            acknowledgment: 7,
            flags: 0x18,
            window: 500,
            mss: None,
        };
        let mut made = [Vec::new(), Vec::new()];
        tcp(&mut made[0], ends, 9, &head, payload);
        udp(&mut made[1], ends, 9, payload);
        made
    }

    fn between(client: &str, target: &str) -> Ends {
        ends(client.parse().unwrap(), target.parse().unwrap())
    }

    /// Addresses, zero, protocol and length as the RFCs draw them, then the rest of the packet.
    fn pseudo(packet: &[u8]) -> Vec<u8> {
        let (addresses, protocol, rest) = match packet[0] >> 4 {
            4 => (&packet[12..20], packet[9], &packet[20..]),
            _ => (&packet[8..40], packet[6], &packet[40..]),
        };
        let mut whole = addresses.to_vec();
        whole.extend([0, 0]);
        whole.extend((rest.len() as u16).to_be_bytes());
        whole.extend([0, 0, 0, protocol]);
        whole.extend_from_slice(rest);
        whole
    }

    #[test]
    fn checksums_are_right_by_another_way_of_adding() {
        let both = [
            between("10.1.2.3:40000", "192.0.2.255:53"),
            between("[2001:db8::1]:40000", "[fe80::ffff]:53"),
        ];
        let bytes: Vec<u8> = (0..3000).map(|n| (n * 7 % 256) as u8).collect();
        for ends in &both {
            for length in (0..70).chain([1459, 1460, 3000]) {
                for packet in some(ends, &bytes[..length]) {
                    assert_eq!(independent(&pseudo(&packet)), 0, "{ends:?} {length}");
                    if packet[0] >> 4 == 4 {
                        assert_eq!(independent(&packet[..20]), 0);
                        assert_eq!(packet[2..4], (packet.len() as u16).to_be_bytes());
                    }
                }
            }
        }
    }

    #[test]
    fn a_udp_checksum_of_zero_is_written_as_all_ones() {
        let ends = between("127.0.0.1:1", "127.0.0.1:2");
        let sum = |payload: [u8; 2]| {
            let [_, packet] = some(&ends, &payload);
            u16::from_be_bytes([packet[26], packet[27]])
        };
        let without = sum([0, 0]);
        assert_eq!(sum(without.to_be_bytes()), 0xffff);
    }

    #[test]
    fn ends_of_two_families_become_one_and_a_mapped_peer_is_what_it_is() {
        let mixed = between("127.0.0.1:1", "[::1]:2");
        assert_eq!(mixed.source.0.to_string(), "::ffff:127.0.0.1");
        let mapped = between("[::ffff:10.0.0.1]:1", "10.0.0.2:2");
        assert_eq!(mapped.source.0.to_string(), "10.0.0.1");
    }

    #[test]
    fn a_datagram_too_long_for_ip_loses_its_end() {
        let ends = between("127.0.0.1:1", "127.0.0.1:2");
        let [_, packet] = some(&ends, &[7; 1000]);
        assert_eq!(packet.len(), 1028);
        let mut packet = Vec::new();
        udp(&mut packet, &ends, 1, &vec![7; 100_000]);
        assert_eq!(packet.len(), 65_535);
        assert_eq!(independent(&pseudo(&packet)), 0);
    }
}
