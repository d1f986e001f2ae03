//! Netcat: connects standard input and output to a socket.
//!
//! The room holds the parts of the program `netcat`. The lesson is the end of a connection, which
//! has two halves:
//!
//! ```text
//!            standard input ──> [thread: Feed]  ──> socket      ends at the end of the input: the
//!                                                               half-close, shutdown(SHUT_WR)
//!            standard output <── [main: relay] <── socket       ends when the peer half-closes
//! ```
//!
//! - The connection ends when both halves have ended, in either order. A peer that has half-closed
//!   still receives the input, as `sort` behind a socket must.
//! - A reset, or a Unix peer that has closed, ends both halves at once, even while the input waits
//!   for more. The input's thread is then left where it blocks, and ends with the process.
//! - TCP cannot tell a closed peer from one that has half-closed. Only sending to it tells, by the
//!   reset that comes back. With a person at a terminal, that would be one line too late. So there
//!   the end of the peer's stream ends the connection. (The kernel's keep-alive probes find out
//!   without a line, after a minute or more.)
//!
//! Files, in reading order. Pure: [`telnet`], [`crlf`], [`ports`], [`dump`] and [`proxy`]. Shell:
//! `feed` (standard input and its peer), `relay` (one connection), `datagrams` (the same without
//! connections), `scan` (is a port open), `through` (a proxy's handshake on a socket).

pub mod crlf;
mod datagrams;
pub mod dump;
mod error;
mod feed;
pub mod ports;
pub mod proxy;
mod relay;
mod scan;
mod sink;
pub mod telnet;
mod through;

pub use datagrams::{exchange, serve};
pub use error::Error;
pub use feed::{Feed, Settings};
pub use relay::{Output, relay};
pub use scan::{Target, is_open};
pub use through::ask_proxy;
