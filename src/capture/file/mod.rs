//! Capture files: pcap and pcapng, read and written over any `Read` and `Write`. Pure.
//!
//! Both formats are a head and then packets, each behind its lengths: how much of it was *captured*,
//! and how much there was on the wire.
//!
//! ```text
//!  pcap     file header (link, precision)   record | bytes   record | bytes   ...
//!  pcapng   section  interface  interface   packet block     packet block     interface  packet ...
//! ```
//!
//! A *pcap* file has one link and one precision for all. A *pcapng* file is blocks, each with its
//! length at both ends: a *section* says the byte order, an *interface* the link and the clock of the
//! packets that name it, and a section may follow a section. Either may be of the other byte order.
//!
//! A file may be cut off, by a full disk or because it is still being written: all whole packets are
//! given, then [`FileError::Cut`]. A file may lie: a length is refused before a byte is allocated for
//! it ([`MAX_PACKET`], [`MAX_BLOCK`], [`MAX_INTERFACES`]).
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

/// The longest packet, in bytes: tcpdump's and Wireshark's limit for what they write and read.
pub const MAX_PACKET: u32 = 262_144;
/// The longest block of a pcapng file, in bytes: Wireshark's limit.
pub const MAX_BLOCK: u32 = 16 << 20;
/// The most interfaces of a file: what is known of each is kept.
pub const MAX_INTERFACES: usize = 65_536;

#[cfg(test)]
mod tests;
