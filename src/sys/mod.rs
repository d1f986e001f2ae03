//! Every `unsafe` block of the crate: the calls to the C library that std does not offer.
//!
//! This folder is all that an auditor must read to know what the compiler cannot check: the crate
//! root says `#![deny(unsafe_code)]`, and only the modules below lift it.
//!
//! The rules of the room:
//!
//! - It wraps calls and nothing more. The rooms above decide when to call, with which numbers, and
//!   what to do about a failure.
//! - It takes and returns std types (`OwnedFd`, `BorrowedFd`, `SocketAddr`, `io::Error`), so that
//!   no raw descriptor and no pointer leaves it. A descriptor that a call creates is owned from its
//!   first moment and closed by `Drop`.
//! - Each block carries a `// SAFETY:` line with the whole argument. There are five arguments in
//!   all: *the call takes numbers and touches no memory of ours*; *the pointer and the length
//!   describe one live slice*; *the value is plain bytes of the size the call is told*; *the
//!   descriptor came from the call just made, and nobody else owns it*; and, where the kernel gets
//!   several pointers at once, *what they point to outlives the call*. `counting`, which calls no
//!   C, has a sixth: *what the caller promises is passed on unchanged*.
//! - All numbers and layouts from the Linux headers are in one file, `abi`.
//!
//! | file | calls | why std is not enough |
//! |---|---|---|
//! | `abi` | declarations, constants, layouts | std links the C library but hides its names |
//! | [`address`] | none: safe code | socket addresses as the bytes the kernel reads |
//! | [`socket`] | `socket` `bind` `listen` `connect` `shutdown` `setsockopt` `getsockopt` `recv` `recvfrom` `send` `sendmsg` `sendto` | backlog, reuse-port, IPv6-only, sequenced packets, keep-alive, closing a listener or UDP socket that blocks |
//! | [`batch`] | `recvmmsg` `sendmmsg` | many datagrams for one call, and which of our addresses each was sent to |
//! | [`counting`] | none: the system's allocator | measuring how much memory a test takes |
//! | [`poll`] | `poll` | waiting for one of two sockets, for a peer's end without reading |
//! | [`unsent`] | `ioctl` | what the peer has not acknowledged |
//! | `message` | `recvmsg` | a message with what came along: sender, time, time to live, errors |
//! | [`icmp`] | none: safe code | ICMP sockets, what they let pass, their error queue |
//! | [`netlink`] | none: safe code | asking the kernel about interfaces and addresses |
//! | [`packet`] | `getsockname` | packet sockets: all packets of an interface, as they are on the wire |
//! | [`lock`] | `flock` | a lock that ends with its holder (std has it from 1.89 on) |
//! | [`signal`] | `sigemptyset` `sigaddset` `pthread_sigmask` `sigwait` | std has no signals |
//! | [`process`] | `getrlimit` `setrlimit` `clock` `prctl` `sched_getscheduler` `sched_setscheduler` `if_nametoindex` `if_indextoname` | limits, CPU time, names and scheduling of threads, interface numbers |

pub(crate) mod abi;
pub mod address;
pub mod batch;
pub mod counting;
pub mod icmp;
pub mod lock;
mod message;
pub mod netlink;
pub mod packet;
pub mod poll;
pub mod process;
pub mod signal;
pub mod socket;
pub mod unsent;

use std::ffi::c_int;
use std::io;

/// Turns the C convention (-1 and `errno`) into a `Result`.
fn check(returned: c_int) -> io::Result<c_int> {
    if returned == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(returned)
    }
}

/// [`check`] for the calls that return a byte count.
fn check_len(returned: isize) -> io::Result<usize> {
    // Every negative value means failure; these calls return no other than -1.
    usize::try_from(returned).map_err(|_| io::Error::last_os_error())
}
