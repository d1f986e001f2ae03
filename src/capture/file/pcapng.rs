//! The newer format: blocks, each with its length at both ends. Pure.
//!
//! ```text
//! block      0 type (4)       4 length of all (4)   8 body ...            length - 4: length (4)
//! section    8 0x1a2b3c4d (4) 12 major (2)  14 minor (2)  16 section length (8)  24 options
//! interface  8 link (2)       10 zero (2)   12 snap (4)   16 options
//! enhanced   8 interface (4)  12 time, upper half first (8)  20 captured (4)  24 original (4)  28 ...
//! packet     8 interface (2)  10 drops (2)  12 ... as enhanced
//! simple     8 original (4)   12 the bytes
//! option     0 code (2)       2 length (2)  4 value, padded to 4
//! ```
//!
//! A section's integers have the byte order in which its magic number reads right; in a file made
//! by joining others it may change. Source: draft-ietf-opsawg-pcapng.

use std::time::Duration;

use super::order::Order;
use super::{BlockFault, FileError};
use crate::capture::{LinkType, Packet};

/// Section header block: it reads the same in both byte orders.
pub(super) const SECTION: u32 = 0x0a0d_0d0a;
pub(super) const INTERFACE: u32 = 1;
/// Obsolete packet block.
pub(super) const PACKET: u32 = 2;
pub(super) const SIMPLE: u32 = 3;
pub(super) const ENHANCED: u32 = 6;

const BYTE_ORDER: u32 = 0x1a2b_3c4d;
/// The length of the shortest block: type and both lengths.
pub(super) const SHORTEST: u32 = 12;

/// Options of an interface.
const IF_NAME: u16 = 2;
const IF_TSRESOL: u16 = 9;
const IF_TSOFFSET: u16 = 14;
/// The option after the last one.
const END: u16 = 0;
/// How much of an interface's name is kept, in bytes.
const NAME: usize = 256;

/// An interface on which packets were seen, and the clock of their times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The kind of header that its packets begin with.
    pub link: LinkType,
    /// How many bytes of a packet were kept at most; 0 means all.
    pub snap: u32,
    /// Its name, if the file has it: `eth0`.
    pub name: Option<String>,
    /// How many units a second its times count, from this many seconds after 1970.
    per_second: u64,
    offset: i64,
}

impl Interface {
    /// An interface whose times are in nanoseconds.
    pub fn new(link: LinkType, snap: u32, name: Option<&str>) -> Self {
        Self {
            name: name.map(str::to_owned),
            ..Self::with_units(link, snap, 1_000_000_000)
        }
    }

    /// An interface without a name, whose times count this many units per second.
    pub(super) fn with_units(link: LinkType, snap: u32, per_second: u64) -> Self {
        Self {
            link,
            snap,
            name: None,
            per_second,
            offset: 0,
        }
    }

    /// The number of digits in the fraction of its times, 0 to 9.
    pub fn digits(&self) -> u8 {
        let finest = self.per_second.min(1_000_000_000);
        (0..9)
            .find(|digits| 10_u64.pow(*digits) >= finest)
            .unwrap_or(9) as u8
    }

    /// Reads a whole interface block.
    pub(super) fn parse(block: &[u8], order: Order) -> Result<Self, BlockFault> {
        // The last four bytes are the length again, not a field.
        let body = block
            .get(..block.len().saturating_sub(4))
            .unwrap_or_default();
        let fields = order.u16(body, 8).zip(order.u32(body, 12));
        let (link, snap) = fields.ok_or(BlockFault::Length(block.len() as u32))?;
        // Without the option, times are in microseconds.
        let mut interface = Self::with_units(LinkType(link), snap, 1_000_000);
        let mut options = body.get(16..).unwrap_or_default();
        while let Some((code, value, rest)) = option(options, order) {
            match (code, value) {
                (END, _) => break,
                (IF_NAME, name) => {
                    let name = name.get(..NAME).unwrap_or(name);
                    interface.name = Some(String::from_utf8_lossy(name).into_owned());
                }
                (IF_TSRESOL, &[byte]) => interface.per_second = per_second(byte)?,
                (IF_TSOFFSET, value) => {
                    interface.offset = order.u64(value, 0).unwrap_or(0) as i64;
                }
                _ => {}
            }
            options = rest;
        }
        Ok(interface)
    }

    /// Converts units to the time since 1970; a time before 1970 is shown as 1970.
    pub(super) fn time(&self, units: u64) -> Duration {
        const BILLION: u64 = 1_000_000_000;
        let (seconds, rest) = (units / self.per_second, units % self.per_second);
        let nanoseconds = match BILLION % self.per_second {
            0 => rest * (BILLION / self.per_second),
            // Finer than a nanosecond, or a power of two.
            _ => (u128::from(rest) * u128::from(BILLION) / u128::from(self.per_second)) as u64,
        };
        match seconds.checked_add_signed(self.offset) {
            Some(seconds) => Duration::new(seconds, nanoseconds as u32),
            None => Duration::ZERO,
        }
    }

    /// Writes the interface block, with times in nanoseconds.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut body = Vec::with_capacity(64);
        body.extend_from_slice(&self.link.0.to_ne_bytes());
        body.extend_from_slice(&[0; 2]);
        body.extend_from_slice(&self.snap.to_ne_bytes());
        if let Some(name) = &self.name {
            put_option(&mut body, IF_NAME, name.as_bytes());
        }
        put_option(&mut body, IF_TSRESOL, &[9]);
        put_option(&mut body, END, &[]);
        put_block(out, INTERFACE, &body);
    }
}

/// The meaning of `if_tsresol`: a negative power of 10, or of 2 if the top bit is set.
fn per_second(byte: u8) -> Result<u64, BlockFault> {
    let (base, power) = match byte & 0x80 {
        0 => (10_u64, byte),
        _ => (2, byte & 0x7f),
    };
    let units = base.checked_pow(u32::from(power));
    units.ok_or(BlockFault::Resolution(byte))
}

/// An option's code, value, and what follows it.
fn option(bytes: &[u8], order: Order) -> Option<(u16, &[u8], &[u8])> {
    let (code, length) = (order.u16(bytes, 0)?, usize::from(order.u16(bytes, 2)?));
    let value = bytes.get(4..4 + length)?;
    let rest = bytes.get(4 + length.next_multiple_of(4)..);
    Some((code, value, rest.unwrap_or_default()))
}

/// The byte order of a section, from the first 12 bytes of its header.
pub(super) fn byte_order(head: &[u8; 12]) -> Result<Order, BlockFault> {
    let [.., a, b, c, d] = *head;
    let magic = [a, b, c, d];
    [Order::Big, Order::Little]
        .into_iter()
        .find(|order| order.word(magic) == BYTE_ORDER)
        .ok_or(BlockFault::ByteOrder(magic))
}

/// Checks a whole section header block. (Minor version 2 does not differ.)
pub(super) fn section(block: &[u8], order: Order, at: u64) -> Result<(), FileError> {
    let why = BlockFault::Length(block.len() as u32);
    let version = order.u16(block, 12).zip(order.u16(block, 14));
    match version.filter(|_| block.len() >= 28) {
        None => Err(FileError::Block { at, why }),
        Some((1, 0 | 2)) => Ok(()),
        Some((major, minor)) => Err(FileError::Version { major, minor }),
    }
}

/// The fields of a packet's block.
pub(super) struct Head {
    /// The interface's number in the section.
    pub interface: u32,
    /// The time in the interface's units; `None` if the block has none.
    pub units: Option<u64>,
    /// How many bytes of the packet follow, according to the block.
    pub captured: u32,
    /// How many bytes the packet had on the wire.
    pub length: u32,
    /// The offset of the packet's bytes in the block.
    pub begins: usize,
}

/// Reads the fields of a whole enhanced or obsolete packet block.
pub(super) fn packet(block: &[u8], order: Order, kind: u32) -> Option<Head> {
    let (head, _) = block.split_first_chunk::<28>()?;
    let word = |at| order.u32(head, at);
    let (upper, lower) = (u64::from(word(12)?), u64::from(word(16)?));
    Some(Head {
        interface: match kind {
            PACKET => u32::from(order.u16(head, 8)?),
            _ => word(8)?,
        },
        units: Some(upper << 32 | lower),
        captured: word(20)?,
        length: word(24)?,
        begins: 28,
    })
}

/// Reads the fields of a whole simple packet block. The number of bytes kept is the smaller of the
/// packet's length and the interface's snap length (§4.4).
pub(super) fn simple(block: &[u8], order: Order, snap: u32) -> Option<Head> {
    let (fields, _) = block.split_first_chunk::<16>()?;
    let length = order.u32(fields, 8)?;
    let captured = match snap {
        0 => length,
        snap => length.min(snap),
    };
    Some(Head {
        interface: 0,
        units: None,
        captured,
        length,
        begins: 12,
    })
}

/// The header of a section of unknown length, in this machine's byte order.
pub(super) fn put_section(out: &mut Vec<u8>) {
    let mut body = Vec::with_capacity(64);
    body.extend_from_slice(&BYTE_ORDER.to_ne_bytes());
    body.extend_from_slice(&1_u16.to_ne_bytes());
    body.extend_from_slice(&0_u16.to_ne_bytes());
    body.extend_from_slice(&u64::MAX.to_ne_bytes());
    const USER_APPLICATION: u16 = 4;
    put_option(&mut body, USER_APPLICATION, b"Groundwire");
    put_option(&mut body, END, &[]);
    put_block(out, SECTION, &body);
}

/// What an enhanced block has before and after the bytes of a packet. The second part begins with
/// the padding; the number tells how many of its bytes to write.
pub(super) fn around(interface: u32, packet: &Packet<'_>, kept: u32) -> ([u8; 28], [u8; 7], usize) {
    let padding = (kept.next_multiple_of(4) - kept) as usize;
    let all = 28 + kept + padding as u32 + 4;
    // Times from the year 2554 on become the same number.
    let units = u64::try_from(packet.time.as_nanos()).unwrap_or(u64::MAX);
    let (upper, lower) = ((units >> 32) as u32, units as u32);
    let words = [ENHANCED, all, interface, upper, lower, kept, packet.length];
    let (mut head, mut tail) = ([0; 28], [0; 7]);
    for (place, word) in head.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
    let length = tail.iter_mut().skip(padding);
    for (place, byte) in length.zip(all.to_ne_bytes()) {
        *place = byte;
    }
    (head, tail, padding + 4)
}

fn put_block(out: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let length = (body.len() as u32 + SHORTEST).to_ne_bytes();
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(&length);
    out.extend_from_slice(body);
    out.extend_from_slice(&length);
}

fn put_option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    // No system has an interface name longer than this.
    let value = value.get(..NAME).unwrap_or(value);
    out.extend_from_slice(&code.to_ne_bytes());
    out.extend_from_slice(&(value.len() as u16).to_ne_bytes());
    out.extend_from_slice(value);
    out.resize(out.len().next_multiple_of(4), 0);
}
