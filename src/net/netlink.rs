//! The kernel's messages about its interfaces (`rtnetlink(7)`), as pure code over bytes.
//!
//! A question is one message. The answer to "all of them" (a *dump*) is many messages, several in a
//! datagram, the last of type `DONE`. All numbers are in the machine's byte order, and every
//! message and attribute begins at a multiple of 4:
//!
//! ```text
//! message     length (4) | type (2) | flags (2) | sequence (4) | port (4) | body, to `length`
//! body        a fixed head by type (a link's 16 bytes, an address's 8), then attributes
//! attribute   length (2) | type (2) | value, to `length` | filling to a multiple of 4
//! ```
//!
//! Every length is compared with the bytes that are there before it is used. Attributes of unknown
//! type or of unexpected size are skipped: newer kernels add both.
//!
//! To read one more attribute: 1. its number below; 2. its arm in `link` or `address`; 3. a field
//! of [`Interface`]; 4. a row in the tests.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::interface::{Counters, Flags, HardwareAddress, Interface, InterfaceAddress};

/// Message types (`linux/netlink.h`, `linux/rtnetlink.h`).
const ERROR: u16 = 2;
const DONE: u16 = 3;
const NEW_LINK: u16 = 16;
const GET_LINK: u16 = 18;
const NEW_ADDRESS: u16 = 20;
const GET_ADDRESS: u16 = 22;

/// Flags of messages: a question; a question for everything; "changed while I was listing it".
const REQUEST: u16 = 1;
const DUMP: u16 = 0x300;
const INTERRUPTED: u16 = 0x10;

/// Attributes of links and of addresses (`linux/if_link.h`, `linux/if_addr.h`).
const LINK_ADDRESS: u16 = 1;
const LINK_NAME: u16 = 3;
const LINK_MTU: u16 = 4;
const LINK_STATISTICS: u16 = 23;
const LINK_EXTENDED_MASK: u16 = 29;
const ADDRESS_ADDRESS: u16 = 1;
const ADDRESS_LOCAL: u16 = 2;
const ADDRESS_BROADCAST: u16 = 4;

/// The bits of an attribute's type without the upper two, which describe its value.
const TYPE_MASK: u16 = 0x3fff;

const MESSAGE_HEAD: usize = 16;
const LINK_HEAD: usize = 16;
const ADDRESS_HEAD: usize = 8;

/// The kernel's address families (`bits/socket.h`).
const INET: u8 = 2;
const INET6: u8 = 10;

/// What to list beyond the usual (`RTEXT_FILTER_*`). With any bit set, datagrams are as long as the
/// longest link message. Without one, the kernel silently omits a link with more than 32 KiB to
/// list (hundreds of alternative names). This bit is about bridges and adds nothing here.
const EXTENDED: u32 = 1 << 4;

/// What to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// All interfaces.
    Links,
    /// All addresses.
    Addresses,
}

/// The question as a message. The answer carries the same sequence number.
pub fn question(question: Question, sequence: u32) -> Vec<u8> {
    let (kind, mut body) = match question {
        Question::Links => (GET_LINK, vec![0; LINK_HEAD]),
        Question::Addresses => (GET_ADDRESS, vec![0; ADDRESS_HEAD]),
    };
    if question == Question::Links {
        body.extend(8_u16.to_ne_bytes());
        body.extend(LINK_EXTENDED_MASK.to_ne_bytes());
        body.extend(EXTENDED.to_ne_bytes());
    }
    let len = MESSAGE_HEAD + body.len();
    let mut bytes = (len as u32).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((REQUEST | DUMP).to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.resize(MESSAGE_HEAD, 0);
    bytes.extend(body);
    bytes
}

/// Why an answer was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetlinkError {
    /// Something ends before its stated length, or is shorter than it must be.
    Cut {
        /// What.
        what: &'static str,
        /// How many bytes it needs.
        needed: usize,
        /// How many there are.
        found: usize,
    },
    /// The kernel refused, with this error number.
    Refused(i32),
    /// An impossible value: an empty name, a prefix longer than its address.
    Odd(&'static str),
}

impl fmt::Display for NetlinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NetlinkError::Cut {
                what,
                needed,
                found,
            } => write!(f, "{what} needs {needed} bytes, there are {found}"),
            NetlinkError::Refused(number) => write!(f, "the kernel refused, error {number}"),
            NetlinkError::Odd(what) => write!(f, "the kernel's answer has {what}"),
        }
    }
}

impl Error for NetlinkError {}

/// How far an answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// More datagrams follow.
    More,
    /// The answer is complete.
    Done,
    /// The answer is complete, but the interfaces changed meanwhile: ask again.
    Changed,
}

/// What the answers have listed so far.
#[derive(Debug, Default)]
pub struct Answers {
    links: Vec<Interface>,
    addresses: Vec<(u32, InterfaceAddress)>,
    changed: bool,
}

impl Answers {
    /// Takes one datagram of the answer to the question with this sequence number. Messages with
    /// another number belong to an earlier question that was given up; they are skipped.
    pub fn push(&mut self, mut bytes: &[u8], sequence: u32) -> Result<Progress, NetlinkError> {
        while !bytes.is_empty() {
            let (message, rest) = message(bytes)?;
            bytes = rest;
            if message.sequence != sequence {
                continue;
            }
            self.changed |= message.flags & INTERRUPTED != 0;
            match message.kind {
                NEW_LINK => self.links.push(link(message.body)?),
                NEW_ADDRESS => self.addresses.extend(address(message.body)?),
                DONE | ERROR => {
                    let number = i32::from_ne_bytes(field(message.body, 0, "the end")?);
                    return self.end(message.kind, number);
                }
                _ => {}
            }
        }
        Ok(Progress::More)
    }

    /// The end of an answer: its number is 0, or a negated error number.
    fn end(&self, kind: u16, number: i32) -> Result<Progress, NetlinkError> {
        match kind {
            DONE if number >= 0 && self.changed => Ok(Progress::Changed),
            DONE if number >= 0 => Ok(Progress::Done),
            _ => Err(NetlinkError::Refused(number.saturating_neg())),
        }
    }

    /// The interfaces by number, each with its addresses, IPv4 first.
    pub fn interfaces(self) -> Vec<Interface> {
        let mut links = self.links;
        for (index, address) in self.addresses {
            let owner = links.iter_mut().find(|link| link.index == index);
            // An address without an owner: the interface appeared after the question for links.
            if let Some(link) = owner {
                link.addresses.push(address);
            }
        }
        links.sort_by_key(|link| link.index);
        for link in &mut links {
            link.addresses.sort_by_key(|address| address.ip.is_ipv6());
        }
        links
    }
}

struct Message<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    body: &'a [u8],
}

/// The first message, and what follows it.
fn message(bytes: &[u8]) -> Result<(Message<'_>, &[u8]), NetlinkError> {
    const WHAT: &str = "a netlink message";
    let len = u32::from_ne_bytes(field(bytes, 0, WHAT)?) as usize;
    let (body, rest) = part(bytes, MESSAGE_HEAD, len, WHAT)?;
    let message = Message {
        kind: u16::from_ne_bytes(field(bytes, 4, WHAT)?),
        flags: u16::from_ne_bytes(field(bytes, 6, WHAT)?),
        sequence: u32::from_ne_bytes(field(bytes, 8, WHAT)?),
        body,
    };
    Ok((message, rest))
}

/// The attributes of a body, after its head.
fn attributes(body: &[u8], head: usize) -> Result<Vec<(u16, &[u8])>, NetlinkError> {
    const WHAT: &str = "a netlink attribute";
    let mut bytes = body.get(head..).unwrap_or(&[]);
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let len = u16::from_ne_bytes(field(bytes, 0, WHAT)?);
        let kind = u16::from_ne_bytes(field(bytes, 2, WHAT)?);
        let (value, rest) = part(bytes, 4, usize::from(len), WHAT)?;
        found.push((kind & TYPE_MASK, value));
        bytes = rest;
    }
    Ok(found)
}

/// The bytes from `head` to `len`, and those after the filling.
fn part<'a>(
    bytes: &'a [u8],
    head: usize,
    len: usize,
    what: &'static str,
) -> Result<(&'a [u8], &'a [u8]), NetlinkError> {
    let cut = NetlinkError::Cut {
        what,
        needed: len.max(head),
        found: bytes.len(),
    };
    let inside = bytes.get(head..len).ok_or(cut)?;
    let rest = bytes.get(len.next_multiple_of(4)..).unwrap_or(&[]);
    Ok((inside, rest))
}

fn field<const N: usize>(
    bytes: &[u8],
    at: usize,
    what: &'static str,
) -> Result<[u8; N], NetlinkError> {
    let found = bytes.get(at..at + N).and_then(|part| part.try_into().ok());
    found.ok_or(NetlinkError::Cut {
        what,
        needed: at + N,
        found: bytes.len(),
    })
}

/// An interface: family, filling, type (2), index (4), flags (4), changed flags (4).
fn link(body: &[u8]) -> Result<Interface, NetlinkError> {
    const WHAT: &str = "a link message";
    let index = u32::from_ne_bytes(field(body, 4, WHAT)?);
    let flags = Flags(u32::from_ne_bytes(field(body, 8, WHAT)?));
    let _changed: [u8; 4] = field(body, 12, WHAT)?;
    let mut link = Interface {
        index,
        name: String::new(),
        flags,
        mtu: 0,
        hardware: None,
        addresses: Vec::new(),
        received: Counters::default(),
        sent: Counters::default(),
    };
    for (kind, value) in attributes(body, LINK_HEAD)? {
        match kind {
            LINK_NAME => link.name = text(value),
            LINK_MTU => link.mtu = value.try_into().map_or(0, u32::from_ne_bytes),
            LINK_ADDRESS if !value.is_empty() => {
                link.hardware = Some(HardwareAddress(value.to_vec()));
            }
            LINK_STATISTICS => (link.received, link.sent) = counters(value),
            _ => {}
        }
    }
    match link.name.is_empty() {
        true => Err(NetlinkError::Odd("a link without a name")),
        false => Ok(link),
    }
}

/// A text that ends at its NUL. Bytes that are not UTF-8 are written as `\xff`, so that different
/// names stay different.
fn text(value: &[u8]) -> String {
    let end = value.iter().position(|&byte| byte == 0);
    let bytes = value.get(..end.unwrap_or(value.len())).unwrap_or(value);
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().escape_ascii().map(char::from));
    }
    text
}

/// `struct rtnl_link_stats64`: packets, bytes, errors, dropped, each received then sent.
fn counters(value: &[u8]) -> (Counters, Counters) {
    let number = |at: usize| {
        let bytes = value.get(at * 8..at * 8 + 8);
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u64::from_ne_bytes)
    };
    let direction = |first: usize| Counters {
        packets: number(first),
        bytes: number(first + 2),
        errors: number(first + 4),
        dropped: number(first + 6),
    };
    (direction(0), direction(1))
}

/// An address: family, prefix length, flags, scope, index (4); with the interface's number. `None`
/// for a family that is not IP.
fn address(body: &[u8]) -> Result<Option<(u32, InterfaceAddress)>, NetlinkError> {
    const WHAT: &str = "an address message";
    let [family, prefix_len, _, _] = field(body, 0, WHAT)?;
    let index = u32::from_ne_bytes(field(body, 4, WHAT)?);
    let bits = match family {
        INET => 32,
        INET6 => 128,
        _ => return Ok(None),
    };
    if prefix_len > bits {
        return Err(NetlinkError::Odd("a prefix longer than its address"));
    }
    let (mut address, mut local, mut broadcast) = (None, None, None);
    for (kind, value) in attributes(body, ADDRESS_HEAD)? {
        match kind {
            ADDRESS_ADDRESS => address = ip(family, value),
            ADDRESS_LOCAL => local = ip(family, value),
            ADDRESS_BROADCAST => broadcast = ip(family, value),
            _ => {}
        }
    }
    // On a point-to-point link ADDRESS is the other end (`rtnetlink(7)`).
    let Some(own) = local.or(address) else {
        return Err(NetlinkError::Odd("an address message without an address"));
    };
    let found = InterfaceAddress {
        ip: own,
        prefix_len,
        peer: address.filter(|&other| other != own),
        broadcast,
    };
    Ok(Some((index, found)))
}

fn ip(family: u8, value: &[u8]) -> Option<IpAddr> {
    match family {
        INET => <[u8; 4]>::try_from(value)
            .ok()
            .map(|octets| Ipv4Addr::from(octets).into()),
        _ => <[u8; 16]>::try_from(value)
            .ok()
            .map(|octets| Ipv6Addr::from(octets).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::generate::Seeded;
    use super::*;

    const SEQUENCE: u32 = 7;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = ((4 + value.len()) as u16).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn message_of(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = ((MESSAGE_HEAD + body.len()) as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(SEQUENCE.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn link_body(index: u32, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![0, 0, 1, 0];
        body.extend(index.to_ne_bytes());
        body.extend(0x11043_u32.to_ne_bytes());
        body.extend([0; 4]);
        body.extend(attributes.concat());
        body
    }

    fn ethernet() -> Vec<u8> {
        let statistics: Vec<u8> = (1..=24_u64).flat_map(u64::to_ne_bytes).collect();
        link_body(
            2,
            &[
                attribute(LINK_NAME, b"eth0\0"),
                attribute(LINK_ADDRESS, &[2, 0, 0, 0, 0, 1]),
                attribute(LINK_MTU, &1500_u32.to_ne_bytes()),
                attribute(99, b"what newer kernels tell"),
                attribute(LINK_STATISTICS, &statistics),
            ],
        )
    }

    fn address_body(family: u8, len: u8, index: u32, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![family, len, 0x80, 0];
        body.extend(index.to_ne_bytes());
        body.extend(attributes.concat());
        body
    }

    fn done() -> Vec<u8> {
        message_of(DONE, 2, &[0; 4])
    }

    #[test]
    fn questions_are_forty_and_twenty_four_bytes() {
        let links = question(Question::Links, 5);
        assert_eq!(links[..4], 40_u32.to_ne_bytes());
        assert_eq!(links[4..6], 18_u16.to_ne_bytes());
        assert_eq!(links[6..8], 0x301_u16.to_ne_bytes());
        assert_eq!(links[8..12], 5_u32.to_ne_bytes());
        assert_eq!(links[32..], attribute(29, &16_u32.to_ne_bytes()));
        assert_eq!(question(Question::Addresses, 5).len(), 24);
    }

    #[test]
    fn links_and_addresses_come_together_by_number() {
        let mut answers = Answers::default();
        let lo = link_body(1, &[attribute(LINK_NAME, b"lo\0")]);
        let first = [
            message_of(NEW_LINK, 2, &ethernet()),
            message_of(NEW_LINK, 2, &lo),
        ]
        .concat();
        assert_eq!(answers.push(&first, SEQUENCE), Ok(Progress::More));
        assert_eq!(answers.push(&done(), SEQUENCE), Ok(Progress::Done));
        let v6 = address_body(INET6, 64, 2, &[attribute(1, &[0xfe; 16])]);
        let v4 = address_body(
            INET,
            24,
            2,
            &[
                attribute(1, &[192, 0, 2, 1]),
                attribute(2, &[192, 0, 2, 1]),
                attribute(4, &[192, 0, 2, 255]),
            ],
        );
        let stray = address_body(INET, 8, 77, &[attribute(1, &[10, 0, 0, 1])]);
        let last = [v6, v4, stray]
            .map(|body| message_of(NEW_ADDRESS, 2, &body))
            .concat();
        answers.push(&last, SEQUENCE).unwrap();

        let found = answers.interfaces();
        assert_eq!(found.len(), 2);
        let (lo, eth) = (&found[0], &found[1]);
        assert_eq!((lo.index, lo.name.as_str(), lo.mtu), (1, "lo", 0));
        assert_eq!((eth.name.as_str(), eth.mtu), ("eth0", 1500));
        assert_eq!(
            eth.hardware.as_ref().unwrap().to_string(),
            "02:00:00:00:00:01"
        );
        let counted = |c: &Counters| [c.packets, c.bytes, c.errors, c.dropped];
        assert_eq!(counted(&eth.received), [1, 3, 5, 7]);
        assert_eq!(counted(&eth.sent), [2, 4, 6, 8]);
        assert_eq!(eth.addresses[0].to_string(), "192.0.2.1/24");
        assert_eq!(
            eth.addresses[0].broadcast,
            Some("192.0.2.255".parse().unwrap())
        );
        assert_eq!(eth.addresses[0].peer, None);
        assert!(eth.addresses[1].ip.is_ipv6());
    }

    #[test]
    fn names_that_are_no_utf_8_are_told_apart() {
        for (bytes, name) in [
            (&b"a\xff\0"[..], "a\\xff"),
            (b"a\xfe\0", "a\\xfe"),
            (b"\xc3\xa9\xc3\0", "\u{e9}\\xc3"),
        ] {
            let body = link_body(1, &[attribute(LINK_NAME, bytes)]);
            assert_eq!(link(&body).unwrap().name, name);
        }
    }

    #[test]
    fn the_address_of_a_link_with_two_ends_is_the_local_one() {
        let body = address_body(
            INET,
            32,
            3,
            &[attribute(1, &[10, 0, 0, 2]), attribute(2, &[10, 0, 0, 1])],
        );
        let (index, found) = address(&body).unwrap().unwrap();
        assert_eq!((index, found.to_string().as_str()), (3, "10.0.0.1/32"));
        assert_eq!(found.peer, Some("10.0.0.2".parse().unwrap()));
    }

    #[test]
    fn every_cut_of_an_answer_is_an_error() {
        let whole = message_of(NEW_LINK, 2, &ethernet());
        for len in 1..whole.len() {
            let cut = Answers::default().push(&whole[..len], SEQUENCE);
            assert!(
                matches!(cut, Err(NetlinkError::Cut { .. })),
                "{len}: {cut:?}"
            );
        }
        let body = address_body(INET, 24, 2, &[attribute(1, &[192, 0, 2, 1])]);
        for len in 0..body.len() {
            let cut = address(&body[..len]);
            assert!(cut.is_err(), "{len}: {cut:?}");
        }
    }

    #[test]
    fn lengths_that_lie_are_errors() {
        for len in [0_u32, 1, 15, 1_000, u32::MAX - 2, u32::MAX] {
            let mut bytes = message_of(NEW_LINK, 2, &ethernet());
            bytes[..4].copy_from_slice(&len.to_ne_bytes());
            let found = Answers::default().push(&bytes, SEQUENCE);
            assert!(matches!(found, Err(NetlinkError::Cut { .. })), "{len}");
        }
        for len in [0_u16, 3, 100, u16::MAX] {
            let mut body = link_body(1, &[attribute(LINK_NAME, b"lo\0")]);
            body[16..18].copy_from_slice(&len.to_ne_bytes());
            assert!(
                matches!(link(&body), Err(NetlinkError::Cut { .. })),
                "{len}"
            );
        }
    }

    #[test]
    fn values_that_cannot_be_are_errors() {
        let nameless = link_body(1, &[attribute(LINK_MTU, &[0; 4])]);
        assert!(matches!(link(&nameless), Err(NetlinkError::Odd(_))));
        for (family, len) in [(INET, 33), (INET6, 129)] {
            let body = address_body(family, len, 1, &[attribute(1, &[1; 16])]);
            assert!(matches!(address(&body), Err(NetlinkError::Odd(_))));
        }
        let wrong_size = address_body(INET, 8, 1, &[attribute(1, &[1; 5])]);
        assert!(matches!(address(&wrong_size), Err(NetlinkError::Odd(_))));
        assert_eq!(address(&address_body(7, 200, 1, &[])), Ok(None));
    }

    #[test]
    fn a_refusal_carries_the_error_number_and_a_change_is_told() {
        let mut body = (-1_i32).to_ne_bytes().to_vec();
        body.extend([0; 16]);
        let refused = Answers::default().push(&message_of(ERROR, 0, &body), SEQUENCE);
        assert_eq!(refused, Err(NetlinkError::Refused(1)));
        let mut answers = Answers::default();
        let link = message_of(NEW_LINK, 2 | INTERRUPTED, &ethernet());
        assert_eq!(answers.push(&link, SEQUENCE), Ok(Progress::More));
        assert_eq!(answers.push(&done(), SEQUENCE), Ok(Progress::Changed));
    }

    #[test]
    fn an_answer_to_an_earlier_question_is_passed_over() {
        let mut answers = Answers::default();
        let old = [message_of(NEW_LINK, 2, &ethernet()), done()].concat();
        assert_eq!(answers.push(&old, SEQUENCE + 1), Ok(Progress::More));
        assert!(answers.interfaces().is_empty());
    }

    #[test]
    fn random_changes_never_panic() {
        let mut random = Seeded::new(2_018);
        let good = [message_of(NEW_LINK, 2, &ethernet()), done()].concat();
        for _ in 0..20_000 {
            let mut bytes = good.clone();
            for _ in 0..1 + random.below(4) {
                let at = random.below(bytes.len());
                bytes[at] = random.next() as u8;
            }
            bytes.truncate(random.below(bytes.len()) + 1);
            let _ = Answers::default().push(&bytes, SEQUENCE);
        }
    }
}
