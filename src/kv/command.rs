//! The words of the store: keys and values with their revisions, commands, replies.
//!
//! Everything here is a value with a wire format. The revisions are etcd's: the store counts
//! its changes, from 1 (no change yet) on, and each key remembers at which revision it
//! was created and last changed, and how often it was changed since it was created.

use std::fmt;
use std::iter;

/// The number of changes that the store has seen, plus one: an empty store is at 1.
pub type Revision = u64;

/// The longest key, in bytes. A key has at least one.
pub const MAX_KEY: usize = 4096;

/// The longest value, in bytes. (By default, etcd accepts requests of up to 1.5 MiB.)
pub const MAX_VALUE: usize = 1 << 20;

/// The longest command, in bytes: a compare-and-swap with two values, and the bytes around them.
pub const MAX_COMMAND: usize = MAX_KEY + 2 * MAX_VALUE + 1024;

crate::wire! {
    /// What a key holds.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct KeyValue {
        /// The key.
        pub key: Vec<u8>,
        /// Its value.
        pub value: Vec<u8>,
        /// The revision that created it, after its last deletion.
        pub create_revision: Revision,
        /// The revision of its last change.
        pub mod_revision: Revision,
        /// The number of its changes since it was created, which is the first.
        pub version: u64
    }

    /// What a compare-and-swap expects to find.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Expected<'a> {
        /// The key's `mod_revision`; 0 if there is no such key.
        Revision(Revision),
        /// The key, with this value.
        Value(&'a [u8])
    }

    /// A change that a client wants, as it is in the log.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Command<'a> {
        /// The key holds this from now on.
        Put {
            /// The key.
            key: &'a [u8],
            /// Its value.
            value: &'a [u8]
        },
        /// The key is deleted.
        Delete {
            /// The key.
            key: &'a [u8]
        },
        /// If the key is as expected, it changes.
        CompareAndSwap {
            /// The key.
            key: &'a [u8],
            /// What must hold.
            expected: Expected<'a>,
            /// Its new value; `None` deletes it.
            value: Option<&'a [u8]>
        }
    }

    /// The result of a command. Always small, because sessions remember it.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Reply {
        /// To `Put`: the revision that it made.
        Put(Revision),
        /// To `Delete`: the revision that it made, if there was such a key.
        Deleted(Option<Revision>),
        /// To `CompareAndSwap`.
        Swap(Swap),
        /// It was not done.
        Refused(Refused)
    }

    /// How a compare-and-swap went.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Swap {
        /// The key was as expected. The revision that the swap made; deleting a key that does not
        /// exist makes none, and this is the store's.
        Done(Revision),
        /// It was not, and is unchanged: its `mod_revision`, 0 if there is no such key.
        Differs(Revision)
    }

    /// Why a command is never done, whichever client sends it and however often.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Refused {
        /// A key has at least one byte.
        EmptyKey,
        /// The key is longer than [`MAX_KEY`].
        KeyTooLong,
        /// The value is longer than [`MAX_VALUE`].
        ValueTooLong,
        /// The store takes no more bytes: delete something.
        Full,
        /// The bytes are not a command.
        Malformed,
        /// The server's own reason.
        Other(String)
    }

    /// Which keys.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Keys {
        /// This one.
        One(Vec<u8>),
        /// All that begin with this; if it is empty, all keys.
        Prefix(Vec<u8>)
    }

    /// Some keys that begin with a prefix, in the order of their bytes.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Page {
        /// The keys and what they hold, all at one moment.
        pub entries: Vec<KeyValue>,
        /// Whether there are more after the last one, from which the next page continues.
        pub more: bool,
        /// The store's revision at that moment.
        pub revision: Revision
    }

    /// A change that was made.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Change {
        /// The key holds this since then.
        Put(KeyValue),
        /// The key was deleted.
        Deleted {
            /// Which.
            key: Vec<u8>,
            /// When.
            revision: Revision
        }
    }

    /// Changes in the order in which they were made.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Changes {
        /// The changes of the keys that were asked for.
        pub changes: Vec<Change>,
        /// The revision to continue from: all changes before it have been reported.
        pub next: Revision
    }

    /// The requested changes are no longer remembered.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Compacted {
        /// The first revision that is still remembered.
        pub oldest: Revision
    }
}

impl Keys {
    /// Whether such keys are possible: any bytes can be a prefix, but not a key.
    pub fn check(&self) -> Result<(), Refused> {
        match self {
            Keys::One(key) => check_key(key),
            Keys::Prefix(_) => Ok(()),
        }
    }

    /// Whether this key is one of them.
    pub fn contain(&self, key: &[u8]) -> bool {
        match self {
            Keys::One(one) => one == key,
            Keys::Prefix(prefix) => key.starts_with(prefix),
        }
    }
}

impl Changes {
    /// Whether they continue from revision `from`, in order, with `next` after the last of them.
    /// Otherwise a watch would be told the same changes again, perhaps for ever.
    pub fn go_on_from(&self, from: Revision) -> bool {
        let told = self.changes.iter().map(Change::revision);
        let behind = told
            .clone()
            .next_back()
            .map_or(from, |last| last.saturating_add(1));
        iter::once(from).chain(told).is_sorted() && behind <= self.next
    }
}

impl Change {
    /// The revision that it made.
    pub fn revision(&self) -> Revision {
        match self {
            Change::Put(now) => now.mod_revision,
            Change::Deleted { revision, .. } => *revision,
        }
    }

    /// The key that it changed.
    pub fn key(&self) -> &[u8] {
        match self {
            Change::Put(now) => &now.key,
            Change::Deleted { key, .. } => key,
        }
    }
}

impl<'a> Command<'a> {
    /// Whether its key and values are within the limits, which every store checks first. (No key
    /// holds a value above them, so an expected value is not checked.)
    pub fn check(&self) -> Result<(), Refused> {
        let (key, value) = match *self {
            Command::Put { key, value } => (key, Some(value)),
            Command::Delete { key } => (key, None),
            Command::CompareAndSwap { key, value, .. } => (key, value),
        };
        check_key(key)?;
        let expected = match *self {
            Command::CompareAndSwap {
                expected: Expected::Value(expected),
                ..
            } => Some(expected),
            _ => None,
        };
        let mut values = [value, expected].into_iter().flatten();
        match values.any(|value| value.len() > MAX_VALUE) {
            true => Err(Refused::ValueTooLong),
            false => Ok(()),
        }
    }
}

/// Whether these bytes may be a key.
pub fn check_key(key: &[u8]) -> Result<(), Refused> {
    match key.len() {
        0 => Err(Refused::EmptyKey),
        1..=MAX_KEY => Ok(()),
        _ => Err(Refused::KeyTooLong),
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::EmptyKey => f.write_str("the key is empty"),
            Refused::KeyTooLong => write!(f, "the key is longer than {MAX_KEY} bytes"),
            Refused::ValueTooLong => write!(f, "the value is longer than {MAX_VALUE} bytes"),
            Refused::Full => f.write_str("the store is full: delete some keys"),
            Refused::Malformed => f.write_str("the server does not understand this command"),
            Refused::Other(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Refused {}

impl fmt::Display for Compacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let oldest = self.oldest;
        write!(f, "changes before revision {oldest} are forgotten: list, ")?;
        f.write_str("then watch from the revision behind the list's")
    }
}

impl std::error::Error for Compacted {}
