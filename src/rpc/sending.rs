//! The client's writing: the frames of many callers, written by one of them.
//!
//! A caller that wants to write while another one writes leaves its frame with that one, and goes
//! on to wait for its reply. Two limits keep this fair: the writer writes for others a bounded
//! number of times, and what they leave has a bounded length. Beyond either limit they wait until
//! the writer is done, and one of them writes. Cancels and the like never wait: there is at most
//! one for each call.
//!
//! A server that is busy writing answers may read nothing until somebody reads them. So when the
//! writer's bytes do not go out, it reads as well.

use std::io::{self, Write};
use std::net::Shutdown;
use std::sync::atomic::Ordering;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::client::Shared;
use super::failure::CallError;
use super::message::{Message, Push};
use crate::net::{Deadline, plain_words, wait_until};
use crate::server::lock;
use crate::wire::{Frames, Limits};

/// How many times one thread writes what others have left meanwhile.
const ROUNDS: u32 = 16;
/// How many bytes others may leave with the writer, not counting the last frame.
const ROOM: usize = 64 << 10;
/// If bytes do not go out for this long, the server may be waiting for this side to read.
const STALLED: Duration = Duration::from_millis(10);

/// The frames to be written.
#[derive(Debug)]
pub(super) struct Outgoing {
    state: Mutex<State>,
    /// The writer is done.
    written: Condvar,
}

#[derive(Debug)]
struct State {
    gathered: Frames,
    spare: Frames,
    /// A thread is writing, in this round, and will then write what is gathered meanwhile.
    round: Option<u32>,
    /// Threads that wait until the writer is done.
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

/// Why frames were not sent, or not all of them.
struct NotWritten {
    error: io::Error,
    /// Some of their bytes were sent.
    begun: bool,
}

impl Shared {
    /// Adds a frame and writes it, or leaves it to the thread that is writing. Waits for its turn
    /// until the deadline.
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

    /// The same for a message without a value, without waiting.
    pub(super) fn send_bare(&self, message: Message<'_>) -> Result<(), CallError> {
        let mut state = lock(&self.outgoing.state);
        state.gathered.bare(message);
        self.write_out(state)
    }

    /// Writes the gathered frames, unless another thread is writing.
    fn write_out<'a>(&'a self, mut state: MutexGuard<'a, State>) -> Result<(), CallError> {
        if state.round.is_some() {
            return Ok(());
        }
        state.round = Some(0);
        if self.busy.load(Ordering::Relaxed) > 1 {
            // There are other callers. Those that are ready to run can now add their frames, and
            // all leave in one write. If none is ready, this costs nothing.
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
        written.map_err(|failed| self.disconnected(failed, rounds))
    }

    /// What a caller is told whose frames could not be written in the last of so many rounds.
    fn disconnected(&self, failed: NotWritten, rounds: u32) -> CallError {
        let NotWritten { error, begun } = failed;
        let peer = self.conn.peer_addr();
        let told = format!("writing to {peer}: {}", plain_words(&error));
        if error.kind() != io::ErrorKind::BrokenPipe {
            let why = self.die(told);
            return CallError::Disconnected { why, sent: true };
        }
        self.ending.store(true, Ordering::Relaxed);
        let mut table = lock(&self.table);
        table.parted = true;
        let why = table.dead.clone().unwrap_or(told);
        // In the first round, this caller's own frame was among those that were not sent.
        let sent = begun || rounds > 1;
        CallError::Disconnected { why, sent }
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
                // The server is stopping and reads no more; its answers still come.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    return Err(NotWritten { error, begun });
                }
                Err(error) => {
                    // Half a frame may have been sent, so nothing can follow it. Shut down before
                    // another thread gets to write.
                    let _ = self.conn.shutdown(Shutdown::Both);
                    return Err(NotWritten { error, begun });
                }
            }
        }
        Ok(())
    }
}
