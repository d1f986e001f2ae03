//! The segment being written.
//!
//! ```text
//!  0                 stable              end            filled
//!  | on the disk      | not synced yet    | zeros        |
//! ```
//!
//! The file is filled with zeros ahead of its end: an `fdatasync` that need not record a new length
//! writes once instead of twice. Zeros are no record, so they say where the log ends.

use std::fs::File;
use std::path::PathBuf;

use super::files::{failed, full_or_failed, set_len, sync_data, write_at};
use crate::raft::entry::Index;
use crate::raft::storage::contract::StorageError;

/// How far a file is filled ahead, in bytes.
const AHEAD: usize = 1 << 20;
static ZEROS: [u8; AHEAD] = [0; AHEAD];

/// The last segment of a log.
#[derive(Debug)]
pub struct Segment {
    /// Counts the segments.
    pub number: u64,
    /// The highest index of an entry in it; 0 if it has none.
    pub last: Index,
    /// Where the next record goes.
    pub end: usize,
    /// What was synced.
    pub stable: usize,
    filled: usize,
    /// Its planned length: no zeros beyond that.
    length: usize,
    file: File,
    path: PathBuf,
}

impl Segment {
    /// A segment that will have about `length` bytes, of which `end` are there, and stable.
    pub fn new(number: u64, length: usize, end: usize, file: File, path: PathBuf) -> Self {
        Self {
            number,
            last: 0,
            end,
            stable: end,
            filled: end,
            length,
            file,
            path,
        }
    }

    /// Appends the bytes. If the disk is full, restores the file as it was, and syncs it: what did
    /// get written must not reappear after a later, shorter write.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let end = self.end + bytes.len();
        if let Err(error) = write_at(&self.file, bytes, self.end as u64) {
            let error = full_or_failed("write to", &self.path, error);
            if matches!(error, StorageError::Full { .. }) {
                self.seal()?;
            }
            return Err(error);
        }
        self.end = end;
        if end > self.filled {
            self.filled = end;
            self.fill()?;
        }
        Ok(())
    }

    /// Writes zeros after the end; if there is no space for them, the log goes on without.
    fn fill(&mut self) -> Result<(), StorageError> {
        let ahead = self.length.saturating_sub(self.end).min(AHEAD);
        let zeros = ZEROS.get(..ahead).unwrap_or_default();
        if zeros.is_empty() {
            return Ok(());
        }
        match write_at(&self.file, zeros, self.end as u64) {
            Ok(()) => self.filled = self.end + ahead,
            Err(error) => match full_or_failed("write to", &self.path, error) {
                StorageError::Full { .. } => self.cut()?,
                error => return Err(error),
            },
        }
        Ok(())
    }

    /// Notes that it holds entries up to this index.
    pub fn reaches(&mut self, last: Index) {
        self.last = self.last.max(last);
    }

    /// Cuts off what comes after the end.
    fn cut(&mut self) -> Result<(), StorageError> {
        self.filled = self.end;
        let cut = set_len(&self.file, self.end as u64);
        cut.map_err(|error| failed("cut", &self.path, error))
    }

    /// Makes all of it stable. A failure is final: the kernel may have dropped what it could not
    /// write, and would report the next sync as a success (fsyncgate).
    pub fn sync(&mut self) -> Result<(), StorageError> {
        if self.stable < self.end {
            self.sync_file()?;
            self.stable = self.end;
        }
        Ok(())
    }

    fn sync_file(&self) -> Result<(), StorageError> {
        sync_data(&self.file).map_err(|error| failed("sync", &self.path, error))
    }

    /// Ends it, for now or for ever: cut to its length, and stable.
    pub fn seal(&mut self) -> Result<(), StorageError> {
        self.cut()?;
        self.sync_file()?;
        self.stable = self.end;
        Ok(())
    }

    /// Makes stable what was read from it, of which `tail` are the last bytes. They are written
    /// once more: after a failed sync, the kernel still shows bytes that the disk does not hold,
    /// and takes them for written.
    pub fn confirm(&mut self, tail: &[u8]) -> Result<(), StorageError> {
        let from = self.end.saturating_sub(tail.len());
        let written = write_at(&self.file, tail, from as u64);
        written.map_err(|error| failed("write to", &self.path, error))?;
        self.seal()
    }
}
