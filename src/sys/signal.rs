//! Signals as values: block them in every thread, and let one thread wait for them.
//!
//! There are two sound ways to receive a signal. A handler runs in the middle of whatever the
//! thread was doing, may call almost nothing (`signal-safety(7)`), and has to pass the signal on
//! through a pipe. The other way, used here, needs no handler: the signals are blocked before the
//! first thread is started (threads inherit the mask), so they stay pending, and one ordinary
//! thread takes them with `sigwait`, like reading from a queue. That thread may lock, allocate, log
//! and exit like any other. Moreover, no call anywhere is interrupted, so a server does not depend
//! on `EINTR` to notice its shutdown. (std's `accept` retries on `EINTR`, so a flag set by a
//! handler could not stop it.)
//!
//! A child process inherits the mask through `exec`; the programs here start none.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io;

use super::abi::{self, SigSet};

/// A signal that a program may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP: the terminal was closed; for a daemon, by convention, reload the configuration.
    Hangup,
    /// SIGINT: Ctrl-C at the terminal.
    Interrupt,
    /// SIGTERM: what `kill` and service managers send.
    Terminate,
    /// SIGXFSZ: a file has reached its size limit (`ulimit -f`). Where it is blocked, the write
    /// fails with EFBIG instead, much as on a full disk.
    FileSize,
}

impl Signal {
    /// The signal's number (`signal(7)`), the same on every architecture that `abi` allows.
    pub const fn number(self) -> i32 {
        match self {
            Signal::Hangup => 1,
            Signal::Interrupt => 2,
            Signal::Terminate => 15,
            Signal::FileSize => 25,
        }
    }

    /// The name as in `kill -l`, with SIG in front.
    pub const fn name(self) -> &'static str {
        match self {
            Signal::Hangup => "SIGHUP",
            Signal::Interrupt => "SIGINT",
            Signal::Terminate => "SIGTERM",
            Signal::FileSize => "SIGXFSZ",
        }
    }
}

/// Whether the process was started with the signal ignored, as `nohup` does with SIGHUP: read from
/// `/proc/self/status` (`proc_pid_status(5)`). `false` where there is no `/proc`.
pub fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    mask.is_some_and(|bits| bits >> (signal.number() - 1) & 1 == 1)
}

/// Blocks the signals in the calling thread and in all threads that it starts from now on.
///
/// Call it first in `main`: a thread that was started earlier can still receive the signal, whose
/// default action then ends the process.
pub fn block(signals: &[Signal]) -> io::Result<()> {
    let set = set_of(signals)?;
    // SAFETY: `set` is live and initialised; a null `old` requests no result.
    let error =
        unsafe { abi::pthread_sigmask(abi::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    if error == 0 {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(error))
    }
}

/// Blocks until one of the signals (which must be blocked in every thread) is pending, takes it
/// and returns it.
pub fn wait(signals: &[Signal]) -> io::Result<Signal> {
    let set = set_of(signals)?;
    loop {
        let mut number: c_int = 0;
        // SAFETY: `set` is live and initialised, `number` is live and writable.
        let error = unsafe { abi::sigwait(&raw const set, &raw mut number) };
        if error != 0 {
            return Err(io::Error::from_raw_os_error(error));
        }
        if let Some(&signal) = signals.iter().find(|s| s.number() == number) {
            return Ok(signal);
        }
    }
}

fn set_of(signals: &[Signal]) -> io::Result<SigSet> {
    let mut set = SigSet {
        bits: [0; SigSet::WORDS],
    };
    // SAFETY: `set` is live and as large as the C library's sigset_t (1,024 bits).
    super::check(unsafe { abi::sigemptyset(&raw mut set) })?;
    for signal in signals {
        // SAFETY: as above, and the number is a valid signal's.
        super::check(unsafe { abi::sigaddset(&raw mut set, signal.number()) })?;
    }
    Ok(set)
}
