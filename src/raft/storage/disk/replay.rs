//! From records to a log: what the segments say when they are read in order.
//!
//! The first record of a segment is its [`Head`]: all that a reader must know of earlier segments,
//! so that they may be removed when a snapshot covers their entries. Then come terms and votes, and
//! entries. An entry replaces what the log holds from its index on, so a conflict (§5.3) needs no
//! record of its own, and nothing is overwritten.

use crate::raft::entry::{Entry, HardState, Index, Snapshot, SnapshotMeta, Term};
use crate::raft::storage::contract::Restored;

crate::wire! {
    /// What a record says.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Record {
        /// The first record of a segment, and only that.
        Head(Head),
        /// The term and vote from here on.
        HardState(HardState),
        /// An entry; those from its index on are replaced.
        Entry(Entry)
    }

    /// The state of the log at the beginning of a segment.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Head {
        /// Counts the segments, from 1 on.
        pub number: u64,
        /// How long the segment before is, in bytes.
        pub previous: u64,
        /// Term and vote.
        pub hard_state: HardState,
        /// The snapshot's last entry, if there is a snapshot.
        pub snapshot: Option<Mark>,
        /// The index of the next entry: the log ends before it, whatever older segments say.
        pub next: Index
    }

    /// Which snapshot: the last entry that it holds.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Mark {
        /// Its index.
        pub index: Index,
        /// Its term.
        pub term: Term
    }
}

impl Mark {
    /// The mark of this snapshot.
    pub fn of(meta: &SnapshotMeta) -> Self {
        Self {
            index: meta.last_index,
            term: meta.last_term,
        }
    }
}

/// The log as far as it was read.
#[derive(Debug, Default)]
pub struct Replay {
    /// The latest term and vote.
    hard_state: HardState,
    snapshot: Option<Mark>,
    /// The index of the first of the entries, or of the next one if there are none.
    first: Index,
    entries: Vec<Entry>,
    /// The number of the segment being read, and the length of the one before.
    number: u64,
    previous: u64,
}

/// What the folder holds, taken together.
#[derive(Debug, Default)]
pub struct Held {
    /// What the node gets.
    pub restored: Restored,
    /// Whether the crash came between a snapshot and the segment that knows it.
    pub interrupted: bool,
}

impl Replay {
    /// The index of the next entry.
    pub fn next(&self) -> Index {
        self.first + self.entries.len() as Index
    }

    /// Takes the next record; an error says what is wrong with it.
    pub fn take(&mut self, record: Record, is_first: bool) -> Result<(), String> {
        match record {
            Record::Head(head) if is_first => return self.begin(&head),
            _ if is_first => return Err("a segment that does not begin with its head".into()),
            Record::Head(_) => return Err("a segment's head within a segment".into()),
            Record::HardState(hard_state) => self.hard_state = hard_state,
            Record::Entry(entry) => return self.append(entry),
        }
        Ok(())
    }

    /// The segment has ended, and was this long.
    pub fn end(&mut self, length: u64) {
        self.previous = length;
    }

    /// A new segment: drops what a snapshot covers, and what is no continuation of it.
    fn begin(&mut self, head: &Head) -> Result<(), String> {
        if self.number == 0 {
            self.first = head.next;
        } else if head.number != self.number + 1 {
            return Err(format!("segment {} follows {}", head.number, self.number));
        } else if head.previous != self.previous {
            let (was, is) = (head.previous, self.previous);
            return Err(format!("the segment before had {was} bytes and has {is}"));
        }
        self.number = head.number;
        self.hard_state = head.hard_state;
        self.snapshot = head.snapshot;
        self.drop_before(head.snapshot.unwrap_or_default().index + 1, head.next);
        self.entries.truncate(distance(self.first, head.next));
        if self.next() != head.next {
            let (next, claimed) = (self.next(), head.next);
            return Err(format!("the log ends before {next}, not before {claimed}"));
        }
        Ok(())
    }

    fn append(&mut self, entry: Entry) -> Result<(), String> {
        if entry.index > self.next() {
            let (next, index) = (self.next(), entry.index);
            return Err(format!("entry {index} where {next} comes next"));
        }
        // Below the first: the entries before it are in segments that a snapshot covers.
        self.first = self.first.min(entry.index);
        self.entries.truncate(distance(self.first, entry.index));
        self.entries.push(entry);
        Ok(())
    }

    /// Drops the entries before `index`; with none left, the next one is `otherwise`.
    fn drop_before(&mut self, index: Index, otherwise: Index) {
        if index >= self.next() {
            self.entries.clear();
            self.first = otherwise;
        } else if index > self.first {
            self.entries.drain(..distance(self.first, index));
            self.first = index;
        }
    }

    /// Puts the log and the snapshot that was found together. A snapshot newer than the log knows
    /// was being installed when a crash came: §7 says what of the log stays.
    pub fn finish(mut self, snapshot: Option<Snapshot>) -> Result<Held, String> {
        let found = snapshot.as_ref().map(|snapshot| Mark::of(&snapshot.meta));
        let interrupted = found != self.snapshot;
        let snapshot = snapshot.unwrap_or_default();
        let mark = Mark::of(&snapshot.meta);
        if interrupted {
            let known = self.snapshot.unwrap_or_default();
            if found.is_none() || (mark.index <= known.index && self.snapshot.is_some()) {
                return Err(format!(
                    "the log knows a snapshot up to entry {}, term {}, which is not there",
                    known.index, known.term
                ));
            }
            if !self.holds(mark) {
                self.entries.clear();
                self.first = mark.index + 1;
            }
        }
        self.drop_before(mark.index + 1, mark.index + 1);
        if self.first != mark.index + 1 {
            let (first, last) = (self.first, mark.index);
            return Err(format!(
                "the log begins at {first}, the snapshot ends at {last}"
            ));
        }
        let restored = Restored {
            hard_state: self.hard_state,
            snapshot,
            entries: self.entries,
        };
        Ok(Held {
            restored,
            interrupted,
        })
    }

    /// Whether the log is a continuation of a snapshot (§7).
    fn holds(&self, mark: Mark) -> bool {
        let entry = mark.index.checked_sub(self.first);
        let entry = entry.and_then(|at| self.entries.get(usize::try_from(at).ok()?));
        entry.map_or(mark == Mark::default(), |entry| entry.term == mark.term)
    }
}

/// How many entries stand from `first` on and before `index`.
fn distance(first: Index, index: Index) -> usize {
    usize::try_from(index.saturating_sub(first)).unwrap_or(usize::MAX)
}
