//! A node's log in memory: the latest snapshot and the entries after it (§5.3, §7).
//!
//! ```text
//!            base            snapshot.last_index                 last
//!    gone  |  kept for followers that lag  |  not in the snapshot  |
//! ```
//!
//! The entries from `base + 1` on are here. The node knows which of them are committed, stable or
//! applied. Memberships are in the log too, and the last one is in effect from the moment it is
//! appended; so they are kept with their index, and go when their entry is truncated (§6).

use std::collections::VecDeque;

use super::entry::{Entry, Index, Payload, Snapshot, SnapshotMeta, Term};
use super::membership::Membership;

/// The entries that are not yet forgotten.
#[derive(Clone, Debug)]
pub struct Log {
    snapshot: Snapshot,
    /// The entry before the first one here.
    base: (Index, Term),
    entries: VecDeque<Entry>,
    /// By the index of their entry; the first one is the snapshot's or an older one.
    memberships: VecDeque<(Index, Membership)>,
}

impl Log {
    /// A log as it was found on stable storage: `entries` follow the snapshot without a gap.
    pub(super) fn new(snapshot: Snapshot, entries: Vec<Entry>) -> Self {
        let meta = &snapshot.meta;
        let mut log = Self {
            base: (meta.last_index, meta.last_term),
            memberships: [(meta.last_index, meta.membership.clone())].into(),
            entries: VecDeque::with_capacity(entries.len()),
            snapshot,
        };
        for entry in entries {
            log.push(entry);
        }
        log
    }

    /// What the latest snapshot replaces.
    pub fn snapshot(&self) -> &SnapshotMeta {
        &self.snapshot.meta
    }

    /// The latest snapshot with its bytes.
    pub(super) fn whole_snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The index before the first entry that is here.
    pub fn base(&self) -> Index {
        self.base.0
    }

    /// The last entry's index, or the snapshot's.
    pub fn last_index(&self) -> Index {
        self.base.0 + self.entries.len() as Index
    }

    /// The last entry's term, or the snapshot's.
    pub fn last_term(&self) -> Term {
        self.entries.back().map_or(self.base.1, |entry| entry.term)
    }

    /// All entries that are here, in order.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> + ExactSizeIterator {
        self.entries.iter()
    }

    /// The entry at this index, if it is here.
    pub fn entry(&self, index: Index) -> Option<&Entry> {
        let place = index.checked_sub(self.base.0 + 1)?;
        self.entries.get(usize::try_from(place).ok()?)
    }

    /// The term of the entry at this index, also of the one just before the first that is here.
    pub fn term_at(&self, index: Index) -> Option<Term> {
        if index == self.base.0 {
            return Some(self.base.1);
        }
        self.entry(index).map(|entry| entry.term)
    }

    /// The entries from an index on, in order.
    pub(super) fn from(&self, index: Index) -> impl Iterator<Item = &Entry> {
        let skipped = index
            .saturating_sub(self.base.0 + 1)
            .min(self.entries.len() as u64);
        self.entries.range(skipped as usize..)
    }

    /// The first index of the term that the entry at `index` has, as far as the log reaches back.
    pub(super) fn first_of_term(&self, index: Index) -> Index {
        let Some(term) = self.term_at(index) else {
            return index;
        };
        let count = index.saturating_sub(self.base.0) as usize;
        // Terms only grow along the log, so the place can be found by halving.
        let before = self.entries.partition_point(|entry| entry.term < term);
        self.base.0 + (before.min(count) as Index) + 1
    }

    /// The last index of this term, if there is an entry of it here.
    pub(super) fn last_of_term(&self, term: Term) -> Option<Index> {
        let count = self.entries.partition_point(|entry| entry.term <= term) as Index;
        let index = self.base.0 + count;
        (self.term_at(index) == Some(term)).then_some(index)
    }

    /// Appends the next entry.
    pub(super) fn push(&mut self, entry: Entry) {
        assert_eq!(entry.index, self.last_index() + 1, "the log has no gaps");
        if let Payload::Membership(membership) = &entry.payload {
            self.memberships
                .push_back((entry.index, membership.clone()));
        }
        self.entries.push_back(entry);
    }

    /// Drops the entries from `index` on, and the memberships that stood there.
    pub(super) fn truncate(&mut self, index: Index) {
        let kept = index.saturating_sub(self.base.0 + 1);
        self.entries.truncate(kept as usize);
        while self.memberships.len() > 1 && self.memberships.back().is_some_and(|m| m.0 >= index) {
            self.memberships.pop_back();
        }
    }

    /// Forgets to undo memberships (`Flaw::MembershipNotUndone`).
    #[cfg(test)]
    pub(super) fn keep_memberships(&mut self, other: &Log) {
        self.memberships.clone_from(&other.memberships);
    }

    /// Stores a snapshot that ends at an entry which is here. Of the entries that it covers, the
    /// last ones stay: at most `keep` of them, and at most `bytes`.
    pub(super) fn compact(&mut self, snapshot: Snapshot, (keep, bytes): (u64, usize)) {
        let covered = snapshot.meta.last_index.saturating_sub(self.base.0) as usize;
        let covered = covered.min(self.entries.len());
        let sizes = self.entries.range(..covered).rev().scan(0, |size, entry| {
            *size += entry.size();
            Some(*size)
        });
        let kept = sizes.take_while(|&size| size <= bytes).count();
        let gone = covered - kept.min(keep as usize);
        if let Some(last) = self.entries.drain(..gone).next_back() {
            self.base = (last.index, last.term);
        }
        // The one in effect at the base must stay.
        while self.memberships.get(1).is_some_and(|m| m.0 <= self.base.0) {
            self.memberships.pop_front();
        }
        self.snapshot = snapshot;
    }

    /// Becomes a leader's snapshot: nothing else stays (§7).
    pub(super) fn install(&mut self, snapshot: Snapshot) {
        *self = Self::new(snapshot, Vec::new());
    }

    /// The members in effect: those of the last membership that was appended.
    pub fn membership(&self) -> &Membership {
        self.memberships
            .back()
            .map_or(&self.snapshot.meta.membership, |m| &m.1)
    }

    /// The index of the entry that the membership in effect came with.
    pub fn membership_index(&self) -> Index {
        self.memberships.back().map_or(0, |m| m.0)
    }

    /// The members as of an index.
    pub fn membership_at(&self, index: Index) -> &Membership {
        let found = self.memberships.iter().rev().find(|m| m.0 <= index);
        found.map_or(&self.snapshot.meta.membership, |m| &m.1)
    }

    /// Whether a log that ends with this entry is at least as up to date as this one (§5.4.1): the
    /// last terms decide, then the last indices.
    pub(super) fn is_not_ahead_of(&self, last_index: Index, last_term: Term) -> bool {
        (last_term, last_index) >= (self.last_term(), self.last_index())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: Index, term: Term) -> Entry {
        Entry {
            term,
            index,
            payload: Payload::NoOp,
        }
    }

    fn log(terms: &[Term]) -> Log {
        let entries = terms
            .iter()
            .zip(1..)
            .map(|(&term, index)| entry(index, term));
        Log::new(Snapshot::default(), entries.collect())
    }

    fn snapshot(last_index: Index, last_term: Term) -> Snapshot {
        Snapshot {
            meta: SnapshotMeta {
                last_index,
                last_term,
                membership: Membership::of([1]),
            },
            ..Snapshot::default()
        }
    }

    #[test]
    fn the_empty_log_ends_at_index_0_with_term_0() {
        let log = log(&[]);
        assert_eq!((log.last_index(), log.last_term()), (0, 0));
        assert_eq!(log.term_at(0), Some(0));
        assert_eq!(log.term_at(1), None);
        assert_eq!(log.first_of_term(0), 1);
    }

    #[test]
    fn the_first_and_last_place_of_a_term_are_found() {
        let log = log(&[1, 1, 4, 4, 5]);
        assert_eq!(
            [1, 2, 3, 4, 5].map(|at| log.first_of_term(at)),
            [1, 1, 3, 3, 5]
        );
        assert_eq!(
            [0, 1, 2, 4, 5, 6].map(|term| log.last_of_term(term)),
            [Some(0), Some(2), None, Some(4), Some(5), None]
        );
    }

    #[test]
    fn the_last_term_decides_which_log_is_ahead_and_then_the_length() {
        let log = log(&[1, 1, 2]);
        assert!(log.is_not_ahead_of(3, 2));
        assert!(log.is_not_ahead_of(1, 3), "shorter, of a later term");
        assert!(!log.is_not_ahead_of(9, 1), "longer, of an earlier term");
        assert!(!log.is_not_ahead_of(2, 2));
    }

    #[test]
    fn a_compacted_log_keeps_the_term_before_its_first_entry() {
        let mut log = log(&[1, 1, 2, 2, 3]);
        log.compact(snapshot(4, 2), (1, usize::MAX));
        assert_eq!(
            (log.base(), log.term_at(3), log.term_at(2)),
            (3, Some(2), None)
        );
        assert_eq!((log.last_index(), log.snapshot().last_index), (5, 4));
        assert_eq!(
            log.from(1).map(|entry| entry.index).collect::<Vec<_>>(),
            [4, 5]
        );
        log.compact(snapshot(5, 3), (0, usize::MAX));
        assert_eq!((log.last_index(), log.last_term()), (5, 3));
    }

    #[test]
    fn a_compacted_log_keeps_so_many_entries_and_so_many_bytes_of_them() {
        let size = entry(1, 1).size();
        for (keep, bytes, base) in [
            (9, usize::MAX, 0),
            (2, usize::MAX, 2),
            (9, 3 * size, 1),
            (9, 3 * size - 1, 2),
            (2, 3 * size, 2),
            (9, 0, 4),
        ] {
            let mut log = log(&[1, 1, 2, 2, 3]);
            log.compact(snapshot(4, 2), (keep, bytes));
            assert_eq!((log.base(), log.last_index()), (base, 5), "{keep} {bytes}");
        }
    }

    #[test]
    fn a_membership_counts_from_its_entry_on_and_goes_with_it() {
        let mut log = log(&[1]);
        let first = log.membership().clone();
        log.push(Entry {
            payload: Payload::Membership(Membership::of([1, 2])),
            ..entry(2, 1)
        });
        assert_eq!(log.membership(), &Membership::of([1, 2]));
        assert_eq!(log.membership_at(1), &first);
        log.truncate(2);
        assert_eq!(log.membership(), &first);
    }

    #[test]
    fn an_installed_snapshot_leaves_no_entry() {
        let mut log = log(&[1, 1, 1]);
        log.install(snapshot(2, 2));
        assert_eq!(
            (log.last_index(), log.last_term(), log.entries().len()),
            (2, 2, 0)
        );
        assert_eq!(log.membership(), &Membership::of([1]));
    }
}
