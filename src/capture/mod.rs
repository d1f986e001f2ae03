//! Packets: capture files, what is in a packet, conversations, and a tap that needs no privilege.
//!
//! - [`packet`]: a packet and its time. [`decode`]: its layers. [`flow`]: conversations.
//! - [`show`]: a packet as a line, as a tree.
//! - [`file`](mod@file): capture files, read and written. [`live`]: packets as they pass an interface.
//! - [`field`]: what is in a packet, by name. [`filter`]: which packets to show.

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
