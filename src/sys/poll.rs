//! Waiting for one of several sockets (`poll(2)`), without reading from any.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_short, c_ulong};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use super::abi::{self, PollFd};
use super::check;

/// What to wait for on a socket. A failed socket, and one shut down in both directions, end every
/// wait: the kernel always reports these two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// There is something to read, or the end of the stream.
    Readable,
    /// There is room to write, or a pending `connect` has ended.
    Writable,
    /// The peer sends no more, or our side was shut for reading; unread bytes do not matter
    /// (Linux's POLLRDHUP).
    EndOfReading,
    /// Only what is always reported.
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

/// Blocks until an event on one of the sockets, at most `limit` (rounded up to a millisecond;
/// `None` for as long as it takes). Returns for each socket whether it has an event; none has when
/// the time is over. A signal ends it with `Interrupted`.
pub fn wait<const N: usize>(
    sockets: [(BorrowedFd<'_>, Event); N],
    limit: Option<Duration>,
) -> io::Result<[bool; N]> {
    let mut watched = sockets.map(|(fd, event)| PollFd {
        fd: fd.as_raw_fd(),
        events: event.bits(),
        returned: 0,
    });
    // Rounded up, or a caller would spin through its last millisecond.
    let milliseconds = limit.map_or(-1, |limit| {
        c_int::try_from(limit.as_nanos().div_ceil(1_000_000)).unwrap_or(c_int::MAX)
    });
    // SAFETY: pointer and count describe the live array `watched`, which the call may write.
    check(unsafe { abi::poll(watched.as_mut_ptr(), N as c_ulong, milliseconds) })?;
    Ok(watched.map(|one| one.returned != 0))
}
