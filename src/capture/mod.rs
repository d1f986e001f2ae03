//! Packets: read from a file, taken off an interface, or made up by a relay; then understood, chosen
//! and shown.
//!
//! A program sees bytes and the ends of streams. What was on the wire is more: who asked first, what
//! was sent twice, who hung up. A *capture* is a row of *packets*, each with the time at which it
//! passed, what kind of link it was seen on, and its bytes, perhaps not all of them (the *snap
//! length*). A packet is *decoded* into its *layers*, each a header with the fields of its RFC. Some
//! of it can only be said after the packets before: its *conversation*, its relative numbers, a
//! message that began two segments ago. That is kept in one place, `flow`, and bounded there.
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
//! - Whoever sent the packets, or made the file, is no friend: no bytes cause a panic, every length
//!   is compared before it is used, and all that is remembered has a limit.
//! - What cannot be read is marked, and what stands before it is shown all the same.
//! - Names, words and guesses are those of tshark 4.0, so that either can check the other.
//!
//! All of it is pure but `live` and the shell of `tap`, which have a socket each.
//!
//! In reading order: [`packet`] (a packet and its time), [`file`](mod@file) (pcap and pcapng),
//! [`decode`] (its layers), [`flow`] (conversations), [`field`] (what is in a packet, by name),
//! [`filter`] (which packets to show), [`show`] (a line, a tree), [`live`] (packets as they pass an
//! interface), [`tap`] (a relay that writes packets down, without privilege, and breaks them on
//! purpose). The chapters: `docs/capture.md`, `filters.md`, `wiretap.md`.

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
