//! How many sent bytes the peer's kernel has not acknowledged, and waiting for a socket's end
//! without reading from it.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use super::poll::{self, Event};
use super::{abi, check};

/// How many bytes of a TCP connection wait to be sent or acknowledged (`tcp(7)` SIOCOUTQ).
pub fn unacknowledged(fd: BorrowedFd<'_>) -> io::Result<usize> {
    let mut bytes: c_int = 0;
    // SAFETY: for SIOCOUTQ the third argument points at an integer that the kernel writes;
    // `bytes` is live for the call, and any bit pattern of it is valid.
    check(unsafe { abi::ioctl(fd.as_raw_fd(), abi::SIOCOUTQ, &raw mut bytes) })?;
    Ok(usize::try_from(bytes).unwrap_or(0))
}

/// Blocks until the connection is reset or shut down in both directions, at most `limit` (rounded
/// up to a millisecond); returns whether it is. Readable bytes do not end the wait.
pub fn wait_for_end(fd: BorrowedFd<'_>, limit: Duration) -> io::Result<bool> {
    match poll::wait([(fd, Event::End)], Some(limit)) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        other => other.map(|[ended]| ended),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::os::fd::AsFd;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (ours, listener.accept().unwrap().0)
    }

    #[test]
    fn bytes_are_unacknowledged_until_the_peer_has_room_for_them() {
        let (mut ours, mut theirs) = pair();
        ours.set_nonblocking(true).unwrap();
        let mut sent = 0;
        while let Ok(count) = ours.write(&[0; 65_536]) {
            sent += count;
        }
        assert!(unacknowledged(ours.as_fd()).unwrap() > 0);
        let mut rest = vec![0; sent];
        theirs.read_exact(&mut rest).unwrap();
        while unacknowledged(ours.as_fd()).unwrap() > 0 {
            assert!(!wait_for_end(ours.as_fd(), Duration::from_millis(1)).unwrap());
        }
    }

    #[test]
    fn the_end_is_a_reset_or_a_shutdown_of_both_sides_and_not_the_peers_half_close() {
        let (ours, mut theirs) = pair();
        theirs.write_all(b"unread").unwrap();
        theirs.shutdown(Shutdown::Write).unwrap();
        ours.shutdown(Shutdown::Read).unwrap();
        assert!(!wait_for_end(ours.as_fd(), Duration::from_millis(1)).unwrap());
        ours.shutdown(Shutdown::Both).unwrap();
        assert!(wait_for_end(ours.as_fd(), Duration::from_secs(20)).unwrap());
        let (mut ours, theirs) = pair();
        ours.write_all(b"unread").unwrap();
        while unacknowledged(ours.as_fd()).unwrap() > 0 {
            assert!(!wait_for_end(ours.as_fd(), Duration::from_millis(1)).unwrap());
        }
        drop(theirs);
        assert!(wait_for_end(ours.as_fd(), Duration::from_secs(20)).unwrap());
    }
}
