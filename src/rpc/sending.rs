//! The client's way out: frames of many callers, written by one of them.
//!
//! Who wants to write while another one does leaves its frame with it and goes on to wait for its
//! reply. Two things keep that fair: the one that writes does so for others a bounded number of
//! times, and what they leave has a bounded length; beyond either they wait until it is done, and
//! one of them writes. Cancels and their like never wait: there is one a call at the most.
//!
//! A server that is busy writing answers may take nothing in before somebody reads them. So the
//! one that writes reads as well, whenever its bytes do not go out.

use std::io::{self, Write};
use std::net::Shutdown;
use std::sync::atomic::Ordering;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::client::Shared;
use super::failure::CallError;
use super::link::lock;
use super::message::{Message, Push};
use crate::net::{Deadline, plain_words, wait_until};
use crate::wire::{Frames, Limits};

/// How often one thread writes what others have left in the meantime.
const ROUNDS: u32 = 16;
/// How many bytes others may leave with the one that writes, but for the last frame.
const ROOM: usize = 64 << 10;
/// Bytes that do not go out for so long may be waiting for us to read.
const STALLED: Duration = Duration::from_millis(10);

/// What is to be written.
#[derive(Debug)]
pub(super) struct Outgoing {
    state: Mutex<State>,
    /// The one that wrote is done.
    written: Condvar,
}

#[derive(Debug)]
struct State {
    gathered: Frames,
    spare: Frames,
    /// Somebody writes, in this round, and will write what is gathered meanwhile.
    round: Option<u32>,
    /// Threads that wait until it is done.
    waiting: usize,
}

impl State {
    /// Whether another frame has to wait.
    fn is_full(&mut self) -> bool {
        self.round
            .is_some_and(|round| round >= ROUNDS || self.gathered.len() >= ROOM)
    }
}

impl Outgoing {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            state: Mutex::new(State {
                gathered: Frames::new(limits),
                spare: Frames::new(limits),
                round: None,
                waiting: 0,
            }),
            written: Condvar::new(),
        }
    }
}

/// Why frames did not leave, or not all of them.
struct NotWritten {
    error: io::Error,
    /// Some of their bytes have left.
    begun: bool,
}

impl Shared {
    /// Adds a frame and writes it, unless another thread is writing and takes it along. Waits for
    /// its turn until the deadline.
    pub(super) fn send(
        &self,
        deadline: Deadline,
        push: impl FnOnce(&mut Frames) -> Result<(), CallError>,
    ) -> Result<(), CallError> {
        let mut state = lock(&self.outgoing.state);
        while state.is_full() {
            if deadline.passed() {
                return Err(CallError::DeadlineExceeded);
            }
            state.waiting += 1;
            state = wait_until(&self.outgoing.written, state, deadline);
            state.waiting -= 1;
        }
        push(&mut state.gathered)?;
        self.write_out(state)
    }

    /// The same for a message without a value, at once.
    pub(super) fn send_bare(&self, message: Message<'_>) -> Result<(), CallError> {
        let mut state = lock(&self.outgoing.state);
        state.gathered.bare(message);
        self.write_out(state)
    }

    /// Writes what is gathered, unless somebody is writing.
    fn write_out<'a>(&'a self, mut state: MutexGuard<'a, State>) -> Result<(), CallError> {
        if state.round.is_some() {
            return Ok(());
        }
        state.round = Some(0);
        if self.busy.load(Ordering::Relaxed) > 1 {
            // Other callers are about: those that are ready to run get to add their frames, and
            // all leave in one write. It costs nothing when none is.
            drop(state);
            thread::yield_now();
            state = lock(&self.outgoing.state);
        }
        let mut frames = std::mem::replace(&mut state.spare, Frames::new(Limits::default()));
        let written = loop {
            std::mem::swap(&mut frames, &mut state.gathered);
            state.round = state.round.map(|round| round + 1);
            drop(state);
            let written = self.write(frames.bytes());
            frames.clear();
            state = lock(&self.outgoing.state);
            if written.is_err() || state.gathered.is_empty() {
                break written;
            }
        };
        let rounds = state.round.take().unwrap_or_default();
        state.gathered.clear();
        state.spare = frames;
        let waiting = state.waiting > 0;
        drop(state);
        if waiting {
            self.outgoing.written.notify_all();
        }
        written.map_err(|NotWritten { error, begun }| {
            let told = format!(
                "writing to {}: {}",
                self.conn.peer_addr(),
                plain_words(&error)
            );
            if error.kind() == io::ErrorKind::BrokenPipe {
                self.ending.store(true, Ordering::Relaxed);
                let mut table = lock(&self.table);
                table.parted = true;
                let why = table.dead.clone().unwrap_or(told);
                // In the first round its own frame was among those that did not leave.
                let sent = begun || rounds > 1;
                return CallError::Disconnected { why, sent };
            }
            let why = self.die(told);
            CallError::Disconnected { why, sent: true }
        })
    }

    /// Writes all bytes within the configured time, or ends the connection.
    fn write(&self, mut bytes: &[u8]) -> Result<(), NotWritten> {
        let mut begun = false;
        let now = Instant::now();
        let at = |time| now.checked_add(time).map_or(Deadline::NEVER, Deadline::at);
        let deadline = at(self.config.write_timeout);
        let mut stalled = at(STALLED);
        while !bytes.is_empty() {
            self.conn.set_write_deadline(deadline.earlier(stalled));
            let written = match (&self.conn).write(bytes) {
                Ok(0) => Err(io::Error::from(io::ErrorKind::WriteZero)),
                Err(error) if error.kind() == io::ErrorKind::TimedOut && !deadline.passed() => {
                    self.take_in();
                    stalled = Deadline::after(STALLED);
                    Ok(0)
                }
                written => written,
            };
            match written {
                Ok(count) => {
                    begun |= count > 0;
                    bytes = bytes.get(count..).unwrap_or_default();
                }
                // The server reads no more, since it stops; its answers still come.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    return Err(NotWritten { error, begun });
                }
                Err(error) => {
                    // Half a frame may be out: nothing can follow it, so this comes before
                    // anybody else gets to write.
                    let _ = self.conn.shutdown(Shutdown::Both);
                    return Err(NotWritten { error, begun });
                }
            }
        }
        Ok(())
    }
}
