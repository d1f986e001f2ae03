//! Stopping a server: one flag that threads can sleep on, and the signals that raise it.
//!
//! The first SIGINT, SIGTERM or SIGHUP (the terminal was closed; for a server that can, SIGHUP means
//! to read its files again instead) asks for a graceful stop; a second
//! one means that the user is done waiting, and the process exits at once with 128 plus the signal's
//! number, as shells report a death by signal. The same signal again within [`TWIN`] is the first
//! one: `timeout` of GNU sends each twice, to its child and to the group that the child is in.
//!
//! Nor may a server that was asked to stop be there for ever ([`Stopper::exit_when_overdue`]).

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::sys::signal::{self, Signal};

const STOPPING: [Signal; 3] = [Signal::Interrupt, Signal::Terminate, Signal::Hangup];

/// How long after the first signal the same one is not a second one. Nobody decides that fast
/// that a server takes too long.
pub const TWIN: Duration = Duration::from_millis(200);

/// How often an exit at once tries to remove a folder.
const REMOVALS: u32 = 3;

/// A handle that stops a server, from any thread, any number of times.
#[derive(Clone, Debug, Default)]
pub struct Stopper {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Beside the mutex, so that hot loops can look without locking.
    quick: AtomicBool,
    stopped: Mutex<bool>,
    changed: Condvar,
    /// Folders of this run only.
    folders: Mutex<Vec<PathBuf>>,
}

impl Stopper {
    /// A stopper that has not been used yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the server to stop gracefully; returns at once.
    pub fn stop(&self) {
        self.inner.quick.store(true, Ordering::Release);
        *self.lock() = true;
        self.inner.changed.notify_all();
    }

    /// Whether [`Stopper::stop`] was called.
    pub fn is_stopped(&self) -> bool {
        self.inner.quick.load(Ordering::Acquire)
    }

    /// Blocks until it is called.
    pub fn wait(&self) {
        let guard = self.lock();
        drop(self.inner.changed.wait_while(guard, |stopped| !*stopped));
    }

    /// Blocks until it is called or `reason` holds; tells whether it was called. Whoever makes
    /// `reason` true calls [`nudge`](Self::nudge) after that.
    pub(crate) fn wait_or(&self, reason: impl Fn() -> bool) -> bool {
        let guard = self.lock();
        let waited = self
            .inner
            .changed
            .wait_while(guard, |stopped| !*stopped && !reason());
        *waited.unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets those in [`wait_or`](Self::wait_or) look at their reason again.
    pub(crate) fn nudge(&self) {
        // Locked, so that nobody is between looking and waiting.
        let _guard = self.lock();
        self.inner.changed.notify_all();
    }

    /// Blocks until it is called, at most `limit`; tells whether it was.
    pub fn wait_timeout(&self, limit: Duration) -> bool {
        let guard = self.lock();
        let waited = self
            .inner
            .changed
            .wait_timeout_while(guard, limit, |stopped| !*stopped);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Exits the process with status 1 when it is still there this long after the stop. A write to
    /// standard error, whose reader may have stopped reading, has no deadline, and whichever thread
    /// logs may be in one. Nor can anybody be told.
    pub fn exit_when_overdue(&self, limit: Duration) -> io::Result<()> {
        let stopper = self.clone();
        let wait = move || {
            stopper.wait();
            Self::new().wait_timeout(limit); // nobody else has this one
            stopper.exit(1);
        };
        let thread = thread::Builder::new().name("overdue".into());
        thread.stack_size(64 * 1024).spawn(wait).map(drop)
    }

    /// Has an exit at once (a second signal, an end that is overdue) remove this folder and all in it.
    /// An end in order is the caller's, and so is the folder then.
    pub fn remove_at_exit(&self, folder: PathBuf) {
        self.folders().push(folder);
    }

    /// Ends the process here and now.
    fn exit(&self, status: i32) -> ! {
        for folder in self.folders().iter() {
            // Again: the other threads still run, and one may make a file where all were removed.
            let removed = |_: &u32| fs::remove_dir_all(folder).is_ok();
            let _ = (0..REMOVALS).find(removed);
        }
        process::exit(status)
    }

    fn folders(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        let folders = self.inner.folders.lock();
        folders.unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.inner
            .stopped
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// SIGINT, SIGTERM and SIGHUP, blocked in this thread and all that it will start.
#[derive(Debug)]
pub struct Signals(Vec<Signal>);

impl Signals {
    /// Blocks the signals. The first line of a server's `main`, before any thread exists.
    ///
    /// SIGXFSZ with them, for which nobody waits: a log that may not grow any more is an error of
    /// the one who writes it, and not the end of the process.
    ///
    /// A SIGHUP that is ignored does not stop: `nohup` means it. An ignored SIGINT is taken, since
    /// scripts start every background job like that and then send it one.
    pub fn block() -> io::Result<Self> {
        // The ignored one, too: a thread that does not block it may be the one that the kernel
        // hands it to, and then it is gone before the thread that waits to reload hears of it.
        signal::block(&STOPPING)?;
        signal::block(&[Signal::FileSize])?;
        let mut signals = STOPPING.to_vec();
        signals.retain(|&s| s != Signal::Hangup || !signal::is_ignored(s));
        Ok(Self(signals))
    }

    /// Starts the thread that waits for them: the first stops, the second exits the process.
    pub fn stop(self, stopper: Stopper) -> io::Result<()> {
        self.stop_and_tell(stopper, |_| ())
    }

    /// The same; `tell` hears of the first signal before it stops anything, so it must not block.
    pub fn stop_and_tell(
        self,
        stopper: Stopper,
        tell: impl FnOnce(Signal) + Send + 'static,
    ) -> io::Result<()> {
        self.start(move |signals| signals.take(&stopper, None::<fn()>, tell))
    }

    /// The same, but SIGHUP does not stop: it calls `reload`, which must not block either. It is
    /// heard even where `nohup` has it ignored, for it ends nothing.
    pub fn reload_or_stop(
        mut self,
        stopper: Stopper,
        reload: impl Fn() + Send + 'static,
        tell: impl FnOnce(Signal) + Send + 'static,
    ) -> io::Result<()> {
        self.0 = STOPPING.to_vec();
        self.start(move |signals| signals.take(&stopper, Some(reload), tell))
    }

    fn start(self, take: impl FnOnce(&Self) + Send + 'static) -> io::Result<()> {
        thread::Builder::new()
            .name("signals".into())
            .stack_size(64 * 1024)
            .spawn(move || take(&self))?;
        Ok(())
    }

    fn take(&self, stopper: &Stopper, reload: Option<impl Fn()>, tell: impl FnOnce(Signal)) {
        let first = loop {
            match (signal::wait(&self.0), &reload) {
                (Ok(Signal::Hangup), Some(reload)) => reload(),
                (Ok(first), _) => break first,
                (Err(_), _) => return,
            }
        };
        let begun = Instant::now();
        tell(first);
        stopper.stop();
        while let Ok(next) = signal::wait(&self.0) {
            if next == Signal::Hangup && reload.is_some() {
                continue; // too late to read anything again
            }
            if next != first || begun.elapsed() >= TWIN {
                stopper.exit(128 + next.number());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_wakes_waiters_and_stays_stopped() {
        let stopper = Stopper::new();
        assert!(!stopper.wait_timeout(Duration::ZERO));
        let waiter = thread::spawn({
            let stopper = stopper.clone();
            move || stopper.wait()
        });
        stopper.stop();
        waiter.join().unwrap();
        stopper.stop();
        assert!(stopper.is_stopped() && stopper.wait_timeout(Duration::from_secs(60)));
    }
}
