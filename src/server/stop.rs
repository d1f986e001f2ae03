//! Stopping a server: one flag that threads can wait for, and the signals that set it.
//!
//! The first SIGINT, SIGTERM or SIGHUP asks for a graceful stop. (SIGHUP means that the terminal
//! was closed; a server that can reload its files does that instead.) A second signal means that
//! the user is done waiting: the process exits at once with 128 plus the signal's number, as shells
//! report a death by signal. The same signal again within [`TWIN`] does not count as a second one:
//! GNU `timeout` sends each signal twice, to its child and to the child's process group.
//!
//! A server that was asked to stop must also end in bounded time ([`Stopper::exit_when_overdue`]).

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::shared::lock;
use crate::net::plain_words;
use crate::sys::signal::{self, Signal};

const STOPPING: [Signal; 3] = [Signal::Interrupt, Signal::Terminate, Signal::Hangup];

/// How long after the first signal a repetition does not count as a second one. Nobody decides that
/// fast that a server takes too long.
pub const TWIN: Duration = Duration::from_millis(200);

/// How often an immediate exit tries to remove a folder.
const REMOVALS: u32 = 3;

/// A handle that stops a server, from any thread, any number of times.
#[derive(Clone, Debug, Default)]
pub struct Stopper {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Outside the mutex, so that hot loops can check it without locking.
    stopped: AtomicBool,
    /// Held from a thread's check to its wait, so that no change falls between the two.
    waiting: Mutex<()>,
    changed: Condvar,
    /// Temporary folders of this run, to be removed by an immediate exit.
    folders: Mutex<Vec<PathBuf>>,
}

impl Stopper {
    /// A stopper that has not been used yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the server to stop gracefully; returns at once.
    pub fn stop(&self) {
        self.inner.stopped.store(true, Ordering::Release);
        self.nudge();
    }

    /// Whether [`Stopper::stop`] was called.
    pub fn is_stopped(&self) -> bool {
        self.inner.stopped.load(Ordering::Acquire)
    }

    /// Blocks until [`Stopper::stop`] is called.
    pub fn wait(&self) {
        self.wait_or(|| false);
    }

    /// Blocks until [`Stopper::stop`] is called or `reason` holds; returns whether it was called.
    /// The thread that makes `reason` true must call [`nudge`](Self::nudge) after that.
    pub(crate) fn wait_or(&self, reason: impl Fn() -> bool) -> bool {
        let go_on = |(): &mut ()| !self.is_stopped() && !reason();
        let changed = &self.inner.changed;
        drop(changed.wait_while(lock(&self.inner.waiting), go_on));
        self.is_stopped()
    }

    /// Makes the threads that wait check their reasons again.
    pub(crate) fn nudge(&self) {
        // Locked, so that no thread is between its check and its wait.
        let _guard = lock(&self.inner.waiting);
        self.inner.changed.notify_all();
    }

    /// Blocks until [`Stopper::stop`] is called, at most `limit`; returns whether it was.
    pub fn wait_timeout(&self, limit: Duration) -> bool {
        let go_on = |(): &mut ()| !self.is_stopped();
        let changed = &self.inner.changed;
        drop(changed.wait_timeout_while(lock(&self.inner.waiting), limit, go_on));
        self.is_stopped()
    }

    /// Exits the process with status 1, without a message, when it still runs this long after the
    /// stop. This can happen: any thread that logs may block in a write to standard error, which
    /// has no deadline, because the reader has stopped reading.
    pub fn exit_when_overdue(&self, limit: Duration) -> io::Result<()> {
        let stopper = self.clone();
        let wait = move || {
            stopper.wait();
            Self::new().wait_timeout(limit); // a stopper that nobody stops: a pause
            stopper.exit(1);
        };
        let thread = thread::Builder::new().name("overdue".into());
        thread.stack_size(64 * 1024).spawn(wait).map(drop)
    }

    /// Makes an immediate exit (a second signal, an overdue end) remove this folder and all in it.
    /// In an orderly end the caller removes it.
    pub fn remove_at_exit(&self, folder: PathBuf) {
        lock(&self.inner.folders).push(folder);
    }

    /// Removes the folders and ends the process at once.
    fn exit(&self, status: i32) -> ! {
        for folder in lock(&self.inner.folders).iter() {
            // Tried again, because the other threads still run, and one may create a file
            // meanwhile.
            let removed = |_: &u32| fs::remove_dir_all(folder).is_ok();
            let _ = (0..REMOVALS).find(removed);
        }
        process::exit(status)
    }

    /// Ends the process because no signal can be waited for: all are blocked, so nothing but SIGKILL
    /// would end it. This happens under a sandbox that forbids rt_sigtimedwait(2), as the program
    /// starts.
    fn unheard(&self, error: &io::Error) -> ! {
        let path = std::env::args_os().next().map(PathBuf::from);
        let name = path.as_deref().and_then(Path::file_name);
        let name = name.unwrap_or_default().to_string_lossy();
        let why = format!("{name}: waiting for signals: {}\n", plain_words(error));
        let _ = io::stderr().write_all(why.as_bytes());
        self.exit(1)
    }
}

/// SIGINT, SIGTERM and SIGHUP, blocked in this thread and all threads that it will start.
#[derive(Debug)]
pub struct Signals(Vec<Signal>);

impl Signals {
    /// Blocks the signals. Call it first in a server's `main`, before any thread exists.
    ///
    /// Also blocks SIGXFSZ, for which no thread waits: at the file size limit, a write to a log
    /// should fail, not end the process.
    ///
    /// An ignored SIGHUP does not stop the server: `nohup` sets this on purpose. An ignored SIGINT
    /// does stop it, because shells ignore it for every background job of a script, and scripts
    /// then send it.
    pub fn block() -> io::Result<Self> {
        // Also blocks an ignored one. Otherwise the kernel may deliver it to a thread that does not
        // block it, and it is lost before the thread that waits to reload sees it.
        signal::block(&STOPPING)?;
        signal::block(&[Signal::FileSize])?;
        let mut signals = STOPPING.to_vec();
        signals.retain(|&s| s != Signal::Hangup || !signal::is_ignored(s));
        Ok(Self(signals))
    }

    /// Starts the thread that waits for the signals: the first stops the server, the second exits
    /// the process.
    pub fn stop(self, stopper: Stopper) -> io::Result<()> {
        self.stop_and_tell(stopper, |_| ())
    }

    /// The same; calls `tell` with the first signal before it stops anything, so `tell` must not
    /// block.
    pub fn stop_and_tell(
        self,
        stopper: Stopper,
        tell: impl FnOnce(Signal) + Send + 'static,
    ) -> io::Result<()> {
        self.start(move |signals| signals.take(&stopper, None::<fn()>, tell))
    }

    /// The same, but SIGHUP does not stop the server: it calls `reload`, which must not block
    /// either. This works even under `nohup`, which ignores SIGHUP, because it ends nothing.
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
                (Err(error), _) => stopper.unheard(&error),
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
