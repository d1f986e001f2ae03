//! Stable storage in a folder: a log in segments, a snapshot, a lock.
//!
//! # The problem
//!
//! A node may acknowledge only what survives a loss of power (Figure 2: "before responding"), and
//! each wait for the disk is a wait for every client. So there is one file that only grows, and one
//! `fdatasync` for everything written since the last one.
//!
//! # The folder
//!
//! ```text
//!  log-00000000000000000007    a whole segment        ┐ records, see `record`
//!  log-00000000000000000008    the one written to     ┘
//!  snapshot                    the latest, whole      see `snapshot`
//!  lock                        held by the process that uses the folder
//!  prepared-...                written, not in force: removed at the next start
//! ```
//!
//! # The decisions
//!
//! - *Term and vote are records of the log*, repeated in the first record of each segment. A
//!   file of their own would make an append in a new term wait for two syncs.
//! - *A conflict truncates by appending*: an entry replaces what the log held from its index on. No
//!   stable byte is overwritten, so a crash in the middle does no harm.
//! - *A snapshot begins a segment.* Snapshot and segment, with the entries that came along, are
//!   prepared under other names and synced. Then the snapshot gets its name, then the segment, each
//!   followed by a sync of the folder. Only then are the segments removed that the snapshot covers.
//!   If a crash comes between the two names, §7's rule says what of the log stays.
//! - *A torn write is cut, damage is refused*: `record` says how they are told apart.
//! - *A failed sync is final.* A full disk is not: nothing of that write counts, and the file is
//!   cut back to where it was. (A term that came with a snapshot stays: terms only go up.)
//!
//! # The files, in reading order
//!
//! `crc`, `record`, `replay`, `snapshot`: the meaning of the bytes (pure). `files`: calls to the
//! file system. `segment`: the segment being written. `recovery`: what a start finds.

mod crc;
#[cfg(test)]
mod faults;
mod files;
mod record;
mod recovery;
mod replay;
mod segment;
mod snapshot;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::contract::{Restored, Storage, StorageError};
use crate::raft::entry::{Entry, HardState, Index, Snapshot};
use crate::raft::port::Persist;
use crate::wire::{self, Encoder};
use files::{Folder, failed};
use recovery::{Recovered, segment_name};
use replay::{Head, Held, Mark, Record};
use segment::Segment;

type Result<T, E = StorageError> = std::result::Result<T, E>;

/// The name of the snapshot's file.
const SNAPSHOT: &str = "snapshot";

/// A buffer that grew past this, in bytes, is freed.
const KEPT: usize = 1 << 20;

/// The longest segment, in bytes: offsets in it are 32-bit numbers.
const MOST_FILE: u64 = u32::MAX as u64;

/// Sizes of a [`DiskStorage`], in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// When a segment is longer, a new one begins. At most 1 GiB. Default 64 MiB.
    pub segment: usize,
    /// The longest record: an entry's command and some bytes around it. Default 65 MiB.
    pub record: usize,
    /// The most data of a snapshot. Default 1 GiB.
    pub snapshot: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            segment: 64 << 20,
            record: 65 << 20,
            snapshot: 1 << 30,
        }
    }
}

impl Limits {
    fn of_record(self) -> wire::Limits {
        wire::Limits {
            message: self.record,
            ..wire::Limits::DEFAULT
        }
    }
}

/// Stable storage in a folder.
#[derive(Debug)]
pub struct DiskStorage {
    folder: Folder,
    limits: Limits,
    encoder: Encoder,
    /// The records of one write.
    bytes: Vec<u8>,
    hard_state: HardState,
    snapshot: Option<Mark>,
    /// The index of the next entry.
    next: Index,
    /// The whole segments: number, and highest index of an entry.
    older: VecDeque<(u64, Index)>,
    tail: Segment,
    /// Set after an error that is final.
    broken: bool,
}

impl DiskStorage {
    /// Opens the storage in this folder, and returns what it holds. The folder is made (mode 700)
    /// if it is missing, its parents are not. Reads one whole segment into memory at a time.
    ///
    /// A torn write at the log's end is cut off. [`StorageError::Corrupt`] when a file is damaged:
    /// nothing is repaired, since a node that lost what it acknowledged must not vote (§5.4.1).
    pub fn open(folder: impl AsRef<Path>, limits: Limits) -> Result<(Self, Restored)> {
        let limits = Limits {
            segment: limits.segment.min(1 << 30),
            ..limits
        };
        let folder = Folder::open(folder.as_ref())?;
        let names = folder.names()?;
        folder.clear(&names)?;
        // The last process may have died before it synced the folder: make its names stable.
        folder.sync()?;
        let snapshot = recovery::read_snapshot(&folder, limits)?;
        let has_snapshot = snapshot.is_some();
        let numbers = recovery::segments(&names);
        let mut encoder = Encoder::new(limits.of_record());
        let found = match recovery::recover(&folder, &numbers, snapshot, limits)? {
            Some(found) => found,
            None => Recovered {
                held: Held::default(),
                older: Vec::new(),
                tail: first_segment(&folder, &mut encoder, limits)?,
            },
        };
        let restored = found.held.restored;
        let mark = Mark::of(&restored.snapshot.meta);
        let mut storage = Self {
            folder,
            limits,
            encoder,
            bytes: Vec::new(),
            hard_state: restored.hard_state,
            snapshot: has_snapshot.then_some(mark),
            next: restored.last_index() + 1,
            older: found.older.into(),
            tail: found.tail,
            broken: false,
        };
        if found.held.interrupted {
            storage.begin_segment(&Persist::default())?;
        }
        storage.remove_covered(mark.index)?;
        Ok((storage, restored))
    }

    /// Does one thing, unless an earlier error was final.
    fn unless_broken(&mut self, act: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        if self.broken {
            let cause = io::Error::other("an earlier write or sync failed");
            return Err(failed("use", &self.folder.path(""), cause));
        }
        let done = act(self);
        self.broken = !matches!(done, Ok(()) | Err(StorageError::Full { .. }));
        done
    }

    /// A write that fits into the segment: appends its records.
    fn append(&mut self, write: &Persist) -> Result<()> {
        check_entries(&write.entries, self.snapshot, self.next);
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        let mut records = Records {
            encoder: &mut self.encoder,
            bytes: &mut self.bytes,
            start: self.tail.end,
            number: self.tail.number,
            stable: self.tail.stable as u32,
        };
        let written = match write.hard_state {
            Some(hard_state) => records.put(&Record::HardState(hard_state)),
            None => Ok(()),
        };
        let written = written.and_then(|()| records.put_entries(&write.entries));
        written.map_err(|cause| failed("write to", &self.folder.path(""), cause))?;
        self.tail.append(&self.bytes)?;
        self.hard_state = write.hard_state.unwrap_or(self.hard_state);
        self.follow(&write.entries);
        Ok(())
    }

    /// A write with which a segment begins: it is stable as a whole once the segment has its name,
    /// and nothing of it is before.
    fn begin_segment(&mut self, write: &Persist) -> Result<()> {
        if write.snapshot.is_some() && write.hard_state.is_some() {
            // The snapshot's name comes before the segment's; the term must not come after it.
            let hard_state = write.hard_state;
            self.append(&Persist {
                hard_state,
                ..Persist::default()
            })?;
        }
        self.tail.seal()?;
        let head = self.head(write);
        check_entries(&write.entries, head.snapshot, head.next);
        if let Some(snapshot) = &write.snapshot {
            self.prepare_snapshot(snapshot)?;
        }
        let prepared = prepare_segment(
            &self.folder,
            &mut self.encoder,
            self.limits,
            &head,
            &write.entries,
        );
        if prepared.is_err() && write.snapshot.is_some() {
            self.folder.give_up(SNAPSHOT)?;
        }
        let begun = prepared?;
        if write.snapshot.is_some() {
            self.folder.put_in_place(SNAPSHOT)?;
        }
        self.folder.put_in_place(&segment_name(head.number))?;
        let whole = std::mem::replace(&mut self.tail, begun);
        self.older.push_back((whole.number, whole.last));
        self.hard_state = head.hard_state;
        self.snapshot = head.snapshot;
        self.next = head.next;
        self.follow(&write.entries);
        match &write.snapshot {
            Some(_) if write.drop_log => self.remove_covered(Index::MAX),
            Some(snapshot) => self.remove_covered(snapshot.meta.last_index),
            None => Ok(()),
        }
    }

    /// The head for a new segment: the log after a write's term, vote and snapshot, before its
    /// entries.
    fn head(&self, write: &Persist) -> Head {
        let mark = write.snapshot.as_ref().map(|it| Mark::of(&it.meta));
        let next = match mark {
            Some(mark) if write.drop_log => mark.index + 1,
            Some(mark) => self.next.max(mark.index + 1),
            None => self.next,
        };
        Head {
            number: self.tail.number + 1,
            previous: self.tail.end as u64,
            hard_state: write.hard_state.unwrap_or(self.hard_state),
            snapshot: mark.or(self.snapshot),
            next,
        }
    }

    fn prepare_snapshot(&self, snapshot: &Snapshot) -> Result<()> {
        let (last, held) = (snapshot.meta.last_index, self.snapshot.unwrap_or_default());
        assert!(last >= held.index, "snapshot {last} is older than {held:?}");
        let data = snapshot.data.bytes();
        let head = match snapshot::head(snapshot) {
            Ok(head) if data.len() <= self.limits.snapshot => Ok(head),
            Ok(_) => Err("longer than the limit".to_string()),
            Err(error) => Err(error.to_string()),
        };
        let head = head.map_err(|why| {
            let cause = io::Error::new(ErrorKind::InvalidInput, why);
            failed("write", &self.folder.path(SNAPSHOT), cause)
        })?;
        self.folder.prepare(SNAPSHOT, &[&head, data])?;
        Ok(())
    }

    /// Notes entries that were written to the tail.
    fn follow(&mut self, entries: &[Entry]) {
        if let Some(last) = entries.last() {
            self.next = last.index + 1;
            self.tail.reaches(last.index);
        }
    }

    /// Removes whole segments from the oldest on, syncing after each, so that none is ever missing
    /// between two others.
    fn remove_covered(&mut self, last_index: Index) -> Result<()> {
        while let Some(&(number, last)) = self.older.front() {
            if last > last_index {
                break;
            }
            self.folder.remove(&segment_name(number))?;
            self.older.pop_front();
        }
        Ok(())
    }
}

impl Storage for DiskStorage {
    /// Writes to the file, and syncs only what comes with a snapshot or a new segment.
    fn write(&mut self, write: &Persist) -> Result<()> {
        self.unless_broken(|this| {
            if write.snapshot.is_some() || this.tail.end >= this.limits.segment {
                this.begin_segment(write)
            } else {
                this.append(write)
            }
        })
    }

    fn sync(&mut self) -> Result<()> {
        self.unless_broken(|this| this.tail.sync())
    }
}

/// A node's duty: a log without a hole.
fn check_entries(entries: &[Entry], snapshot: Option<Mark>, next: Index) {
    let mut places = snapshot.unwrap_or_default().index + 1..=next;
    for Entry { index, .. } in entries {
        assert!(places.contains(index), "entry {index} is not in {places:?}");
        places = index + 1..=index + 1;
    }
}

/// The first segment of a new log, under its name.
fn first_segment(folder: &Folder, encoder: &mut Encoder, limits: Limits) -> Result<Segment> {
    let head = Head {
        number: 1,
        next: 1,
        ..Head::default()
    };
    let segment = prepare_segment(folder, encoder, limits, &head, &[])?;
    folder.put_in_place(&segment_name(head.number))?;
    Ok(segment)
}

/// A segment with a head and entries, stable, but not yet under its name.
fn prepare_segment(
    folder: &Folder,
    encoder: &mut Encoder,
    limits: Limits,
    head: &Head,
    entries: &[Entry],
) -> Result<Segment> {
    let name = segment_name(head.number);
    let path = folder.path(&name);
    let mut bytes = record::MAGIC.to_vec();
    let mut records = Records {
        encoder,
        bytes: &mut bytes,
        start: 0,
        number: head.number,
        stable: 0,
    };
    let written = records.put(&Record::Head(head.clone()));
    let written = written.and_then(|()| records.put_entries(entries));
    written.map_err(|cause| failed("write to", &path, cause))?;
    record::all_is_stable(&mut bytes, head.number);
    let file = folder.prepare(&name, &[&bytes])?;
    let (length, end) = (limits.segment, bytes.len());
    Ok(Segment::new(head.number, length, end, file, path))
}

/// Builds records.
struct Records<'a> {
    encoder: &'a mut Encoder,
    bytes: &'a mut Vec<u8>,
    /// The offset of the bytes in the segment.
    start: usize,
    number: u64,
    stable: u32,
}

impl Records<'_> {
    fn put(&mut self, record: &Record) -> io::Result<()> {
        let invalid = |what: String| io::Error::new(ErrorKind::InvalidInput, what);
        let body = self.encoder.encode(record);
        let body = body.map_err(|error| invalid(error.to_string()))?;
        record::put(self.bytes, self.start, self.number, self.stable, body);
        match (self.start + self.bytes.len()) as u64 {
            ..=MOST_FILE => Ok(()),
            end => Err(invalid(format!("a segment of {end} bytes"))),
        }
    }

    fn put_entries(&mut self, entries: &[Entry]) -> io::Result<()> {
        let mut entries = entries.iter().cloned().map(Record::Entry);
        entries.try_for_each(|entry| self.put(&entry))
    }
}
