//! The client's reading: one of the waiting callers reads for all, and hands the role on.
//!
//! The promise: while any caller waits, one of them reads. The reader hands the role to a waiting
//! caller, or gives it up, before it returns. A caller that stops waiting checks under the table's
//! lock that it was not given the role at the same moment.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::client::Shared;
use super::failure::{CallError, Failure};
use super::message::{Message, kind, read_failure};
use super::slot::{Event, Slot};
use crate::net::{Conn, Deadline, plain_words};
use crate::server::lock;
use crate::wire::{FrameBuffer, FrameReader};

/// A caller that reads without waiting for anything takes at most about this many bytes.
const AT_ONCE: usize = 1 << 20;
/// Such a caller gives up when nothing comes for this long.
const NOTHING: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(super) struct Incoming {
    reader: FrameReader<Conn>,
    /// When the server was last heard.
    heard: Instant,
    /// When the unanswered ping was sent.
    asked: Option<Instant>,
    /// Empty; kept to reuse its memory.
    ready: Vec<Ready>,
}

impl Incoming {
    pub(super) fn new(reader: FrameReader<Conn>) -> Mutex<Self> {
        Mutex::new(Self {
            reader,
            heard: Instant::now(),
            asked: None,
            ready: Vec::new(),
        })
    }

    /// Reads once.
    fn read(&mut self) -> io::Result<usize> {
        let count = self.reader.fill()?;
        if count == 0 {
            return Err(match self.reader.buffer().end() {
                Ok(()) => io::Error::other("the server closed the connection"),
                Err(cut) => io::Error::other(cut),
            });
        }
        self.heard = Instant::now();
        self.asked = None;
        Ok(count)
    }
}

impl Shared {
    /// Waits for the next event of a call: reads, or waits until the reader hands it over.
    pub(super) fn wait(&self, slot: &Slot, deadline: Deadline) -> Option<Event> {
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
                // The slot is still in the table, so it may be given the role at this very moment.
                let _table = lock(&self.table);
                slot.set_waiting(false);
                leads = slot.take_lead();
            }
            if !leads {
                return event;
            }
            // Otherwise the role could be handed to this caller itself, and be lost.
            slot.set_waiting(false);
            let event = event.or_else(|| self.read_for(slot, deadline));
            self.pass_on();
            if event.is_some() || deadline.passed() {
                return event;
            }
        }
    }

    /// Hands the role of the reader to a waiting caller, if there is one.
    fn pass_on(&self) {
        let mut table = lock(&self.table);
        let next = table.slots.values().find(|slot| slot.is_waiting());
        match next {
            Some(slot) => slot.lead(),
            None => table.reading = false,
        }
    }

    /// Reads what has arrived, for all calls, unless another caller reads; hardly waits.
    pub(super) fn take_in(&self) {
        {
            let mut table = lock(&self.table);
            if table.reading || table.dead.is_some() {
                return;
            }
            table.reading = true;
        }
        let mut incoming = lock(&self.incoming);
        let mut taken = 0;
        let done = loop {
            if let Err(error) = self.hand_out(&mut incoming) {
                break Err(error);
            }
            self.conn.set_read_deadline(Deadline::after(NOTHING));
            match incoming.read() {
                Ok(count) if taken + count < AT_ONCE => taken += count,
                Ok(_) => break self.hand_out(&mut incoming),
                Err(error) if is_timeout(&error) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        drop(incoming);
        if let Err(error) = done {
            self.die(self.broken(&error));
        }
        self.pass_on();
    }

    /// Reads and hands out what comes, until `slot` has an event or its deadline passes.
    fn read_for(&self, slot: &Slot, deadline: Deadline) -> Option<Event> {
        let mut incoming = lock(&self.incoming);
        loop {
            if let Err(error) = self.hand_out(&mut incoming) {
                self.die(self.broken(&error));
            }
            if let Some(event) = slot.take() {
                return Some(event);
            }
            if deadline.passed() {
                return None;
            }
            if let Err(error) = self.fill(&mut incoming, deadline) {
                self.die(self.broken(&error));
            }
        }
    }

    /// Why the connection ended.
    fn broken(&self, error: &io::Error) -> String {
        let why = plain_words(error);
        format!("reading from {}: {why}", self.conn.peer_addr())
    }

    /// Reads once, at most until the deadline. After a long silence, sends a ping.
    fn fill(&self, incoming: &mut Incoming, deadline: Deadline) -> io::Result<()> {
        let silent_until = match incoming.asked {
            Some(asked) => asked.checked_add(self.config.pong_within),
            None => incoming.heard.checked_add(self.config.ping_after),
        };
        let silent_until = silent_until.map_or(Deadline::NEVER, Deadline::at);
        // What has arrived while nobody read counts as heard now, however old it is.
        let until = match silent_until.passed() && !self.conn.is_quiet() {
            true => Deadline::NEVER,
            false => deadline.earlier(silent_until),
        };
        self.conn.set_read_deadline(until);
        match incoming.read() {
            Ok(_) => Ok(()),
            Err(error) if is_timeout(&error) && !silent_until.passed() => Ok(()),
            Err(error) if is_timeout(&error) && incoming.asked.is_none() => {
                incoming.asked = Some(Instant::now());
                self.send_bare(Message::Ping(0)).map_err(io::Error::other)
            }
            Err(error) if is_timeout(&error) => {
                let silent = incoming.heard.elapsed().as_secs_f32();
                let why = format!("nothing heard for {silent:.1} s, nor an answer to a ping");
                Err(io::Error::other(why))
            }
            Err(error) => Err(error),
        }
    }

    /// Hands all complete frames to their calls.
    fn hand_out(&self, incoming: &mut Incoming) -> io::Result<()> {
        if !incoming.reader.buffer().has_frame() {
            return Ok(());
        }
        let mut ready = std::mem::take(&mut incoming.ready);
        let sorted = self.sort_out(incoming.reader.buffer(), &mut ready);
        // Not under the table's lock, because the woken callers need it at once.
        for (slot, event) in ready.drain(..) {
            slot.put(event);
        }
        incoming.ready = ready;
        sorted
    }

    /// Finds the call for each frame.
    fn sort_out(&self, buffer: &mut FrameBuffer, ready: &mut Vec<Ready>) -> io::Result<()> {
        let mut table = lock(&self.table);
        while let Some(frame) = buffer.next_frame().map_err(io::Error::other)? {
            match Message::parse(frame).map_err(io::Error::other)? {
                Message::Reply { id, result } => {
                    // A reply without a slot is for a cancelled call.
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
                        // The server sends at most a window ahead of what was taken; no more than
                        // twice that is tolerated.
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
                    // The server will not answer what it has not read, so these callers need not
                    // wait.
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

/// An event, and the slot that it is for.
type Ready = (Arc<Slot>, Event);

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
    )
}
