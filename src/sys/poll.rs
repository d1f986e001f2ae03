//! Waiting for one of several sockets (`poll(2)`), without reading from any.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_short, c_ulong};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use super::abi::{self, PollFd};
use super::check;

/// What to wait for at a socket. A failed socket, and one shut down in both directions, end every
/// wait: the kernel reports these two unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// There is something to read, or the end of the stream.
    Readable,
    /// There is room to write, or a `connect` under way has ended.
    Writable,
    /// The peer sends no more, or our reading was shut down; what is still unread does not matter
    /// (Linux's POLLRDHUP).
    EndOfReading,
    /// Nothing beyond what is reported unasked.
    End,
}

impl Event {
    fn bits(self) -> c_short {
        match self {
            Event::Readable => abi::POLLIN,
            Event::Writable => abi::POLLOUT,
            Event::EndOfReading => abi::POLLRDHUP,
            Event::End => 0,
        }
    }
}

/// Blocks until something has happened at one of the sockets, at most `limit` (rounded up to a
/// millisecond; `None` for as long as it takes), and tells at which: nowhere when the time is over.
/// A signal ends it with `Interrupted`.
pub fn wait<const N: usize>(
    sockets: [(BorrowedFd<'_>, Event); N],
    limit: Option<Duration>,
) -> io::Result<[bool; N]> {
    let mut watched = sockets.map(|(fd, event)| PollFd {
        fd: fd.as_raw_fd(),
        events: event.bits(),
        returned: 0,
    });
    // Rounded up, or a caller's last millisecond would be a loop without waiting.
    let milliseconds = limit.map_or(-1, |limit| {
        c_int::try_from(limit.as_nanos().div_ceil(1_000_000)).unwrap_or(c_int::MAX)
    });
    // SAFETY: pointer and count describe the live array `watched`, which the call may write.
    check(unsafe { abi::poll(watched.as_mut_ptr(), N as c_ulong, milliseconds) })?;
    Ok(watched.map(|one| one.returned != 0))
}
