//! What every storage promises: what was synced is found again, in the order it was written.
//!
//! [`Restored`] is the meaning of a sequence of writes (Figure 2 "persistent state", §7). Storages
//! differ in how they keep it; what it is, they share here. The assertions state the duties of a
//! node: a log with a hole would otherwise be found only at the next start, when it is too late.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::raft::entry::{Entry, HardState, Index, Snapshot};
use crate::raft::port::Persist;

/// What a storage held when it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Term and vote.
    pub hard_state: HardState,
    /// The latest snapshot. A new cluster's first one is empty, has index 0, and names the members.
    pub snapshot: Snapshot,
    /// The entries after it, without a gap.
    pub entries: Vec<Entry>,
}

impl Restored {
    /// Whether nothing was ever written: the node is new, and must be told its cluster.
    pub fn is_new(&self) -> bool {
        *self == Self::default()
    }

    /// The last entry's index, or the snapshot's if there is none after it.
    pub fn last_index(&self) -> Index {
        self.snapshot.meta.last_index + self.entries.len() as Index
    }

    /// Becomes this snapshot. The entries after it stay, or none if the log is not a
    /// continuation of it (§7, Figure 13 rules 6 and 7).
    pub(super) fn install(&mut self, snapshot: &Snapshot, drop_log: bool) {
        let (last, held) = (snapshot.meta.last_index, self.snapshot.meta.last_index);
        assert!(last >= held, "snapshot {last} is older than {held}");
        match usize::try_from(last - held) {
            Ok(covered) if !drop_log && covered < self.entries.len() => {
                self.entries.drain(..covered);
            }
            _ => self.entries.clear(),
        }
        self.snapshot = snapshot.clone();
    }

    /// Stores an entry; what the log holds from its index on is replaced.
    pub(super) fn append(&mut self, entry: &Entry) {
        let (first, last) = (self.snapshot.meta.last_index + 1, self.last_index());
        let fits = (first..=last + 1).contains(&entry.index);
        assert!(fits, "entry {} in a log {first} to {last}", entry.index);
        self.entries.truncate((entry.index - first) as usize);
        self.entries.push(entry.clone());
    }
}

/// Stable storage for one node.
pub trait Storage: Send {
    /// Takes a write; nothing of it has to be stable yet. Blocks at most for the disk.
    ///
    /// [`StorageError::Full`]: nothing of the write counts, and it may be tried again. Any
    /// other error is final.
    fn write(&mut self, write: &Persist) -> Result<(), StorageError>;

    /// Returns when all writes are on stable storage: one call for many writes (group commit).
    /// Any error is final.
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
    /// A file holds what was never written to it.
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
