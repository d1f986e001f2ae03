//! Echo: what one sends comes back (RFC 862). The smallest protocol that shows everything a
//! server has to get right.
//!
//! - On a stream the unit is the *line*: whole lines are echoed as soon as they are there, byte
//!   for byte, whatever the encoding; what has no line feed before the end of the stream is echoed
//!   at the end. A line has a largest length and each line a deadline, so no peer can fill the
//!   memory or hold its thread for ever.
//! - On a datagram or sequenced-packet socket the unit is the datagram or record, echoed whole.
//!
//! Reading order: [`server`](EchoHandler) the two handlers, [`client`](LineClient) the other side of the conversation.

mod client;
pub mod conversation;
pub mod flags;
mod server;

pub use client::{Asked, DatagramClient, LineClient, NoReply};
pub use server::{EchoConfig, EchoHandler, datagram_handler, printable};

/// The longest line (or record) that is echoed by default, in bytes: the most that a UDP datagram
/// carries over IPv4 fits as well.
pub const MAX_LINE: usize = 64 * 1024;
