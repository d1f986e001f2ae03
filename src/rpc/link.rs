//! A connection as the server's threads share it: one may write at a time, and the calls under
//! way can be taken back.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::server::ServerConfig;
use crate::net::{Conn, Deadline};
use crate::wire::Limits;

/// A panic while a lock is held leaves counters and tables whole here: go on.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits on a condition until it is told or the deadline has passed.
pub(super) fn wait_until<'a, T>(
    condition: &Condvar,
    guard: MutexGuard<'a, T>,
    deadline: Deadline,
) -> MutexGuard<'a, T> {
    match deadline.remaining() {
        None => condition
            .wait(guard)
            .unwrap_or_else(PoisonError::into_inner),
        Some(left) => {
            let waited = condition.wait_timeout(guard, left);
            waited.unwrap_or_else(PoisonError::into_inner).0
        }
    }
}

/// A call that runs on a worker, or waits for one.
#[derive(Debug)]
pub(super) struct CallState {
    cancelled: AtomicBool,
    /// The connection is not read any more, so no more credit will come.
    closed: AtomicBool,
    /// How many items of a stream the caller still takes.
    credit: Mutex<u32>,
    changed: Condvar,
}

impl CallState {
    fn new(window: u32) -> Self {
        Self {
            cancelled: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            credit: Mutex::new(window),
            changed: Condvar::new(),
        }
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        self.tell();
    }

    /// Says that there will be no more credit.
    fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.tell();
    }

    /// Under the lock, so that nobody misses it between looking and waiting.
    fn tell(&self) {
        let _guard = lock(&self.credit);
        self.changed.notify_all();
    }

    pub(super) fn add_credit(&self, count: u32) {
        let mut credit = lock(&self.credit);
        *credit = credit.saturating_add(count);
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
            if self.is_cancelled() {
                return Err(NoCredit::Cancelled);
            }
            if deadline.passed() {
                return Err(NoCredit::Late);
            }
            if let Some(left) = credit.checked_sub(1) {
                *credit = left;
                return Ok(());
            }
            if self.closed.load(Ordering::Relaxed) {
                return Err(NoCredit::Closed);
            }
            let given_up = *given_up.get_or_insert_with(|| Deadline::after_option(patience));
            if given_up.passed() {
                return Err(NoCredit::Silence);
            }
            credit = wait_until(&self.changed, credit, deadline.earlier(given_up));
        }
    }

    /// Waits until it is cancelled or the deadline has passed.
    pub(super) fn wait_cancelled(&self, deadline: Deadline) {
        let mut credit = lock(&self.credit);
        while !self.is_cancelled() && !deadline.passed() {
            credit = wait_until(&self.changed, credit, deadline);
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
    /// The server stops and reads no requests for more.
    Closed,
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
}

/// Why a call cannot begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoBegin {
    /// As many as allowed are under way.
    Full,
    /// A call of this id is under way: the peer breaks the protocol.
    SameId,
}

/// The server's side of a connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) conn: Conn,
    /// Of what the peer may be sent.
    pub(super) answers: Limits,
    writing: Mutex<()>,
    write_timeout: Duration,
    /// How long a stream waits for the caller to ask for more.
    pub(super) patience: Option<Duration>,
    calls: Mutex<Calls>,
    finished: Condvar,
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
            calls: Mutex::default(),
            finished: Condvar::new(),
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
        if written.is_err() {
            // Half a frame may be out: nothing can follow it. This wakes the reader as well.
            let _ = self.conn.shutdown(Shutdown::Both);
        }
        written
    }

    /// Enters a call into the table.
    pub(super) fn begin(
        &self,
        id: Option<u64>,
        most: usize,
        window: u32,
    ) -> Result<(Called, Arc<CallState>), NoBegin> {
        let mut calls = lock(&self.calls);
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
        if calls.states.contains_key(&call) {
            return Err(NoBegin::SameId);
        }
        let state = Arc::new(CallState::new(window));
        calls.states.insert(call, state.clone());
        calls.unfinished += 1;
        Ok((call, state))
    }

    /// Ends a call: writes its answer. Its place is free before the answer is out, since the
    /// peer may use it at once.
    pub(super) fn finish(&self, call: Called, answer: &[u8]) -> io::Result<()> {
        lock(&self.calls).states.remove(&call);
        let written = self.write(answer);
        lock(&self.calls).unfinished -= 1;
        self.finished.notify_all();
        written
    }

    pub(super) fn find(&self, id: u64) -> Option<Arc<CallState>> {
        let calls = lock(&self.calls);
        calls.states.get(&Called::Id(id)).cloned()
    }

    /// Whether calls have not been answered yet.
    pub(super) fn is_busy(&self) -> bool {
        lock(&self.calls).unfinished > 0
    }

    /// Tells all streams that nobody reads requests for more items any longer.
    pub(super) fn close_streams(&self) {
        for state in lock(&self.calls).states.values() {
            state.close();
        }
    }

    /// Takes all calls back: the peer is gone.
    pub(super) fn cancel_all(&self) {
        for state in lock(&self.calls).states.values() {
            state.cancel();
        }
    }

    /// Waits until all calls have been answered.
    pub(super) fn wait_finished(&self, deadline: Deadline) -> bool {
        let mut calls = lock(&self.calls);
        while calls.unfinished > 0 && !deadline.passed() {
            calls = wait_until(&self.finished, calls, deadline);
        }
        calls.unfinished == 0
    }
}
