//! Conversations: which packets belong together, and what each means after those before it. Pure.
//!
//! A segment alone says little. That number 3,735,928,560 is the first byte, that these bytes were
//! sent before, that they are the end of a request: only the segments before it tell this. A
//! *conversation* is all traffic between two *ends* (address and port). In TCP it is a
//! *connection*, which a new SYN on the same ports replaces. It has a number, its *stream*, counted
//! from 0 in the order of first packets, and two *sides*.
//!
//! ```text
//!  ends, segment ──> table ──> connection ──> Segment: stream, relative numbers, window
//!                              └─ analysis ──> its Marks: sent again, late, lost before ...
//!  payload ──> streams: in order ──> body or messages ──> layers: DNS, HTTP, RPC, frames
//! ```
//!
//! A capture does not show everything: it begins in the middle, lacks packets, or has them in
//! another order than either side. So this code never depends on a packet that may not come, and
//! every mark is a guess by a fixed rule. Numbers are compared modulo 2^32. Each file bounds its
//! state; what is forgotten costs a mark or a message, never a packet.
//!
//! In reading order: `segment` ([`Ends`], [`Segment`], [`Marks`]: the results), `table` (a
//! conversation by its ends), `flows` ([`Flows`]), `connection` (relative numbers), `analysis` (the
//! marks), `unacked` (segments not acknowledged); `messages` (where a message ends), `body` (where
//! the body after it ends), `streams` (reassembly over segments), `application` ([`Applications`]:
//! which protocol); and the reports for people: `conversations` ([`Conversations`]), `follow`
//! ([`Follow`]), `explain` ([`Explain`]).
//!
//! To add a protocol over TCP: 1. a [`Protocol`], with its name in [`Rule::parse`]; 2. where its
//! messages end, in `messages`; 3. its layer, in `streams`' `push`.

mod analysis;
mod application;
mod body;
mod connection;
mod conversations;
mod explain;
mod flows;
mod follow;
mod messages;
mod segment;
mod streams;
mod table;
mod unacked;

#[cfg(test)]
mod tests;

pub use application::{Applications, Protocol, Rule, Transport};
pub use conversations::{Conversations, Kind};
pub use explain::Explain;
pub use flows::Flows;
pub use follow::{Follow, Form, Target};
pub use segment::{Direction, Ends, Marks, Segment};
