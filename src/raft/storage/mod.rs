//! What outlives a crash: term, vote, snapshot, log.
//!
//! A node only writes while it runs, and never reads back: its log from the snapshot on is in
//! memory. So a storage has two verbs, write and sync, and returns what it holds when it is opened.
//!
//! ```text
//!            write   write   write   sync            crash          start
//!  Storage ───┴───────┴───────┴──────┴─── ... ─────────X──────────────┴──> Restored
//!             not stable yet         all stable   unsynced writes are lost,
//!                                                 or kept to some point: a prefix
//! ```
//!
//! `contract`: the trait, its errors, what writes mean. [`memory`]: a storage whose crash is a
//! call, for the simulations. `shared`: the same behind a handle, for tests. [`disk`]: files in a folder.

mod contract;
pub mod disk;
pub mod memory;
#[cfg(test)]
mod shared;

pub use contract::{Restored, Storage, StorageError};
pub use disk::DiskStorage;
pub use memory::MemoryStorage;
#[cfg(test)]
pub use shared::SharedStorage;
