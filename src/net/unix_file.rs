//! The file that a bound Unix socket leaves in the file system, and what to do with an old one.
//!
//! `bind` makes the file, and nothing removes it: neither `close` nor the end of the process. So a
//! server that was killed blocks its own next start with "address already in use". The remedy is to
//! connect to the file. "Refused" means that no process has it bound any more, and the file may be
//! removed; success means that the address really is in use.
//!
//! Only a socket is ever removed, and only while it is the very file that was checked, so that no
//! replacement is removed by mistake. Device and inode number do not suffice: a file system gives a
//! removed file's number to the next one at once. The time of birth decides.
//!
//! [`StartLock`] makes checking, removing, `bind` and `listen` one step for other servers of this
//! crate. It does not hold off other software that starts on the same dead file at the same moment.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use super::deadline::Deadline;
use super::dialer::connect_by;
use super::start_lock::StartLock;
use crate::sys::address::RawAddress;
use crate::sys::socket::{self, Kind};

/// How long a server with a full backlog may take to accept the probe.
const PROBE: Duration = Duration::from_millis(500);

/// The file of a bound socket; removed on [`SocketFile::remove`] and on drop.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: Option<Identity>,
    removed: AtomicBool,
}

/// Distinguishes a file from another one that takes its name later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    /// `None` where the file system does not record it.
    born: Option<SystemTime>,
}

/// Whether `path` names a file at all; abstract names (`@...`) do not.
pub(crate) fn is_abstract(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().first() == Some(&b'@')
}

/// Binds `fd` to `path` and, given a backlog, makes it listen. The file of a dead socket is removed
/// first. The new file gets the permission bits `mode`, and never has more.
pub(crate) fn bind(
    fd: BorrowedFd<'_>,
    path: &Path,
    kind: Kind,
    mode: Option<u32>,
    backlog: Option<u32>,
) -> io::Result<Option<SocketFile>> {
    let address = RawAddress::unix(path)?;
    let listen = || backlog.map_or(Ok(()), |backlog| socket::listen(fd, backlog));
    if is_abstract(path) {
        socket::bind(fd, &address)?;
        listen()?;
        return Ok(None);
    }
    let _lock = StartLock::take(path)?;
    if let Some(mode) = mode {
        // Linux gives the file the socket's own bits, less the umask. Set after `bind`, they would
        // come too late for a datagram socket: a peer that connected before may send for ever.
        let socket = File::from(fd.try_clone_to_owned()?);
        socket.set_permissions(Permissions::from_mode(mode))?;
    }
    match socket::bind(fd, &address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_dead(path, kind)?;
            socket::bind(fd, &address)?;
        }
        other => other?,
    }
    let file = SocketFile {
        path: path.to_path_buf(),
        identity: identity(path),
        removed: AtomicBool::new(false),
    };
    if let Some(mode) = mode {
        fs::set_permissions(path, Permissions::from_mode(mode))?; // what the umask took
    }
    listen()?;
    Ok(Some(file))
}

/// The error for a path that is taken.
pub(crate) fn in_use(why: &str) -> io::Error {
    let text = format!("address already in use: {why}");
    io::Error::new(io::ErrorKind::AddrInUse, text)
}

/// Removes the socket file at `path` when no process has it bound.
fn remove_dead(path: &Path, kind: Kind) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        // Its server ended and removed it meanwhile: the bind that follows decides.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    if !metadata.file_type().is_socket() {
        return Err(in_use("a file that is not a socket is there"));
    }
    let seen = identity(path);
    match probe(path, kind) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            if seen.is_some() && identity(path) == seen {
                fs::remove_file(path)?;
            }
            Ok(())
        }
        // Removed meanwhile, as above.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(in_use(
            "the socket there may not be asked whether it is alive: permission denied",
        )),
        // Success, a full backlog, or a socket of another type: some process has it bound.
        _ => Err(in_use("another process is listening there")),
    }
}

fn probe(path: &Path, kind: Kind) -> io::Result<()> {
    let address = RawAddress::unix(path)?;
    let stream = UnixStream::from(socket::new(&address, kind)?);
    let deadline = Deadline::after(PROBE);
    connect_by(&stream, &address, deadline, UnixStream::set_write_timeout)
}

fn identity(path: &Path) -> Option<Identity> {
    let metadata = fs::symlink_metadata(path).ok()?;
    Some(Identity {
        device: metadata.dev(),
        inode: metadata.ino(),
        born: metadata.created().ok(),
    })
}

impl SocketFile {
    /// Removes the file, at most once, if it is still the one that was bound.
    pub(crate) fn remove(&self) {
        if self.removed.swap(true, Ordering::SeqCst) {
            return;
        }
        if self.identity.is_some() && identity(&self.path) == self.identity {
            // On failure a dead file is left, which the next start removes.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.remove();
    }
}
