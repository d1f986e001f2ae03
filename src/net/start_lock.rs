//! The lock under which a server takes over a socket's path.
//!
//! Between `bind` and `listen` a stream socket refuses connections just as a dead one does. And
//! between the check that a socket is dead and the removal of its file, another server may put its
//! own file there. So all of it happens under a lock: a file beside the socket, `flock`ed, that
//! exists for that moment only. Nobody waits for the lock: if it is held, another server is
//! starting on the same path.
//!
//! A holder that is killed leaves the file behind, unlocked; the next start takes and removes it.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::plain_words;
use super::unix_file::in_use;
use crate::sys::lock;

/// Added to the socket's path. The lock is only opened, never bound, so the limit of 107 bytes does
/// not apply to it.
const SUFFIX: &str = ".groundwire-lock";
/// Each further try means that another start on this path has just finished.
const TRIES: usize = 100;

/// The lock of a path, held until it is dropped.
pub(crate) struct StartLock {
    path: PathBuf,
    file: File,
}

impl StartLock {
    /// Takes the lock of a socket's path; `AddrInUse` when another start holds it.
    pub(crate) fn take(socket: &Path) -> io::Result<Self> {
        let mut path = OsString::from(socket);
        path.push(SUFFIX);
        let path = PathBuf::from(path);
        for _ in 0..TRIES {
            match lock::take(&path) {
                // The previous holder may have removed the file between our opening and locking it:
                // such a lock would hold nobody off.
                Ok(file) if is_at(&path, &file.metadata()?) => return Ok(Self { path, file }),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(explained(error, &path)),
            }
        }
        Err(in_use("another process is starting there"))
    }
}

impl Drop for StartLock {
    fn drop(&mut self) {
        // Removed while it is still locked, so that it is our own; our own is empty.
        let ours = self.file.metadata().is_ok_and(|file| file.len() == 0);
        if ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Names the lock file if it exists and so is the cause: it belongs to another user, or is a
/// folder. Any other error, such as a missing folder, holds for the socket's path as well.
fn explained(error: io::Error, path: &Path) -> io::Error {
    match fs::symlink_metadata(path) {
        Ok(_) => {
            let why = plain_words(&error);
            let text = format!("opening its lock {}: {why}", path.display());
            io::Error::new(error.kind(), text)
        }
        Err(_) => error,
    }
}

fn is_at(path: &Path, file: &Metadata) -> bool {
    fs::symlink_metadata(path)
        .is_ok_and(|there| there.dev() == file.dev() && there.ino() == file.ino())
}
