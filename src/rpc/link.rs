//! A connection, shared by the server's threads: one may write at a time, and the calls in flight
//! can be cancelled.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::server::ServerConfig;
use crate::net::{Conn, Deadline, say_which, wait_until};
use crate::server::lock;
use crate::wire::Limits;

/// A call that runs on a worker, or waits for one.
#[derive(Debug)]
pub(super) struct CallState {
    cancelled: AtomicBool,
    /// The server is stopping, so `ends` below is set.
    stopping: AtomicBool,
    credit: Mutex<Credit>,
    changed: Condvar,
}

#[derive(Debug)]
struct Credit {
    /// How many more items of a stream the caller accepts.
    items: u32,
    /// When a stopping server no longer waits for the call.
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
        // Notify under the lock: otherwise a thread could miss it between its check and its wait.
        let _guard = lock(&self.credit);
        self.changed.notify_all();
    }

    /// Records that the server is stopping, and until when it waits for this call.
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

    /// Takes the credit for one item. Waits for it, at most for `patience` and until the deadline.
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

    /// Waits until the call is cancelled, or one of its deadlines has passed.
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
    /// The caller cancelled the call, or has left.
    Cancelled,
    /// The call's deadline has passed.
    Late,
    /// The caller has not asked for more for a long time.
    Silence,
    /// The server is stopping, and its drain time is over.
    Stopped,
}

/// Identifies a call: by the client's id or, if it wants no reply, by a number given here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Called {
    Id(u64),
    Notified(u64),
}

/// The calls in flight on a connection, except those that its own thread runs.
#[derive(Debug, Default)]
struct Calls {
    states: HashMap<Called, Arc<CallState>>,
    /// Calls whose reply is not written yet. `states` drops a call a little earlier.
    unfinished: usize,
    /// Notifications so far.
    notified: u64,
    /// The server is stopping: no call begins, and the end of the last one wakes the reader.
    stopping: bool,
}

/// Why a call cannot begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoBegin {
    /// As many calls as allowed are in flight.
    Full,
    /// The server is stopping.
    Stopping,
}

/// What it means when a write times out.
const UNTAKEN: &str = "answers not taken";

/// The server's side of a connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) conn: Conn,
    /// The limits for messages to the peer.
    pub(super) answers: Limits,
    writing: Mutex<()>,
    write_timeout: Duration,
    /// A write has timed out.
    untaken: AtomicBool,
    /// How long a stream waits until the caller asks for more.
    pub(super) patience: Option<Duration>,
    /// How long calls may go on after a stop.
    drain: Duration,
    calls: Mutex<Calls>,
    /// The number of calls in the table. Only the reader adds calls.
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

    /// Writes complete frames, never mixed with those of another thread. If the peer does not read
    /// them in time, its connection ends.
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
            // Half a frame may have been sent, so nothing can follow it. This also wakes the
            // reader.
            let _ = self.conn.shutdown(Shutdown::Both);
        }
        written.map_err(|error| say_which(error, UNTAKEN, Some(self.write_timeout)))
    }

    /// Whether the connection ended because its peer did not read, whichever thread noticed it.
    pub(super) fn check(&self) -> io::Result<()> {
        if self.untaken.load(Ordering::Relaxed) {
            let error = io::Error::from(io::ErrorKind::TimedOut);
            return Err(say_which(error, UNTAKEN, Some(self.write_timeout)));
        }
        Ok(())
    }

    /// Adds a call to the table.
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

    /// Ends a call and writes its answer. The call leaves the table before that, because the peer
    /// may use the place as soon as it has the answer.
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

    /// Begins the stop of this connection. Running calls may go on for the drain time, and the
    /// peer's messages about them are read; new calls are refused. The reader is woken when no call
    /// is left, which may be at once.
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

    /// The reader gets the bytes that have arrived, and then the end of the stream.
    fn wake_reader(&self) {
        let _ = self.conn.shutdown(Shutdown::Read); // fails if the peer has gone
    }

    /// Whether a call with this id is in flight on a worker. Almost free while none is.
    pub(super) fn is_under_way(&self, id: u64) -> bool {
        self.under_way.load(Ordering::Relaxed) > 0
            && lock(&self.calls).states.contains_key(&Called::Id(id))
    }

    pub(super) fn find(&self, id: u64) -> Option<Arc<CallState>> {
        let calls = lock(&self.calls);
        calls.states.get(&Called::Id(id)).cloned()
    }

    /// Whether some calls are not answered yet.
    pub(super) fn is_busy(&self) -> bool {
        lock(&self.calls).unfinished > 0
    }

    /// Cancels all calls: the peer has left.
    pub(super) fn cancel_all(&self) {
        for state in lock(&self.calls).states.values() {
            state.cancel();
        }
    }
}
