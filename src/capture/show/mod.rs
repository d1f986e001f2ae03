//! Packets as text: each as a line or as a tree. Pure.
//!
//! Words, order and widths are those of tshark 4.0: knowledge of tshark applies here, and a script
//! that reads the output of one can read that of the other. tshark reads a file twice; what it
//! learns from later packets is left out here.
//!
//! The files, in reading order: `digits` (text made quickly), `summary` (the line), `time`, `tcp`,
//! `icmp`, `arp`, `dns`, `http`, `rpc` (what the line says of each protocol), `numbers` (names of
//! numbers); `tree` (all fields), `tree_link`, `tree_ip`, `tree_transport`, `tree_application` (one
//! function per layer).
//!
//! Texts from the wire are always made visible: no control character reaches a terminal. Each text
//! is cut at a length that people can read, and so is the whole output.

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
