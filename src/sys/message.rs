//! One message with all that came with it: `recvmsg(2)` and its control messages (`cmsg(3)`).
//!
//! Control messages stand one behind the other, each padded to whole words, in the machine's byte
//! order. They are read here byte by byte:
//!
//! ```text
//! offset  0        8       12     16
//!         length   level   type   data            (the length counts these 16 bytes, too)
//! time    length   level   type   seconds (8) | nanoseconds (8)
//! ```
#![allow(unsafe_code)]

use std::ffi::{c_int, c_uint};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use super::abi::{self, IoVec, MsgHdr};
use super::address::{CAPACITY, field};
use super::check_len;

/// Room for the control messages of one receive. An ICMP socket has the most: a time to live (24
/// bytes), a time (32) and an error with an IPv6 offender (16 + 16 + 28, in whole words 64).
const CONTROL: usize = 128;

/// Control messages, aligned as `cmsg(3)` requires.
#[repr(align(8))]
pub(super) struct Control<const N: usize>(pub [u8; N]);

/// A message as it was received, beside the bytes in its buffer.
pub(super) struct Message {
    /// How many bytes it has. More than the buffer's only with MSG_TRUNC.
    pub len: usize,
    /// The address that came with it, in the kernel's bytes; zeros behind it, or for none.
    pub name: [u8; CAPACITY],
    control: Control<CONTROL>,
    control_len: usize,
}

impl Message {
    /// Takes the next message.
    pub fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8], flags: c_int) -> io::Result<Self> {
        let mut message = Self {
            len: 0,
            name: [0; CAPACITY],
            control: Control([0; CONTROL]),
            control_len: 0,
        };
        let mut iov = IoVec {
            base: buffer.as_mut_ptr().cast(),
            len: buffer.len(),
        };
        let mut header = MsgHdr {
            name: message.name.as_mut_ptr().cast(),
            namelen: CAPACITY as c_uint,
            iov: &raw mut iov,
            iovlen: 1,
            control: message.control.0.as_mut_ptr().cast(),
            controllen: CONTROL,
            ..MsgHdr::EMPTY
        };
        // SAFETY: the header points at one iovec, one address array and one control array, the iovec
        // at `buffer`, all with their true lengths; all of them are live, writable and outlive the
        // call.
        message.len = check_len(unsafe { abi::recvmsg(fd.as_raw_fd(), &raw mut header, flags) })?;
        message.control_len = header.controllen;
        Ok(message)
    }

    /// The control messages.
    pub fn control(&self) -> Controls<'_> {
        Controls(self.control.0.get(..self.control_len).unwrap_or(&[]))
    }
}

/// Control messages, each as its level, type and data. Ends at one that is cut or lies about its
/// length.
pub(super) struct Controls<'a>(pub &'a [u8]);

impl<'a> Iterator for Controls<'a> {
    type Item = (c_int, c_int, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.0;
        let len = usize::from_ne_bytes(field(bytes, 0)?);
        let (level, kind) = (number(bytes, 8)?, number(bytes, 12)?);
        let data = bytes.get(16..len)?;
        let rest = bytes.get(len.checked_next_multiple_of(8)?..);
        self.0 = rest.unwrap_or(&[]);
        Some((level, kind, data))
    }
}

/// The time in the data of a control message, since 1970.
pub(super) fn time(data: &[u8]) -> Option<Duration> {
    let [seconds, nanoseconds] = [field(data, 0)?, field(data, 8)?].map(i64::from_ne_bytes);
    let nanoseconds = u32::try_from(nanoseconds).ok()?;
    Some(Duration::new(u64::try_from(seconds).ok()?, nanoseconds))
}

/// The integer at an offset.
pub(super) fn number(bytes: &[u8], at: usize) -> Option<c_int> {
    field(bytes, at).map(c_int::from_ne_bytes)
}
