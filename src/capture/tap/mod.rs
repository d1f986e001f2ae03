//! A tap: a relay that shows what passes, writes it down as packets, and breaks it on purpose. No
//! privilege is needed, for it sits in the way instead of listening at the wire.
//!
//! ```text
//!              Plan (fault)          Recorder: Transcript, Conversation ──> lines, pcap
//!                  |                     ^
//!  client ──> read ┴ [Lane: delayed] ────┴──> write ──> target
//! ```
//!
//! What is shown and written is what *leaves* the tap, just before it does: with its faults, at its
//! new time, and an answer never before its question.
//!
//! In reading order. Pure: [`fault`] (what goes wrong, from a seed), [`Line`] (what is due when),
//! [`Conversation`] (made-up packets, on `headers`), [`Transcript`] (lines for people). Shell:
//! [`Recorder`] (clock, screen, file), `lane` (a delay between two threads), [`Relay`] (streams),
//! [`DatagramRelay`].
//!
//! To add a fault: 1. a field of [`Faults`](fault::Faults), with its text; 2. its part in
//! [`Plan`](fault::Plan), decided by a generator of its own, lest it shift the others; 3. a test that
//! a seed repeats it; 4. the option in `src/bin/wiretap/options.rs`.

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
