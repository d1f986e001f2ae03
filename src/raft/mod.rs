//! Raft: many nodes, one log.

mod config;
mod dice;
mod entry;
mod flaw;
mod log;
mod machine;
mod membership;
mod message;
mod node;
pub mod packing;
mod port;
pub mod registers;
pub mod sessions;
pub mod sim;
pub mod storage;

pub use config::Config;
pub use dice::Dice;
pub use entry::{Command, Entry, HardState, Index, NodeId, Payload, Snapshot, SnapshotMeta, Term};
#[cfg(test)]
pub use flaw::Flaw;
pub use log::Log;
pub use machine::{BadSnapshot, StateMachine};
pub use membership::Membership;
pub use message::{Ballot, Body, Message};
pub use node::Node;
pub use port::{Apply, Change, Event, Input, Output, Persist, Refusal, RoleName, Status};
