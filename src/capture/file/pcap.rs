//! The classic format: a file header, then one record per packet. Pure.
//!
//! ```text
//! file    0 magic (4)   4 major (2)  6 minor (2)   8 zone, accuracy (8)   16 snap (4)   20 link (4)
//! record  0 seconds (4) 4 fraction (4) 8 captured length (4) 12 original length (4) 16 the bytes
//! ```
//!
//! All integers have the byte order in which the magic number reads right. The magic number also
//! gives the unit of the fraction. Source: draft-ietf-opsawg-pcap.

use std::time::Duration;

use super::FileError;
use super::order::Order;
use crate::capture::LinkType;

/// Microseconds.
const MAGIC_MICRO: u32 = 0xa1b2_c3d4;
/// Nanoseconds.
const MAGIC_NANO: u32 = 0xa1b2_3c4d;
/// Microseconds, and 8 more bytes in each record's header: a Linux variant of 1999 (Wireshark's
/// "modified tcpdump", libpcap's KUZNETZOV_TCPDUMP_MAGIC).
const MAGIC_MODIFIED: u32 = 0xa1b2_cd34;

/// The unit of the fraction of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Millionths of a second: every reader knows them.
    Micro,
    /// Billionths.
    Nano,
}

/// The header of a pcap file.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileHeader {
    pub order: Order,
    pub precision: Precision,
    /// Length of a record's header, in bytes: 16 or 24.
    pub record: usize,
    minor: u16,
    pub snap: u32,
    pub link: LinkType,
}

/// The header of a packet.
pub(super) struct Record {
    pub time: Duration,
    /// How many of its bytes follow.
    pub captured: u32,
    /// How many bytes it had on the wire.
    pub length: u32,
}

impl FileHeader {
    pub const LENGTH: usize = 24;

    /// Byte order, precision and length of a record's header, if this is a pcap file.
    pub fn magic(bytes: [u8; 4]) -> Option<(Order, Precision, usize)> {
        [Order::Big, Order::Little].into_iter().find_map(|order| {
            let (precision, record) = match order.word(bytes) {
                MAGIC_MICRO => (Precision::Micro, 16),
                MAGIC_NANO => (Precision::Nano, 16),
                MAGIC_MODIFIED => (Precision::Micro, 24),
                _ => return None,
            };
            Some((order, precision, record))
        })
    }

    pub fn parse(bytes: &[u8; Self::LENGTH]) -> Result<Self, FileError> {
        let [a, b, c, d, ..] = *bytes;
        let magic = [a, b, c, d];
        let (order, precision, record) = Self::magic(magic).ok_or(FileError::Magic(magic))?;
        let short = |at| order.u16(bytes, at).unwrap_or(0);
        let word = |at| order.u32(bytes, at).unwrap_or(0);
        let (major, minor) = (short(4), short(6));
        if major != 2 {
            return Err(FileError::Version { major, minor });
        }
        Ok(Self {
            order,
            precision,
            record,
            minor,
            snap: word(16),
            // The upper half describes frame check sequences, which no decoder here reads.
            link: LinkType(word(20) as u16),
        })
    }

    /// Reads a record's header, all of whose bytes are there.
    pub fn record(&self, bytes: &[u8]) -> Option<Record> {
        let (head, _) = bytes.split_first_chunk::<16>()?;
        let word = |at| self.order.u32(head, at).unwrap_or(0);
        let (seconds, fraction, mut captured, mut length) = (word(0), word(4), word(8), word(12));
        // Before version 2.3 the lengths were in the other order; in 2.3 writers differed.
        if self.minor < 3 || self.minor == 3 && captured > length {
            (captured, length) = (length, captured);
        }
        let nanoseconds = match self.precision {
            Precision::Micro => Duration::from_micros(u64::from(fraction)),
            Precision::Nano => Duration::from_nanos(u64::from(fraction)),
        };
        Some(Record {
            time: Duration::from_secs(u64::from(seconds)) + nanoseconds,
            captured,
            length,
        })
    }
}

/// The header of a file. The integers are in this machine's byte order, as all tools write them.
pub(super) fn file_header(link: LinkType, snap: u32, precision: Precision) -> [u8; 24] {
    let magic = match precision {
        Precision::Micro => MAGIC_MICRO,
        Precision::Nano => MAGIC_NANO,
    };
    let mut bytes = [0; 24];
    let version = u32::from_ne_bytes(pair(2, 4));
    let words = [magic, version, 0, 0, snap, u32::from(link.0)];
    for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
    bytes
}

fn pair(first: u16, second: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (first.to_ne_bytes(), second.to_ne_bytes());
    [a, b, c, d]
}

/// The header of a record; `None` if the time does not fit.
pub(super) fn record_header(
    time: Duration,
    precision: Precision,
    captured: u32,
    length: u32,
) -> Option<[u8; 16]> {
    let fraction = match precision {
        Precision::Micro => time.subsec_micros(),
        Precision::Nano => time.subsec_nanos(),
    };
    let mut bytes = [0; 16];
    let words = [
        u32::try_from(time.as_secs()).ok()?,
        fraction,
        captured,
        length,
    ];
    for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
    Some(bytes)
}
