//! A request's body on its way to the backend, on a thread of its own.
//!
//! ```text
//!   client ──read──> upload thread ──write──> backend        the body, part by part
//!   client <──write── connection's thread <──read── backend  the response, which may come early
//! ```
//!
//! A backend may respond before it has read everything (with an error, say, or 100 Continue). So
//! the body and the response have a thread each. The upload ends when the body does. To end it
//! earlier, [`Upload::finish`] shuts down the backend's connection; and when the client or this
//! machine fails the upload, it ends the wait for the response in the same way. Meanwhile the upload
//! holds the client's buffer; it gives the buffer back with the bytes of the next request in it.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::desk::PART;
use super::heads::{self, HopNames};
use crate::http::{ChunkReader, Framing, Limits, Piece, Rule, write};
use crate::net::{Conn, Deadline, Incoming, Ready};
use crate::server::{is_gone, lock};

/// How long a response waits to see whether the body has got through. A backend that has read
/// everything may answer just before the upload notices; any other backend answers early.
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
    /// The client has left.
    ClientGone,
    /// The backend has closed. What it sent before may be a response.
    BackendGone,
    /// The backend has taken nothing for too long.
    BackendStuck,
    /// This machine could not send it, for lack of memory, say; the backend is well.
    NotSent,
}

impl UploadError {
    /// Whether the client or this machine is at fault, not the backend.
    pub fn spares_backend(self) -> bool {
        !matches!(self, UploadError::BackendGone | UploadError::BackendStuck)
    }

    /// The rule that the client broke, if it did.
    pub fn rule(self) -> Option<Rule> {
        match self {
            UploadError::Broken(rule) => Some(rule),
            _ => None,
        }
    }
}

/// What to send, and how.
pub struct Plan {
    /// How the body ends: a length, or chunks.
    pub framing: Framing,
    /// What ends here of the trailer section.
    pub hop: HopNames,
    /// The limits of chunks.
    pub limits: Limits,
    /// The longest body, in bytes.
    pub most: Option<u64>,
    /// How long the client may be silent.
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

/// What remains when an upload ends.
pub struct Ended {
    /// The client's buffer.
    pub incoming: Incoming,
    /// Bytes of the body that were read.
    pub received: u64,
    /// Whether the whole body got through.
    pub result: Result<(), UploadError>,
}

#[derive(Default)]
struct Settled {
    /// When the upload ended, and whether the body got through.
    when: Mutex<Option<(Instant, bool)>>,
    now: Condvar,
}

impl Upload {
    /// Starts an upload. `incoming` begins with the body. If no thread can be started, it is given
    /// back.
    pub fn start(
        client: &Conn,
        backend: &Conn,
        incoming: Incoming,
        plan: Plan,
    ) -> Result<Self, Incoming> {
        let settled = Arc::new(Settled::default());
        // Handed over in a slot, because a failed spawn drops what its closure holds.
        let slot = Arc::new(Mutex::new(Some(incoming)));
        let work = {
            let (client, backend) = (client.clone(), backend.clone());
            let (settled, slot) = (settled.clone(), slot.clone());
            move || {
                let taken = lock(&slot).take();
                let mut pump = Pump {
                    client,
                    backend,
                    incoming: taken.unwrap_or_else(|| Incoming::new(PART)),
                    plan,
                    out: Vec::new(),
                    received: 0,
                };
                let result = pump.run();
                if !matches!(result, Ok(()) | Err(UploadError::BackendGone)) {
                    // Wakes the thread that waits for a response. Fails if the connection has
                    // ended.
                    let _ = pump.backend.shutdown(Shutdown::Both);
                }
                *lock(&settled.when) = Some((Instant::now(), result.is_ok()));
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
                let incoming = lock(&slot).take();
                Err(incoming.unwrap_or_else(|| Incoming::new(PART)))
            }
        }
    }

    /// When the upload ended, if it has.
    pub fn ended(&self) -> Option<Instant> {
        lock(&self.settled.when).map(|(when, _)| when)
    }

    /// Whether the whole body has got through, or does so within a moment.
    pub fn gets_through(&self) -> bool {
        self.settles().is_some_and(|(_, whole)| whole)
    }

    /// Whether the upload has ended, or does so within a moment.
    pub fn ends(&self) -> bool {
        self.settles().is_some()
    }

    fn settles(&self) -> Option<(Instant, bool)> {
        let when = lock(&self.settled.when);
        let settled = &self.settled.now;
        let waited = settled.wait_timeout_while(when, SETTLES, |when| when.is_none());
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits for the end. If the upload does not end by itself, shuts down the backend's connection
    /// to end it.
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
    fn run(&mut self) -> Result<(), UploadError> {
        match self.plan.framing {
            Framing::Length(length) => self.length(length),
            Framing::Chunked => self.chunks(),
            Framing::None | Framing::UntilClose => Ok(()),
        }
    }

    fn length(&mut self, length: u64) -> Result<(), UploadError> {
        // The body is read into a buffer of its own. The client's small one holds what came with
        // the head, and what follows the body.
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
                    // The chunk's size is known before its data, so refuse it at once.
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
                    heads::trailers(&mut self.out, reader.trailers(bytes), &self.plan.hop);
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

/// Reads from the client, but ends when the backend closes.
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
    (&*backend).write_all(bytes).map_err(not_sent)
}

fn not_sent(error: io::Error) -> UploadError {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable, TimedOut};
    match error.kind() {
        TimedOut => UploadError::BackendStuck,
        // The backend no longer acknowledges anything, and ICMP says why.
        ConnectionRefused | HostUnreachable | NetworkUnreachable => UploadError::BackendGone,
        _ if is_gone(&error) => UploadError::BackendGone,
        _ => UploadError::NotSent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Network, dial, listen};

    #[test]
    fn only_a_lack_on_this_machine_spares_the_backend() {
        for (number, blamed) in [
            (32, UploadError::BackendGone),   // EPIPE
            (104, UploadError::BackendGone),  // ECONNRESET
            (101, UploadError::BackendGone),  // ENETUNREACH
            (111, UploadError::BackendGone),  // ECONNREFUSED
            (113, UploadError::BackendGone),  // EHOSTUNREACH
            (110, UploadError::BackendStuck), // ETIMEDOUT
            (12, UploadError::NotSent),       // ENOMEM
            (105, UploadError::NotSent),      // ENOBUFS
        ] {
            let error = io::Error::from_raw_os_error(number);
            assert_eq!(not_sent(error), blamed, "{number}");
        }
    }

    #[test]
    fn a_body_that_this_machine_cannot_send_ends_the_wait_for_the_response() {
        let pair = |name: &str| {
            let path = format!("@groundwire-upload-{name}-{}", std::process::id());
            let listener = listen(Network::Unixpacket, &path).unwrap();
            let conn = dial(Network::Unixpacket, &path).unwrap();
            (conn, listener.accept().unwrap())
        };
        let ((client, _from), (backend, _to)) = (pair("client"), pair("backend"));
        let length = 64 << 20; // EMSGSIZE: no record is so long
        let mut incoming = Incoming::new(PART);
        while incoming.len() < length {
            let room = incoming.spare().len();
            incoming.filled(room);
        }
        let plan = Plan {
            framing: Framing::Length(length as u64),
            hop: HopNames::default(),
            limits: Limits::default(),
            most: None,
            silence: Duration::from_secs(60),
            write: Duration::from_secs(60),
        };
        let upload = Upload::start(&client, &backend, incoming, plan)
            .ok()
            .unwrap();
        backend.set_read_deadline(Deadline::after(Duration::from_secs(10)));
        assert_eq!((&backend).read(&mut [0; 4]).unwrap(), 0);
        assert_eq!(upload.finish().result, Err(UploadError::NotSent));
    }
}
