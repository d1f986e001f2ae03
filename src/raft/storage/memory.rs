//! A storage in memory that can crash: for the simulations, where a disk must cost nothing.
//!
//! A crash leaves what a disk leaves after recovery: all that was synced, and a prefix of the
//! unsynced writes. The parts of a write are its hard state, its snapshot, and each of its entries:
//! each part is there whole or not at all, and none without those written before it. So a torn
//! write of five entries may leave two of them; what those replaced is gone.

use super::contract::{Restored, Storage, StorageError};
use crate::raft::dice::Dice;
use crate::raft::port::Persist;

/// Storage that is stable as long as the process lives.
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage {
    stable: Restored,
    unsynced: Vec<Persist>,
}

impl MemoryStorage {
    /// A storage that holds this already, stable.
    pub fn new(stable: Restored) -> Self {
        Self {
            stable,
            ..Self::default()
        }
    }

    /// What a node that starts now finds: all that is stable.
    pub fn load(&self) -> Restored {
        self.stable.clone()
    }

    /// What is stable, to look at.
    pub fn stable(&self) -> &Restored {
        &self.stable
    }

    /// Makes the writes up to this [`Persist::number`] stable, and none after it: a disk that is
    /// asked to sync may be given more to write before it answers.
    pub fn sync_to(&mut self, number: u64) {
        let older = |write: &&Persist| write.number <= number;
        let count = self.unsynced.iter().take_while(older).count();
        for write in self.unsynced.drain(..count) {
            take(&mut self.stable, &write, usize::MAX);
        }
    }

    /// The machine loses power, and with it all that was not synced.
    pub fn lose_unsynced(&mut self) {
        self.unsynced.clear();
    }

    /// The same in the middle of writing: of the unsynced parts, none stay, or all, or as many as the
    /// dice say.
    pub fn crash(&mut self, dice: &mut Dice) {
        let parts: usize = self.unsynced.iter().map(parts).sum();
        let mut kept = match dice.below(4) {
            0 => 0,
            1 => parts,
            _ => dice.below(parts as u64 + 1) as usize,
        };
        for write in self.unsynced.drain(..) {
            kept -= take(&mut self.stable, &write, kept);
        }
    }
}

impl Storage for MemoryStorage {
    fn write(&mut self, write: &Persist) -> Result<(), StorageError> {
        self.unsynced.push(write.clone());
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        self.sync_to(u64::MAX);
        Ok(())
    }
}

/// How many parts a write has; a crash keeps the first few.
pub(super) fn parts(write: &Persist) -> usize {
    let single = usize::from(write.hard_state.is_some()) + usize::from(write.snapshot.is_some());
    single + write.entries.len()
}

/// Makes the first `most` parts of a write stable; returns how many that were.
pub(in crate::raft) fn take(stable: &mut Restored, write: &Persist, most: usize) -> usize {
    let mut left = most;
    let mut next = || {
        let there = left > 0;
        left = left.saturating_sub(1);
        there
    };
    if let Some(hard_state) = write.hard_state.filter(|_| next()) {
        stable.hard_state = hard_state;
    }
    if let Some(snapshot) = write.snapshot.as_ref().filter(|_| next()) {
        stable.install(snapshot, write.drop_log);
    }
    for entry in write.entries.iter().take_while(|_| next()) {
        stable.append(entry);
    }
    most - left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::{Entry, HardState, Index, Payload, Snapshot, SnapshotMeta, Term};
    use std::collections::BTreeSet;

    fn entries(term: Term, indices: impl IntoIterator<Item = Index>) -> Vec<Entry> {
        let entry = |index| Entry {
            term,
            index,
            payload: Payload::NoOp,
        };
        indices.into_iter().map(entry).collect()
    }

    fn snapshot(last_index: Index, last_term: Term) -> Snapshot {
        let meta = SnapshotMeta {
            last_index,
            last_term,
            ..SnapshotMeta::default()
        };
        Snapshot {
            meta,
            ..Snapshot::default()
        }
    }

    fn log(storage: &MemoryStorage) -> Vec<(Index, Term)> {
        let held = storage.load().entries;
        held.iter().map(|entry| (entry.index, entry.term)).collect()
    }

    /// Five entries of term 1, stable.
    fn five() -> MemoryStorage {
        let mut storage = MemoryStorage::default();
        let entries = entries(1, 1..=5);
        let write = Persist {
            entries,
            ..Persist::default()
        };
        storage.write(&write).unwrap();
        storage.sync().unwrap();
        storage
    }

    #[test]
    fn what_was_synced_survives_and_what_was_not_may_be_lost() {
        let mut outcomes = BTreeSet::new();
        for seed in 0..200 {
            let mut storage = five();
            let write = Persist {
                hard_state: Some(HardState {
                    term: 2,
                    vote: Some(3),
                }),
                entries: entries(2, 4..=6),
                ..Persist::default()
            };
            storage.write(&write).unwrap();
            storage.crash(&mut Dice::new(seed));
            outcomes.insert((storage.load().hard_state.term, log(&storage)));
            assert_eq!(storage.unsynced.len(), 0);
        }
        let old = [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1)];
        let new = [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 2)];
        // Nothing, the hard state, one, two, three entries: every prefix, and nothing else.
        let expected = [
            (0, old.to_vec()),
            (2, old.to_vec()),
            (2, new[..4].to_vec()),
            (2, new[..5].to_vec()),
            (2, new.to_vec()),
        ];
        assert_eq!(outcomes, BTreeSet::from(expected));
    }

    #[test]
    fn a_sync_up_to_a_number_leaves_later_writes_unsynced() {
        let mut storage = MemoryStorage::default();
        for number in 1..=3 {
            let write = Persist {
                number,
                entries: entries(1, [number]),
                ..Persist::default()
            };
            storage.write(&write).unwrap();
        }
        storage.sync_to(2);
        assert_eq!(log(&storage), [(1, 1), (2, 1)]);
        storage.sync().unwrap();
        assert_eq!(log(&storage), [(1, 1), (2, 1), (3, 1)]);
    }

    #[test]
    fn a_snapshot_takes_what_it_covers_and_all_if_the_log_does_not_continue_it() {
        for (last, drop_log, expected) in [
            (3, false, vec![(4, 1), (5, 1)]),
            (3, true, vec![]),
            (5, false, vec![]),
            (9, false, vec![]),
        ] {
            let mut storage = five();
            let write = Persist {
                snapshot: Some(snapshot(last, 1)),
                drop_log,
                ..Persist::default()
            };
            storage.write(&write).unwrap();
            storage.sync().unwrap();
            assert_eq!(log(&storage), expected, "{last} {drop_log}");
            assert_eq!(storage.load().snapshot, snapshot(last, 1));
        }
    }

    #[test]
    #[should_panic(expected = "entry 7 in a log 1 to 5")]
    fn a_hole_in_the_log_is_a_bug_of_the_node() {
        let mut storage = five();
        let write = Persist {
            entries: entries(1, [7]),
            ..Persist::default()
        };
        storage.write(&write).unwrap();
        storage.sync().unwrap();
    }
}
