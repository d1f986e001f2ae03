//! Netcat: standard input and output at the end of a socket.
//!
//! The room holds what the program `netcat` is
//! made of. The lesson is the end of a connection, which has two halves:
//!
//! ```text
//!            standard input ──> [thread: Feed]  ──> socket      ends at the end of the input: the
//!                                                               half-close, shutdown(SHUT_WR)
//!            standard output <── [main: relay] <── socket       ends when the peer half-closes
//! ```
//!
//! - The connection is over when both halves have ended, in either order: a peer that has said its
//!   last word still hears ours, as `sort` behind a socket must.
//! - A reset, or a Unix peer that has closed, is the end of both at once, even while the input waits
//!   for more. The input's thread is then left where it blocks, and ends with the process.
//! - TCP has no way to tell a closed peer from one that half-closed; only what is sent to it tells,
//!   by the reset that comes back. With a person at the input that would be one line too late, so
//!   with a terminal there the peer's end is the end. (The kernel's keep-alive probes find
//!   out without a line, after a minute or more.)
//!
//! Files, in reading order. Pure: [`telnet`], [`crlf`], [`ports`], [`dump`] and [`proxy`]. Shell:
//! `feed` (standard input and where it goes), `relay` (one connection), `datagrams` (the same
//! without connections), `scan` (is a port open), `through` (a proxy's handshake on a socket).

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
