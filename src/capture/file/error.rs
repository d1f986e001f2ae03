//! Why a capture file could not be read or written: the rule that was broken, and where. Pure.

use std::fmt;
use std::io;

use crate::capture::LinkType;

/// Why no packet could be read or written.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileError {
    /// The file or pipe failed.
    Io(io::Error),
    /// The file ends within a packet or block; the packets before it are good.
    Cut {
        /// Where that packet or block begins, in bytes from the file's start.
        at: u64,
    },
    /// The first bytes are not those of any capture file known here.
    Magic([u8; 4]),
    /// A version of the format that is not known here.
    Version {
        /// Major version; 2 for pcap and 1 for pcapng are known.
        major: u16,
        /// Minor version.
        minor: u16,
    },
    /// A packet is longer than the longest that tools write; nothing was allocated for it.
    LongPacket {
        /// Where its record begins, in bytes from the file's start.
        at: u64,
        /// The length that its header claims, in bytes.
        length: u32,
    },
    /// A pcapng block contradicts itself.
    Block {
        /// Where it begins, in bytes from the file's start.
        at: u64,
        /// What is wrong with it.
        why: BlockFault,
    },
    /// A pcap file has one link type, and this packet has another; pcapng can hold both.
    Link {
        /// The file's link type.
        file: LinkType,
        /// The packet's link type.
        packet: LinkType,
    },
    /// A pcap file counts seconds in 32 bits, which end in 2106.
    Time {
        /// The packet's time, in seconds since 1970.
        seconds: u64,
    },
}

/// What is wrong with a pcapng block (draft-ietf-opsawg-pcapng).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockFault {
    /// Its length is not a multiple of 4, or is too short for its fields.
    Length(u32),
    /// Its length is greater than [`MAX_BLOCK`](super::MAX_BLOCK).
    TooLong(u32),
    /// The length at its end differs from the one at its beginning.
    Lengths {
        /// At its beginning.
        first: u32,
        /// At its end.
        last: u32,
    },
    /// It holds fewer bytes of the packet than it announces.
    Captured(u32),
    /// A section begins with neither byte order of 0x1a2b3c4d.
    ByteOrder([u8; 4]),
    /// Its interface has not been described in this section.
    Interface(u32),
    /// More interfaces than [`MAX_INTERFACES`](super::MAX_INTERFACES).
    Interfaces,
    /// A time resolution finer than 10^-19 or 2^-63 seconds: the option's byte.
    Resolution(u8),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Cut { at: 0 } => f.write_str("the file is empty, or ends within its header"),
            Self::Cut { at } => write!(
                f,
                "the file is cut off within the packet or block at byte {at}"
            ),
            Self::Magic([0x1f, 0x8b, ..]) => {
                f.write_str("compressed with gzip: unpack it first, as with gzip -d")
            }
            Self::Magic([a, b, c, d]) => write!(
                f,
                "neither pcap nor pcapng: it begins with {a:02x} {b:02x} {c:02x} {d:02x}"
            ),
            Self::Version { major, minor } => {
                write!(f, "version {major}.{minor} of the format is not known")
            }
            Self::LongPacket { at, length } => write!(
                f,
                "packet of {length} bytes at byte {at}, the limit is {}",
                super::MAX_PACKET
            ),
            Self::Block { at, why } => write!(f, "bad block at byte {at}: {why}"),
            Self::Link { file, packet } => write!(
                f,
                "a pcap file holds one link type, here {file}, and this packet's is {packet}: \
                 write pcapng"
            ),
            Self::Time { seconds } => write!(
                f,
                "a pcap file holds times until 2106, and this packet's is {seconds} s: write pcapng"
            ),
        }
    }
}

impl fmt::Display for BlockFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(length) => write!(f, "its length cannot be {length}"),
            Self::TooLong(length) => {
                write!(f, "{length} bytes, the limit is {}", super::MAX_BLOCK)
            }
            Self::Lengths { first, last } => write!(f, "its lengths differ: {first} and {last}"),
            Self::Captured(length) => write!(f, "it has no room for {length} bytes of packet"),
            Self::ByteOrder([a, b, c, d]) => {
                write!(f, "byte-order magic {a:02x} {b:02x} {c:02x} {d:02x}")
            }
            Self::Interface(number) => write!(f, "interface {number} is not described"),
            Self::Interfaces => write!(f, "more than {} interfaces", super::MAX_INTERFACES),
            Self::Resolution(byte) => write!(f, "time resolution 0x{byte:02x} is too fine"),
        }
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
