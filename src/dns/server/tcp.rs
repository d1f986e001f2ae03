//! Queries over TCP: many on one connection, answered in their order (RFC 1035 §4.2.2, RFC 7766).
//!
//! RFC 7766 §7 recommends to answer in parallel, and out of order if need be. Here an answer waits
//! for nothing but the answers before it, which are made from memory; only a transfer takes long.
//!
//! One read brings what the client has sent by then; one write takes all the answers back, each
//! after its length. What can go wrong:
//!
//! - A client is silent, or sends a byte now and then: the next message has to be complete within
//!   the idle time-out, which single bytes do not renew.
//! - A client asks and does not read: writing has a deadline, and nothing is read meanwhile.
//! - A client half-closes after its last question: it gets its answers, then we close.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::answerer::Shared;
use super::frames::{incoming, next_message};
use crate::net::{Conn, Deadline, Incoming};
use crate::server::{End, Handler, Session};

/// Answers are written once they have this many octets, even if more questions wait: the client
/// chooses how many it sends, but not how much memory their answers take.
const FLUSH: usize = 64 * 1024;
/// The room for answers that an idle connection keeps, in octets.
const KEPT: usize = 4 * 1024;

/// A connection's handler.
pub(super) struct TcpHandler {
    pub(super) shared: Arc<Shared>,
    /// The next message has to be complete within this time.
    pub(super) idle: Duration,
    /// The client has to take answers within this time.
    pub(super) write: Duration,
}

impl Handler for TcpHandler {
    fn serve(&self, conn: &Conn, session: &Session<'_>) -> io::Result<End> {
        let Some(peer) = conn.peer_addr().ip() else {
            return Err(io::Error::other("a peer without an address"));
        };
        let (mut frames, mut out) = (incoming(), Vec::new());
        let mut until = Deadline::after(self.idle);
        loop {
            session.between_requests();
            conn.set_read_deadline(until);
            match (&*conn).read(frames.spare()) {
                Ok(0) => return Ok(End::Peer),
                Ok(count) => frames.filled(count),
                // Nothing more to ask, which is usual; a time-out within a message is an error.
                Err(e) if e.kind() == io::ErrorKind::TimedOut && frames.is_empty() => {
                    return Ok(End::Ours);
                }
                Err(error) => return Err(error),
            }
            if self.answer(conn, peer, &mut frames, &mut out)? {
                until = Deadline::after(self.idle);
            }
            out.shrink_to(KEPT);
        }
    }
}

impl TcpHandler {
    /// Answers the complete messages; returns whether there was one.
    fn answer(
        &self,
        conn: &Conn,
        peer: SocketAddr,
        frames: &mut Incoming,
        out: &mut Vec<u8>,
    ) -> io::Result<bool> {
        // Held only for these messages, so that an idle connection keeps no old zones in memory.
        let mut held = self.shared.current.hold();
        let mut send = |out: &mut Vec<u8>| match out.len() {
            0..FLUSH => Ok(()),
            _ => self.send(conn, out),
        };
        let mut any = false;
        while let Some(query) = next_message(frames) {
            any = true;
            self.shared
                .answer_message(&mut held, peer, query, out, &mut send)?;
            send(out)?;
        }
        self.send(conn, out)?;
        Ok(any)
    }

    fn send(&self, mut conn: &Conn, out: &mut Vec<u8>) -> io::Result<()> {
        if !out.is_empty() {
            conn.set_write_deadline(Deadline::after(self.write));
            conn.write_all(out)?;
            out.clear();
        }
        Ok(())
    }
}
