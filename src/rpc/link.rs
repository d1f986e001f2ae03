//! A connection as the server's threads share it: one may write at a time, and the calls under
//! way can be taken back.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::server::ServerConfig;
use crate::net::{Conn, Deadline, say_which, wait_until};
use crate::wire::Limits;

/// A panic while a lock is held leaves counters and tables whole here: go on.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A call that runs on a worker, or waits for one.
#[derive(Debug)]
pub(super) struct CallState {
    cancelled: AtomicBool,
    /// The server stops, so that `ends` below is set.
    stopping: AtomicBool,
    credit: Mutex<Credit>,
    changed: Condvar,
}

#[derive(Debug)]
struct Credit {
    /// How many items of a stream the caller still takes.
    items: u32,
    /// When the server, which stops, waits for it no longer.
    ends: Deadline,
}

impl CallState {
    fn new(window: u32) -> Self {
        Self {
            cancelled: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            credit: Mutex::new(Credit {
                items: window,
                ends: Deadline::NEVER,
            }),
            changed: Condvar::new(),
        }
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
            || self.stopping.load(Ordering::Relaxed) && lock(&self.credit).ends.passed()
    }

    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        // Under the lock, so that nobody misses it between looking and waiting.
        let _guard = lock(&self.credit);
        self.changed.notify_all();
    }

    /// Says that the server stops, and how long it waits for this call.
    fn end_by(&self, deadline: Deadline) {
        let mut credit = lock(&self.credit);
        credit.ends = deadline;
        self.stopping.store(true, Ordering::Relaxed);
        self.changed.notify_all();
    }

    pub(super) fn add_credit(&self, count: u32) {
        let mut credit = lock(&self.credit);
        credit.items = credit.items.saturating_add(count);
        self.changed.notify_all();
    }

    /// Takes one item's credit. Waits for it, at most for `patience` and until the deadline.
    pub(super) fn take_credit(
        &self,
        deadline: Deadline,
        patience: Option<Duration>,
    ) -> Result<(), NoCredit> {
        let mut credit = lock(&self.credit);
        let mut given_up = None;
        loop {
            if self.cancelled.load(Ordering::Relaxed) {
                return Err(NoCredit::Cancelled);
            }
            if deadline.passed() {
                return Err(NoCredit::Late);
            }
            if credit.ends.passed() {
                return Err(NoCredit::Stopped);
            }
            if let Some(left) = credit.items.checked_sub(1) {
                credit.items = left;
                return Ok(());
            }
            let given_up = *given_up.get_or_insert_with(|| Deadline::after_option(patience));
            if given_up.passed() {
                return Err(NoCredit::Silence);
            }
            let until = deadline.earlier(given_up).earlier(credit.ends);
            credit = wait_until(&self.changed, credit, until);
        }
    }

    /// Waits until it is cancelled, or one of its deadlines has passed.
    pub(super) fn wait_cancelled(&self, deadline: Deadline) {
        let mut credit = lock(&self.credit);
        while !self.cancelled.load(Ordering::Relaxed) {
            let until = deadline.earlier(credit.ends);
            if until.passed() {
                return;
            }
            credit = wait_until(&self.changed, credit, until);
        }
    }
}

/// Why an item of a stream cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoCredit {
    /// The caller took the call back, or is gone.
    Cancelled,
    /// The call's deadline has passed.
    Late,
    /// The caller has not asked for more for a long time.
    Silence,
    /// The server stops, and has waited as long as it does.
    Stopped,
}

/// Which call it is: the client's number, or our own for one that wants no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Called {
    Id(u64),
    Notified(u64),
}

/// The calls of a connection that are under way, apart from those its own thread runs.
#[derive(Debug, Default)]
struct Calls {
    states: HashMap<Called, Arc<CallState>>,
    /// Calls whose reply is not yet written; `states` forgets them a little earlier.
    unfinished: usize,
    /// Notifications so far.
    notified: u64,
    /// The server stops: none begins any more, and the last one that ends wakes the reader.
    stopping: bool,
}

/// Why a call cannot begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoBegin {
    /// As many as allowed are under way.
    Full,
    /// The server stops.
    Stopping,
}

/// What a time-out of a write means.
const UNTAKEN: &str = "answers not taken";

/// The server's side of a connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) conn: Conn,
    /// Of what the peer may be sent.
    pub(super) answers: Limits,
    writing: Mutex<()>,
    write_timeout: Duration,
    /// A write has timed out.
    untaken: AtomicBool,
    /// How long a stream waits for the caller to ask for more.
    pub(super) patience: Option<Duration>,
    /// How long calls may take after a stop.
    drain: Duration,
    calls: Mutex<Calls>,
    /// Those in the table. Only the reader adds to it.
    under_way: AtomicUsize,
}

impl Link {
    pub(super) fn new(conn: Conn, config: &ServerConfig, answers: Limits) -> Self {
        let write_timeout = config.write_timeout;
        Self {
            conn,
            answers,
            patience: config.idle_timeout,
            writing: Mutex::new(()),
            write_timeout,
            untaken: AtomicBool::new(false),
            drain: config.drain,
            calls: Mutex::default(),
            under_way: AtomicUsize::new(0),
        }
    }

    /// Writes frames, whole and not mixed with another thread's. A peer that does not read them
    /// in time loses its connection.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let _guard = lock(&self.writing);
        self.conn
            .set_write_deadline(Deadline::after(self.write_timeout));
        let written = (&self.conn).write_all(bytes);
        if let Err(error) = &written {
            let late = error.kind() == io::ErrorKind::TimedOut;
            self.untaken.fetch_or(late, Ordering::Relaxed);
            // Half a frame may be out: nothing can follow it. This wakes the reader as well.
            let _ = self.conn.shutdown(Shutdown::Both);
        }
        written.map_err(|error| say_which(error, UNTAKEN, Some(self.write_timeout)))
    }

    /// Whether the connection ended since its peer did not read, on whichever thread that showed.
    pub(super) fn check(&self) -> io::Result<()> {
        if self.untaken.load(Ordering::Relaxed) {
            let error = io::Error::from(io::ErrorKind::TimedOut);
            return Err(say_which(error, UNTAKEN, Some(self.write_timeout)));
        }
        Ok(())
    }

    /// Enters a call into the table.
    pub(super) fn begin(
        &self,
        id: Option<u64>,
        most: usize,
        window: u32,
    ) -> Result<(Called, Arc<CallState>), NoBegin> {
        let mut calls = lock(&self.calls);
        if calls.stopping {
            return Err(NoBegin::Stopping);
        }
        if calls.states.len() >= most {
            return Err(NoBegin::Full);
        }
        let call = match id {
            Some(id) => Called::Id(id),
            None => {
                calls.notified = calls.notified.wrapping_add(1);
                Called::Notified(calls.notified)
            }
        };
        let state = Arc::new(CallState::new(window));
        calls.states.insert(call, state.clone());
        calls.unfinished += 1;
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Ok((call, state))
    }

    /// Ends a call: writes its answer. Its place is free before the answer is out, since the
    /// peer may use it at once.
    pub(super) fn finish(&self, call: Called, answer: &[u8]) -> io::Result<()> {
        lock(&self.calls).states.remove(&call);
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        let written = self.write(answer);
        let mut calls = lock(&self.calls);
        calls.unfinished -= 1;
        let last = calls.stopping && calls.unfinished == 0;
        drop(calls);
        if last {
            self.wake_reader();
        }
        written
    }

    /// Says that the server stops. What runs may run on for the drain time, and is heard; what
    /// comes is refused; and when nothing is left the reader is woken, perhaps now.
    pub(super) fn stop(&self) {
        let ends = Deadline::after(self.drain);
        let mut calls = lock(&self.calls);
        calls.stopping = true;
        for state in calls.states.values() {
            state.end_by(ends);
        }
        let idle = calls.unfinished == 0;
        drop(calls);
        if idle {
            self.wake_reader();
        }
    }

    /// The reader gets what had arrived, and then the end of the stream.
    fn wake_reader(&self) {
        let _ = self.conn.shutdown(Shutdown::Read); // fails when the peer is gone already
    }

    /// Whether a call of this id is under way on a worker. Nearly free while none is.
    pub(super) fn is_under_way(&self, id: u64) -> bool {
        self.under_way.load(Ordering::Relaxed) > 0
            && lock(&self.calls).states.contains_key(&Called::Id(id))
    }

    pub(super) fn find(&self, id: u64) -> Option<Arc<CallState>> {
        let calls = lock(&self.calls);
        calls.states.get(&Called::Id(id)).cloned()
    }

    /// Whether calls have not been answered yet.
    pub(super) fn is_busy(&self) -> bool {
        lock(&self.calls).unfinished > 0
    }

    /// Takes all calls back: the peer is gone.
    pub(super) fn cancel_all(&self) {
        for state in lock(&self.calls).states.values() {
            state.cancel();
        }
    }
}
