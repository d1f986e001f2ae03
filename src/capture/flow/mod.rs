//! Conversations: which packets belong together, and what one means after those before it. Pure.
//!
//! - [`Flows`]: the connections of a capture; where a segment stands in its own.
//! - [`Applications`]: which protocol a stream speaks, and its messages.

mod analysis;
mod application;
mod connection;
mod conversations;
mod explain;
mod flows;
mod follow;
mod messages;
mod segment;
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
