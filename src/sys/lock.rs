//! A lock on a file that the kernel releases when its holder ends.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::{abi, check};

/// Opens the file at `path`, creates it (mode 600, empty) if there is none, and takes the exclusive
/// lock (`flock(2)`). Does not wait: `WouldBlock` when another process holds the lock. Closing the
/// file unlocks it, and so does the end of the process.
///
/// A symbolic link is an error: in a folder that others may write to, it could point anywhere.
pub fn take(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true) // to read and write: opening a FIFO for one of them would wait for a peer
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(abi::O_NOFOLLOW)
        .open(path)?;
    // SAFETY: two integers; no memory of ours is touched.
    check(unsafe { abi::flock(file.as_raw_fd(), abi::LOCK_EX | abi::LOCK_NB) })?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_until_its_file_closes_and_no_link_is_followed() {
        let folder = std::env::temp_dir().join(format!("groundwire-lock-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder); // of a test that was killed
        std::fs::create_dir(&folder).unwrap();
        let (path, link) = (folder.join("lock"), folder.join("link"));
        let held = take(&path).unwrap();
        assert_eq!(take(&path).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(held);
        assert!(take(&path).is_ok());
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(take(&link).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
