//! Packets as text: a line each, a tree each. Pure.
//!
//! Words, order and widths are those of tshark 4.0, so that what is known of it is known of this,
//! and a script that reads one reads the other. Where it says more than a reader of one packet can
//! know (it reads a file twice), that is left out.
//!
//! The files, in reading order: `digits` (text made quickly), `summary` (the line), `time`, `tcp`,
//! `icmp`, `arp`, `dns`, `http`, `rpc` (what the line says of each protocol), `numbers` (names of
//! numbers); `tree` (all fields), `tree_link`, `tree_ip`, `tree_transport`, `tree_application` (one
//! function a layer).
//!
//! Texts from the wire are always made visible: no control character reaches a terminal. They are
//! cut at a length that is meant for people, and so is the whole of it.

mod arp;
mod digits;
mod dns;
mod http;
mod icmp;
mod numbers;
mod rpc;
mod summary;
mod tcp;
#[cfg(test)]
mod tests;
mod time;
mod tree;
mod tree_application;
mod tree_ip;
mod tree_link;
mod tree_transport;

pub use summary::{Options, Summary};
pub use time::TimeFormat;
pub use tree::{MOST_TREE, tree};
