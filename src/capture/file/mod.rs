//! Capture files: pcap and pcapng, read and written over any `Read` and `Write`. Pure.
//!
//! - `pcap`: the classic format, a file header and records. `pcapng`: blocks and their fields.
//!   `order`: integers of either byte order.
//! - `reader`: [`CaptureReader`], packets borrowed from one large buffer. `writer`:
//!   [`CaptureWriter`].
//!
//! Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng. To add a kind of block: 1. its number
//! and fields in `pcapng`; 2. a branch in the reader's `block`.

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
