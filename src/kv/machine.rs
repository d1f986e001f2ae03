//! The store as a state machine: the same commands in the same order give the same state.
//!
//! ```text
//!  put a 1      revision 2   a: create 2, mod 2, version 1
//!  put a 2      revision 3   a: create 2, mod 3, version 2
//!  delete b     revision 3   there is no b: no change
//!  delete a     revision 4
//!  put a 3      revision 5   a: create 5, mod 5, version 1
//! ```
//!
//! A change of the store is a change of one key, so the remembered changes have consecutive
//! revisions, and a subtraction finds the place of a change in the window. The window has a limit;
//! a request for older changes gets [`Compacted`].

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use super::command::{
    Change, Changes, Command, Compacted, Expected, KeyValue, Keys, Page, Refused, Reply, Revision,
    Swap,
};
use crate::raft::packing::{Packer, Unpacker};
use crate::raft::{BadSnapshot, Index, StateMachine};
use crate::wire;

/// The cost of a key beyond its bytes and its value's, roughly: counted so that short keys have a
/// limit, too.
const OVERHEAD: usize = 128;

/// The most bytes of keys and values in one page or one batch of changes; one entry may be more.
const MAX_PAGE: usize = 1 << 20;

/// The revision that the very first change makes.
const FIRST_CHANGE: Revision = 2;

/// The limits of the store. They decide which commands are refused, so they must be the same on
/// every node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of keys and values, and 128 for each key. Default 512 MiB.
    pub bytes: usize,
    /// The most changes that are remembered for watches. Default 10,000.
    pub changes: usize,
    /// The most bytes of these changes, counted in the same way. Default 16 MiB.
    pub change_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 512 << 20,
            changes: 10_000,
            change_bytes: 16 << 20,
        }
    }
}

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    value: Vec<u8>,
    create_revision: Revision,
    mod_revision: Revision,
    version: u64,
}

/// The store.
#[derive(Clone, Debug)]
pub struct Machine {
    limits: Limits,
    revision: Revision,
    keys: BTreeMap<Vec<u8>, Held>,
    bytes: usize,
    /// The last one made `revision`, the one before it `revision - 1`, and so on.
    changes: VecDeque<Change>,
    change_bytes: usize,
}

impl Default for Machine {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Machine {
    /// An empty store.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            revision: 1,
            keys: BTreeMap::new(),
            bytes: 0,
            changes: VecDeque::new(),
            change_bytes: 0,
        }
    }

    /// The store's revision.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The bytes of keys and values, and 128 for each key: what [`Limits::bytes`] limits.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What a key holds.
    pub fn get(&self, key: &[u8]) -> Option<KeyValue> {
        self.keys.get(key).map(|held| held.with(key))
    }

    /// The keys that begin with `prefix`, after the key `after`: at most `limit` (at least 1) of
    /// them, and at most 1 MiB, but always one if there is one.
    pub fn list(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Page {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let behind = self.keys.range::<[u8], _>((from, Bound::Unbounded));
        let mut page = Page {
            revision: self.revision,
            ..Page::default()
        };
        let mut room = Room::new(limit);
        for (key, held) in behind.take_while(|(key, _)| key.starts_with(prefix)) {
            if !room.take(cost(key, &held.value)) {
                page.more = true;
                break;
            }
            page.entries.push(held.with(key));
        }
        page
    }

    /// The changes of these keys from revision `from` on: at most `limit`, and at most 1 MiB, but
    /// always one if there is one. None if they are still to come.
    pub fn changes(&self, keys: &Keys, from: Revision, limit: usize) -> Result<Changes, Compacted> {
        let oldest = self.oldest_change();
        if from < oldest && oldest > FIRST_CHANGE {
            return Err(Compacted { oldest });
        }
        let mut found = Changes {
            changes: Vec::new(),
            next: from.max(self.revision + 1),
        };
        let mut room = Room::new(limit);
        let skipped = usize::try_from(from.saturating_sub(oldest)).unwrap_or(usize::MAX);
        for change in self.changes.iter().skip(skipped) {
            if !keys.contain(change.key()) {
                continue;
            }
            if !room.take(change_cost(change)) {
                found.next = change.revision();
                break;
            }
            found.changes.push(change.clone());
        }
        Ok(found)
    }

    /// The first change that is remembered. Watches may begin there; if it is the very first
    /// change, they may begin anywhere.
    pub fn oldest_change(&self) -> Revision {
        self.revision + 1 - self.changes.len() as u64
    }

    /// Does what a command asks.
    pub fn command(&mut self, command: Command<'_>) -> Reply {
        if let Err(refused) = command.check() {
            return Reply::Refused(refused);
        }
        match command {
            Command::Put { key, value } => match self.put(key, value) {
                Ok(revision) => Reply::Put(revision),
                Err(refused) => Reply::Refused(refused),
            },
            Command::Delete { key } => Reply::Deleted(self.delete(key)),
            Command::CompareAndSwap {
                key,
                expected,
                value,
            } => match self.compare_and_swap(key, expected, value) {
                Ok(swap) => Reply::Swap(swap),
                Err(refused) => Reply::Refused(refused),
            },
        }
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<Revision, Refused> {
        let before = self.keys.get(key);
        let freed = before.map_or(0, |held| cost(key, &held.value));
        let bytes = self.bytes - freed + cost(key, value);
        // A change that frees bytes is always taken: the limit may have been lowered.
        if bytes > self.limits.bytes.max(self.bytes) {
            return Err(Refused::Full);
        }
        let revision = self.revision + 1;
        let held = Held {
            value: value.to_vec(),
            create_revision: before.map_or(revision, |held| held.create_revision),
            mod_revision: revision,
            version: before.map_or(0, |held| held.version) + 1,
        };
        self.bytes = bytes;
        let change = Change::Put(held.with(key));
        self.keys.insert(key.to_vec(), held);
        Ok(self.changed(change))
    }

    fn delete(&mut self, key: &[u8]) -> Option<Revision> {
        let held = self.keys.remove(key)?;
        self.bytes -= cost(key, &held.value);
        Some(self.changed(Change::Deleted {
            key: key.to_vec(),
            revision: self.revision + 1,
        }))
    }

    fn compare_and_swap(
        &mut self,
        key: &[u8],
        expected: Expected<'_>,
        value: Option<&[u8]>,
    ) -> Result<Swap, Refused> {
        let held = self.keys.get(key);
        let mod_revision = held.map_or(0, |held| held.mod_revision);
        let is_as_expected = match expected {
            Expected::Revision(revision) => mod_revision == revision,
            Expected::Value(value) => held.is_some_and(|held| held.value == value),
        };
        if !is_as_expected {
            return Ok(Swap::Differs(mod_revision));
        }
        match value {
            Some(value) => self.put(key, value).map(Swap::Done),
            None => Ok(Swap::Done(self.delete(key).unwrap_or(self.revision))),
        }
    }

    /// Counts a change and remembers it, as long as there is room for it.
    fn changed(&mut self, change: Change) -> Revision {
        self.revision += 1;
        self.change_bytes += change_cost(&change);
        self.changes.push_back(change);
        while self.changes.len() > self.limits.changes
            || self.change_bytes > self.limits.change_bytes
        {
            let Some(oldest) = self.changes.pop_front() else {
                break;
            };
            self.change_bytes -= change_cost(&oldest);
        }
        self.revision
    }
}

/// The room left in a page.
struct Room {
    entries: usize,
    bytes: usize,
    is_empty: bool,
}

impl Room {
    fn new(limit: usize) -> Self {
        Self {
            entries: limit.max(1),
            bytes: MAX_PAGE,
            is_empty: true,
        }
    }

    /// Whether there is room for an entry of this many bytes: always for the first.
    fn take(&mut self, bytes: usize) -> bool {
        let fits = self.entries > 0 && (bytes <= self.bytes || self.is_empty);
        if fits {
            self.entries -= 1;
            self.bytes = self.bytes.saturating_sub(bytes);
            self.is_empty = false;
        }
        fits
    }
}

fn cost(key: &[u8], value: &[u8]) -> usize {
    key.len() + value.len() + OVERHEAD
}

fn change_cost(change: &Change) -> usize {
    match change {
        Change::Put(now) => cost(&now.key, &now.value),
        Change::Deleted { key, .. } => cost(key, b""),
    }
}

impl Held {
    fn with(&self, key: &[u8]) -> KeyValue {
        KeyValue {
            key: key.to_vec(),
            value: self.value.clone(),
            create_revision: self.create_revision,
            mod_revision: self.mod_revision,
            version: self.version,
        }
    }

    /// Splits a [`KeyValue`] into the key and the rest.
    fn split(now: KeyValue) -> (Vec<u8>, Self) {
        let held = Self {
            value: now.value,
            create_revision: now.create_revision,
            mod_revision: now.mod_revision,
            version: now.version,
        };
        (now.key, held)
    }
}

impl StateMachine for Machine {
    fn apply(&mut self, _: Index, command: &[u8]) -> Vec<u8> {
        let reply = match wire::decode(command) {
            Ok(command) => self.command(command),
            Err(_) => Reply::Refused(Refused::Malformed),
        };
        // A reply is a few dozen bytes: it always fits.
        wire::encode(&reply).unwrap_or_default()
    }

    fn snapshot(&self) -> Vec<u8> {
        let mut packer = Packer::default();
        packer.number(self.revision);
        packer.number(self.keys.len() as u64);
        for (key, held) in &self.keys {
            let counts = [held.create_revision, held.mod_revision, held.version];
            pack(&mut packer, key, &held.value, counts);
        }
        packer.number(self.changes.len() as u64);
        for change in &self.changes {
            match change {
                Change::Put(now) => {
                    packer.number(PUT);
                    let counts = [now.create_revision, now.mod_revision, now.version];
                    pack(&mut packer, &now.key, &now.value, counts);
                }
                Change::Deleted { key, revision } => {
                    packer.number(DELETED);
                    packer.bytes(key);
                    packer.number(*revision);
                }
            }
        }
        packer.end()
    }

    fn restore(&mut self, data: &[u8]) -> Result<(), BadSnapshot> {
        let mut unpacker = Unpacker::new(data);
        let mut restored = Self::new(self.limits);
        restored.revision = unpacker.number()?;
        if !(1..=MAX_REVISION).contains(&restored.revision) {
            return Err(BadSnapshot(format!("revision {}", restored.revision)));
        }
        restored.unpack_keys(&mut unpacker)?;
        restored.unpack_changes(&mut unpacker)?;
        unpacker.end()?;
        *self = restored;
        Ok(())
    }
}

/// The highest revision: etcd's are signed, and counting on from here does not overflow.
const MAX_REVISION: Revision = i64::MAX as Revision;

impl Machine {
    fn unpack_keys(&mut self, unpacker: &mut Unpacker<'_>) -> Result<(), BadSnapshot> {
        for _ in 0..unpacker.number()? {
            let now = unpack(unpacker)?;
            // In order, and with revisions that the store has counted.
            let rises = self.keys.last_key_value().is_none_or(|(k, _)| *k < now.key);
            let counts = [1, now.create_revision, now.mod_revision, self.revision].is_sorted()
                && (1..=self.revision).contains(&now.version);
            if !rises || !counts {
                return Err(BadSnapshot(format!("no such key: {now:?}")));
            }
            let (key, held) = Held::split(now);
            self.bytes += cost(&key, &held.value);
            self.keys.insert(key, held);
        }
        Ok(())
    }

    fn unpack_changes(&mut self, unpacker: &mut Unpacker<'_>) -> Result<(), BadSnapshot> {
        let before = self.revision.checked_sub(unpacker.number()?);
        let before = before.ok_or_else(|| BadSnapshot("more changes than revisions".into()))?;
        for revision in before + 1..=self.revision {
            let change = unpack_change(unpacker)?;
            if change.revision() != revision {
                return Err(BadSnapshot(format!("change {revision} is missing")));
            }
            self.change_bytes += change_cost(&change);
            self.changes.push_back(change);
        }
        Ok(())
    }
}

/// The number with which a change begins in a snapshot.
const PUT: u64 = 0;
const DELETED: u64 = 1;

/// A key, its value, and its create revision, mod revision and version.
fn pack(packer: &mut Packer, key: &[u8], value: &[u8], counts: [u64; 3]) {
    packer.bytes(key);
    packer.bytes(value);
    for count in counts {
        packer.number(count);
    }
}

fn unpack(unpacker: &mut Unpacker<'_>) -> Result<KeyValue, BadSnapshot> {
    Ok(KeyValue {
        key: unpacker.bytes()?.to_vec(),
        value: unpacker.bytes()?.to_vec(),
        create_revision: unpacker.number()?,
        mod_revision: unpacker.number()?,
        version: unpacker.number()?,
    })
}

fn unpack_change(unpacker: &mut Unpacker<'_>) -> Result<Change, BadSnapshot> {
    match unpacker.number()? {
        PUT => unpack(unpacker).map(Change::Put),
        DELETED => Ok(Change::Deleted {
            key: unpacker.bytes()?.to_vec(),
            revision: unpacker.number()?,
        }),
        tag => Err(BadSnapshot(format!("no change has tag {tag}"))),
    }
}

#[cfg(test)]
mod tests;
