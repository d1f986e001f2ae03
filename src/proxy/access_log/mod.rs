//! The access log: one line for each request, at next to no cost for the request.
//!
//! ```text
//!  a connection's thread                          the log's thread
//!  Format::write ──> line ──> lock, append ──> buffer ──> swap ──> write(2) ──> file
//!                             (lost when full)    every second, or at 64 KiB
//! ```
//!
//! The thread that answered formats the line into a buffer of its own and appends it under a short
//! lock. Only the log's own thread waits for the disk. If the disk is so slow that the buffer is
//! full, lines are lost and counted: a log is no reason to keep a client waiting. A line is written
//! after at most a second.
//!
//! In reading order: `entry` (what is recorded, and the formats), `escape`; both pure. `writer` is
//! the shell: [`AccessLog`].

mod entry;
mod escape;
mod writer;

pub use entry::{Entry, Format, MAX_TEXT};
pub use writer::{AccessLog, CAPACITY, Lines};
