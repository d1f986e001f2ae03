//! The interface of a key-value store, wherever it runs.
//!
//! The embedded cluster's client and [`Etcd`](super::etcd::Etcd) both implement [`Store`]: a
//! service that outgrows the first changes an address. `tests/kv/conformance.rs` runs the same
//! cases on both.
//!
//! All calls block, at most for the deadline that the store was made with. Reads are linearizable:
//! they see every change that was acknowledged before they began.

use std::fmt;
use std::time::Duration;

use super::command::{Changes, Compacted, Expected, KeyValue, Keys, Page, Refused, Revision, Swap};

/// A key-value store, which any number of threads may use at the same time.
pub trait Store: Send + Sync {
    /// What a key holds, if there is such a key.
    fn get(&self, key: &[u8]) -> Result<Option<KeyValue>, StoreError>;

    /// Gives a key a value. Returns the revision that this made.
    fn put(&self, key: &[u8], value: &[u8]) -> Result<Revision, StoreError>;

    /// Deletes a key. Returns the revision that this made, if there was such a key.
    fn delete(&self, key: &[u8]) -> Result<Option<Revision>, StoreError>;

    /// Gives a key a new value, or deletes it with `None`, if it is as expected.
    fn compare_and_swap(
        &self,
        key: &[u8],
        expected: Expected<'_>,
        value: Option<&[u8]>,
    ) -> Result<Swap, StoreError>;

    /// The keys that begin with `prefix`, in the order of their bytes; if `after` is given, those
    /// after it. At most `limit` (at least 1) of them, fewer if they are large. Each page shows a
    /// moment of its own.
    fn list(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Page, StoreError>;

    /// Watches keys for changes, those of revision `from` and later: none is missed, none is
    /// reported twice. `from` may be a future revision.
    fn watch(&self, keys: Keys, from: Revision) -> Result<Box<dyn Watch>, StoreError>;
}

/// A watch in progress. Dropping it ends it.
pub trait Watch: Send {
    /// The changes since the last call. Blocks until there are some, at most for `wait`, and then
    /// returns none. After [`StoreError::NotDone`] it may be called again, and continues where it
    /// was.
    fn changes(&mut self, wait: Duration) -> Result<Changes, StoreError>;
}

/// Why a watch refuses a server's answer.
pub(super) const WENT_BACK: &str = "its changes go back behind the revision that was asked for";

/// Why a store did not do what it was asked, or does not know whether it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// Nothing was changed; it may work later.
    NotDone(String),
    /// The change was sent and no answer came: it may have been made, or may still be.
    Unknown(String),
    /// It will never be done, however often it is requested.
    Refused(Refused),
    /// A watch from a revision that is too old.
    Compacted(Compacted),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::NotDone(why) => write!(f, "not done, try again: {why}"),
            StoreError::Unknown(why) => write!(f, "perhaps done, look before a retry: {why}"),
            StoreError::Refused(why) => write!(f, "refused: {why}"),
            StoreError::Compacted(compacted) => compacted.fmt(f),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<Refused> for StoreError {
    fn from(why: Refused) -> Self {
        StoreError::Refused(why)
    }
}

impl From<Compacted> for StoreError {
    fn from(compacted: Compacted) -> Self {
        StoreError::Compacted(compacted)
    }
}
