//! A tap: a relay that shows what passes, records it as packets, and injects faults. It needs no
//! privilege, because it sits in the path instead of listening on the wire.
//!
//! ```text
//!              Plan (fault)          Recorder: Transcript, Conversation ──> lines, pcap
//!                  |                     ^
//!  client ──> read ┴ [Lane: delayed] ────┴──> write ──> target
//! ```
//!
//! The tap shows and records what *leaves* it, just before it does: with its faults, at its new
//! time, and an answer never before its question.
//!
//! In reading order. Pure: [`fault`] (which faults, from a seed), [`Line`] (what is due when),
//! [`Conversation`] (made-up packets, with `headers`), [`Transcript`] (lines for people). Shell:
//! [`Recorder`] (clock, screen, file), `lane` (a delay between two threads), [`Relay`] (streams),
//! [`DatagramRelay`].
//!
//! To add a fault: 1. a field of [`Faults`](fault::Faults), with its text; 2. its part in
//! [`Plan`](fault::Plan), decided by a generator of its own, so that it does not shift the others;
//! 3. a test that a seed repeats it; 4. the option in `src/bin/wiretap/options.rs`.

mod conversation;
mod datagrams;
pub mod fault;
mod headers;
mod lane;
mod line;
mod recorder;
mod relay;
mod transcript;

pub use conversation::{Conversation, Datagrams, Emit, MADE_UP_TARGET, ends};
pub use datagrams::{DatagramRelay, DatagramTotals};
pub use line::Line;
pub use recorder::{Event, Recorder, Track};
pub use relay::{MOST_ON_THE_WAY, Passed, Relay, RelayConfig};
pub use transcript::{Show, Transcript};
