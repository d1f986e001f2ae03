//! A request's body on its way to the backend, on a thread of its own.
//!
//! ```text
//!   client ──read──> upload thread ──write──> backend        the body, part by part
//!   client <──write── connection's thread <──read── backend  the response, which may come early
//! ```
//!
//! A backend may answer before it has read everything (an error, say, or 100 Continue), so the body
//! and the response have a thread each. The upload ends by itself when the body does; it is ended by
//! shutting the backend's connection down ([`Upload::finish`]), and ends the response's thread in
//! the same way when the client fails it. It holds the client's buffer meanwhile, and gives it back
//! with the bytes of the next request in it.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::desk::PART;
use super::heads;
use crate::http::{ChunkReader, Framing, Limits, Piece, Rule, write};
use crate::net::{Conn, Deadline, Incoming, Ready};

/// How long a response waits to see whether the body is through. A backend that has read everything
/// answers at the moment in which the upload notices; the others answer early.
const SETTLES: Duration = Duration::from_millis(20);
/// The stack of the thread, in bytes.
const STACK: usize = 64 * 1024;

/// Why a body did not get through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadError {
    /// The client breaks a rule.
    Broken(Rule),
    /// The body is longer than allowed.
    TooLong,
    /// The client has sent nothing for too long.
    TimedOut,
    /// The client has gone.
    ClientGone,
    /// The backend has. What it sent before may be a response.
    BackendGone,
    /// It has taken nothing for too long.
    BackendStuck,
}

impl UploadError {
    /// Whether it says nothing against the backend.
    pub fn blames_client(self) -> bool {
        !matches!(self, UploadError::BackendGone | UploadError::BackendStuck)
    }

    /// The rule that the client breaks, if it does.
    pub fn rule(self) -> Option<Rule> {
        match self {
            UploadError::Broken(rule) => Some(rule),
            _ => None,
        }
    }
}

/// What is to be sent, and how.
pub struct Plan {
    /// How the body ends: a length, or chunks.
    pub framing: Framing,
    /// The limits of chunks.
    pub limits: Limits,
    /// The most bytes of it.
    pub most: Option<u64>,
    /// Silence of the client.
    pub silence: Duration,
    /// How long a write may take.
    pub write: Duration,
}

/// A body on its way.
pub struct Upload {
    thread: JoinHandle<Ended>,
    backend: Conn,
    settled: Arc<Settled>,
}

/// What is left when it ends.
pub struct Ended {
    /// The client's buffer.
    pub incoming: Incoming,
    /// Bytes of the body that were read.
    pub received: u64,
    /// Whether it got through as a whole.
    pub result: Result<(), UploadError>,
}

#[derive(Default)]
struct Settled {
    /// And whether the body got through.
    when: Mutex<Option<(Instant, bool)>>,
    now: Condvar,
}

impl Upload {
    /// Starts it. `incoming` begins with the body. When no thread can be had it is given back.
    pub fn start(
        client: &Conn,
        backend: &Conn,
        incoming: Incoming,
        plan: Plan,
    ) -> Result<Self, Incoming> {
        let settled = Arc::new(Settled::default());
        // Handed over by a slot, for a spawn that fails drops what its closure holds.
        let slot = Arc::new(Mutex::new(Some(incoming)));
        let work = {
            let (client, backend) = (client.clone(), backend.clone());
            let (settled, slot) = (settled.clone(), slot.clone());
            move || {
                let taken = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
                let mut pump = Pump::new(
                    client,
                    backend,
                    taken.unwrap_or_else(|| Incoming::new(PART)),
                    plan,
                );
                let result = pump.run();
                if !matches!(result, Ok(()) | Err(UploadError::BackendGone)) {
                    // Wakes the thread that waits for a response. Fails when it has ended.
                    let _ = pump.backend.shutdown(Shutdown::Both);
                }
                *settled.when.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some((Instant::now(), result.is_ok()));
                settled.now.notify_all();
                Ended {
                    incoming: pump.incoming,
                    received: pump.received,
                    result,
                }
            }
        };
        let builder = thread::Builder::new()
            .name("upload".into())
            .stack_size(STACK);
        match builder.spawn(work) {
            Ok(thread) => Ok(Self {
                thread,
                backend: backend.clone(),
                settled,
            }),
            Err(_) => {
                let incoming = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
                Err(incoming.unwrap_or_else(|| Incoming::new(PART)))
            }
        }
    }

    /// When it ended, if it has.
    pub fn ended(&self) -> Option<Instant> {
        let when = self.settled.when.lock();
        when.unwrap_or_else(PoisonError::into_inner)
            .map(|(when, _)| when)
    }

    /// Whether the body has got through as a whole, or does within a moment.
    pub fn gets_through(&self) -> bool {
        self.settles().is_some_and(|(_, whole)| whole)
    }

    /// Whether it has ended, or does within a moment.
    pub fn ends(&self) -> bool {
        self.settles().is_some()
    }

    fn settles(&self) -> Option<(Instant, bool)> {
        let when = self.settled.when.lock();
        let when = when.unwrap_or_else(PoisonError::into_inner);
        let settled = &self.settled.now;
        let waited = settled.wait_timeout_while(when, SETTLES, |when| when.is_none());
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits for its end; brings it about, if the body is not through by itself, by ending the
    /// backend's connection.
    pub fn finish(self) -> Ended {
        if !self.ends() {
            let _ = self.backend.shutdown(Shutdown::Both); // fails when it has ended already
        }
        self.thread.join().unwrap_or_else(|_| Ended {
            incoming: Incoming::new(PART),
            received: 0,
            result: Err(UploadError::BackendGone),
        })
    }
}

struct Pump {
    client: Conn,
    backend: Conn,
    incoming: Incoming,
    plan: Plan,
    out: Vec<u8>,
    received: u64,
}

impl Pump {
    fn new(client: Conn, backend: Conn, incoming: Incoming, plan: Plan) -> Self {
        Self {
            client,
            backend,
            incoming,
            plan,
            out: Vec::new(),
            received: 0,
        }
    }

    fn run(&mut self) -> Result<(), UploadError> {
        match self.plan.framing {
            Framing::Length(length) => self.length(length),
            Framing::Chunked => self.chunks(),
            Framing::None | Framing::UntilClose => Ok(()),
        }
    }

    fn length(&mut self, length: u64) -> Result<(), UploadError> {
        // What is read while the body lasts goes into a buffer of the body's own; the client's small
        // one holds what came with the head, and what follows the body.
        let mut part = vec![0; PART];
        let mut left = length;
        let first = left.min(self.incoming.len() as u64) as usize;
        if first > 0 {
            let bytes = self.incoming.take(first);
            self.received = first as u64;
            send(&self.backend, self.plan.write, bytes)?;
            left -= first as u64;
        }
        while left > 0 {
            let room = left.min(PART as u64) as usize;
            let place = part.get_mut(..room).unwrap_or_default();
            let count = read(&self.client, &self.backend, self.plan.silence, place)?;
            self.received += count as u64;
            send(
                &self.backend,
                self.plan.write,
                part.get(..count).unwrap_or_default(),
            )?;
            left -= count as u64;
        }
        Ok(())
    }

    fn chunks(&mut self) -> Result<(), UploadError> {
        let mut reader = ChunkReader::new(&self.plan.limits);
        loop {
            let bytes = self.incoming.waiting();
            match reader.advance(bytes).map_err(UploadError::Broken)? {
                Piece::More(taken) => {
                    self.incoming.take(taken);
                    self.flush()?;
                    let place = self.incoming.spare();
                    let count = read(&self.client, &self.backend, self.plan.silence, place)?;
                    self.incoming.filled(count);
                }
                Piece::Data { from, to } => {
                    self.received += (to - from) as u64;
                    // A chunk says before it comes how long it is.
                    let least = self.received.saturating_add(reader.left_of_chunk());
                    if self.plan.most.is_some_and(|most| least > most) {
                        return Err(UploadError::TooLong);
                    }
                    write::chunk_line(&mut self.out, to - from);
                    self.out
                        .extend_from_slice(bytes.get(from..to).unwrap_or_default());
                    write::end(&mut self.out);
                    self.incoming.take(to);
                    if self.out.len() >= PART {
                        self.flush()?;
                    }
                }
                Piece::End(taken) => {
                    write::chunk_line(&mut self.out, 0);
                    heads::trailers(&mut self.out, reader.trailers(bytes));
                    write::end(&mut self.out);
                    self.incoming.take(taken);
                    return self.flush();
                }
            }
        }
    }

    fn flush(&mut self) -> Result<(), UploadError> {
        if !self.out.is_empty() {
            send(&self.backend, self.plan.write, &self.out)?;
            self.out.clear();
        }
        Ok(())
    }
}

/// Reads from the client, but ends when the backend does.
fn read(
    client: &Conn,
    backend: &Conn,
    silence: Duration,
    place: &mut [u8],
) -> Result<usize, UploadError> {
    let deadline = Deadline::after(silence);
    match client.wait_readable_or_end(backend, deadline) {
        Ok(Ready::Readable) => {}
        Ok(Ready::OtherEnded) => return Err(UploadError::BackendGone),
        Ok(Ready::TimedOut) => return Err(UploadError::TimedOut),
        Err(_) => return Err(UploadError::ClientGone),
    }
    client.set_read_deadline(deadline);
    match (&*client).read(place) {
        Ok(0) | Err(_) => Err(UploadError::ClientGone),
        Ok(count) => Ok(count),
    }
}

fn send(backend: &Conn, limit: Duration, bytes: &[u8]) -> Result<(), UploadError> {
    backend.set_write_deadline(Deadline::after(limit));
    let sent = (&*backend).write_all(bytes);
    sent.map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => UploadError::BackendStuck,
        _ => UploadError::BackendGone,
    })
}
