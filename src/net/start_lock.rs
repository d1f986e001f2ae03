//! The lock under which a server takes over a socket's path.
//!
//! Between `bind` and `listen` a stream socket refuses connections just as a dead one does, and
//! between the question whether a socket is dead and the removal of its file another server may have
//! put its own there. So all of it happens under a lock: a file beside the socket, `flock`ed, that
//! exists for that moment only. Nobody waits for it: who finds it held knows that another server is
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

/// What is added to the socket's path. The lock is only opened, never bound: the limit of 107 bytes
/// does not hold for it.
const SUFFIX: &str = ".groundwire-lock";
/// Each further try means that another start on this path has ended meanwhile.
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
                // Its last holder may have removed the file between our opening and locking it:
                // such a lock holds nobody off.
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
        // Removed while it is locked, so that it is ours; only what is empty can be ours.
        let ours = self.file.metadata().is_ok_and(|file| file.len() == 0);
        if ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Names the lock when it is to blame: another user's, or a folder. Else what is wrong, as a folder
/// that is missing, is as wrong for the socket.
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
