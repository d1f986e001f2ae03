//! What outlives a crash: term, vote, snapshot, log.
//!
//! A node writes and never reads back while it runs: its log from the snapshot on stands in
//! memory. So a storage has three verbs.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::entry::{Entry, HardState, Snapshot};
use super::port::Persist;

/// What a storage held when it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Term and vote.
    pub hard_state: HardState,
    /// The latest snapshot. A new cluster's first one is empty, has index 0, and names the members.
    pub snapshot: Snapshot,
    /// The entries behind it, without a gap.
    pub entries: Vec<Entry>,
}

/// Stable storage for one node.
pub trait Storage: Send {
    /// Takes a write in; nothing of it has to be stable yet. Blocks for the disk at most.
    fn write(&mut self, write: &Persist) -> Result<(), StorageError>;

    /// Returns when all writes are on stable storage: one call for many of them (group commit).
    fn sync(&mut self) -> Result<(), StorageError>;
}

/// Why a storage did not do what it was asked to.
#[derive(Debug)]
pub enum StorageError {
    /// No space: nothing of this write counts, and it may be tried again.
    Full {
        /// Which file did not grow.
        path: PathBuf,
    },
    /// The disk failed. What was written since the last sync may be gone: the node must stop.
    Failed {
        /// What was attempted.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// A file says what was never written to it.
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// Where in it, in bytes.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// Another process uses the folder.
    Locked {
        /// Its lock file.
        path: PathBuf,
    },
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StorageError::Full { path } => write!(f, "{}: no space left", path.display()),
            StorageError::Failed { doing, path, cause } => {
                write!(f, "{doing} {}: {cause}", path.display())
            }
            StorageError::Corrupt { path, offset, what } => {
                write!(f, "{}: at byte {offset}: {what}", path.display())
            }
            StorageError::Locked { path } => {
                write!(f, "{}: another process uses this folder", path.display())
            }
        }
    }
}

impl std::error::Error for StorageError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StorageError::Failed { cause, .. } => Some(cause),
            _ => None,
        }
    }
}
