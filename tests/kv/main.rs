//! The key-value store: one list of cases for everything that is a `Store`.
//!
//! `conformance` is the list. `local` runs it on the state machine alone, `peers` on Debian's
//! etcd-server where that is installed, `cluster` on our own servers. `failures` tests the client
//! for etcd when endpoints fail, `passing` our own client when a node cannot answer.

mod cluster;
mod conformance;
mod failures;
mod local;
mod passing;
mod peers;
mod strangers;
#[path = "../support/mod.rs"]
mod support;
