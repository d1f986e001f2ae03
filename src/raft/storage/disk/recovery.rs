//! What a folder holds when a storage is opened on it.

use std::path::PathBuf;

use super::files::Folder;
use super::record::{self, Scan};
use super::replay::{Held, Record, Replay};
use super::segment::Segment;
use super::{Limits, Result, SNAPSHOT, snapshot};
use crate::raft::entry::{Index, Snapshot};
use crate::raft::storage::contract::StorageError;
use crate::wire::decode_within;

/// How the names of segments begin; a number of 20 digits follows, so that they sort.
const SEGMENT: &str = "log-";

/// The name of a segment's file.
pub fn segment_name(number: u64) -> String {
    format!("{SEGMENT}{number:020}")
}

/// The segments among these names, in order.
pub fn segments(names: &[String]) -> Vec<u64> {
    let number = |name: &String| name.strip_prefix(SEGMENT)?.parse().ok();
    let mut numbers: Vec<u64> = names.iter().filter_map(number).collect();
    numbers.sort_unstable();
    numbers
}

/// A log that was read.
pub struct Recovered {
    /// What the node gets.
    pub held: Held,
    /// The number of each segment but the last, and its last entry.
    pub older: Vec<(u64, Index)>,
    /// The last segment, ready to be written to.
    pub tail: Segment,
}

/// The snapshot in the folder, if there is one.
pub fn read_snapshot(folder: &Folder, limits: Limits) -> Result<Option<Snapshot>> {
    let Some(bytes) = folder.read(SNAPSHOT, snapshot::longest(limits.snapshot))? else {
        return Ok(None);
    };
    let snapshot = snapshot::parse(&bytes);
    let snapshot = snapshot.map_err(|what| corrupt(folder.path(SNAPSHOT), 0, what))?;
    Ok(Some(snapshot))
}

/// Reads the log, cuts a torn write off, and makes stable what is left.
pub fn recover(
    folder: &Folder,
    numbers: &[u64],
    snapshot: Option<Snapshot>,
    limits: Limits,
) -> Result<Option<Recovered>> {
    let Some((&last, older)) = numbers.split_last() else {
        return match snapshot {
            None => Ok(None),
            Some(_) => Err(corrupt(
                folder.path(SNAPSHOT),
                0,
                "a snapshot, but no log".into(),
            )),
        };
    };
    let mut reading = Reading {
        folder,
        limits,
        replay: Replay::default(),
    };
    let mut ends = Vec::new();
    for &number in older {
        let bytes = reading.bytes(number)?;
        let (found, last_entry) = reading.segment(number, &bytes)?;
        if found.end != bytes.len() {
            let what = "no record in a segment that was whole".to_string();
            return Err(reading.corrupt(number, found.end, what));
        }
        ends.push((number, last_entry));
    }
    let tail = reading.tail(last)?;
    let held = reading.replay.finish(snapshot);
    let held = held.map_err(|what| corrupt(folder.path(&segment_name(last)), 0, what))?;
    Ok(Some(Recovered {
        held,
        older: ends,
        tail,
    }))
}

/// A log being read, segment by segment.
struct Reading<'a> {
    folder: &'a Folder,
    limits: Limits,
    replay: Replay,
}

impl Reading<'_> {
    fn bytes(&self, number: u64) -> Result<Vec<u8>> {
        let read = self.folder.read(&segment_name(number), super::MOST_FILE)?;
        Ok(read.unwrap_or_default())
    }

    /// Replays a segment; returns what it holds, and the highest index of an entry in it.
    fn segment<'b>(&mut self, number: u64, bytes: &'b [u8]) -> Result<(Scan<'b>, Index)> {
        let found = record::scan(bytes, number, self.limits.record);
        let found = found.map_err(|damage| self.corrupt(number, damage.offset, damage.what))?;
        let mut last = 0;
        for &(offset, body) in &found.records {
            let taken = self.record(body, offset == record::MAGIC.len(), &mut last);
            taken.map_err(|what| self.corrupt(number, offset, what))?;
        }
        self.replay.end(bytes.len() as u64);
        Ok((found, last))
    }

    fn record(&mut self, body: &[u8], first: bool, last: &mut Index) -> Result<(), String> {
        let record = decode_within(body, self.limits.of_record());
        let record = record.map_err(|error| error.to_string())?;
        if let Record::Entry(entry) = &record {
            *last = entry.index.max(*last);
        }
        self.replay.take(record, first)
    }

    /// Replays the last segment, and makes it ready to be written to.
    fn tail(&mut self, number: u64) -> Result<Segment> {
        let name = segment_name(number);
        let bytes = self.bytes(number)?;
        let (found, last) = self.segment(number, &bytes)?;
        let file = self.folder.open_to_write(&name)?;
        let path = self.folder.path(&name);
        let length = self.limits.segment;
        let mut tail = Segment::new(number, length, found.end, file, path);
        tail.reaches(last);
        tail.confirm(bytes.get(found.stable..found.end).unwrap_or_default())?;
        Ok(tail)
    }

    fn corrupt(&self, number: u64, offset: usize, what: String) -> StorageError {
        corrupt(self.folder.path(&segment_name(number)), offset, what)
    }
}

fn corrupt(path: PathBuf, offset: usize, what: String) -> StorageError {
    let offset = offset as u64;
    StorageError::Corrupt { path, offset, what }
}
