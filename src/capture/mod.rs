//! Packets: read from a file, captured on an interface, or made by a relay; then decoded, filtered
//! and shown.
//!
//! A program sees bytes and the ends of streams. A capture shows more: which side opened the
//! connection, what was sent twice, which side closed. A *capture* is a sequence of *packets*, each
//! with the time at which it passed, the kind of link on which it was seen, and its bytes. Some
//! bytes may be missing (the *snap length* limits how many are kept). A packet is *decoded* into
//! its *layers*, each a header with the fields of its RFC. Some facts depend on earlier packets:
//! the packet's *conversation*, its relative numbers, a message that began two segments before.
//! That state is in one place, `flow`, and bounded there.
//!
//! ```text
//!  file ──┐              ┌─ fragments ──┐
//!  live ──┼──> Packet ──>│    decode    │──> Decoded ──┬──> filter (on field): is it shown
//!  tap  ──┘              └──── flow ────┘              ├──> show: a line, a tree
//!   └──> file                                          └──> flow: follow, explain, conversations
//! ```
//!
//! The promises:
//!
//! - The sender of the packets and the author of the file may be hostile: no bytes cause a panic,
//!   every length is compared before it is used, and all state has a limit.
//! - A part that cannot be decoded is marked, and the layers before it are still shown.
//! - Names, words and guesses are those of tshark 4.0, so that each tool can check the other.
//!
//! All of it is pure but `live` and the shell of `tap`, which use sockets.
//!
//! In reading order: [`packet`] (a packet and its time), [`file`](mod@file) (pcap and pcapng),
//! [`decode`] (its layers), [`flow`] (conversations), [`field`] (the values in a packet, by name),
//! [`filter`] (which packets to show), [`show`] (a line, a tree), [`live`] (packets captured on an
//! interface), [`tap`] (a relay that records packets, without privilege, and injects faults). The
//! chapters: `docs/capture.md`, `filters.md`, `wiretap.md`.

pub mod decode;
pub mod field;
pub mod file;
pub mod filter;
pub mod flow;
pub mod live;
pub mod packet;
pub mod show;
pub mod tap;

pub use filter::{Filter, FilterError};
pub use packet::{LinkType, Packet};
