//! The access log: a line for each request, at next to no cost for the request.
//!
//! ```text
//!  a connection's thread                          the log's thread
//!  Format::write ──> line ──> lock, append ──> buffer ──> swap ──> write(2) ──> file
//!                             (lost when full)    every second, or at 64 KiB
//! ```
//!
//! The thread that answered formats the line into a buffer of its own and appends it under a short
//! lock; nobody but the log's own thread waits for the disk. When the disk is so slow that the
//! buffer is full, lines are lost and counted: a log is no reason to keep a client waiting. A line
//! waits a second at most until it is written.
//!
//! In reading order: `entry` (what is told, and the formats), `escape`; both pure. `writer` is the
//! shell: [`AccessLog`].

mod entry;
mod escape;
mod writer;

pub use entry::{Entry, Format, MAX_TEXT};
pub use writer::{AccessLog, CAPACITY, Lines};
