//! Echo: the server sends back what it receives (RFC 862). The smallest protocol that shows
//! everything a server has to get right.
//!
//! - On a stream the unit is the *line*: whole lines are echoed as soon as they have arrived, byte
//!   for byte, whatever the encoding; a rest without a line feed is echoed at the end of the
//!   stream. Each line has a maximum length and a deadline, so no peer can fill the memory or
//!   occupy its thread for ever. (The RFC has neither lines nor limits: what came goes back at
//!   once.)
//! - On a datagram or sequenced-packet socket the unit is the datagram or record, echoed whole.
//!
//! Reading order: [`server`](EchoHandler) (the two handlers), [`client`](LineClient) (the other
//! side of the conversation).

mod client;
pub mod conversation;
pub mod flags;
mod server;

pub use client::{Asked, DatagramClient, LineClient, NoReply};
pub use server::{EchoConfig, EchoHandler, datagram_handler, printable};

/// The longest line (or record) that is echoed by default, in bytes. The largest UDP payload over
/// IPv4 is shorter.
pub const MAX_LINE: usize = 64 * 1024;
