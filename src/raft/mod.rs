//! Raft: several nodes that agree on one log, though some of them crash and messages get lost.
//!
//! # The problem
//!
//! One machine that keeps a value may fail, and the value is gone. Several machines that keep it
//! may disagree: a message is late, a node was down, two nodes think they lead. Raft makes one
//! *log* of commands that all nodes hold in the same order. Each node feeds it to the same
//! deterministic *state machine*, so all have the same state, and the loss of a minority loses
//! nothing.
//!
//! # The promises
//!
//! Figure 3 of the paper, and what follows from it for clients:
//!
//! - *Election Safety*: at most one leader a term.
//! - *Leader Append-Only*: a leader never changes or drops entries of its own log.
//! - *Log Matching*: two logs that hold an entry of the same index and term are equal up to it.
//! - *Leader Completeness*: a committed entry is in the log of every later leader.
//! - *State Machine Safety*: no two nodes apply different entries at the same index.
//! - *Linearizability*: a command takes effect once, between its call and its reply; a read sees
//!   every command that was answered before it began.
//! - *Progress*, when a majority is up and its messages arrive: soon there is a leader.
//!
//! Not promised: anything against nodes that lie. The nodes of a cluster trust each other.
//!
//! # The words
//!
//! A *term* is a period with at most one leader. An *entry* is at a *log index* and has the
//! term in which a leader received it. It is *committed* when a majority has it on stable storage
//! and a leader of its own term has counted them; then it is *applied*. A *snapshot* replaces the
//! log up to an index. The *membership* says which nodes vote; it is in the log, too.
//!
//! # The shape
//!
//! ```text
//!                  ┌──────────────── one thread ────────────────┐
//!   messages  ──>  │ inbox ──> Node::step ──> Node::output ──┐  │ ──> messages
//!   clients   ──>  │              (pure)                     │  │ ──> answers
//!   time      ──>  │   Storage::write, sync <── persist ─────┤  │
//!                  │   StateMachine::apply  <── apply ───────┘  │
//!                  └────────────────────────────────────────────┘
//! ```
//!
//! The core decides and does no I/O. So it runs the same under a shell of threads and sockets,
//! under a simulation with virtual time, and in a test that fits on a page.
//!
//! # The files, in reading order
//!
//! | file | holds |
//! |---|---|
//! | `entry`, `membership`, `message`, `config` | the words as types |
//! | `port` | what goes into a node and what comes out |
//! | `log` | the log in memory |
//! | `node/` | the core, rule by rule |
//! | `flaw`, `dice` | rules left out on purpose, for tests; random numbers from a seed |
//! | `machine`, [`sessions`], [`registers`] | state machines, and commands that take effect once |
//! | [`packing`] | their snapshots as bytes |
//! | [`storage`] | term, vote, snapshot and log across a crash |
//! | [`replica`] | a node on a thread, with disk and state machine: what programs use |
//! | [`sim`] | simulated clusters, with faults |
//! | [`history`] | what clients saw, and whether one copy could have done it |
//!
//! Source: Ongaro and Ousterhout, "In search of an understandable consensus algorithm (extended
//! version)", 2014 ("the paper"; its figures and sections are named everywhere), and Ongaro's
//! dissertation "Consensus: bridging theory and practice", 2014. The chapter is `docs/raft.md`.

mod config;
mod dice;
mod entry;
mod flaw;
pub mod history;
mod log;
mod machine;
mod membership;
mod message;
mod node;
pub mod packing;
mod port;
pub mod registers;
pub mod replica;
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
pub use replica::{Replica, ReplicaConfig, Transport};
