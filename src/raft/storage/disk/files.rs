//! The calls to the file system that a storage makes, each with what was attempted.
//!
//! A name that was made or removed is stable once its folder is synced; a file's bytes are stable
//! once the file is synced. So a file that must be there whole or not at all is written under
//! another name, synced and renamed, and then the folder is synced.
//!
//! Every change of the disk goes through [`attempt`]: there the tests let a call fail, or the
//! process "die" before it, at each place in turn.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::raft::storage::contract::StorageError;
use crate::sys::lock;

type Result<T> = std::result::Result<T, StorageError>;

/// The name under which a file is prepared.
const PREPARED: &str = "prepared-";

/// A folder that one process uses.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// The folder itself, to be synced.
    itself: File,
    /// The lock lasts as long as this is open.
    _lock: File,
}

impl Folder {
    /// Locks the folder for this process; makes it (mode 700) if it is missing, but no parent.
    pub fn open(path: &Path) -> Result<Self> {
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => sync_above(path)?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed("make", path, error)),
        }
        let lock_path = path.join("lock");
        let lock = lock::take(&lock_path).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => StorageError::Locked { path: lock_path },
            _ => failed("lock", &lock_path, error),
        })?;
        let folder = Self {
            path: path.to_owned(),
            itself: File::open(path).map_err(|error| failed("open", path, error))?,
            _lock: lock,
        };
        Ok(folder)
    }

    /// The path of the folder, or of a file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The names in it that are UTF-8.
    pub fn names(&self) -> Result<Vec<String>> {
        let of = |error| failed("list", &self.path, error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(of)? {
            names.extend(entry.map_err(of)?.file_name().into_string());
        }
        Ok(names)
    }

    /// Removes files that were only prepared when an earlier process ended.
    pub fn clear(&self, names: &[String]) -> Result<()> {
        let mut prepared = names.iter().filter(|name| name.starts_with(PREPARED));
        prepared.try_for_each(|name| self.remove(name))
    }

    /// The whole of a file, at most `most` bytes; `None` if there is no such file.
    pub fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>> {
        let path = self.path(name);
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|error| failed("open", &path, error))?,
        };
        let mut bytes = Vec::new();
        let read = file.take(most.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|error| failed("read", &path, error))?;
        if bytes.len() as u64 > most {
            let what = format!("longer than {most} bytes, its limit");
            let offset = most;
            return Err(StorageError::Corrupt { path, offset, what });
        }
        Ok(Some(bytes))
    }

    /// Opens a file to be written to.
    pub fn open_to_write(&self, name: &str) -> Result<File> {
        let path = self.path(name);
        let opened = OpenOptions::new().read(true).write(true).open(&path);
        opened.map_err(|error| failed("open", &path, error))
    }

    /// Writes and syncs a file that will have this name; leaves nothing behind if it cannot.
    pub fn prepare(&self, name: &str, parts: &[&[u8]]) -> Result<File> {
        let prepared = format!("{PREPARED}{name}");
        let path = self.path(&prepared);
        let written = self.write_new(&path, parts);
        written.map_err(|error| {
            // If this fails, the next start removes it.
            let _ = fs::remove_file(&path);
            full_or_failed("write", &path, error)
        })
    }

    fn write_new(&self, path: &Path, parts: &[&[u8]]) -> io::Result<File> {
        attempt("write")?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        let file = options.mode(0o600).open(path)?;
        let mut at = 0;
        for part in parts {
            write_at(&file, part, at)?;
            at += part.len() as u64;
        }
        attempt("sync")?;
        file.sync_all()?;
        Ok(file)
    }

    /// Forgets what was prepared.
    pub fn give_up(&self, name: &str) -> Result<()> {
        self.remove(&format!("{PREPARED}{name}"))
    }

    /// Gives a prepared file its name, and so replaces the file that had it.
    pub fn put_in_place(&self, name: &str) -> Result<()> {
        let path = self.path(name);
        let prepared = self.path(&format!("{PREPARED}{name}"));
        let renamed = attempt("rename").and_then(|()| fs::rename(prepared, &path));
        renamed.map_err(|error| failed("rename to", &path, error))?;
        self.sync()
    }

    /// Removes a file.
    pub fn remove(&self, name: &str) -> Result<()> {
        let path = self.path(name);
        let removed = attempt("remove").and_then(|()| fs::remove_file(&path));
        removed.map_err(|error| failed("remove", &path, error))?;
        self.sync()
    }

    /// Makes the names stable.
    pub fn sync(&self) -> Result<()> {
        let synced = attempt("sync names").and_then(|()| self.itself.sync_all());
        synced.map_err(|error| failed("sync", &self.path, error))
    }
}

/// Makes a new folder's name stable.
fn sync_above(path: &Path) -> Result<()> {
    let above = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let synced = attempt("sync above")
        .and_then(|()| File::open(above))
        .and_then(|folder| folder.sync_all());
    synced.map_err(|error| failed("sync", above, error))
}

/// Writes all of this from a place on.
pub fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    attempt("write").inspect_err(|_| {
        // A call that fails half-way has written half.
        let _ = file.write_all_at(bytes.get(..bytes.len() / 2).unwrap_or_default(), at);
    })?;
    file.write_all_at(bytes, at)
}

/// Makes a file this long.
pub fn set_len(file: &File, len: u64) -> io::Result<()> {
    attempt("cut")?;
    file.set_len(len)
}

/// Makes a file's bytes stable, and its length.
pub fn sync_data(file: &File) -> io::Result<()> {
    attempt("sync")?;
    file.sync_data()
}

/// An error that a second try does not mend.
pub fn failed(doing: &'static str, path: &Path, cause: io::Error) -> StorageError {
    let path = path.to_owned();
    StorageError::Failed { doing, path, cause }
}

/// The error of a failed write: no space (disk, quota or limit) is not final.
pub fn full_or_failed(doing: &'static str, path: &Path, cause: io::Error) -> StorageError {
    match cause.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            let path = path.to_owned();
            StorageError::Full { path }
        }
        _ => failed(doing, path, cause),
    }
}

/// Before each call that changes the disk, or makes a change stable.
fn attempt(call: &'static str) -> io::Result<()> {
    #[cfg(test)]
    super::faults::attempt(call)?;
    let _ = call;
    Ok(())
}
