//! The stream under an exchange: the deadline for each part of it, and when a stop of the server
//! may wake it.
//!
//! To stop, a server shuts down reading on idle connections, which wakes them. But a request whose
//! body is still on its way must be read to its end. So this connection registers for the stop
//! ([`Session::at_stop`]), and reading is shut down only while it *rests*: before a request, in a
//! pause, between two messages of a WebSocket.

use std::cell::{Cell, RefCell};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::OriginConfig;
use crate::net::{Addr, Conn, Deadline, Incoming};
use crate::server::Session;

/// How much of the buffer for early bytes is kept when it is empty, in bytes.
const KEPT: usize = 4096;

/// What is being read.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// The first byte of something: the connection rests, and silence is not an error.
    First,
    /// The rest of a header section, until this moment.
    Head(Deadline),
    /// A body: each read has the time-out of a body.
    Body,
}

/// How a pause ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    /// The time is over.
    Over,
    /// The client's stream has ended: it has left.
    Left,
    /// The server is stopping.
    Stopping,
}

/// One connection, as the exchange and the pages use it.
pub(super) struct Wire<'a> {
    conn: &'a Conn,
    session: &'a Session<'a>,
    config: &'a OriginConfig,
    phase: Cell<Phase>,
    /// Bytes that were read in a pause, or put back: the next read begins with them.
    ahead: RefCell<Incoming>,
    resting: Arc<AtomicBool>,
}

impl<'a> Wire<'a> {
    pub fn new(conn: &'a Conn, session: &'a Session<'a>, config: &'a OriginConfig) -> Self {
        let resting = Arc::new(AtomicBool::new(false));
        let (seen, woken) = (resting.clone(), conn.clone());
        session.at_stop(move || {
            if seen.load(Ordering::SeqCst) {
                let _ = woken.shutdown(Shutdown::Read); // fails if the client has gone
            }
        });
        Self {
            conn,
            session,
            config,
            phase: Cell::new(Phase::First),
            ahead: RefCell::new(Incoming::new(KEPT)),
            resting,
        }
    }

    /// The client's address.
    pub fn peer(&self) -> &Addr {
        self.conn.peer_addr()
    }

    /// Whether the server is stopping.
    pub fn is_stopping(&self) -> bool {
        self.session.is_stopping()
    }

    /// From now on a request or a message is awaited. The end of the stream, silence beyond the
    /// idle time-out, and a stop of the server all read as the end. The first byte sets the
    /// deadline for the header section: a client that sends a byte at a time does not extend it.
    pub fn expect_next(&self) {
        self.phase.set(Phase::First);
    }

    /// Like [`expect_next`](Self::expect_next) when the first byte is here already: the time starts
    /// now.
    pub fn expect_rest(&self) {
        let limit = self.config.header_timeout;
        self.phase.set(Phase::Head(Deadline::after_option(limit)));
    }

    /// From now on a body is read.
    pub fn expect_body(&self) {
        self.phase.set(Phase::Body);
    }

    /// Makes the next read begin with these bytes.
    pub fn put_back(&self, mut bytes: &[u8]) {
        let mut ahead = self.ahead.borrow_mut();
        while !bytes.is_empty() {
            let count = bytes.read(ahead.spare()).unwrap_or(0); // a slice never fails
            ahead.filled(count);
        }
    }

    /// Waits for `time`, unless the client leaves or the server stops. A half-close counts as
    /// leaving: until a write fails, the two look the same. Requests that arrive meanwhile are
    /// kept, up to the limit of a header section.
    pub fn pause(&self, time: Duration) -> io::Result<Pause> {
        if time.is_zero() {
            return Ok(Pause::Over);
        }
        let deadline = Deadline::after(time);
        let mut ahead = self.ahead.borrow_mut();
        while ahead.len() <= self.config.limits.section {
            match self.read_resting(deadline, ahead.spare()) {
                Ok(0) if self.is_stopping() => return Ok(Pause::Stopping),
                Ok(0) => return Ok(Pause::Left),
                Ok(count) => ahead.filled(count),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(Pause::Over),
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("too many bytes sent ahead of a reply"))
    }

    /// One read, which a stop of the server ends with 0.
    fn read_resting(&self, deadline: Deadline, out: &mut [u8]) -> io::Result<usize> {
        self.resting.store(true, Ordering::SeqCst);
        // Checked after the store: a later stop finds the connection resting, an earlier one is
        // seen here.
        let count = match self.is_stopping() {
            true => Ok(0),
            false => self.read_until(deadline, out),
        };
        self.resting.store(false, Ordering::SeqCst);
        count
    }

    fn read_until(&self, deadline: Deadline, out: &mut [u8]) -> io::Result<usize> {
        let mut conn = self.conn;
        conn.set_read_deadline(deadline);
        conn.read(out)
    }

    fn read_first(&self, out: &mut [u8]) -> io::Result<usize> {
        let idle = Deadline::after_option(self.config.idle_timeout);
        let count = match self.read_resting(idle, out) {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => 0,
            other => other?,
        };
        self.expect_rest();
        Ok(count)
    }
}

impl Read for &Wire<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut ahead = self.ahead.borrow_mut();
        if !ahead.is_empty() {
            if matches!(self.phase.get(), Phase::First) {
                self.expect_rest();
            }
            return ahead.take(out.len()).read(out);
        }
        match self.phase.get() {
            Phase::First => self.read_first(out),
            Phase::Head(deadline) => self.read_until(deadline, out),
            Phase::Body => {
                let deadline = Deadline::after_option(self.config.body_timeout);
                self.read_until(deadline, out)
            }
        }
    }
}

impl Write for &Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut conn = self.conn;
        conn.set_write_deadline(Deadline::after_option(self.config.write_timeout));
        conn.write(bytes)
    }

    /// One deadline for all bytes: a client that takes a byte at a time does not extend it.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut conn = self.conn;
        conn.set_write_deadline(Deadline::after_option(self.config.write_timeout));
        conn.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
