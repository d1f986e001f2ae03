//! Raft: many nodes, one log.

mod config;
mod dice;
mod entry;
mod membership;
mod message;
mod port;
pub mod storage;

pub use config::Config;
pub use dice::Dice;
pub use entry::{Command, Entry, HardState, Index, NodeId, Payload, Snapshot, SnapshotMeta, Term};
pub use membership::Membership;
pub use message::{Ballot, Body, Message};
pub use port::{Apply, Change, Event, Input, Output, Persist, Refusal, RoleName, Status};
