//! A key-value store that is the same on every node: keys and values on [`raft`](crate::raft).
//!
//! # The problem
//!
//! A service keeps a little state that must not be lost and that several processes must agree on:
//! which process owns what, how a service is configured, what is done already. If one machine keeps
//! it, and that machine fails, the state is gone.
//!
//! # What it offers
//!
//! Keys and values are bytes. [`Store`] is what a service uses: get, put, delete,
//! compare-and-swap, list by prefix, watch. The words are etcd's: the store's *revision* counts its
//! changes; a key has a *create revision*, a *mod revision*, and a *version* that counts its own.
//!
//! ```text
//!                                  ┌─ client ──rpc──> kv-server ── Sessions<Machine> ── raft log
//!  service ── Store (store.rs) ────┤
//!                                  └─ Etcd ───http──> an etcd cluster
//! ```
//!
//! # When not to use it
//!
//! For much data: all of it is in the memory of each node ([`machine::Limits`]). For many small
//! changes a second: each is on the disks of a majority before it is acknowledged.
//!
//! # The files, in reading order
//!
//! | file | holds |
//! |---|---|
//! | [`command`] | the words, as values with a form on the wire (pure) |
//! | [`machine`] | the state machine (pure) |
//! | [`store`] | the interface of a store, and how it fails |
//! | [`etcd`] | the same from an etcd cluster |
//! | [`service`] | what a node offers its clients |
//! | `server` | that service, on a replica |
//! | [`cluster`] | which cluster a node belongs to |
//! | `folder` | what its data folder records about that |
//! | [`peers`] | messages from node to node |
//! | [`node`] | a whole node |
//! | [`client`] | a store on a cluster of such nodes |

pub mod client;
pub mod cluster;
pub mod command;
pub mod etcd;
mod folder;
pub mod machine;
pub mod node;
pub mod peers;
mod server;
pub mod service;
pub mod store;

pub use client::{Client, ClientConfig};
pub use command::{Change, Changes, Compacted, Expected, KeyValue, Keys, Page, Refused, Revision};
pub use command::{Command, Reply, Swap};
pub use machine::Machine;
pub use node::{Node, NodeConfig, Opened};
pub use server::Replicated;
pub use store::{Store, StoreError, Watch};
