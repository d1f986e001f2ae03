//! The client's side: many callers on one connection.
//!
//! There is no thread for reading. Of the callers that wait for replies, one reads the connection
//! for all. It hands the others their replies. When its own has come, it passes the role on to one
//! that still waits. So a call by a single thread is one write and one read. A caller that wants to
//! write while another one writes leaves its frame with that one.
//!
//! ```text
//!  caller A   write ── read ─ its own reply ─> pass the role on to B, return
//!  caller B   write ── wait ······················ read ─ its own reply ─> return
//!  caller C   write ── wait ─ reply handed over by A ─> return
//! ```

use std::cell::Cell;
use std::collections::HashMap;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::auth::Secret;
use super::failure::{CallError, Failure};
use super::greeting::{Agreed, greet};
use super::message::{MAX_NAME, Message, Push};
use super::reading::Incoming;
use super::sending::Outgoing;
use super::server::limits_for;
use super::slot::{Event, Slot};
use super::stream::Stream;
use crate::net::{Conn, Deadline};
use crate::server::lock;
use crate::sys::process;
use crate::wire::{DecodeOwned, Encode, Limits, decode_within};

/// The configuration of a [`Client`].
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The limits of a message. Default [`Limits::default`]: 4 MiB.
    pub limits: Limits,
    /// How long a call may take if the caller does not say. The server is told. Default 30 s;
    /// `None`: for ever. While the server accepts no bytes, a call can take longer than this, by
    /// the time-out of a write.
    pub time: Option<Duration>,
    /// If a caller waits and the connection is silent for this long, the server is sent a ping.
    /// Default 10 s.
    pub ping_after: Duration,
    /// How long the server may take to answer a ping; then the connection is given up. Default 5 s.
    pub pong_within: Duration,
    /// How long the greeting may take, and how long the server may take to accept what is written
    /// to it. Default 10 s.
    pub write_timeout: Duration,
    /// If set, both sides must prove that they know this secret. Default: none.
    pub secret: Option<Secret>,
    /// For many callers on one connection: their threads are scheduled as SCHED_BATCH (`sched(7)`)
    /// from their first call on. Then a caller whose reply has come does not interrupt the one that
    /// hands out replies. With 64 callers that gives a third more calls a second, with one a little
    /// fewer. Default off, because the threads belong to the program.
    pub batch: bool,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            time: Some(Duration::from_secs(30)),
            ping_after: Duration::from_secs(10),
            pong_within: Duration::from_secs(5),
            write_timeout: Duration::from_secs(10),
            secret: None,
            batch: false,
        }
    }
}

/// A connection to an RPC server, shared by any number of threads. Clones are handles of the
/// same connection; it closes with the last of them.
///
/// An argument is encoded under the lock for writing. So an [`Encode`](crate::wire::Encode) of your
/// own must not call the client that encodes it: that call would wait for itself, for ever.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) conn: Conn,
    pub(super) config: ClientConfig,
    pub(super) agreed: Agreed,
    next_id: AtomicU64,
    pub(super) outgoing: Outgoing,
    pub(super) table: Mutex<Table>,
    /// Held by the caller that reads.
    pub(super) incoming: Mutex<Incoming>,
    /// Calls in flight.
    pub(super) busy: AtomicUsize,
    /// The server has said goodbye, or the connection is dead. [`Client::is_usable`] checks it.
    pub(super) ending: AtomicBool,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    /// Calls whose reply has not come yet.
    pub(super) slots: HashMap<u64, Arc<Slot>>,
    /// A caller is reading.
    pub(super) reading: bool,
    /// Why nothing more will come.
    pub(super) dead: Option<String>,
    /// The server has said goodbye: it runs no more calls.
    pub(super) parted: bool,
}

impl Table {
    /// Whether a call can still be sent; if not, why.
    fn open(&self) -> Result<(), CallError> {
        match &self.dead {
            Some(why) => Err(CallError::Disconnected {
                why: why.clone(),
                sent: false,
            }),
            None if self.parted => Err(CallError::Failed(Failure::ShuttingDown)),
            None => Ok(()),
        }
    }
}

impl Client {
    /// Greets the server at the other end of a connection.
    pub fn over(conn: Conn, config: ClientConfig) -> Result<Self, CallError> {
        Self::over_by(conn, config, Deadline::NEVER)
    }

    /// The same, with a deadline.
    pub(crate) fn over_by(
        conn: Conn,
        config: ClientConfig,
        deadline: Deadline,
    ) -> Result<Self, CallError> {
        let (reader, agreed) = greet(&conn, &config, deadline)?;
        conn.set_deadline(Deadline::NEVER);
        let sending = limits_for(config.limits, agreed.max_frame);
        let shared = Shared {
            conn,
            agreed,
            next_id: AtomicU64::new(1),
            outgoing: Outgoing::new(sending),
            table: Mutex::default(),
            incoming: Incoming::new(reader),
            busy: AtomicUsize::new(0),
            ending: AtomicBool::new(false),
            config,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    pub(super) fn default_time(&self) -> Option<Duration> {
        self.shared.config.time
    }

    /// Calls a method and waits for its result, at most for the configured time.
    pub fn call<A, R>(&self, method: &str, argument: &A) -> Result<R, CallError>
    where
        A: Encode + ?Sized,
        R: DecodeOwned,
    {
        self.call_within(method, argument, self.shared.config.time)
    }

    /// Calls a method and waits for its result, at most for `time`.
    pub fn call_within<A, R>(
        &self,
        method: &str,
        argument: &A,
        time: Option<Duration>,
    ) -> Result<R, CallError>
    where
        A: Encode + ?Sized,
        R: DecodeOwned,
    {
        self.start(method, argument, time)?.wait()
    }

    /// Sends a call without waiting. [`Pending::wait`] waits; dropping the value cancels the call.
    pub fn start<A>(
        &self,
        method: &str,
        argument: &A,
        time: Option<Duration>,
    ) -> Result<Pending, CallError>
    where
        A: Encode + ?Sized,
    {
        named(method)?;
        let shared = self.shared.clone();
        if shared.config.batch {
            schedule_as_batch();
        }
        let (id, slot) = shared.register()?;
        let pending = Pending {
            deadline: Deadline::after_option(time),
            shared,
            id,
            slot,
            over: false,
        };
        let deadline = pending.deadline;
        pending.shared.send(deadline, |frames| {
            // What is left of the time at the moment of sending.
            let micros = deadline.remaining().map_or(0, |left| {
                u64::try_from(left.as_micros()).unwrap_or(u64::MAX).max(1)
            });
            frames
                .call(id, micros, method, argument)
                .map_err(CallError::BadArgument)
        })?;
        Ok(pending)
    }

    /// Calls a method that replies with a stream of items.
    pub fn stream<A, T>(
        &self,
        method: &str,
        argument: &A,
        time: Option<Duration>,
    ) -> Result<Stream<T>, CallError>
    where
        A: Encode + ?Sized,
        T: DecodeOwned,
    {
        let window = self.shared.agreed.window;
        Ok(Stream::new(self.start(method, argument, time)?, window))
    }

    /// Calls a method without asking for its result. It is not known whether the method was run.
    pub fn notify<A: Encode + ?Sized>(&self, method: &str, argument: &A) -> Result<(), CallError> {
        named(method)?;
        lock(&self.shared.table).open()?;
        self.shared.send(Deadline::NEVER, |frames| {
            frames
                .notify(method, argument)
                .map_err(CallError::BadArgument)
        })
    }

    /// Whether calls can be expected to succeed: the server has not said goodbye and the
    /// connection is not known to be broken.
    pub fn is_usable(&self) -> bool {
        if self.shared.ending.load(Ordering::Relaxed) {
            return false;
        }
        // Read what has arrived since: a late answer, a goodbye, or the end.
        if !self.shared.conn.is_quiet() {
            self.shared.take_in();
        }
        let table = lock(&self.shared.table);
        table.dead.is_none()
            && !self.shared.ending.load(Ordering::Relaxed)
            && (table.reading || !table.slots.is_empty() || self.shared.conn.is_quiet())
    }

    /// The other end's address.
    pub fn peer(&self) -> String {
        self.shared.conn.peer_addr().to_string()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let _ = self.conn.shutdown(Shutdown::Both);
    }
}

impl Shared {
    fn register(&self) -> Result<(u64, Arc<Slot>), CallError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let slot = Arc::new(Slot::default());
        let mut table = lock(&self.table);
        table.open()?;
        if table.slots.len() >= self.agreed.in_flight {
            return Err(CallError::TooManyCalls {
                limit: self.agreed.in_flight,
            });
        }
        table.slots.insert(id, slot.clone());
        self.busy.store(table.slots.len(), Ordering::Relaxed);
        Ok((id, slot))
    }

    /// Declares the connection dead, and tells all waiting callers. Returns the first reason.
    pub(super) fn die(&self, why: String) -> String {
        self.ending.store(true, Ordering::Relaxed);
        let mut table = lock(&self.table);
        let why = table.dead.get_or_insert(why).clone();
        let slots = std::mem::take(&mut table.slots);
        drop(table);
        for slot in slots.values() {
            slot.put(Event::Ended(CallError::Disconnected {
                why: why.clone(),
                sent: true,
            }));
        }
        // Wakes the caller that reads.
        let _ = self.conn.shutdown(Shutdown::Both);
        why
    }
}

/// Whether the method's name fits in a call. A longer one would be cut: to the name of another
/// method, or within a character, which would end the connection.
fn named(method: &str) -> Result<(), CallError> {
    if method.len() <= MAX_NAME {
        return Ok(());
    }
    let why = format!("of {} bytes: a name has at most {MAX_NAME}", method.len());
    Err(CallError::Failed(Failure::UnknownMethod(why)))
}

/// Sets the scheduling, once for each thread.
fn schedule_as_batch() {
    thread_local! {
        static DONE: Cell<bool> = const { Cell::new(false) };
    }
    if !DONE.replace(true) {
        // If it is refused, that costs some speed and nothing else.
        let _ = process::set_scheduling(process::Scheduling::Batch);
    }
}

/// A call that was sent. Dropping it cancels the call.
#[derive(Debug)]
#[must_use = "dropping it takes the call back"]
pub struct Pending {
    shared: Arc<Shared>,
    id: u64,
    slot: Arc<Slot>,
    deadline: Deadline,
    /// Nothing more will come.
    over: bool,
}

impl Pending {
    /// Waits for the result, until the call's deadline.
    pub fn wait<R: DecodeOwned>(mut self) -> Result<R, CallError> {
        match self.next()? {
            Event::Reply(bytes) => self.read(&bytes),
            Event::Item(_) => Err(CallError::Failed(Failure::Refused(
                "the method answers with a stream".into(),
            ))),
            Event::Ended(error) => Err(error),
        }
    }

    /// The next event of this call.
    pub(super) fn next(&mut self) -> Result<Event, CallError> {
        let event = self.shared.wait(&self.slot, self.deadline);
        let event = event.ok_or(CallError::DeadlineExceeded)?;
        self.over = !matches!(event, Event::Item(_));
        Ok(event)
    }

    pub(super) fn read<T: DecodeOwned>(&self, bytes: &[u8]) -> Result<T, CallError> {
        decode_within(bytes, self.shared.config.limits).map_err(CallError::BadReply)
    }

    /// Lets the server send more items. If this cannot be sent, the items sent so far still arrive,
    /// and then the end of the stream or of the connection.
    pub(super) fn more(&self, count: u32) {
        let id = self.id;
        let _ = self.shared.send_bare(Message::More { id, count });
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let id = self.id;
        let mut table = lock(&self.shared.table);
        let known = table.slots.remove(&id).is_some();
        let alive = table.dead.is_none();
        drop(table);
        if known && alive {
            // If this cannot be sent, the connection is dead, and so is the call.
            let _ = self.shared.send_bare(Message::Cancel { id });
        }
    }
}
