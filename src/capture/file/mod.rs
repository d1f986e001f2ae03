//! Capture files: pcap and pcapng, read and written over any `Read` and `Write`. Pure.
//!
//! Both formats are a header and then packets, each after two lengths: how many of its bytes were
//! *captured*, and how many there were on the wire.
//!
//! ```text
//!  pcap     file header (link, precision)   record | bytes   record | bytes   ...
//!  pcapng   section  interface  interface   packet block     packet block     interface  packet ...
//! ```
//!
//! A *pcap* file has one link and one precision for all packets. A *pcapng* file is a sequence of
//! blocks, each with its length at both ends. A *section* gives the byte order; an *interface*
//! gives the link and the clock of the packets that name it; further sections may follow. Both
//! formats exist in both byte orders.
//!
//! A file may be cut, by a full disk or because it is still being written: the reader returns all
//! whole packets, then [`FileError::Cut`]. A file may lie: a length that is too large is refused
//! before a byte is allocated for it ([`MAX_PACKET`], [`MAX_BLOCK`], [`MAX_INTERFACES`]).
//!
//! In reading order: `order` (integers of either byte order), `pcap` and `pcapng` (headers, records
//! and blocks as bytes), `reader` ([`CaptureReader`]: packets borrowed from one large buffer),
//! `writer` ([`CaptureWriter`]), `error`. Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
//!
//! To add a kind of block: 1. its number and fields in `pcapng`; 2. a branch in the reader's
//! `whole_block`.

mod error;
mod order;
mod pcap;
mod pcapng;
mod reader;
mod writer;

pub use error::{BlockFault, FileError};
pub use pcap::Precision;
pub use pcapng::Interface;
pub use reader::{CaptureReader, Format};
pub use writer::CaptureWriter;

/// The longest packet, in bytes: the limit of tcpdump and Wireshark.
pub const MAX_PACKET: u32 = 262_144;
/// The longest block of a pcapng file, in bytes: Wireshark's limit.
pub const MAX_BLOCK: u32 = 16 << 20;
/// The most interfaces of a file: each is kept in memory.
pub const MAX_INTERFACES: usize = 65_536;

/// How many bytes of a packet this snap length keeps at most: 0 stands for [`MAX_PACKET`].
pub(super) fn snap_or_most(snap: u32) -> u32 {
    match snap {
        0 => MAX_PACKET,
        snap => snap.min(MAX_PACKET),
    }
}

#[cfg(test)]
mod tests;
