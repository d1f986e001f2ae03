//! IP packets, as a raw socket receives them and as error messages quote them: the header, checked,
//! and what it carries.
//!
//! ```text
//! IPv4    0              8            9          10         12       16            20
//!         version, ihl.. | ttl       | protocol | checksum | source | destination | options, body
//! IPv6    0              4            6           7           8        24            40
//!         version ...    | length    | next      | hop limit | source | destination | body
//! ```
//!
//! (RFC 791 §3.1, RFC 8200 §3.) An error message may quote as little as the header and 8 bytes of
//! the body (RFC 792), so a body that is shorter than the header's length field says is no error
//! here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::message::{Echo, Family, IcmpError, field, quoted_request};

/// The protocol numbers of ICMP and ICMPv6.
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// An IP packet, perhaps cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its sender.
    pub source: IpAddr,
    /// Its receiver.
    pub destination: IpAddr,
    /// How many more routers it could have passed (TTL, hop limit).
    pub ttl: u8,
    /// The protocol number of its body.
    pub protocol: u8,
    /// What it carries, as far as it is there.
    pub body: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a packet of either version.
    pub fn parse(bytes: &'a [u8]) -> Result<Packet<'a>, IcmpError> {
        let [first] = field(bytes, 0, "an IP packet")?;
        match first >> 4 {
            4 => Packet::parse_v4(bytes),
            6 => Packet::parse_v6(bytes),
            version => Err(IcmpError::Version(version)),
        }
    }

    fn parse_v4(bytes: &'a [u8]) -> Result<Packet<'a>, IcmpError> {
        const WHAT: &str = "an IPv4 header";
        let [first, _, total_high, total_low] = field(bytes, 0, WHAT)?;
        let fragment = u16::from_be_bytes(field(bytes, 6, WHAT)?);
        let [ttl, protocol] = field(bytes, 8, WHAT)?;
        let source: [u8; 4] = field(bytes, 12, WHAT)?;
        let destination: [u8; 4] = field(bytes, 16, WHAT)?;
        let header = usize::from(first & 0x0f) * 4;
        let total = usize::from(u16::from_be_bytes([total_high, total_low]));
        if header < 20 || total < header {
            return Err(IcmpError::HeaderLength(header));
        }
        if fragment & 0x1fff != 0 {
            return Err(IcmpError::Fragment);
        }
        let body = bytes.get(header..).ok_or(IcmpError::Cut {
            what: WHAT,
            needed: header,
            found: bytes.len(),
        })?;
        Ok(Packet {
            source: Ipv4Addr::from(source).into(),
            destination: Ipv4Addr::from(destination).into(),
            ttl,
            protocol,
            body: body.get(..total - header).unwrap_or(body),
        })
    }

    fn parse_v6(bytes: &'a [u8]) -> Result<Packet<'a>, IcmpError> {
        const WHAT: &str = "an IPv6 header";
        let len = usize::from(u16::from_be_bytes(field(bytes, 4, WHAT)?));
        let [next, hops] = field(bytes, 6, WHAT)?;
        let source: [u8; 16] = field(bytes, 8, WHAT)?;
        let destination: [u8; 16] = field(bytes, 24, WHAT)?;
        let body = bytes.get(40..).unwrap_or(&[]);
        let body = body.get(..len).unwrap_or(body);
        let (protocol, body) = after_extensions(next, body)?;
        Ok(Packet {
            source: Ipv6Addr::from(source).into(),
            destination: Ipv6Addr::from(destination).into(),
            ttl: hops,
            protocol,
            body,
        })
    }

    /// The echo request that it carries, if it carries one: what an error message is about.
    pub fn echo_request(&self) -> Option<Echo<'a>> {
        let family = match (self.source, self.protocol) {
            (IpAddr::V4(_), ICMP) => Family::V4,
            (IpAddr::V6(_), ICMPV6) => Family::V6,
            _ => return None,
        };
        quoted_request(family, self.body).ok()?
    }
}

/// Steps over the extension headers of IPv6 (RFC 8200 §4): hop-by-hop options, routing, destination
/// options, a first fragment. Each step takes 8 bytes or more, so the loop ends.
fn after_extensions(mut next: u8, mut body: &[u8]) -> Result<(u8, &[u8]), IcmpError> {
    const WHAT: &str = "an IPv6 extension header";
    loop {
        let len = match next {
            0 | 43 | 60 => {
                let [_, len] = field(body, 0, WHAT)?;
                (usize::from(len) + 1) * 8
            }
            44 => {
                let offset = u16::from_be_bytes(field(body, 2, WHAT)?);
                if offset & 0xfff8 != 0 {
                    return Err(IcmpError::Fragment);
                }
                8
            }
            _ => return Ok((next, body)),
        };
        let [following] = field(body, 0, WHAT)?;
        body = body.get(len..).ok_or(IcmpError::Cut {
            what: WHAT,
            needed: len,
            found: body.len(),
        })?;
        next = following;
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::generate::Seeded;
    use super::super::message::decode;
    use super::*;

    /// An echo request from 10.0.0.2 to 192.0.2.9, as an error message quotes it.
    const V4: [u8; 32] = [
        0x45, 0, 0, 84, 0xab, 0xcd, 0x40, 0, 1, 1, 0, 0, 10, 0, 0, 2, 192, 0, 2, 9, // IP
        8, 0, 0x12, 0x34, 0x05, 0xcd, 0, 7, 1, 2, 3, 4, // ICMP
    ];

    fn v6(next: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x60, 0, 0, 0, 0, body.len() as u8, next, 64];
        bytes.extend("fd00::1".parse::<Ipv6Addr>().unwrap().octets());
        bytes.extend("fd00::2".parse::<Ipv6Addr>().unwrap().octets());
        bytes.extend(body);
        bytes
    }

    const ECHO: [u8; 10] = [128, 0, 0, 0, 0, 5, 0, 6, 0xaa, 0xbb];

    #[test]
    fn a_quoted_ipv4_packet_tells_the_request_it_was() {
        let packet = Packet::parse(&V4).unwrap();
        assert_eq!(packet.source.to_string(), "10.0.0.2");
        assert_eq!(packet.destination.to_string(), "192.0.2.9");
        assert_eq!((packet.ttl, packet.protocol), (1, 1));
        let echo = packet.echo_request().unwrap();
        assert_eq!((echo.id, echo.sequence), (0x05cd, 7));
        assert_eq!(echo.payload, [1, 2, 3, 4]);
    }

    #[test]
    fn options_of_ipv4_are_stepped_over() {
        let mut bytes = V4.to_vec();
        bytes[0] = 0x47;
        bytes.splice(20..20, [7; 8]);
        let echo = Packet::parse(&bytes).unwrap().echo_request().unwrap();
        assert_eq!(echo.sequence, 7);
    }

    #[test]
    fn bytes_behind_the_length_of_the_packet_do_not_count() {
        let mut bytes = V4.to_vec();
        bytes[3] = 30;
        assert_eq!(Packet::parse(&bytes).unwrap().body.len(), 10);
        let mut bytes = v6(58, &ECHO);
        bytes.extend([9; 5]);
        assert_eq!(Packet::parse(&bytes).unwrap().body, ECHO);
    }

    #[test]
    fn every_cut_of_a_packet_is_an_error_or_has_no_request() {
        for len in 0..28 {
            let request = Packet::parse(&V4[..len]).map(|packet| packet.echo_request());
            assert!(matches!(request, Err(_) | Ok(None)), "{len}: {request:?}");
            assert_eq!(request.is_err(), len < 20, "{len}");
        }
        let whole = v6(58, &ECHO);
        for len in 0..48 {
            let request = Packet::parse(&whole[..len]).map(|packet| packet.echo_request());
            assert!(matches!(request, Err(_) | Ok(None)), "{len}: {request:?}");
            assert_eq!(request.is_err(), len < 40, "{len}");
        }
    }

    #[test]
    fn lengths_that_cannot_be_are_refused() {
        for (at, value) in [(0, 0x44), (0, 0x40), (3, 19)] {
            let mut bytes = V4.to_vec();
            bytes[at] = value;
            let error = Packet::parse(&bytes).unwrap_err();
            assert!(matches!(error, IcmpError::HeaderLength(_)), "{error}");
        }
        let mut bytes = V4.to_vec();
        bytes[0] = 0x4f; // a header of 60 bytes, of which 32 are there
        assert!(matches!(
            Packet::parse(&bytes),
            Err(IcmpError::Cut { needed: 60, .. })
        ));
        assert_eq!(Packet::parse(&[0x50; 40]), Err(IcmpError::Version(5)));
    }

    #[test]
    fn a_later_fragment_has_no_icmp_header() {
        let mut bytes = V4.to_vec();
        bytes[7] = 1;
        assert_eq!(Packet::parse(&bytes), Err(IcmpError::Fragment));
        let mut body = vec![58, 0, 0, 8, 0, 0, 0, 1];
        body.extend(ECHO);
        assert_eq!(Packet::parse(&v6(44, &body)), Err(IcmpError::Fragment));
    }

    #[test]
    fn extension_headers_lead_to_the_request_and_a_cut_one_is_an_error() {
        let mut body = vec![44, 0, 1, 4, 0, 0, 0, 0]; // hop by hop, then a first fragment
        body.extend([58, 0, 0, 1, 0, 0, 0, 1]);
        body.extend(ECHO);
        let bytes = v6(0, &body);
        let echo = Packet::parse(&bytes).unwrap().echo_request().unwrap();
        assert_eq!((echo.id, echo.sequence), (5, 6));
        for len in 40..56 {
            let found = Packet::parse(&bytes[..len]);
            assert!(matches!(found, Err(IcmpError::Cut { .. })), "{len}");
        }
        let long = v6(0, &[58, 255, 0, 0, 0, 0, 0, 0]);
        assert!(matches!(
            Packet::parse(&long),
            Err(IcmpError::Cut { needed: 2_048, .. })
        ));
    }

    #[test]
    fn random_changes_never_panic_and_never_make_more_than_there_is() {
        let mut random = Seeded::new(8_200);
        let mut body = vec![43, 0, 1, 4, 0, 0, 0, 0];
        body.extend([58, 0, 0, 1, 0, 0, 0, 1]);
        body.extend(ECHO);
        let good = [V4.to_vec(), v6(58, &ECHO), v6(0, &body)];
        for _ in 0..20_000 {
            let mut bytes = good[random.below(good.len())].clone();
            for _ in 0..1 + random.below(4) {
                let at = random.below(bytes.len());
                bytes[at] = random.next() as u8;
            }
            bytes.truncate(random.below(bytes.len()) + 1);
            if let Ok(packet) = Packet::parse(&bytes) {
                assert!(packet.body.len() < bytes.len());
                let _ = packet.echo_request();
            }
            for family in [Family::V4, Family::V6] {
                let _ = decode(family, &bytes);
            }
        }
    }

    #[test]
    fn another_protocols_packet_has_no_request() {
        let mut bytes = V4.to_vec();
        bytes[9] = 17;
        assert_eq!(Packet::parse(&bytes).unwrap().echo_request(), None);
        let bytes = v6(1, &ECHO);
        assert_eq!(Packet::parse(&bytes).unwrap().echo_request(), None);
    }
}
