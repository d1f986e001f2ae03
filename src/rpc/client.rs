//! The client's side: many callers on one connection.
//!
//! No thread is spent on reading. Whoever waits for a reply reads the connection for all, if
//! nobody does so already: it hands others their replies, and when its own has come it passes
//! the role on to one that still waits. A call by one thread is a write and a read and nothing
//! else. Callers that want to write while another one writes leave their frame with it.
//!
//! ```text
//!  caller A   write ── read ─ its own reply ─> pass the role on to B, return
//!  caller B   write ── wait ······················ read ─ its own reply ─> return
//!  caller C   write ── wait ─ reply handed over by A ─> return
//! ```

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{self, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::auth::Secret;
use super::failure::{CallError, Failure};
use super::greeting::{Agreed, greet};
use super::link::lock;
use super::message::{Message, Push, read_failure};
use super::server::{AROUND, kind};
use super::slot::{Event, Slot};
use super::stream::Stream;
use crate::net::{Conn, Deadline};
use crate::sys::process;
use crate::wire::{DecodeOwned, Encode, FrameBuffer, FrameReader, Frames, Limits, decode_within};

/// The configuration of a [`Client`].
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// What a message may cost. Default [`Limits::default`]: 4 MiB.
    pub limits: Limits,
    /// How long a call may take, where the caller does not say. The server is told. Default 30 s;
    /// `None`: for ever.
    pub time: Option<Duration>,
    /// While a caller waits and the connection is silent for so long, the server is asked whether
    /// it is there. Default 10 s.
    pub ping_after: Duration,
    /// How long it may take to answer that; then the connection is given up. Default 5 s.
    pub pong_within: Duration,
    /// How long the greeting may take, and how long the server may take to read what was
    /// written to it. Default 10 s.
    pub write_timeout: Duration,
    /// If set, both sides must prove that they know it. Default: none.
    pub secret: Option<Secret>,
    /// For many callers on one connection: their threads are scheduled as SCHED_BATCH
    /// (`sched(7)`) from their first call on, so that a caller whose reply has come does not
    /// interrupt the one that hands out the others'. A third more calls a second with 64 callers,
    /// a little less with one. Default off: the threads are the program's.
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
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    conn: Conn,
    config: ClientConfig,
    agreed: Agreed,
    next_id: AtomicU64,
    outgoing: Mutex<Outgoing>,
    table: Mutex<Table>,
    /// Held by whoever reads.
    incoming: Mutex<Incoming>,
    /// Calls under way.
    busy: AtomicUsize,
    /// The server has said goodbye, or the connection is dead: for a pool to look at.
    ending: AtomicBool,
}

#[derive(Debug)]
struct Outgoing {
    gathered: Frames,
    spare: Frames,
    /// Somebody writes, and will write what is gathered meanwhile.
    writing: bool,
}

#[derive(Debug, Default)]
struct Table {
    /// Calls whose reply has not come.
    slots: HashMap<u64, Arc<Slot>>,
    /// Somebody reads.
    reading: bool,
    /// Why nothing will ever come.
    dead: Option<String>,
    /// The server has said goodbye: it reads no more calls.
    parted: bool,
}

impl Table {
    /// Whether a call can still be sent; why not.
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

#[derive(Debug)]
struct Incoming {
    reader: FrameReader<Conn>,
    /// When something was last heard of the server.
    heard: Instant,
    /// The ping that is out.
    asked: Option<Instant>,
    /// Empty; kept for its memory.
    ready: Vec<Ready>,
}

impl Client {
    /// Greets the server at the other end of a connection.
    pub fn over(conn: Conn, config: ClientConfig) -> Result<Self, CallError> {
        let limit = config.limits.message.saturating_add(AROUND);
        let mut reader = FrameReader::new(conn.clone(), limit);
        let agreed = greet(&conn, &mut reader, &config)?;
        conn.set_deadline(Deadline::NEVER);
        let mut sending = config.limits;
        // The server's limit, less what stands around a message.
        sending.message = sending.message.min(agreed.max_frame.saturating_sub(AROUND));
        let shared = Shared {
            conn,
            agreed,
            next_id: AtomicU64::new(1),
            outgoing: Mutex::new(Outgoing {
                gathered: Frames::new(sending),
                spare: Frames::new(sending),
                writing: false,
            }),
            table: Mutex::default(),
            incoming: Mutex::new(Incoming {
                reader,
                heard: Instant::now(),
                asked: None,
                ready: Vec::new(),
            }),
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

    /// Sends a call and does not wait: [`Pending::wait`] does, dropping it takes the call back.
    pub fn start<A>(
        &self,
        method: &str,
        argument: &A,
        time: Option<Duration>,
    ) -> Result<Pending, CallError>
    where
        A: Encode + ?Sized,
    {
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
        let micros = time.map_or(0, |time| {
            u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1)
        });
        pending.shared.send(|frames| {
            frames
                .call(id, micros, method, argument)
                .map_err(CallError::BadArgument)
        })?;
        Ok(pending)
    }

    /// Calls a method that answers with a stream of items.
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

    /// Calls a method whose result nobody wants. It is not known whether it was run.
    pub fn notify<A: Encode + ?Sized>(&self, method: &str, argument: &A) -> Result<(), CallError> {
        lock(&self.shared.table).open()?;
        self.shared.send(|frames| {
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
        let table = lock(&self.shared.table);
        // A connection that nobody reads must be silent; else its end has come, or a goodbye.
        table.dead.is_none()
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

    /// Adds a frame and writes it, unless another thread is writing and takes it along.
    pub(super) fn send(
        &self,
        push: impl FnOnce(&mut Frames) -> Result<(), CallError>,
    ) -> Result<(), CallError> {
        let mut outgoing = lock(&self.outgoing);
        push(&mut outgoing.gathered)?;
        if outgoing.writing {
            return Ok(());
        }
        outgoing.writing = true;
        if self.busy.load(Ordering::Relaxed) > 1 {
            // Other callers are about: those that are ready to run get to add their frames, and
            // all leave in one write. It costs nothing when none is.
            drop(outgoing);
            thread::yield_now();
            outgoing = lock(&self.outgoing);
        }
        let mut frames = std::mem::replace(&mut outgoing.spare, Frames::new(Limits::default()));
        let written = loop {
            std::mem::swap(&mut frames, &mut outgoing.gathered);
            drop(outgoing);
            self.conn
                .set_write_deadline(Deadline::after(self.config.write_timeout));
            let written = (&self.conn).write_all(frames.bytes());
            frames.clear();
            outgoing = lock(&self.outgoing);
            if written.is_err() || outgoing.gathered.is_empty() {
                break written;
            }
        };
        outgoing.writing = false;
        outgoing.spare = frames;
        drop(outgoing);
        written.map_err(|error| {
            let why = self.die(format!("writing to {}: {error}", self.conn.peer_addr()));
            CallError::Disconnected { why, sent: true }
        })
    }

    /// Declares the connection dead, and tells everybody who waits. Returns the first reason.
    fn die(&self, why: String) -> String {
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
        // Wakes whoever reads.
        let _ = self.conn.shutdown(Shutdown::Both);
        why
    }

    /// Waits for the next event of a call: reads, or waits until who reads has it.
    fn wait(&self, slot: &Slot, deadline: Deadline) -> Option<Event> {
        loop {
            {
                let mut table = lock(&self.table);
                if !table.reading {
                    table.reading = true;
                    slot.lead();
                } else {
                    slot.set_waiting(true);
                }
            }
            let (event, mut leads) = slot.wait(deadline);
            if !leads && !matches!(event, Some(Event::Reply(_) | Event::Ended(_))) {
                // Still in the table, so the role may be handed over at this very moment.
                let _table = lock(&self.table);
                slot.set_waiting(false);
                leads = slot.take_lead();
            }
            if !leads {
                return event;
            }
            let event = event.or_else(|| self.read_for(slot, deadline));
            self.pass_on();
            if event.is_some() || deadline.passed() {
                return event;
            }
        }
    }

    /// Gives the role of the reader to one that waits, if there is one.
    fn pass_on(&self) {
        let mut table = lock(&self.table);
        let next = table.slots.values().find(|slot| slot.is_waiting());
        match next {
            Some(slot) => slot.lead(),
            None => table.reading = false,
        }
    }

    /// Reads, and hands out what comes, until `slot` has something or its deadline passes.
    fn read_for(&self, slot: &Slot, deadline: Deadline) -> Option<Event> {
        let mut incoming = lock(&self.incoming);
        loop {
            if let Err(error) = self.hand_out(&mut incoming) {
                self.die(format!("reading from {}: {error}", self.conn.peer_addr()));
            }
            if let Some(event) = slot.take() {
                return Some(event);
            }
            if deadline.passed() {
                return None;
            }
            if let Err(error) = self.fill(&mut incoming, deadline) {
                self.die(format!("reading from {}: {error}", self.conn.peer_addr()));
            }
        }
    }

    /// Reads once, at most until the deadline; asks for a sign of life when there has been none.
    fn fill(&self, incoming: &mut Incoming, deadline: Deadline) -> io::Result<()> {
        let silent_until = match incoming.asked {
            Some(asked) => asked.checked_add(self.config.pong_within),
            None => incoming.heard.checked_add(self.config.ping_after),
        };
        let silent_until = silent_until.map_or(Deadline::NEVER, Deadline::at);
        self.conn.set_read_deadline(deadline.earlier(silent_until));
        match incoming.reader.fill() {
            Ok(0) => match incoming.reader.buffer().end() {
                Ok(()) => Err(io::Error::other("the server closed the connection")),
                Err(cut) => Err(io::Error::other(cut)),
            },
            Ok(_) => {
                incoming.heard = Instant::now();
                incoming.asked = None;
                Ok(())
            }
            Err(error) if is_timeout(&error) && !silent_until.passed() => Ok(()),
            Err(error) if is_timeout(&error) && incoming.asked.is_none() => {
                incoming.asked = Some(Instant::now());
                let sent = self.send(|frames| {
                    frames.bare(Message::Ping(0));
                    Ok(())
                });
                sent.map_err(io::Error::other)
            }
            Err(error) if is_timeout(&error) => {
                let silent = incoming.heard.elapsed().as_secs_f32();
                let why = format!("nothing heard for {silent:.1} s, nor an answer to a ping");
                Err(io::Error::other(why))
            }
            Err(error) => Err(error),
        }
    }

    /// Gives all whole frames that are here to whom they are for.
    fn hand_out(&self, incoming: &mut Incoming) -> io::Result<()> {
        if !incoming.reader.buffer().has_frame() {
            return Ok(());
        }
        let mut ready = std::mem::take(&mut incoming.ready);
        let sorted = self.sort_out(incoming.reader.buffer(), &mut ready);
        // Without the table's lock, which those who wake will want at once.
        for (slot, event) in ready.drain(..) {
            slot.put(event);
        }
        incoming.ready = ready;
        sorted
    }

    /// Finds out for whom the frames are.
    fn sort_out(&self, buffer: &mut FrameBuffer, ready: &mut Vec<Ready>) -> io::Result<()> {
        let mut table = lock(&self.table);
        while let Some(frame) = buffer.next_frame().map_err(io::Error::other)? {
            match Message::parse(frame).map_err(io::Error::other)? {
                Message::Reply { id, result } => {
                    // A reply to nobody is to a call that was taken back.
                    if let Some(slot) = table.slots.remove(&id) {
                        ready.push((slot, Event::Reply(result.to_vec())));
                    }
                }
                Message::Failed { id: 0, failure } => {
                    let failure = read_failure(failure);
                    return Err(io::Error::other(failure));
                }
                Message::Failed { id, failure } => {
                    if let Some(slot) = table.slots.remove(&id) {
                        let error = CallError::Failed(read_failure(failure));
                        ready.push((slot, Event::Ended(error)));
                    }
                }
                Message::Item { id, item } => {
                    if let Some(slot) = table.slots.get(&id) {
                        // It sends no more than was asked for, and asking runs ahead by half.
                        if !slot.expects(self.agreed.window.saturating_mul(2)) {
                            return Err(io::Error::other("more items than were asked for"));
                        }
                        ready.push((slot.clone(), Event::Item(item.to_vec())));
                    }
                }
                Message::Pong(_) => {}
                Message::Goodbye { last } => {
                    self.ending.store(true, Ordering::Relaxed);
                    table.parted = true;
                    // What it has not read it will not answer: their callers need not wait.
                    table.slots.retain(|id, slot| {
                        if *id > last {
                            let error = CallError::Failed(Failure::ShuttingDown);
                            ready.push((slot.clone(), Event::Ended(error)));
                        }
                        *id <= last
                    });
                }
                other => {
                    let why = format!("a server does not send {}", kind(&other));
                    return Err(io::Error::other(why));
                }
            }
        }
        Ok(())
    }
}

/// What has come, and for whom.
type Ready = (Arc<Slot>, Event);

/// Sees to it, once for each thread.
fn schedule_as_batch() {
    thread_local! {
        static DONE: Cell<bool> = const { Cell::new(false) };
    }
    if !DONE.replace(true) {
        // Refused, it costs some speed and nothing else.
        let _ = process::set_scheduling(process::Scheduling::Batch);
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
    )
}

/// A call that was sent. Dropping it takes the call back.
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

    /// The next thing that comes for this call.
    pub(super) fn next(&mut self) -> Result<Event, CallError> {
        let event = self.shared.wait(&self.slot, self.deadline);
        let event = event.ok_or(CallError::DeadlineExceeded)?;
        self.over = !matches!(event, Event::Item(_));
        Ok(event)
    }

    pub(super) fn read<T: DecodeOwned>(&self, bytes: &[u8]) -> Result<T, CallError> {
        decode_within(bytes, self.shared.config.limits).map_err(CallError::BadReply)
    }

    /// Lets the server send more items.
    pub(super) fn more(&self, count: u32) -> Result<(), CallError> {
        let id = self.id;
        self.shared.send(|frames| {
            frames.bare(Message::More { id, count });
            Ok(())
        })
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
            // If it cannot be told, the connection is dead, and so is the call.
            let _ = self.shared.send(|frames| {
                frames.bare(Message::Cancel { id });
                Ok(())
            });
        }
    }
}
