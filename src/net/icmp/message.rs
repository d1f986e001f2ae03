//! ICMP messages as bytes: echo requests and replies, and the head of error messages.
//!
//! What this file decodes borrows from the bytes it was given. An error message carries the beginning
//! of the packet that caused it; [`packet`](super::packet) reads that.
//!
//! To add a message: 1. a variant of [`Message`]; 2. its type in both families in `types`; 3. its arm
//! in [`decode`]; 4. its vector in the tests.

use std::error::Error;
use std::fmt;

use super::checksum::checksum;
use super::problem::Problem;

/// The bytes of an ICMP message before its payload or quote.
pub const HEADER: usize = 8;

/// The largest payload of an echo request over IPv4: 65,535 less the 20 of the IP header and the 8
/// of ICMP's. (Over IPv6 it would be 20 more; nobody misses them.)
pub const MAX_PAYLOAD: usize = 65_535 - 20 - HEADER;

/// Which ICMP: the two differ in the numbers of their types, and in who computes the checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// ICMP (RFC 792).
    V4,
    /// ICMPv6 (RFC 4443).
    V6,
}

/// The types of the messages that are known here.
pub mod types {
    use super::Family;

    /// Asks for an echo.
    pub const fn echo_request(family: Family) -> u8 {
        match family {
            Family::V4 => 8,
            Family::V6 => 128,
        }
    }

    /// The answer.
    pub const fn echo_reply(family: Family) -> u8 {
        match family {
            Family::V4 => 0,
            Family::V6 => 129,
        }
    }

    /// Whether this is the type of an error message, which reports that a packet was lost. In
    /// ICMPv6 the lower half of all types are errors, and an unknown one must still be passed to
    /// the program that sent the packet (RFC 4443 §2.4).
    pub const fn is_problem(family: Family, kind: u8) -> bool {
        match family {
            Family::V4 => matches!(kind, 3 | 11 | 12),
            Family::V6 => kind < 128,
        }
    }
}

/// What an echo request and its reply have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Echo<'a> {
    /// Distinguishes one sender's requests from another's.
    pub id: u16,
    /// Counts a sender's requests.
    pub sequence: u16,
    /// Comes back as it was sent.
    pub payload: &'a [u8],
}

/// A decoded message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// Asks for an echo.
    EchoRequest(Echo<'a>),
    /// The answer to a request.
    EchoReply(Echo<'a>),
    /// Says that a packet could not be delivered, and quotes it.
    Problem {
        /// Why.
        problem: Problem,
        /// The packet from its IP header on, usually cut, perhaps padded with zeros.
        quoted: &'a [u8],
    },
    /// Anything else: redirects, neighbours, routers.
    Other {
        /// Its type.
        kind: u8,
        /// Its code.
        code: u8,
    },
}

/// Why bytes are not an ICMP message, or not an IP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IcmpError {
    /// It ends too early.
    Cut {
        /// What ends.
        what: &'static str,
        /// How many bytes it needs at least.
        needed: usize,
        /// How many there are.
        found: usize,
    },
    /// The checksum does not match the bytes.
    Checksum,
    /// An IP version that is not known here.
    Version(u8),
    /// An impossible header length.
    HeaderLength(usize),
    /// A later fragment: the beginning of its contents is missing.
    Fragment,
}

impl fmt::Display for IcmpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IcmpError::Cut {
                what,
                needed,
                found,
            } => write!(f, "{what} needs {needed} bytes, there are {found}"),
            IcmpError::Checksum => f.write_str("the checksum is wrong"),
            IcmpError::Version(version) => write!(f, "there is no IP version {version}"),
            IcmpError::HeaderLength(len) => write!(f, "an IP header has no length of {len} bytes"),
            IcmpError::Fragment => f.write_str("it is a later fragment of a packet"),
        }
    }
}

impl Error for IcmpError {}

/// The `N` bytes at an offset.
pub(super) fn field<const N: usize>(
    bytes: &[u8],
    at: usize,
    what: &'static str,
) -> Result<[u8; N], IcmpError> {
    let found = bytes.get(at..at + N).and_then(|part| part.try_into().ok());
    found.ok_or(IcmpError::Cut {
        what,
        needed: at + N,
        found: bytes.len(),
    })
}

/// An echo request, ready to be sent.
///
/// ```
/// use groundwire::net::icmp::message::{Echo, Family, encode_request};
///
/// let echo = Echo { id: 0x1234, sequence: 1, payload: b"hi" };
/// assert_eq!(
///     encode_request(Family::V4, &echo),
///     [8, 0, 0x7d, 0x61, 0x12, 0x34, 0, 1, b'h', b'i']
/// );
/// ```
pub fn encode_request(family: Family, echo: &Echo<'_>) -> Vec<u8> {
    encode(family, types::echo_request(family), echo)
}

/// ICMPv6's checksum also covers the addresses (RFC 4443 §2.3), which the kernel chooses; so it
/// computes it, and here it stays 0.
fn encode(family: Family, kind: u8, echo: &Echo<'_>) -> Vec<u8> {
    let mut bytes = vec![kind, 0, 0, 0];
    bytes.extend(echo.id.to_be_bytes());
    bytes.extend(echo.sequence.to_be_bytes());
    bytes.extend(echo.payload);
    if family == Family::V4 {
        let sum = checksum(&bytes);
        bytes[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    bytes
}

/// Reads a message. ICMP's checksum is verified; ICMPv6's has been, by the kernel.
pub fn decode(family: Family, bytes: &[u8]) -> Result<Message<'_>, IcmpError> {
    let [kind, code, _, _] = field(bytes, 0, "an ICMP message")?;
    let info = field(bytes, 4, "an ICMP message")?;
    if family == Family::V4 && checksum(bytes) != 0 {
        return Err(IcmpError::Checksum);
    }
    let rest = bytes.get(HEADER..).unwrap_or(&[]);
    if let Some(problem) = Problem::new(family, kind, code, detail(family, kind, info)) {
        return Ok(Message::Problem {
            problem,
            quoted: quote(family, kind, info, rest),
        });
    }
    match (kind, code) {
        (kind, 0) if kind == types::echo_request(family) => Ok(Message::EchoRequest(echo(bytes)?)),
        (kind, 0) if kind == types::echo_reply(family) => Ok(Message::EchoReply(echo(bytes)?)),
        _ => Ok(Message::Other { kind, code }),
    }
}

/// The MTU or the pointer in the head of an error message that has one: ICMP's pointer is the first of
/// the four bytes (RFC 792), its MTU the last two (RFC 1191 §4); ICMPv6 has four bytes for either.
fn detail(family: Family, kind: u8, info: [u8; 4]) -> u32 {
    let [first, _, high, low] = info;
    match (family, kind) {
        (Family::V4, 12) => first.into(),
        (Family::V4, _) => u16::from_be_bytes([high, low]).into(),
        (Family::V6, _) => u32::from_be_bytes(info),
    }
}

/// What an error message quotes, without the extensions that may follow. If there are any, a byte
/// of the head, otherwise 0, gives the length of the quote: in words of 4 bytes, for IPv6 of 8 (RFC
/// 4884 §4).
pub(crate) fn quote(family: Family, kind: u8, info: [u8; 4], rest: &[u8]) -> &[u8] {
    let [first, second, ..] = info;
    let len = match (family, kind) {
        (Family::V4, 3 | 11 | 12) => usize::from(second) * 4,
        (Family::V6, 1 | 3) => usize::from(first) * 8,
        _ => 0,
    };
    let quoted = rest.get(..len).filter(|quoted| !quoted.is_empty());
    quoted.unwrap_or(rest)
}

/// The echo in a message that is known to be one.
fn echo(bytes: &[u8]) -> Result<Echo<'_>, IcmpError> {
    Ok(Echo {
        id: u16::from_be_bytes(field(bytes, 4, "an echo")?),
        sequence: u16::from_be_bytes(field(bytes, 6, "an echo")?),
        payload: bytes.get(HEADER..).unwrap_or(&[]),
    })
}

/// The echo request at the beginning of a quoted body. Its checksum cannot be verified, because its
/// end is missing.
pub fn quoted_request(family: Family, bytes: &[u8]) -> Result<Option<Echo<'_>>, IcmpError> {
    let [kind, code, _, _] = field(bytes, 0, "a quoted ICMP message")?;
    let found = echo(bytes)?;
    Ok((kind == types::echo_request(family) && code == 0).then_some(found))
}

#[cfg(test)]
mod tests {
    use super::super::packet::Packet;
    use super::*;

    const BOTH: [Family; 2] = [Family::V4, Family::V6];

    /// A request as it crossed a cable, captured: 12 bytes of payload.
    const REQUEST: [u8; 20] = [
        0x08, 0x00, 0xd0, 0x89, 0xb8, 0x90, 0x00, 0x01, // head
        0x7e, 0x9d, 0x27, 0x13, 0x22, 0x44, 0x94, 0xdb, 0x08, 0x09, 0x0a, 0x0b,
    ];

    /// A router's error message about a request whose TTL was 1: head, then IP header and request.
    const TIME_EXCEEDED: [u8; 48] = [
        0x0b, 0x00, 0xf4, 0xff, 0x00, 0x00, 0x00, 0x00, // head
        0x45, 0x00, 0x00, 0x28, 0xb8, 0xc9, 0x40, 0x00, 0x01, 0x01, 0xa9, 0xf6, // IP
        0x0a, 0x09, 0x01, 0x02, 0x0a, 0x09, 0x02, 0x02, // from 10.9.1.2 to 10.9.2.2
        0x08, 0x00, 0xf2, 0xa9, 0x08, 0x68, 0x00, 0x01, // the request's head
        0xd6, 0xbf, 0x70, 0x1b, 0xab, 0xbb, 0xf8, 0x41, 0x08, 0x09, 0x0a, 0x0b,
    ];

    #[test]
    fn a_request_has_the_bytes_that_were_captured() {
        let echo = Echo {
            id: 0xb890,
            sequence: 1,
            payload: &REQUEST[8..],
        };
        assert_eq!(encode_request(Family::V4, &echo), REQUEST);
        assert_eq!(decode(Family::V4, &REQUEST), Ok(Message::EchoRequest(echo)));
    }

    #[test]
    fn a_routers_error_message_leads_back_to_the_request() {
        let Ok(Message::Problem { problem, quoted }) = decode(Family::V4, &TIME_EXCEEDED) else {
            panic!("not a problem");
        };
        assert!(problem.is_out_of_hops());
        let packet = Packet::parse(quoted).unwrap();
        assert_eq!(packet.destination.to_string(), "10.9.2.2");
        let request = packet.echo_request().unwrap();
        assert_eq!((request.id, request.sequence), (0x0868, 1));
        assert_eq!(request.payload, &TIME_EXCEEDED[36..]);
    }

    #[test]
    fn icmpv6_has_its_own_types_and_leaves_the_checksum_to_the_kernel() {
        let echo = Echo {
            id: 1,
            sequence: 2,
            payload: b"x",
        };
        assert_eq!(
            encode_request(Family::V6, &echo),
            [128, 0, 0, 0, 0, 1, 0, 2, b'x']
        );
        assert_eq!(
            encode(Family::V6, types::echo_reply(Family::V6), &echo),
            [129, 0, 0, 0, 0, 1, 0, 2, b'x']
        );
    }

    #[test]
    fn requests_and_replies_survive_the_round_trip_whatever_their_size() {
        let bytes = vec![0xa5; 3_000];
        for family in BOTH {
            for size in [0, 1, 2, 55, 56, 1_473, 3_000] {
                let echo = Echo {
                    id: 0xffff,
                    sequence: 0x8000,
                    payload: &bytes[..size],
                };
                let request = encode_request(family, &echo);
                assert_eq!(decode(family, &request), Ok(Message::EchoRequest(echo)));
                let reply = encode(family, types::echo_reply(family), &echo);
                assert_eq!(decode(family, &reply), Ok(Message::EchoReply(echo)));
            }
        }
    }

    #[test]
    fn every_cut_of_a_message_is_an_error() {
        let echo = Echo {
            id: 7,
            sequence: 9,
            payload: b"abcdef",
        };
        let v4 = encode_request(Family::V4, &echo);
        for len in 0..v4.len() {
            let error = decode(Family::V4, &v4[..len]).unwrap_err();
            match len {
                0..HEADER => assert!(matches!(error, IcmpError::Cut { .. }), "{len}: {error}"),
                _ => assert_eq!(error, IcmpError::Checksum, "{len}"),
            }
        }
        // For ICMPv6 the kernel verifies the checksum, so `decode` ignores it.
        let v6 = encode_request(Family::V6, &echo);
        for len in 0..HEADER {
            assert!(decode(Family::V6, &v6[..len]).is_err(), "{len}");
            assert!(quoted_request(Family::V6, &v6[..len]).is_err(), "{len}");
        }
    }

    #[test]
    fn a_changed_bit_is_a_wrong_checksum() {
        let echo = Echo {
            id: 7,
            sequence: 9,
            payload: b"abc",
        };
        let good = encode_request(Family::V4, &echo);
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(Family::V4, &bytes), Err(IcmpError::Checksum));
        }
    }

    #[test]
    fn an_error_message_hands_out_what_it_quotes() {
        let mut bytes = vec![3, 1, 0, 0, 0, 0, 0, 0, 0x45, 1, 2];
        let sum = checksum(&bytes);
        bytes[2..4].copy_from_slice(&sum.to_be_bytes());
        let Ok(Message::Problem { problem, quoted }) = decode(Family::V4, &bytes) else {
            panic!("not a problem");
        };
        assert_eq!(problem.to_string(), "Destination Host Unreachable");
        assert_eq!(quoted, [0x45, 1, 2]);
    }

    /// An error message: its head, 128 bytes of quote, then an extension header and an object, the
    /// labels of MPLS (RFC 4884 §7, RFC 4950).
    fn extended(head: [u8; 8]) -> Vec<u8> {
        let mut bytes = head.to_vec();
        bytes.extend([0xa5; 128]);
        bytes.extend([0x20, 0, 0xdf, 0xff, 0, 8, 1, 1, 0, 1, 1, 0xff]);
        if head[2..4] == [0; 2] {
            let sum = checksum(&bytes);
            bytes[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        bytes
    }

    fn quoted(family: Family, bytes: &[u8]) -> usize {
        match decode(family, bytes).unwrap() {
            Message::Problem { quoted, .. } => quoted.len(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn extension_objects_behind_the_quote_are_none_of_it() {
        use Family::{V4, V6};
        let whole = 128 + 12;
        for (family, head, len) in [
            (V4, [11, 0, 0, 0, 0, 32, 0, 0], 128),
            (V4, [3, 4, 0, 0, 0, 32, 5, 120], 128),
            (V4, [12, 0, 0, 0, 20, 32, 0, 0], 128),
            (V6, [3, 0, 0, 0, 16, 0, 0, 0], 128),
            (V6, [1, 4, 0, 0, 16, 0, 0, 0], 128),
            // An ICMPv6 MTU or pointer is not a length.
            (V6, [2, 0, 0, 0, 16, 0, 0, 0], whole),
            (V6, [4, 0, 0, 0, 16, 0, 0, 0], whole),
            // No length, and lengths greater than what is there.
            (V4, [11, 0, 0, 0, 0, 0, 0, 0], whole),
            (V4, [11, 0, 0, 0, 0, 36, 0, 0], whole),
            (V4, [11, 0, 0, 0, 0, 255, 0, 0], whole),
            (V6, [3, 0, 0, 0, 255, 0, 0, 0], whole),
        ] {
            assert_eq!(quoted(family, &extended(head)), len, "{family:?} {head:?}");
        }
    }

    #[test]
    fn the_length_of_the_quote_is_neither_mtu_nor_pointer() {
        for (head, words) in [
            (
                [3, 4, 0, 0, 0, 32, 5, 120],
                "Frag needed and DF set (mtu = 1400)",
            ),
            (
                [12, 0, 0, 0, 20, 32, 0, 0],
                "Parameter problem: pointer = 20",
            ),
        ] {
            match decode(Family::V4, &extended(head)).unwrap() {
                Message::Problem { problem, .. } => assert_eq!(problem.to_string(), words),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn other_types_and_codes_are_neither_echo_nor_error() {
        for family in BOTH {
            for (kind, code) in [
                (5, 0),
                (13, 0),
                (8, 1),
                (0, 1),
                (128, 9),
                (135, 0),
                (255, 255),
            ] {
                if types::is_problem(family, kind) {
                    continue; // ICMPv6 has error messages only below 128
                }
                let mut bytes = vec![kind, code, 0, 0, 0, 0, 0, 0];
                let sum = checksum(&bytes);
                bytes[2..4].copy_from_slice(&sum.to_be_bytes());
                assert_eq!(decode(family, &bytes), Ok(Message::Other { kind, code }));
            }
        }
    }

    #[test]
    fn a_quoted_request_may_have_lost_its_end_but_not_its_head() {
        let quoted = quoted_request(Family::V4, &REQUEST[..12]).unwrap().unwrap();
        assert_eq!((quoted.id, quoted.sequence), (0xb890, 1));
        assert_eq!(quoted.payload, &REQUEST[8..12]);
        let reply = [0, 0, 0, 0, 0, 1, 0, 1];
        assert_eq!(quoted_request(Family::V4, &reply), Ok(None));
    }

    #[test]
    fn errors_say_what_is_missing() {
        let cut = decode(Family::V4, &[8, 0]).unwrap_err();
        assert_eq!(
            cut.to_string(),
            "an ICMP message needs 4 bytes, there are 2"
        );
    }
}
